/*
 * prof_sample: the record of one live object that is a sample.
 *
 * Owns:       struct prof_sample (metadata pieces).
 * Invariants: its pair in prof_table lives as long as the sample. The struct is
 *             small, because a program may ask that each object be a sample.
 * Locking:    prof_live protects `next`, prof_recent protects `record`. The
 *             rest is used only by the thread that allocates or frees the
 *             object.
 */
#ifndef PROF_PROF_SAMPLE_H
#define PROF_PROF_SAMPLE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/options.h"
#include "prof/prof_recent.h"

struct prof_pair;

struct prof_sample {
	struct prof_sample *next; /* in prof_live */
	struct prof_pair *pair;   /* its stack and thread */
	void *object;             /* NULL until the program has it */
	size_t requested;         /* bytes */
	size_t usable;
	uint64_t born_ns;        /* coarse clock */
	prof_record_slot record; /* see prof_recent */
	uint8_t lg_period;       /* log2 of the period at that time */
	void *stand_in[];        /* one with opt.prof_holes */
};

static_assert(sizeof(struct prof_sample) <= 64, "a live sample is small");

static inline size_t
prof_sample_size(void)
{
	return sizeof(struct prof_sample) +
	    (opt.prof_holes ? sizeof(void *) : 0);
}

/* NULL: it has none. */
static inline void *
prof_sample_stand_in(const struct prof_sample *sample)
{
	return opt.prof_holes ? sample->stand_in[0] : NULL;
}

#endif
