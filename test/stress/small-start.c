/*
 * small-start: the process starts with little room.
 *
 * Provokes: this program starts itself again with 64 MiB of address space,
 * and again with a filter that refuses each writable mapping above 16 MiB,
 * then above 4 MiB.
 * Must hold: it runs: 40,000 blocks of 120 bytes, ten of 1 MiB (or two of
 * them under the last filter), forty short threads with stacks of 256 KiB.
 */
#include "stress.h"

#include <sys/mman.h>

enum { NSMALL = 40000, NLARGE = 10, NTHREADS = 40 };

/* mmap gives ENOMEM if it wants more than `limit` writable bytes. */
static void
filter_install(uint32_t limit)
{
	const unsigned length = offsetof(struct seccomp_data, args[1]);
	const unsigned protection = offsetof(struct seccomp_data, args[2]);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALL_MMAP, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, protection),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, length + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, length),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, limit, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	stress_filter(&program);
}

static void *
short_life(void *argument)
{
	for (unsigned i = 1; i < 200; i++) {
		char *block = needed(malloc(i * 20));

		bytes_fill(block, i * 20, (uintptr_t)argument);
		bytes_verify(block, i * 20, (uintptr_t)argument);
		free(block);
	}
	return NULL;
}

static void
little_room_work(unsigned nlarge)
{
	static char *small[NSMALL], *large[NLARGE];
	pthread_attr_t attributes;

	for (unsigned i = 0; i < NSMALL; i++) {
		small[i] = needed(malloc(120));
		bytes_fill(small[i], 120, i);
	}
	for (unsigned i = 0; i < nlarge; i++) {
		large[i] = needed(malloc(MIB));
		bytes_fill(large[i], MIB, i);
	}
	pthread_attr_init(&attributes);
	CHECK(pthread_attr_setstacksize(&attributes, 256 * KIB) == 0);
	for (uintptr_t i = 0; i < NTHREADS; i++) {
		pthread_t id;

		CHECK(pthread_create(&id, &attributes, short_life, (void *)i) ==
		    0);
		CHECK(pthread_join(id, NULL) == 0);
	}
	pthread_attr_destroy(&attributes);
	for (unsigned i = 0; i < NSMALL; i++) {
		bytes_verify(small[i], 120, i);
		free(small[i]);
	}
	for (unsigned i = 0; i < nlarge; i++) {
		bytes_verify(large[i], MIB, i);
		free(large[i]);
	}
}

static void
start_again(void *argument)
{
	char *command[] = { "small-start", argument, NULL };

	if (strcmp(argument, "limit") == 0) {
		struct rlimit limit = { 64 * MIB, 64 * MIB };

		CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	} else {
		filter_install((uint32_t)atoi(argument) << 20);
	}
	execv("/proc/self/exe", command);
	stress_fail("exec: %s", strerror(errno));
}

static void
case_run(char *how)
{
	static struct child child;

	child_run(&child, start_again, how, 30);
	if (child.status != 0)
		stress_fail("%s: status %#x: %.300s", how,
		    (unsigned)child.status, child.text);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "limit") == 0) {
		little_room_work(NLARGE);
		return 0;
	}
	if (argc > 1 && (atoi(argv[1]) == 16 || atoi(argv[1]) == 4)) {
		little_room_work(atoi(argv[1]) == 16 ? NLARGE : 2);
		return 0;
	}
	stress_start(1, argv, 100);
	case_run("limit");
	stress_need_filters();
	case_run("16");
	case_run("4");
	return 0;
}
