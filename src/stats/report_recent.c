#include "stats/report_recent.h"

#include "prof/prof.h"
#include "prof/prof_recent.h"
#include "prof/prof_trace.h"
#include "util/format.h"

/* Who took or freed an object. The keys begin with `what`. */
static void
put_deed(struct emitter *e, const char *what, const struct prof_deed *deed)
{
	char key[32], pc[24];

	if (deed->thread != PROF_NO_THREAD) {
		format_text(key, sizeof(key), "%s_thread_uid", what);
		emitter_unsigned(e, key, deed->thread);
	}
	if (deed->name[0] != '\0') {
		format_text(key, sizeof(key), "%s_thread_name", what);
		emitter_string(e, key, deed->name);
	}
	format_text(key, sizeof(key), "%s_time", what);
	emitter_unsigned(e, key, deed->ns);
	format_text(key, sizeof(key), "%s_trace", what);
	emitter_array(e, key);
	for (uint32_t i = 0; deed->trace != NULL && i < deed->trace->depth;
	     i++) {
		format_text(pc, sizeof(pc), "%p", deed->trace->pcs[i]);
		emitter_string(e, NULL, pc);
	}
	emitter_array_end(e);
}

static void
put_record(struct emitter *e, const struct prof_record *record)
{
	emitter_object(e, NULL);
	emitter_unsigned(e, "size", record->requested);
	emitter_unsigned(e, "usize", record->usable);
	emitter_bool(e, "released", record->given_known);
	put_deed(e, "alloc", &record->taken);
	if (record->given_known)
		put_deed(e, "dalloc", &record->given);
	emitter_object_end(e);
}

bool
report_recent(emitter_callback *write, void *opaque)
{
	struct prof_recent_copy copy;
	struct emitter emitter;

	if (!prof_recent_copy_take(&copy))
		return false;
	emitter_begin(&emitter, write, opaque);
	emitter_object(&emitter, NULL);
	emitter_unsigned(&emitter, "sample_interval",
	    UINT64_C(1) << atomic_load_explicit(&prof.lg_sample,
		memory_order_relaxed));
	emitter_signed(&emitter, "recent_alloc_max", copy.max);
	emitter_array(&emitter, "recent_alloc");
	for (size_t i = 0; i < copy.count; i++)
		put_record(&emitter, &copy.records[i]);
	emitter_array_end(&emitter);
	emitter_object_end(&emitter);
	prof_recent_copy_end(&copy);
	emitter_end(&emitter);
	return true;
}
