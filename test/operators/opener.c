/*
 * A C program that opens C++ libraries, each for itself or for all, and then
 * runs main.cc in them. Arguments: opener (local | global) MODULES MODES, both
 * lists with commas.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef int run_function(int argc, char **argv);

enum { MOST = 16 };

static int
split(char *list, char **parts)
{
	int count = 0;

	for (char *part = strtok(list, ","); part != NULL && count < MOST;
	     part = strtok(NULL, ","))
		parts[count++] = part;
	return count;
}

int
main(int argc, char **argv)
{
	char *files[MOST], *modes[MOST + 1];
	void *modules[MOST];
	int flag, count, mode_count;

	if (argc != 4)
		return 2;
	flag = strcmp(argv[1], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL;
	count = split(argv[2], files);
	modes[0] = argv[0];
	mode_count = split(argv[3], modes + 1) + 1;
	for (int i = 0; i < count; i++) {
		modules[i] = dlopen(files[i], RTLD_NOW | flag);
		if (modules[i] == NULL) {
			puts(dlerror());
			return 1;
		}
	}
	for (int i = 0; i < count; i++) {
		run_function *run;

		*(void **)&run = dlsym(modules[i], "_Z3runiPPc");
		if (run == NULL || run(mode_count, modes) != 0)
			return 1;
		/* A handle that was kept would keep it in memory. */
		dlclose(modules[i]);
		if (dlopen(files[i], RTLD_LAZY | RTLD_NOLOAD) != NULL)
			puts("still open");
	}
	return 0;
}
