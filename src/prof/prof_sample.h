/*
 * prof_sample: what is known of one live object that is a sample.
 *
 * Owns:       struct prof_sample (metadata pieces).
 * Invariants: while it lives, its pair does. It is small: a program may have
 *             each object sampled.
 * Locking:    it belongs to who holds the object.
 */
#ifndef PROF_PROF_SAMPLE_H
#define PROF_PROF_SAMPLE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/prof_recent.h"

struct prof_pair;

struct prof_sample {
	struct prof_sample *next;	/* in prof_live */
	struct prof_pair *pair;		/* its stack and thread */
	void *object;			/* NULL until the program has it */
	size_t requested;		/* bytes */
	size_t usable;
	uint64_t born_ns;		/* coarse clock */
	prof_record_slot record;	/* see prof_recent */
	uint8_t lg_period;		/* when it was taken */
};

static_assert(sizeof(struct prof_sample) <= 64, "a live sample is small");

#endif
