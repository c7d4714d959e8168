#include "prof/prof_pprof.h"

#include <errno.h>
#include <string.h>

#include "os/file_out.h"
#include "os/pages.h"
#include "os/system.h"
#include "prof/prof_gzip.h"
#include "prof/prof_mappings.h"
#include "prof/prof_proto.h"
#include "prof/prof_table.h"
#include "util/bits.h"
#include "util/build.h"
#include "util/compiler.h"
#include "util/format.h"

#define BUFFER_SIZE ((size_t)64 << 10)
#define OWN_NAME    "/libjemalloc"

/* The numbers of fields in profile.proto. */
/* clang-format off */
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4, PROFILE_STRING = 6, PROFILE_DROP_FRAMES = 7,
    PROFILE_TIME = 9, PROFILE_PERIOD_TYPE = 11, PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13, PROFILE_DEFAULT_TYPE = 14 };
enum { TYPE_TYPE = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_TEXT = 2 };
enum { MAPPING_ID = 1, MAPPING_START = 2, MAPPING_LIMIT = 3,
    MAPPING_OFFSET = 4, MAPPING_FILE = 5, MAPPING_BUILD_ID = 6 };
enum { LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_ADDRESS = 3 };

/*
 * The format refers to strings by number. These come first, then those of
 * mappings and threads. The first string must be empty.
 */
enum string { NONE, OBJECTS_UNIT, BYTES_UNIT, TIME_UNIT, FREED_OBJECTS,
    LIFETIME, ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE, SPACE,
    THREAD, THREAD_NAME, DROP_FRAMES, COMMENT, CLOSED_MORE, STRINGS };
/* clang-format on */

static const char *const strings[STRINGS] = {
	[NONE] = "",
	[OBJECTS_UNIT] = "count",
	[BYTES_UNIT] = "bytes",
	[TIME_UNIT] = "microseconds",
	[FREED_OBJECTS] = "freed_objects",
	[LIFETIME] = "lifetime",
	[ALLOC_OBJECTS] = "alloc_objects",
	[ALLOC_SPACE] = "alloc_space",
	[INUSE_OBJECTS] = "inuse_objects",
	[INUSE_SPACE] = "inuse_space",
	[SPACE] = "space",
	[THREAD] = "thread",
	[THREAD_NAME] = "thread_name",
	/*
	 * For a library linked into the program: readers remove a frame with
	 * such a name, and all frames that it has called.
	 */
	[DROP_FRAMES] =
	    "(" BUILD_PREFIX ")?(malloc|calloc|realloc|"
	    "reallocarray|aligned_alloc|posix_memalign|memalign|valloc|"
	    "pvalloc|mallocx|rallocx|xallocx|smallocx_.*)|"
	    "malloc_slow|calloc_slow|do_malloc.*|operator new(\\[\\])?|"
	    "_Zn[aw].*",
	[COMMENT] = "jemalloc " BUILD_VERSION ", release " BUILD_RELEASE,
	[CLOSED_MORE] = "closed more",
};

/*
 * The values of a sample. Freed objects come first, because pprof -mean divides
 * by the first value. The last value is the one that old readers show.
 */
static const struct {
	enum string type;
	enum string unit;
	bool accumulated;
} values[] = {
	{ FREED_OBJECTS, OBJECTS_UNIT, true },
	{ LIFETIME, TIME_UNIT, true },
	{ ALLOC_OBJECTS, OBJECTS_UNIT, true },
	{ ALLOC_SPACE, BYTES_UNIT, true },
	{ INUSE_OBJECTS, OBJECTS_UNIT, false },
	{ INUSE_SPACE, BYTES_UNIT, false },
};

/* A table with each address once. The id of an address is its index + 1. */
struct addresses {
	uintptr_t *address;
	size_t count;
	uint32_t *slot; /* index + 1, by hash; 0: free */
	size_t mask;    /* number of slots, less one */
};

/* The labels of a thread's samples, as numbers of strings. */
struct label {
	uint64_t number; /* of the thread, as "t0" */
	uint64_t name;   /* NONE: it has no name */
};

/* Lies in mapped memory, with its tables behind it. */
struct profile {
	const struct prof_snapshot *snapshot;
	const struct prof_mappings *mappings;
	const struct prof_pprof_form *form;
	prof_write_function *write;
	void *context;
	size_t size; /* bytes mapped */
	uint64_t nstrings;
	struct addresses addresses;
	struct label *labels;         /* of each thread */
	size_t own;                   /* the library's mapping; `count`: none */
	uint64_t ids[PROF_DEPTH_MAX]; /* locations of the current stack */
	size_t nids;
	struct prof_proto message;
	struct prof_proto inner;
};

/* --- addresses ------------------------------------------------------------ */

static uint64_t
address_id(struct addresses *table, uintptr_t address)
{
	size_t at = (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 20);

	for (;; at++) {
		uint32_t *slot = &table->slot[at & table->mask];

		if (*slot == 0) {
			table->address[table->count] = address;
			*slot = (uint32_t)++table->count;
			return *slot;
		}
		if (table->address[*slot - 1] == address)
			return *slot;
	}
}

/*
 * The mapping of this library, or `count` if the library is linked into the
 * program or into another library: then that mapping has foreign code, too.
 */
static size_t
find_own(const struct prof_mappings *mappings)
{
	size_t own = prof_mappings_find(mappings, (uintptr_t)find_own);
	const struct prof_mapping *mapping = &mappings->item[own];
	const char *slash;

	if (own == mappings->count || own == mappings->program)
		return mappings->count;
	slash = memrchr(mapping->name, '/', mapping->name_length);
	return slash != NULL &&
		mapping->name + mapping->name_length - slash >
		    (ptrdiff_t)strlen(OWN_NAME) &&
		memcmp(slash, OWN_NAME, strlen(OWN_NAME)) == 0
	    ? own
	    : mappings->count;
}

/*
 * How many frames at the start of a stack are in this library. They are left
 * out, because the library usually has no symbols, so readers could not name
 * them. A stack that has no other frames stays as it is.
 */
static unsigned
count_own(const struct profile *profile, const struct prof_item *stack)
{
	const struct prof_mappings *mappings = profile->mappings;
	unsigned n = 0;

	if (profile->own == mappings->count)
		return 0;
	while (n < stack->depth &&
	    prof_mapping_contains(&mappings->item[profile->own],
		(uintptr_t)stack->pcs[n]))
		n++;
	return n == stack->depth ? 0 : n;
}

/*
 * A return address is where the caller goes on, so the call lies before it: one
 * byte less is inside the call. The first frame is in this library, and may be
 * no return address.
 */
static uintptr_t
address_of(const struct prof_item *stack, unsigned frame)
{
	return (uintptr_t)stack->pcs[frame] - (frame != 0);
}

/* --- messages ------------------------------------------------------------- */

static void
flush(struct profile *profile, struct prof_proto *part)
{
	profile->write(profile->context, (const char *)part->bytes, part->used);
	part->used = 0;
}

/* Writes profile->message, which is empty afterwards, as a field. */
static void
put(struct profile *profile, unsigned field)
{
	struct prof_proto *heading = &profile->inner;

	prof_proto_heading(heading, field, profile->message.used);
	flush(profile, heading);
	flush(profile, &profile->message);
}

static void
put_number(struct profile *profile, unsigned field, uint64_t value)
{
	prof_proto_number(&profile->message, field, value);
	flush(profile, &profile->message);
}

/* Writes a string and returns its number. */
static uint64_t
put_string(struct profile *profile, const char *text, size_t length)
{
	prof_proto_text(&profile->message, PROFILE_STRING, text, length);
	flush(profile, &profile->message);
	return profile->nstrings++;
}

static void
put_type(struct profile *profile, unsigned field, enum string type,
    enum string unit)
{
	prof_proto_number(&profile->message, TYPE_TYPE, type);
	prof_proto_number(&profile->message, TYPE_UNIT, unit);
	put(profile, field);
}

static void
put_header(struct profile *profile)
{
	for (unsigned i = 0; i < STRINGS; i++)
		put_string(profile, strings[i], strlen(strings[i]));
	for (unsigned i = 0; i < ARRAY_LEN(values); i++)
		if (!values[i].accumulated || profile->form->accumulated)
			put_type(profile, PROFILE_SAMPLE_TYPE, values[i].type,
			    values[i].unit);
	put_type(profile, PROFILE_PERIOD_TYPE, SPACE, BYTES_UNIT);
	put_number(profile, PROFILE_PERIOD, profile->form->period);
	put_number(profile, PROFILE_TIME, profile->form->wall_ns);
	put_number(profile, PROFILE_DROP_FRAMES, DROP_FRAMES);
	put_number(profile, PROFILE_COMMENT, COMMENT);
	if (profile->mappings->closed.incomplete)
		put_number(profile, PROFILE_COMMENT, CLOSED_MORE);
	put_number(profile, PROFILE_DEFAULT_TYPE, INUSE_SPACE);
}

/* --- mappings ------------------------------------------------------------- */

/*
 * The id of a mapping; index is that of prof_mappings_origin(). The format
 * wants the program's mapping to be first.
 */
static uint64_t
mapping_id(const struct prof_mappings *mappings, size_t index)
{
	if (index == SIZE_MAX)
		return 0;
	if (index >= mappings->count)
		return index + 1;
	if (index == mappings->program)
		return 1;
	return index + 1 +
	    (mappings->program != mappings->count && index < mappings->program);
}

static uint64_t
put_build_id(struct profile *profile, const struct prof_mapping *mapping)
{
	char text[2 * PROF_BUILD_ID_MAX + 1];

	for (size_t i = 0; i < mapping->id_length; i++)
		format_text(text + 2 * i, 3, "%02x", (unsigned)mapping->id[i]);
	return mapping->id_length == 0
	    ? NONE
	    : put_string(profile, text, 2 * mapping->id_length);
}

static void
put_mapping(struct profile *profile, size_t index)
{
	const struct prof_mappings *mappings = profile->mappings;
	const struct prof_mapping *mapping = index < mappings->count
	    ? &mappings->item[index]
	    : &mappings->closed.item[index - mappings->count];
	struct prof_proto *message = &profile->message;
	uint64_t file = put_string(profile, mapping->name,
	    mapping->name_length);
	uint64_t build_id = put_build_id(profile, mapping);

	prof_proto_number(message, MAPPING_ID, mapping_id(mappings, index));
	prof_proto_number(message, MAPPING_START, mapping->start);
	prof_proto_number(message, MAPPING_LIMIT, mapping->end);
	prof_proto_number(message, MAPPING_OFFSET, mapping->offset);
	prof_proto_number(message, MAPPING_FILE, file);
	prof_proto_number(message, MAPPING_BUILD_ID, build_id);
	put(profile, PROFILE_MAPPING);
}

static void
put_mappings(struct profile *profile)
{
	const struct prof_mappings *mappings = profile->mappings;

	if (mappings->program != mappings->count)
		put_mapping(profile, mappings->program);
	for (size_t i = 0; i < mappings->count; i++)
		if (i != mappings->program)
			put_mapping(profile, i);
	for (size_t i = 0; i < mappings->closed.count; i++)
		put_mapping(profile, mappings->count + i);
}

static void
put_locations(struct profile *profile)
{
	struct prof_proto *message = &profile->message;

	for (size_t i = 0; i < profile->addresses.count; i++) {
		uintptr_t address = profile->addresses.address[i];

		prof_proto_number(message, LOCATION_ID, i + 1);
		prof_proto_number(message, LOCATION_MAPPING,
		    mapping_id(profile->mappings,
			prof_mappings_origin(profile->mappings, address)));
		prof_proto_number(message, LOCATION_ADDRESS, address);
		put(profile, PROFILE_LOCATION);
	}
}

/* --- samples -------------------------------------------------------------- */

static bool
is_shown(const struct profile *profile, const struct prof_item *item)
{
	return item->live.objects != 0 ||
	    (profile->form->accumulated && item->ever.objects != 0);
}

/* Threads are the first items of a snapshot, so the i-th item is thread i. */
static void
put_labels(struct profile *profile)
{
	const struct prof_item *item = NULL;
	char text[24];

	for (size_t i = 0; i < profile->snapshot->nthreads; i++) {
		struct label *label = &profile->labels[i];

		item = prof_snapshot_next(profile->snapshot, item);
		if (!is_shown(profile, item))
			continue;
		format_text(text, sizeof(text), "t%llu",
		    (unsigned long long)item->thread);
		label->number = put_string(profile, text, strlen(text));
		if (item->name[0] != '\0')
			label->name = put_string(profile, item->name,
			    strnlen(item->name, sizeof(item->name)));
	}
}

static void
add_label(struct profile *profile, enum string key, uint64_t text)
{
	struct prof_proto *label = &profile->inner;

	if (text == NONE)
		return;
	prof_proto_number(label, LABEL_KEY, key);
	prof_proto_number(label, LABEL_TEXT, text);
	prof_proto_message(&profile->message, SAMPLE_LABEL, label);
	label->used = 0;
}

static uint64_t
objects_of(uint64_t weight)
{
	return (weight + PROF_WEIGHT_ONE / 2) / PROF_WEIGHT_ONE;
}

static uint64_t
bytes_of(uint64_t weight)
{
	return (weight + PROF_WEIGHT_BYTE / 2) / PROF_WEIGHT_BYTE;
}

static uint64_t
value_of(const struct prof_item *pair, enum string type)
{
	switch (type) {
	case FREED_OBJECTS:
		return objects_of(pair->ever.weight_objects -
		    pair->live.weight_objects);
	case LIFETIME:
		return pair->lifetime;
	case ALLOC_OBJECTS:
		return objects_of(pair->ever.weight_objects);
	case ALLOC_SPACE:
		return bytes_of(pair->ever.weight_bytes);
	case INUSE_OBJECTS:
		return objects_of(pair->live.weight_objects);
	default:
		return bytes_of(pair->live.weight_bytes);
	}
}

static void
put_sample(struct profile *profile, const struct prof_item *pair)
{
	struct prof_proto *message = &profile->message;
	uint64_t value[ARRAY_LEN(values)];
	const struct label *label = &profile->labels[prof_snapshot_thread(
	    profile->snapshot, pair->thread)];
	size_t n = 0;

	for (unsigned i = 0; i < ARRAY_LEN(values); i++)
		if (!values[i].accumulated || profile->form->accumulated)
			value[n++] = value_of(pair, values[i].type);
	prof_proto_numbers(message, SAMPLE_LOCATION, profile->ids,
	    profile->nids);
	prof_proto_numbers(message, SAMPLE_VALUE, value, n);
	add_label(profile, THREAD, label->number);
	add_label(profile, THREAD_NAME, label->name);
	put(profile, PROFILE_SAMPLE);
}

static void
enter_stack(struct profile *profile, const struct prof_item *stack)
{
	profile->nids = 0;
	for (unsigned i = count_own(profile, stack); i < stack->depth; i++)
		profile->ids[profile->nids++] = address_id(&profile->addresses,
		    address_of(stack, i));
}

static void
put_samples(struct profile *profile)
{
	const struct prof_item *item = NULL, *stack = NULL, *entered = NULL;

	while ((item = prof_snapshot_next(profile->snapshot, item)) != NULL) {
		if (item->kind == PROF_ITEM_STACK)
			stack = item;
		if (item->kind != PROF_ITEM_PAIR || !is_shown(profile, item))
			continue;
		if (stack != entered)
			enter_stack(profile, stack);
		entered = stack;
		put_sample(profile, item);
	}
}

/* --- profiles ------------------------------------------------------------- */

static size_t
count_addresses(const struct prof_snapshot *snapshot)
{
	const struct prof_item *item = NULL;
	size_t count = 0;

	while ((item = prof_snapshot_next(snapshot, item)) != NULL)
		if (item->kind == PROF_ITEM_STACK)
			count += item->depth;
	return count;
}

/*
 * Maps memory for the largest possible tables. The kernel gives memory only for
 * the pages that are touched.
 */
static struct profile *
profile_create(const struct prof_snapshot *snapshot)
{
	size_t count = count_addresses(snapshot);
	size_t nslots = (size_t)1 << lg_ceil(2 * count);
	size_t size = round_up(sizeof(struct profile) +
		count * sizeof(uintptr_t) +
		snapshot->nthreads * sizeof(struct label) +
		nslots * sizeof(uint32_t),
	    system_info.page_size);
	struct profile *profile;

	profile = pages_map(size, system_info.page_size);
	if (profile == NULL)
		return NULL;
	profile->size = size;
	profile->snapshot = snapshot;
	profile->labels = (struct label *)(profile + 1);
	profile->addresses.address = (uintptr_t *)(profile->labels +
	    snapshot->nthreads);
	profile->addresses.slot = (uint32_t *)(profile->addresses.address +
	    count);
	profile->addresses.mask = nslots - 1;
	return profile;
}

bool
prof_pprof_format(const struct prof_snapshot *snapshot,
    const struct prof_mappings *mappings, const struct prof_pprof_form *form,
    prof_write_function *write, void *context)
{
	struct profile *profile = profile_create(snapshot);

	if (profile == NULL)
		return false;
	profile->mappings = mappings;
	profile->own = find_own(mappings);
	profile->form = form;
	profile->write = write;
	profile->context = context;
	put_header(profile);
	put_labels(profile);
	put_samples(profile);
	put_mappings(profile);
	put_locations(profile);
	pages_unmap(profile, profile->size);
	return true;
}

/* --- files ---------------------------------------------------------------- */

const char *const prof_pprof_suffix = BUILD_PROF_GZIP ? ".pb.gz" : ".pb";

static bool
write_profile(struct file_out *out, const struct prof_snapshot *snapshot,
    const struct prof_pprof_form *form)
{
	struct prof_mappings mappings;
	struct prof_gzip *gzip = NULL;
	bool done = false;

	if (!prof_mappings_take(&mappings))
		return false;
	if (!BUILD_PROF_GZIP) {
		done = prof_pprof_format(snapshot, &mappings, form,
		    prof_write_file, out);
	} else if ((gzip = prof_gzip_begin(prof_write_file, out)) != NULL) {
		done = prof_pprof_format(snapshot, &mappings, form,
		    prof_gzip_write, gzip);
		prof_gzip_end(gzip);
	}
	prof_mappings_end(&mappings);
	return done;
}

int
prof_pprof_file(const char *path, const struct prof_snapshot *snapshot,
    const struct prof_pprof_form *form)
{
	int error;
	struct file_out *out = file_create(path, &error);

	if (out == NULL)
		return error;
	if (!write_profile(out, snapshot, form) && out->error == 0)
		out->error = ENOMEM;
	return file_finish(out);
}
