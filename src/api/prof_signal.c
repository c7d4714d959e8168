#include "api/prof_signal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cache/thread.h"
#include "conf/options.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "prof/prof.h"
#include "prof/prof_output.h"

static struct {
	_Atomic uint32_t pending;	/* the thread sleeps on it */
	_Atomic bool served;		/* by the thread */
} asked;

static const struct {
	const char *name;
	int number;
} names[] = {
	{ "HUP", SIGHUP }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
	{ "ALRM", SIGALRM }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF },
	{ "URG", SIGURG }, { "WINCH", SIGWINCH }, { "IO", SIGIO },
	{ "PWR", SIGPWR },
};

/* 0: it is none that may be used. */
static int
number_of(const char *name)
{
	int number = 0;

	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i].name) == 0)
			return names[i].number;
	for (; *name >= '0' && *name <= '9' && number <= SIGRTMAX; name++)
		number = number * 10 + (*name - '0');
	if (*name != '\0')
		return 0;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (number == names[i].number)
			return number;
	return number >= SIGRTMIN && number <= SIGRTMAX ? number : 0;
}

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

static void
dump(void)
{
	if (!prof_dump_now(NULL))
		message("The heap profile can't be written");
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
		dump();
		prof_enable(false);
		message("The heap profile is off");
	} else {
		dump();
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
	int number = number_of(opt.prof_signal);
	pthread_t thread;

	if (number == 0 || sigaction(number, NULL, &before) != 0) {
		message("prof_signal: no signal to be used: %.20s",
		    opt.prof_signal);
		return;
	}
	if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		message("prof_signal: %.20s is in use", opt.prof_signal);
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
