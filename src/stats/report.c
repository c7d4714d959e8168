#include "stats/report.h"

#include "conf/options.h"
#include "os/message.h"
#include "stats/report_json.h"
#include "stats/report_metrics.h"
#include "stats/report_sections.h"
#include "stats/report_text.h"
#include "stats/snapshot.h"

/* Threads count bytes in batches of this part of the interval, or so many. */
#define INTERVAL_PART 64
#define BATCH_MAX     (UINT64_C(4) << 20)

void
report_print(emitter_callback *write, void *opaque, const char *letters)
{
	struct stats_snapshot *snapshot;
	struct report report;

	if (!snapshot_refresh()) {
		message("No statistics are printed: out of memory");
		return;
	}
	snapshot = snapshot_get();
	report.snapshot = snapshot;
	report.show = report_sections_parse(letters);
	if (report.show.general)
		report.account = account_make(snapshot);
	emitter_begin(&report.emitter, write, opaque);
	switch (report.show.form) {
	case REPORT_JSON:
		report_json(&report);
		break;
	case REPORT_METRICS:
		report_metrics(&report);
		break;
	default:
		report_text(&report);
		break;
	}
	snapshot_release(snapshot);
	emitter_end(&report.emitter);
}

void
report_at_exit(void)
{
	if (malloc_message != NULL || message_descriptor_kept())
		report_print(NULL, NULL, opt.stats_print_opts);
}

AT_START uint64_t
report_interval_batch(void)
{
	uint64_t batch = (uint64_t)opt.stats_interval / INTERVAL_PART;

	return batch < 1 ? 1 : batch > BATCH_MAX ? BATCH_MAX : batch;
}

void
report_interval(uint64_t bytes)
{
	static _Atomic uint64_t since;
	uint64_t interval = opt.stats_interval > 0
	    ? (uint64_t)opt.stats_interval
	    : 1;
	uint64_t sum = atomic_fetch_add_explicit(&since, bytes,
			   memory_order_relaxed) +
	    bytes;

	/*
	 * Several threads may see that the sum is too large. The one that
	 * succeeds in lowering it prints.
	 */
	while (sum >= interval) {
		if (!atomic_compare_exchange_weak_explicit(&since, &sum,
			sum % interval, memory_order_relaxed,
			memory_order_relaxed))
			continue;
		report_print(NULL, NULL, opt.stats_interval_opts);
		return;
	}
}
