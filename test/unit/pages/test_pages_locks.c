/*
 * What arenas share is touched under its lock alone.
 */
#include "../unit.h"
#include "../waits.h"
#include "extent/extent.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/guards.h"
#include "pages/page_source.h"

static void
take_metadata(void)
{
	assert_non_null(metadata_take(16, 16));
}

static void
take_and_give_piece(void)
{
	void *piece = metadata_take_piece(64);

	assert_non_null(piece);
	metadata_give_piece(piece, 64);
}

static void
look_for_metadata(void)
{
	assert_false(metadata_contains(&system_info));
}

static void
take_and_give_record(void)
{
	struct extent *chain = NULL;

	assert_int_equal(extent_records_take(&chain, 1), 1);
	extent_records_give(chain);
}

static void
purge_records(void)
{
	extent_records_purge();
}

static void
set_callback(void)
{
	limit_set_callback(NULL, NULL);
}

static void
tell(void)
{
	limit_tell();
}

static void
what_arenas_share_is_used_under_its_lock(void **state)
{
	const struct use uses[] = {
		USE(take_metadata, metadata_lock(), 1),
		USE(take_and_give_piece, metadata_lock(), 2),
		USE(look_for_metadata, metadata_lock(), 1),
		USE(take_and_give_record, extent_records_lock(), 2),
		USE(purge_records, extent_records_lock(), 2),
		USE(set_callback, limit_lock(), 1),
		USE(tell, limit_lock(), 1),
	};

	(void)state;
	/* So that none has to be made. */
	take_metadata();
	take_and_give_piece();
	take_and_give_record();
	assert_used(uses, ARRAY_LEN(uses));
}

/* --- a source ----------------------------------------------------------- */

static struct page_source source;

static void
take_and_give(void)
{
	struct extent *e = page_source_take(&source, system_info.page_size,
	    system_info.page_size);

	assert_non_null(e);
	page_source_give(&source, e);
}

static void
resize(void)
{
	size_t size = system_info.page_size;
	struct extent *e = page_source_take(&source, size, size);
	bool zeroed;

	assert_non_null(e);
	pagemap_set_ends(e, KIND_LARGE);
	assert_true(page_source_extend(&source, e, 2 * size, &zeroed));
	assert_true(page_source_trim(&source, e, size));
	page_source_give(&source, e);
}

static void
purge(void)
{
	ageing_purge(&source);
}

static void
release(void)
{
	ageing_release(&source);
}

static void
set_decay(void)
{
	ageing_set_decay(&source, 0, -1, 0);
}

static void
set_hooks(void)
{
	page_source_set_hooks(&source, &extent_hooks_default);
}

static void
check(void)
{
	page_source_check(&source);
}

static void
so_is_a_source(void **state)
{
	const struct use uses[] = {
		USE(take_and_give, &source.lock, 2),
		USE(resize, &source.lock, 4),
		USE(set_decay, &source.decay_lock, 1),
		USE(set_hooks, &source.lock, 1),
		USE(check, &source.lock, 1),
		/* For each of two pools: it is empty, that was a sweep, and no
		   record is too much. */
		USE(purge, &source.lock, 6),
		USE(release, &source.lock, 3),
	};

	(void)state;
	page_source_init(&source, 0,
	    &(struct page_source_config){ .dirty_decay_ms = -1,
		.muzzy_decay_ms = -1,
		.retain = true,
		.lg_max_active_fit = 6 });
	/* Grown, and with records for what is to come. */
	resize();
	take_and_give();
	assert_used(uses, 5);
	/* With nothing to do. */
	purge();
	release();
	assert_used(uses + 5, 2);
}

/* --- freed objects that keep their guards ------------------------------- */

static void
keep_one(void)
{
	size_t page = system_info.page_size;
	struct extent *e = page_source_take(&source, 3 * page, page);

	assert_non_null(e);
	e->object = e->addr + page;
	e->usable = page;
	guards_set(&source, e);
	assert_true(e->guarded);
	assert_true(guards_keep(&source, e));
}

static void
take_and_keep(void)
{
	size_t page = system_info.page_size;
	struct extent *e = guards_take(&source, 3 * page, page, page);

	assert_non_null(e);
	assert_true(guards_keep(&source, e));
}

static void
age_kept(void)
{
	guards_age(&source, 0);
}

static void
ask_when(void)
{
	guards_wait(&source, 0);
}

static void
keep_and_release(void)
{
	keep_one();
	guards_release(&source, 3 * system_info.page_size, false);
}

static void
so_is_what_keeps_its_guards(void **state)
{
	const struct use uses[] = {
		USE(take_and_keep, &source.lock, 2),
		USE(age_kept, &source.lock, 1),
		USE(ask_when, &source.lock, 1),
		/* Extents are taken; kept; found; given; no more is found. */
		USE(keep_and_release, &source.lock, 5),
	};

	(void)state;
	keep_one();
	assert_used(uses, ARRAY_LEN(uses));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_arenas_share_is_used_under_its_lock),
		cmocka_unit_test(so_is_a_source),
		cmocka_unit_test(so_is_what_keeps_its_guards),
	};

	system_init();
	metadata_init();
	extent_records_init();
	limit_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
