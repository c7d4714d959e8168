/*
 * watch: a process that looks at another one.
 *
 * The programs about memory at rest fork: the child is the subject and does
 * nothing but what is measured, the parent reads its figures from /proc. They
 * take turns through a pipe each way. A figure is printed as
 * `figure NAME VALUE`, which scripts/footprint reads.
 *
 */
#ifndef WATCH_H
#define WATCH_H

#include "bench.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct watch {
	pid_t subject; /* 0 in the subject itself */
	int from, to;  /* ends of the pipes */
};

/* Forks; to be called before there are threads. */
static inline struct watch
watch_start(void)
{
	int up[2], down[2];
	struct watch watch;

	if (pipe(up) != 0 || pipe(down) != 0 || (watch.subject = fork()) < 0)
		bench_die("no second process");
	watch.from = watch.subject != 0 ? up[0] : down[0];
	watch.to = watch.subject != 0 ? down[1] : up[1];
	close(watch.subject != 0 ? up[1] : down[1]);
	close(watch.subject != 0 ? down[0] : up[0]);
	if (watch.subject == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return watch;
}

/* The other one's turn, until it is ours again. */
static inline void
watch_pass(struct watch *watch)
{
	char token = 0;

	if (write(watch->to, &token, 1) != 1 ||
	    read(watch->from, &token, 1) != 1)
		bench_die("the other process is gone");
}

/* Waits for the first turn. */
static inline void
watch_wait(struct watch *watch)
{
	char token;

	if (read(watch->from, &token, 1) != 1)
		bench_die("the subject is gone");
}

static inline void
watch_end(struct watch *watch)
{
	kill(watch->subject, SIGKILL);
	waitpid(watch->subject, NULL, 0);
}

/* Sums the numbers behind `key` over the files; 0 if there are none. */
static inline unsigned long
watch_sum(const char *dir_path, const char *file_name, const char *key)
{
	DIR *dir = opendir(dir_path);
	struct dirent *entry;
	unsigned long sum = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[512], line[512];
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", dir_path,
		    entry->d_name, file_name);
		file = fopen(path, "r");
		while (file != NULL && fgets(line, sizeof(line), file) != NULL)
			if (strncmp(line, key, strlen(key)) == 0)
				sum += strtoul(line + strlen(key), NULL, 10);
		if (file != NULL)
			fclose(file);
	}
	if (dir != NULL)
		closedir(dir);
	return sum;
}

/* How often threads of the subject have gone to sleep or were stopped. */
static inline unsigned long
watch_switches(const struct watch *watch)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d/task", (int)watch->subject);
	return watch_sum(dir, "status", "voluntary_ctxt_switches:") +
	    watch_sum(dir, "status", "nonvoluntary_ctxt_switches:");
}

/* Nanoseconds that threads of the subject have run. */
static inline unsigned long
watch_cpu_ns(const struct watch *watch)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d/task", (int)watch->subject);
	return watch_sum(dir, "schedstat", "");
}

/* Resident memory of the subject. */
static inline double
watch_rss_mib(const struct watch *watch)
{
	char path[64];
	unsigned long size = 0, resident = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)watch->subject);
	file = fopen(path, "r");
	if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2)
		bench_die("no figures of the subject");
	fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static inline void
watch_sleep(double seconds)
{
	struct timespec time = { (time_t)seconds,
		(long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&time, &time) != 0)
		;
}

/*
 * Sleeps, and then on for as long as the subject still gives memory back or has
 * threads at work, up to a minute: a slow machine only takes longer.
 */
static inline void
watch_settle(const struct watch *watch, double seconds)
{
	watch_sleep(seconds);
	for (unsigned i = 0; i < 60; i++) {
		double before = watch_rss_mib(watch);
		unsigned long switches = watch_switches(watch);

		watch_sleep(1);
		if (watch_rss_mib(watch) > before * 0.99 &&
		    watch_switches(watch) == switches)
			return;
	}
}

static inline void
figure(const char *name, double value)
{
	printf("figure %s %.3f\n", name, value);
	fflush(stdout);
}

#endif
