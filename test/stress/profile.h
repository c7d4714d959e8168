/*
 * profile: reads dumps of the heap profile back, as analysers do.
 *
 * Offers:     each stack of a dump with what is alive of it, as it is written
 *             and as an estimate of all objects; asking for a dump.
 * Invariants: what is no dump ends the program as failed.
 */
#ifndef STRESS_PROFILE_H
#define STRESS_PROFILE_H

#include "stress.h"

#include <math.h>

enum { PROFILE_DEPTH = 1024 };

struct profile_stack {
	unsigned depth;
	uintptr_t pc[PROFILE_DEPTH];
	double objects, bytes; /* as written */
	double period;
};

typedef void profile_visitor(void *context, const struct profile_stack *stack);

/* True if the stack goes through code between these addresses. */
static inline bool
profile_passes(const struct profile_stack *stack, const void *first,
    const void *end)
{
	for (unsigned i = 0; i < stack->depth; i++)
		if (stack->pc[i] > (uintptr_t)first &&
		    stack->pc[i] <= (uintptr_t)end)
			return true;
	return false;
}

/* How many objects one that is written stands for. */
static inline double
profile_factor(const struct profile_stack *stack)
{
	if (stack->objects == 0)
		return 0;
	return 1 / -expm1(-stack->bytes / stack->objects / stack->period);
}

static inline void
profile_read(const char *path, profile_visitor *visit, void *context)
{
	static char line[PROFILE_DEPTH * 20];
	static struct profile_stack stack;
	FILE *file = fopen(path, "r");
	bool inside = false;

	if (file == NULL || fscanf(file, "heap_v2/%lf\n", &stack.period) != 1)
		stress_fail("%s is not a dump", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *at = line + 1;

		if (line[0] == '@') {
			inside = true;
			for (stack.depth = 0; *at == ' '; stack.depth++)
				stack.pc[stack.depth] = strtoull(at, &at, 16);
		} else if (inside &&
		    sscanf(line, "  t*: %lf: %lf [", &stack.objects,
			&stack.bytes) == 2) {
			visit(context, &stack);
		}
	}
	fclose(file);
}

static inline void
profile_dump(const char *path)
{
	int error = control("prof.dump", NULL, NULL, &path, sizeof(path));

	if (error != 0)
		stress_fail("no dump %s: %s", path, strerror(error));
}

#endif
