#include "viewer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "tool.h"

static struct {
	bool background;
} viewer;

void
viewer_in_background(void)
{
	viewer.background = true;
}

static char *
file_create(const char *name, FILE **file)
{
	const char *folder = getenv("TMPDIR");
	char *path = print("%s/jeprof.XXXXXX",
		 folder != NULL && folder[0] != '\0' ? folder : "/tmp"),
	     *result;

	if (mkdtemp(path) == NULL)
		fail("%s: %s", path, strerror(errno));
	result = print("%s/%s", path, name);
	*file = fopen(result, "w+e");
	if (*file == NULL)
		fail("%s: %s", result, strerror(errno));
	free(path);
	return result;
}

static void
file_remove(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	free(path);
}

static void
file_close(FILE *file, const char *path)
{
	bool failed = ferror(file) != 0;

	if (fclose(file) != 0 || failed)
		fail("%s: %s", path, strerror(errno));
}

/* Runs a viewer; if it works in the background, does not wait for it. */
static void
program_run(const char *const *words, char *file)
{
	struct process process;

	if (viewer.background && fork() != 0)
		return;
	process_start(&process, words, 0, 1);
	bool good = process_end(&process);

	file_remove(file);
	if (!good)
		fail("%s failed", words[0]);
	if (viewer.background)
		_exit(0);
}

static char *
picture_file(struct report *report, const char *name, const char *format)
{
	FILE *file;
	char *path = file_create(name, &file);

	report->to = file;
	report_picture(report, format);
	file_close(file, path);
	return path;
}

static void
viewer_need(const char *program)
{
	if (!process_exists(program))
		fail("this needs the program %s, which is not installed",
		    program);
}

void
viewer_gv(struct report *report)
{
	viewer_need("gv");

	char *path = picture_file(report, "graph.ps", "ps2");
	char *scale = print("--scale=%d", (int)report->scale);

	program_run((const char *const[]){ "gv", scale, "--noantialias", path,
			NULL },
	    path);
	free(scale);
}

void
viewer_evince(struct report *report)
{
	viewer_need("evince");

	char *path = picture_file(report, "graph.pdf", "pdf");

	program_run((const char *const[]){ "evince", path, NULL }, path);
}

void
viewer_kcachegrind(struct report *report)
{
	FILE *file;

	viewer_need("kcachegrind");

	char *path = file_create("callgrind.out", &file);

	report->to = file;
	report_callgrind(report);
	file_close(file, path);
	program_run((const char *const[]){ "kcachegrind", path, NULL }, path);
}

/*
 * $BROWSER. If it is not set, a program that opens the user's default browser.
 * If there is none, any installed browser.
 */
static const char *
browser_find(void)
{
	static const char *const known[] = {
		"xdg-open",
		"sensible-browser",
		"x-www-browser",
		"firefox",
		"chromium",
		"google-chrome",
	};
	const char *own = getenv("BROWSER");

	if (own != NULL && own[0] != '\0')
		return own;
	for (size_t i = 0; i < LENGTH(known); i++) {
		if (process_exists(known[i]))
			return known[i];
	}
	fail("no browser was found; set $BROWSER to name one");
}

static void
browser_run(const char *browser, const char *path)
{
	struct process process;

	note("%s", path);
	if (viewer.background && fork() != 0)
		return;
	process_start(&process, (const char *const[]){ browser, path, NULL }, 0,
	    1);
	if (!process_end(&process))
		fail("%s failed", browser);
	if (viewer.background)
		_exit(0);
}

void
viewer_web(struct report *report)
{
	const char *browser = browser_find();

	browser_run(browser, picture_file(report, "graph.svg", "svg"));
}

void
viewer_weblist(struct report *report)
{
	const char *browser = browser_find();
	FILE *file;
	char *path = file_create("list.html", &file);

	report->to = file;
	report_weblist(report);
	file_close(file, path);
	browser_run(browser, path);
}
