#include "prof/prof_dump.h"

#include <sys/sysmacros.h>

#include "os/file_out.h"
#include "prof/prof_loaded.h"
#include "prof/prof_objects.h"
#include "prof/prof_table.h"
#include "util/bits.h"
#include "util/format.h"
#include "util/real.h"

#define LINE_SIZE    256
#define MAPS_HEADING "\nMAPPED_LIBRARIES:\n"

struct writer {
	const struct prof_dump_form *form;
	prof_write_function *write;
	void *context;
};

static void put(const struct writer *writer, const char *template, ...)
    PRINTF(2, 3);

static void
put(const struct writer *writer, const char *template, ...)
{
	char line[LINE_SIZE];
	va_list args;
	size_t length;

	va_start(args, template);
	length = format_text_va(line, sizeof(line), template, args);
	va_end(args);
	writer->write(writer->context, line,
	    min_size(length, sizeof(line) - 1));
}

void
prof_dump_unbias(const struct prof_counts *counts, uint64_t period,
    uint64_t *objects, uint64_t *bytes)
{
	double number = (double)counts->weight_objects / PROF_WEIGHT_ONE;
	double sum = (double)counts->weight_bytes / PROF_WEIGHT_BYTE;
	double share;

	*objects = *bytes = 0;
	if (counts->objects == 0 || number <= 0)
		return;
	share = real_share(sum / number / (double)period);
	*bytes = (uint64_t)(sum * share + 0.5);
	*objects = (uint64_t)(number * share + 0.5);
}

static void
put_counts(const struct writer *writer, const struct prof_counts *live,
    const struct prof_counts *ever)
{
	const struct prof_counts *all[] = { live, ever };
	uint64_t objects[2], bytes[2];

	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		objects[i] = all[i]->objects;
		bytes[i] = all[i]->bytes;
		if (writer->form->unbias)
			prof_dump_unbias(all[i], writer->form->period,
			    &objects[i], &bytes[i]);
	}
	put(writer, "%llu: %llu [%llu: %llu]", (unsigned long long)objects[0],
	    (unsigned long long)bytes[0], (unsigned long long)objects[1],
	    (unsigned long long)bytes[1]);
}

static void
put_thread(const struct writer *writer, const struct prof_item *item)
{
	put(writer, "  t%llu: ", (unsigned long long)item->thread);
	put_counts(writer, &item->live, &item->ever);
	if (item->name[0] != '\0')
		put(writer, " %s", item->name);
	put(writer, "\n");
}

static void
put_stack(const struct writer *writer, const struct prof_item *item)
{
	put(writer, "@");
	for (uint32_t i = 0; i < item->depth; i++)
		put(writer, " 0x%zx", (size_t)(uintptr_t)item->pcs[i]);
	put(writer, "\n  t*: ");
	put_counts(writer, &item->live, &item->ever);
	put(writer, "\n");
}

void
prof_dump_format(const struct prof_snapshot *snapshot,
    const struct prof_dump_form *form, prof_write_function *write,
    void *context)
{
	const struct writer writer = { form, write, context };
	const struct prof_item *item = NULL;
	bool shown = false;

	put(&writer, "heap_v2/%llu\n  t*: ", (unsigned long long)form->period);
	put_counts(&writer, &snapshot->live, &snapshot->ever);
	put(&writer, "\n");
	while ((item = prof_snapshot_next(snapshot, item)) != NULL) {
		bool any = item->live.objects != 0 || item->ever.objects != 0;

		if (item->kind == PROF_ITEM_STACK) {
			shown = any;
			if (shown)
				put_stack(&writer, item);
		} else if (item->kind == PROF_ITEM_THREAD || (shown && any)) {
			put_thread(&writer, item);
		}
	}
}

/* Its place in memory and in the file, and the build id. */
static void
put_code(struct file_out *out, const char *what,
    const struct prof_mapping *mapping)
{
	file_print(out, "%s %zx-%zx %08llx ", what, (size_t)mapping->start,
	    (size_t)mapping->end, (unsigned long long)mapping->offset);
	for (size_t i = 0; i < mapping->id_length; i++)
		file_print(out, "%02x", mapping->id[i]);
	if (mapping->id_length == 0)
		file_print(out, "-");
}

static void
put_closed_one(struct file_out *out, const struct prof_mapping *mapping)
{
	put_code(out, "closed", mapping);
	file_print(out, " %02x:%02x %llu ", major(mapping->device),
	    minor(mapping->device), (unsigned long long)mapping->inode);
	for (size_t i = 0; i < mapping->name_length; i++)
		file_write(out,
		    mapping->name[i] == '\n' ? "?" : &mapping->name[i], 1);
	file_write(out, "\n", 1);
}

/*
 * What the list of mappings can't say: what was there before, and build ids.
 * Readers of the common form skip these lines: they don't begin like a mapping.
 */
static void
put_objects(struct file_out *out)
{
	struct prof_closed closed;

	prof_objects_settle();
	prof_closed_take(&closed);
	for (size_t i = 0; i < closed.count; i++)
		put_closed_one(out, &closed.item[i]);
	for (size_t i = 0; i < closed.nloaded; i++) {
		put_code(out, "loaded", &closed.item[closed.count + i]);
		file_print(out, "\n");
	}
	if (closed.incomplete)
		file_print(out, "closed more\n");
	prof_closed_end(&closed);
}

int
prof_dump_file(const char *path, const struct prof_snapshot *snapshot,
    const struct prof_dump_form *form)
{
	int error;
	struct file_out *out = file_create(path, &error);

	if (out == NULL)
		return error;
	prof_dump_format(snapshot, form, prof_write_file, out);
	if (!file_append_maps(out, MAPS_HEADING)) {
		file_write(out, MAPS_HEADING, sizeof(MAPS_HEADING) - 1);
		prof_loaded_list(prof_write_file, out);
	}
	put_objects(out);
	return file_finish(out);
}
