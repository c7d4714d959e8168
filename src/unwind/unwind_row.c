#include "unwind/unwind_row.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "util/compiler.h"

enum { ROWS = 2048, WORD = sizeof(uintptr_t) };

/* Fills one line of the processor's cache. */
struct slot {
	_Atomic uint64_t version; /* odd while it is written */
	_Atomic uint64_t pc;
	_Atomic uint64_t fingerprint; /* of the line in the object's index */
	_Atomic uint64_t row[UNWIND_ROW_WORDS];
} CACHE_ALIGNED;

static struct {
	struct slot slot[ROWS];
} rows SPARSE;

_Static_assert(ARRAY_LEN(unwind_kept) <= UNWIND_KEPT_MAX, "a row has room");
_Static_assert(sizeof(struct unwind_row) == UNWIND_ROW_WORDS * sizeof(uint64_t),
    "words are the whole row");

bool
unwind_row_init(struct unwind_row *row, const struct cfi_row *full)
{
	const struct cfi_rules *rules = &full->rules;

	memset(row, 0, sizeof(*row));
	if (full->signal || full->return_register != REGISTER_RETURN ||
	    rules->cfa.kind != CFI_IS_OFFSET)
		return false;
	row->cfa_offset = rules->cfa.value;
	row->cfa_register = rules->cfa_register;
	row->last = rules->of[REGISTER_RETURN].kind == CFI_UNDEFINED;
	for (unsigned i = 0; i < ARRAY_LEN(unwind_kept); i++) {
		const struct cfi_rule *rule = &rules->of[unwind_kept[i]];

		if (rule->kind == CFI_SAME || rule->kind == CFI_UNDEFINED)
			continue;
		if (rule->kind != CFI_AT_OFFSET || rule->value == 0 ||
		    rule->value % WORD != 0 ||
		    rule->value / WORD != (int16_t)(rule->value / WORD))
			return false;
		row->at[i] = (int16_t)(rule->value / WORD);
	}
	/* Such a machine saves what follows from the CFA. */
	return rules->of[REGISTER_STACK].kind == CFI_SAME ||
	    (STACK_BELOW_CFA != 0 &&
		rules->of[REGISTER_STACK].kind == CFI_AT_OFFSET);
}

static struct slot *
slot_of(uintptr_t pc)
{
	return &rows.slot[(pc * 0x9e3779b97f4a7c15u >> 40) % ROWS];
}

/*
 * A sequence lock. The reader may be a signal handler that has interrupted a
 * writer, so it never waits. It uses the words only if the version was even,
 * and the same before and after.
 */
bool
unwind_row_find(struct unwind_row *row, uintptr_t index, uintptr_t pc)
{
	struct slot *slot = slot_of(pc);
	uint64_t version, fingerprint;

	version = atomic_load_explicit(&slot->version, memory_order_acquire);
	if (version % 2 != 0 ||
	    atomic_load_explicit(&slot->pc, memory_order_relaxed) != pc)
		return false;
	fingerprint = atomic_load_explicit(&slot->fingerprint,
	    memory_order_relaxed);
	for (unsigned i = 0; i < UNWIND_ROW_WORDS; i++)
		row->word[i] = atomic_load_explicit(&slot->row[i],
		    memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (version !=
	    atomic_load_explicit(&slot->version, memory_order_relaxed))
		return false;
	return cfi_fingerprint(&(struct cfi_line){
		   .index = index, .number = row->line }) == fingerprint;
}

/*
 * An odd version keeps other writers out: they drop their row, which only costs
 * time. Release: a reader that sees new words also sees the odd version.
 */
void
unwind_row_remember(struct unwind_row *row, const struct cfi_line *line,
    uintptr_t pc)
{
	struct slot *slot = slot_of(pc);
	uint64_t fingerprint = cfi_fingerprint(line);
	uint64_t version = atomic_load_explicit(&slot->version,
	    memory_order_relaxed);

	row->line = line->number;
	if (version % 2 != 0 ||
	    !atomic_compare_exchange_strong_explicit(&slot->version, &version,
		version + 1, memory_order_acquire, memory_order_relaxed))
		return;
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&slot->pc, pc, memory_order_relaxed);
	atomic_store_explicit(&slot->fingerprint, fingerprint,
	    memory_order_relaxed);
	for (unsigned i = 0; i < UNWIND_ROW_WORDS; i++)
		atomic_store_explicit(&slot->row[i], row->word[i],
		    memory_order_relaxed);
	atomic_store_explicit(&slot->version, version + 2,
	    memory_order_release);
}
