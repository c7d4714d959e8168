#include "stats/figures.h"

#include <assert.h>

#include "prof/prof_stats.h"
#include "stats/figure_rows.h"
#include "stats/snapshot.h"

/* clang-format off */
#define ROW(record, place, its_name, its_title, its_type, sum, ...) \
	{ .name = (its_name), .title = (its_title), \
	  .type = FIGURE_##its_type, __VA_ARGS__, \
	  .offset = offsetof(struct record, place) },
#define END	{ .type = FIGURE_END }

/* Checks that the type in a row is the type of its field. */
#define TYPE_UINT32	uint32_t
#define TYPE_UINT64	uint64_t
#define TYPE_SIZE	size_t
#define TYPE_SSIZE	ssize_t
#define CHECK(record, place, name, title, type, sum, ...) \
	static_assert(_Generic(((struct record *)0)->place, \
	    TYPE_##type: true, default: false), "the type of " name);
FIGURES_LOCK(CHECK)
FIGURES_CLASS(CHECK)
FIGURES_BIN(CHECK)
FIGURES_BIN_SLABS(CHECK)
FIGURES_BIN_CTL(CHECK)
FIGURES_LEXTENT(CHECK)
FIGURES_LEXTENT_CTL(CHECK)
FIGURES_EXTENTS(CHECK)
FIGURES_PAGES(CHECK)
FIGURES_PURGES(CHECK)
FIGURES_MEMORY(CHECK)
FIGURES_HPA(CHECK)
FIGURES_HPA_SEC(CHECK)
FIGURES_HPA_NONHUGE(CHECK)
FIGURES_HPA_RETAINED(CHECK)
FIGURES_HPA_HUGE(CHECK)
FIGURES_TOTALS(CHECK)
FIGURES_BACKGROUND(CHECK)

const struct figure figures_lock[] = { FIGURES_LOCK(ROW) END };
const struct figure figures_class[] = { FIGURES_CLASS(ROW) END };
const struct figure figures_bin[] = { FIGURES_BIN(ROW) END };
const struct figure figures_bin_slabs[] = { FIGURES_BIN_SLABS(ROW) END };
const struct figure figures_lextent[] = { FIGURES_LEXTENT(ROW) END };
const struct figure figures_extents[] = { FIGURES_EXTENTS(ROW) END };
const struct figure figures_pages[] = {
	FIGURES_PAGES(ROW) FIGURES_PURGES(ROW) END
};
const struct figure figures_memory[] = { FIGURES_MEMORY(ROW) END };
const struct figure figures_hpa[] = { FIGURES_HPA(ROW) END };
const struct figure figures_hpa_sec[] = { FIGURES_HPA_SEC(ROW) END };
const struct figure figures_hpa_slabs[] = {
	FIGURES_HPA_NONHUGE(ROW) FIGURES_HPA_RETAINED(ROW)
	FIGURES_HPA_HUGE(ROW) END
};
const struct figure figures_totals[] = { FIGURES_TOTALS(ROW) END };
const struct figure figures_background[] = { FIGURES_BACKGROUND(ROW) END };
/* clang-format on */

/* The heap profile's figures are in no snapshot, so they have no row there. */
#define PLACE(field) .offset = offsetof(struct prof_class_stats, field)

const struct figure figures_samples[] = {
	{ "prof_live_requested", "live_requested", FIGURE_UINT64,
	    .help = "Bytes that were asked for in live samples; not scaled.",
	    .bytes = true, PLACE(live.requested) },
	{ "prof_live_count", "live_count", FIGURE_UINT64,
	    .help = "Live samples of the heap profile.", PLACE(live.count) },
	{ "prof_accum_requested", "accum_requested", FIGURE_UINT64,
	    .help = "Bytes that were asked for in all samples; not scaled.",
	    .bytes = true, .counter = true, PLACE(ever.requested) },
	{ "prof_accum_count", "accum_count", FIGURE_UINT64, .counter = true,
	    .help = "Samples of the heap profile.", PLACE(ever.count) },
	{ .type = FIGURE_END },
};

uint64_t
figure_get(const struct figure *figure, const void *object)
{
	const void *place = (const char *)object + figure->offset;

	switch (figure->type) {
	case FIGURE_UINT32:
		return *(const uint32_t *)place;
	case FIGURE_UINT64:
		return *(const uint64_t *)place;
	case FIGURE_SIZE:
		return *(const size_t *)place;
	case FIGURE_SSIZE:
		return (uint64_t) * (const ssize_t *)place;
	default:
		return 0;
	}
}
