/*
 * container: a container that ends what has more memory than it may.
 *
 * Provokes: the files of the outermost control group say that there is little
 * room; where the test runs in such a container, they do so anyway. Two threads
 * with arenas of their own fill most of the room in turn, with blocks of one
 * size after the other; a block grows step by step; then what is live fills
 * nearly all of it and is replaced ten times.
 * Must hold: memory never exceeds the room, because what one arena keeps
 * without use goes before another one takes more. Contents are intact.
 */
#include "blocks.h"

#include <sched.h>
#include <sys/mount.h>

#define GROUP     "/sys/fs/cgroup"
#define INSIDE    "STRESS_CONTAINER"
#define ROOM_TEXT "134217728\n"

enum { NTHREADS = 2, NTURNS = 8, NLIVE = 1 << 15 };

static size_t room;

/* --- being in a container ------------------------------------------------- */

static void
file_write(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 &&
	    write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static size_t
group_limit(const char *name)
{
	char path[64], text[32] = "";
	ssize_t length = 0;
	int fd;

	snprintf(path, sizeof(path), GROUP "/%s", name);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		length = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	return length > 0 ? (size_t)strtoull(text, NULL, 10) : 0;
}

/* In the child, which starts itself again: its files say there is little. */
static void
pretend(char **argv)
{
	char folder[] = "/tmp/container.XXXXXX";

	if (unshare(CLONE_NEWNS) != 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		stress_skip("no right to mounts of its own");
	/* What is made in this folder is gone with these mounts. */
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/tmp", "tmpfs", 0, NULL) != 0 ||
	    mkdtemp(folder) == NULL || chdir(folder) != 0)
		stress_skip("no file system in memory");
	file_write("memory.max", ROOM_TEXT);
	file_write("memory.high", "max\n");
	if (mount(folder, GROUP, NULL, MS_BIND, NULL) != 0)
		stress_skip("no " GROUP);
	CHECK(setenv(INSIDE, "1", 1) == 0);
	execv("/proc/self/exe", argv);
	_exit(1);
}

/* --- in it ---------------------------------------------------------------- */

static void
peak_must_fit(const char *what)
{
	size_t peak = memory_status("VmHWM:");

	if (peak > room)
		stress_fail("%s: %zu KiB were in memory, of %zu", what,
		    peak / KIB, room / KIB);
}

static pthread_barrier_t turn;

static void
fill_and_free(size_t size)
{
	struct block *list = NULL;

	for (size_t total = 0; total < room / 10 * 7; total += size)
		CHECK(blocks_add(&list, size, total));
	blocks_free(list);
}

static void *
take_turns(void *argument)
{
	static const size_t sizes[] = { 64 * KIB, 200, MIB, 6 * KIB };
	uintptr_t mine = (uintptr_t)argument;

	for (unsigned i = 0; i < NTURNS; i++) {
		if (i % NTHREADS == mine)
			fill_and_free(sizes[i / NTHREADS]);
		pthread_barrier_wait(&turn);
	}
	return NULL;
}

static void
in_turn(void)
{
	pthread_t id[NTHREADS];

	CHECK(pthread_barrier_init(&turn, NULL, NTHREADS) == 0);
	for (uintptr_t i = 0; i < NTHREADS; i++)
		CHECK(pthread_create(&id[i], NULL, take_turns, (void *)i) == 0);
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_join(id[i], NULL);
	peak_must_fit("threads in turn");
}

/*
 * What another thread has left must go for a block that grows in place, too. It
 * does not grow beyond half of the room: it may have to be copied.
 */
static void *
leave_unused(void *unused)
{
	fill_and_free(2000);
	return unused;
}

static void
grow(void)
{
	pthread_t id;
	char *block = needed(malloc(32 * KIB));

	CHECK(pthread_create(&id, NULL, leave_unused, NULL) == 0);
	pthread_join(id, NULL);
	for (size_t size = 64 * KIB; size < room / 20 * 9; size += 64 * KIB) {
		block = needed(realloc(block, size));
		memset(block + size - 64 * KIB, 1, 64 * KIB);
	}
	free(block);
	peak_must_fit("a block that grows");
}

/* What is live has 25/32 of the room: 100 of 128 MiB. */
static void
replace(void)
{
	static struct {
		char *bytes;
		size_t size;
	} live[NLIVE];
	struct prng prng = { 3 };
	size_t sum = 0, want = room / 32 * 25;
	unsigned n = 0;

	for (size_t done = 0; done < 10 * want;) {
		size_t size = 1 + prng_size(&prng, 256 * KIB);

		while (n == NLIVE || sum + size > want) {
			unsigned victim = (unsigned)prng_below(&prng, n);

			bytes_verify(live[victim].bytes, live[victim].size,
			    live[victim].size);
			free(live[victim].bytes);
			sum -= live[victim].size;
			live[victim] = live[--n];
		}
		live[n].bytes = needed(malloc(size));
		live[n].size = size;
		bytes_fill(live[n].bytes, size, size);
		n++;
		sum += size;
		done += size;
	}
	while (n-- > 0)
		free(live[n].bytes);
	peak_must_fit("objects that are replaced");
}

int
main(int argc, char **argv)
{
	int status;
	pid_t pid;

	stress_start(argc, argv, 60);
	if (getenv(INSIDE) == NULL) {
		pid = fork();
		if (pid == 0)
			pretend(argv);
		CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
		stress_skip_as(status);
		if (status != 0)
			stress_fail("in a container: status %d", status);
		return 0;
	}
	room = group_limit("memory.max");
	if (room == 0 ||
	    (group_limit("memory.high") != 0 &&
		group_limit("memory.high") < room))
		room = group_limit("memory.high");
	CHECK(room >= 64 * MIB && room <= 1024 * MIB);
	in_turn();
	grow();
	replace();
	return 0;
}
