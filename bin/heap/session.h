/*
 * session: one run of jeheap: the data that its commands share.
 *
 * Owns:       the table of commands; the exit status; notes about damage.
 * Invariants: a command is one row of the table. Exit status: 0 complete, 1
 *             wrong use or no such target, 2 some parts were unreadable or
 *             inconsistent, 3 no known allocator.
 * Locking:    none.
 */
#ifndef HEAP_SESSION_H
#define HEAP_SESSION_H

#include "heap.h"
#include "modules.h"
#include "options.h"
#include "selector.h"

struct session {
	struct options options;
	struct target *target;
	struct modules modules;
	struct layouts layouts;
	struct heap *heap; /* the instance that is looked at */
	struct selector selector;
	bool bars;         /* the output goes to a terminal */
	bool arena_found;  /* what --arena and --thread name: */
	bool thread_found; /* some instance has it */
};

enum operand { OPERAND_SIZE, OPERAND_ADDRESS, OPERAND_FILE };

#define COMMAND_REPEATS 1u /* looks repeatedly */
#define COMMAND_OF_ONE  2u /* what it writes has room for one allocator */

struct command {
	const char *name;
	void (*run)(struct session *session);
	enum operand operand;
	const char *help;
	const char *options; /* names of its own options, or "" */
	unsigned flags;
};

extern const struct command commands[];
extern const unsigned ncommands;

void command_stats(struct session *session);
void command_top(struct session *session);
void command_regions(struct session *session);
void command_caches(struct session *session);
void command_arenas(struct session *session);
void command_find(struct session *session);
void command_who(struct session *session);
void command_diff(struct session *session);
void command_fragmentation(struct session *session);
void command_check(struct session *session);
void command_dump(struct session *session);
void command_examine(struct session *session);
void command_analyze(struct session *session);

/* Does the region match the options: live or not, arena, size? */
bool session_wants(const struct session *session, const struct region *region);
bool session_wants_arena(const struct session *session, unsigned arena);

/* Calls `visit` for the regions that match the options, at most `limit`. */
void session_each(struct session *session, heap_visit *visit, void *context);

/* --limit, or the command's default. UINT64_MAX: no limit. */
uint64_t session_limit(const struct session *session, uint64_t preset);

const char *region_state_name(enum region_state state);
const char *run_type_name(enum run_type type);
/* "thread 12 (name)", "explicit cache 3", ... */
const char *owner_title(const struct owner *owner);

#endif
