/*
 * dump_build: what all readers of profiles do to build a struct dump.
 *
 * Owns:       nothing.
 * Invariants: a stack's addresses follow each other in dump->pcs; only the
 *             newest stack can get more. Threads are sorted, each once.
 * Locking:    none.
 */
#ifndef PROFILE_DUMP_BUILD_H
#define PROFILE_DUMP_BUILD_H

#include "dump.h"
#include "tool.h"

/* Adds an empty stack and returns it; valid up to the next one. */
struct dump_stack *dump_stack_add(struct dump *dump);
/* Adds an address, that of a call and not of a return, to the newest stack. */
static inline void
dump_pc_add(struct dump *dump, uint64_t pc)
{
	dump->pcs = array_room(dump->pcs, dump->npcs, sizeof(*dump->pcs));
	dump->pcs[dump->npcs++] = pc;
	dump->stacks[dump->nstacks - 1].count++;
}

void dump_thread_add(struct dump *dump, uint64_t uid);
struct dump_symbol *dump_symbol_add(struct dump *dump, uint64_t pc);
/* A name and line; callers come after what is inlined into them. */
void dump_symbol_line(struct dump_symbol *symbol, const struct dump_line *line);
void dump_mapping_add(struct dump *dump, const struct mapping *map);
/* Tells that the list of closed libraries is not complete. */
void dump_closed_more(const struct dump *dump);
/* The counts as an estimate for all objects, in bytes or objects. */
double dump_value(const struct dump_counts *counts, const struct dump *dump,
    enum dump_view view);

#endif
