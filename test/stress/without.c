/*
 * without: runs a program on a kernel that lacks something.
 *
 * usage: without [ERRNO CALL[:ARG=VALUE | :ARG&BITS]...]... -- PROGRAM...
 *
 *   ERRNO  EINVAL, ENOSYS, EPERM or ENOMEM: the answer to the CALLs behind it
 *   CALL   madvise, mremap, membarrier, getrandom, mprotect, brk, getcpu,
 *          sched_getaffinity, prctl
 *   ARG    only if this argument, counted from 0, is VALUE or has all BITS
 *
 * It holds for all threads and children. Exit status STRESS_SKIPPED, and the
 * reason in one line, where there can be no filter.
 */
#include "stress.h"

enum { CODE_MAX = 256, PER_RULE = 8 };

static const struct {
	const char *name;
	unsigned value;
} calls[] = {
	{ "madvise", SYS_madvise },
	{ "mremap", SYS_mremap },
	{ "membarrier", SYS_membarrier },
	{ "getrandom", SYS_getrandom },
	{ "mprotect", SYS_mprotect },
	{ "brk", SYS_brk },
	{ "getcpu", SYS_getcpu },
	{ "sched_getaffinity", SYS_sched_getaffinity },
	{ "prctl", SYS_prctl },
}, errors[] = {
	{ "EINVAL", EINVAL },
	{ "ENOSYS", ENOSYS },
	{ "EPERM", EPERM },
	{ "ENOMEM", ENOMEM },
};

static struct sock_filter code[CODE_MAX];
static unsigned length;

_Noreturn static void
die(const char *text, const char *what)
{
	fprintf(stderr, "without: %s: %s\n", what, text);
	exit(125);
}

static void
emit(struct sock_filter instruction)
{
	code[length++] = instruction;
}

static void
add_rule(unsigned error, const char *text)
{
	size_t name = strcspn(text, ":");
	char *end = NULL;
	unsigned i = 0, arg;

	while (i < sizeof(calls) / sizeof(calls[0]) &&
	    (strlen(calls[i].name) != name ||
		strncmp(calls[i].name, text, name) != 0))
		i++;
	if (i == sizeof(calls) / sizeof(calls[0]) || error == 0)
		die("not a call, or no error before it", text);
	if (length + PER_RULE >= CODE_MAX)
		die("too many rules", text);
	emit((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, nr)));
	if (text[name] == '\0') {
		emit((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    calls[i].value, 0, 1));
	} else {
		arg = (unsigned)strtoul(text + name + 1, &end, 10);
		if (arg > 5 || (*end != '=' && *end != '&'))
			die("not ARG=VALUE or ARG&BITS", text);
		emit((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    calls[i].value, 0, 3));
		emit((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    (unsigned)(offsetof(struct seccomp_data, args) + 8 * arg +
			(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))));
		emit((struct sock_filter)BPF_JUMP(BPF_JMP |
			(*end == '=' ? BPF_JEQ : BPF_JSET) | BPF_K,
		    (unsigned)strtoul(end + 1, NULL, 0), 0, 1));
	}
	emit((struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ERRNO | error));
}

static unsigned
error_of(const char *text)
{
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(errors[i].name, text) == 0)
			return errors[i].value;
	return 0;
}

int
main(int argc, char **argv)
{
	struct sock_fprog program = { .filter = code };
	unsigned error = 0;
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		unsigned found = error_of(argv[i]);

		if (found != 0)
			error = found;
		else
			add_rule(error, argv[i]);
	}
	if (i + 1 >= argc)
		die("no program", "usage");
	emit((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	program.len = (unsigned short)length;
	stress_need_filters();
	stress_filter(&program);
	execvp(argv[i + 1], argv + i + 1);
	die(strerror(errno), argv[i + 1]);
}
