#include "api/prof_signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cache/thread.h"
#include "conf/options.h"
#include "conf/value.h"
#include "os/error_text.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "prof/prof.h"
#include "prof/prof_output.h"

static struct {
	_Atomic uint32_t pending; /* our thread sleeps on it */
	_Atomic bool served;      /* our thread is running */
} asked;

static void
handle(int number)
{
	(void)number;
	atomic_store(&asked.pending, 1);
	if (atomic_load(&asked.served))
		os_thread_wake(&asked.pending);
	else if (thread_is_own(thread_self))
		tcache_set_rare(&thread_self->tcache, TCACHE_SIGNALLED, true);
}

void
prof_signal_act(void)
{
	if (atomic_exchange(&asked.pending, 0) == 0)
		return;
	if (!prof_is_on() && opt.prof_signal_action == PROF_SIGNAL_TOGGLE) {
		prof_enable(true);
		message("The heap profile is on");
	} else if (!prof_is_on()) {
		message("The heap profile is not on, so there is no dump");
	} else if (opt.prof_signal_action == PROF_SIGNAL_TOGGLE) {
		prof_dump_told();
		prof_enable(false);
		message("The heap profile is off");
	} else {
		prof_dump_told();
	}
}

static void *
run(void *argument)
{
	(void)argument;
	os_thread_set_name("jemalloc_prof");
	for (;;) {
		os_thread_sleep(&asked.pending, 0, UINT64_MAX);
		prof_signal_act();
	}
	return NULL;
}

void
prof_signal_start(void)
{
	struct sigaction action = { .sa_flags = SA_RESTART }, before;
	char why[ERROR_TEXT_MAX];
	int number = 0;
	pthread_t thread;

	/* The name is valid: the option was checked when it was read. */
	value_signal(opt.prof_signal, strlen(opt.prof_signal), &number);
	if (sigaction(number, NULL, &before) != 0) {
		message("prof_signal:%.20s has no effect: %s", opt.prof_signal,
		    error_text(errno, why));
		return;
	}
	if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		message("prof_signal:%.20s has no effect: the program handles "
			"that signal itself",
		    opt.prof_signal);
		return;
	}
	action.sa_handler = handle;
	sigfillset(&action.sa_mask);
	if (os_thread_start(&thread, run, NULL) == 0)
		atomic_store(&asked.served, true);
	sigaction(number, &action, NULL);
}

void
prof_signal_fork_child(void)
{
	atomic_store(&asked.served, false);
}
