#include "stats/report.h"

#include "os/message.h"
#include "stats/report_json.h"
#include "stats/report_metrics.h"
#include "stats/report_sections.h"
#include "stats/report_text.h"
#include "stats/snapshot.h"

static void
write_message(void *opaque, const char *text)
{
	if (malloc_message != NULL)
		malloc_message(opaque, text);
	else
		message_write(text);
}

void
report_print(emitter_callback *write, void *opaque, const char *letters)
{
	struct stats_snapshot *snapshot;
	struct report report;

	if (!snapshot_refresh()) {
		message("no memory for statistics");
		return;
	}
	snapshot = snapshot_get();
	report.snapshot = snapshot;
	report.show = report_sections_parse(letters);
	if (report.show.general)
		report.account = account_make(snapshot);
	emitter_begin(&report.emitter, write != NULL ? write : write_message,
	    opaque);
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
report_at_exit(const char *letters)
{
	if (malloc_message != NULL || message_descriptor_kept())
		report_print(NULL, NULL, letters);
}
