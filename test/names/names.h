/* What the two halves of the program with two libraries offer to main(). */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>

struct half {
	void *(*get)(size_t size);
	void (*put)(void *ptr);
	int (*control)(const char *name, void *oldp, size_t *oldlenp,
	    void *newp, size_t newlen);
};

extern const struct half first, second;
/* Of the first one: --enable-experimental-smallocx. */
size_t first_smallocx(size_t size);

#endif
