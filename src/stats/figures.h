/*
 * figures: tables of all figures in a snapshot, for the reports.
 *
 * Owns:       one table for each list of figure_rows.
 * Invariants: a table has the order of the contract.
 * Locking:    none.
 */
#ifndef STATS_FIGURES_H
#define STATS_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum figure_type {
	FIGURE_END,
	FIGURE_UINT32,
	FIGURE_UINT64,
	FIGURE_SIZE,
	FIGURE_SSIZE
};

struct figure {
	const char *name;
	const char *title; /* of its column; NULL: same as the name */
	enum figure_type type;
	const char *help; /* what it is, for OpenMetrics */
	bool rate;        /* in text, a rate per second follows */
	bool counter;     /* only rises */
	bool bytes;       /* in bytes, but the name does not say so */
	size_t offset;
};

/* Tables end with FIGURE_END. */
extern const struct figure figures_lock[];       /* struct lock_stats */
extern const struct figure figures_class[];      /* struct class_stats */
extern const struct figure figures_bin[];        /* struct bin_snapshot */
extern const struct figure figures_bin_slabs[];  /* the rest of it */
extern const struct figure figures_samples[];    /* struct prof_class_stats */
extern const struct figure figures_lextent[];    /* struct lextent_snapshot */
extern const struct figure figures_extents[];    /* page_class_snapshot */
extern const struct figure figures_pages[];      /* struct arena_stats: decay */
extern const struct figure figures_memory[];     /* struct arena_stats: bytes */
extern const struct figure figures_hpa[];        /* struct huge_stats */
extern const struct figure figures_hpa_sec[];    /* huge_cache_counts */
extern const struct figure figures_hpa_slabs[];  /* struct huge_group */
extern const struct figure figures_totals[];     /* struct stats_snapshot */
extern const struct figure figures_background[]; /* stats_snapshot */

/* The figure's value in `object`. A negative value is in two's complement. */
uint64_t figure_get(const struct figure *figure, const void *object);

#endif
