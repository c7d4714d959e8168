#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "session.h"
#include "target.h"
#include "tool.h"

#define PIECE ((size_t)1 << 20)

/* The files of one class, or of all. */
struct out {
	uint64_t size; /* of its objects; 0: various */
	char *name;
	FILE *data, *index;
	uint64_t count, bytes, left_out;
};

struct dump {
	struct session *session;
	struct out **outs; /* one for each class; they stay open */
	size_t nouts;
	struct out *last;
	unsigned char *piece;
};

static FILE *
file_create(const struct session *session, const char *name)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
	    (session->options.force ? O_TRUNC : O_EXCL);
	int fd = open(name, flags, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (file == NULL && errno == EEXIST)
		fail("%s: is there already; --force overwrites it", name);
	if (file == NULL)
		fail("%s: %s", name, strerror(errno));
	return file;
}

static struct out *
out_of(struct dump *dump, uint64_t size)
{
	const struct session *session = dump->session;

	if (session->options.one_file)
		size = 0;
	if (dump->last != NULL && dump->last->size == size)
		return dump->last;
	for (size_t i = 0; i < dump->nouts; i++) {
		if (dump->outs[i]->size == size)
			return dump->last = dump->outs[i];
	}
	struct out *out = memory(1, sizeof(*out));
	char *base = size == 0
	    ? print("%s/heap", session->options.dir)
	    : print("%s/heap.%" PRIu64, session->options.dir, size);

	out->size = size;
	out->name = print("%s.bin", base);
	out->data = file_create(session, out->name);
	char *index = print("%s.idx", base);

	out->index = file_create(session, index);
	free(index);
	free(base);
	dump->outs = array_room(dump->outs, dump->nouts, sizeof(out));
	dump->outs[dump->nouts++] = out;
	return dump->last = out;
}

/* Copies a region piece by piece; returns how many bytes are unreadable. */
static uint64_t
region_copy(const struct dump *dump, const struct out *out,
    const struct region *region)
{
	uint64_t lost = 0;

	for (uint64_t at = 0; at < region->size; at += PIECE) {
		size_t size = region->size - at < PIECE
		    ? (size_t)(region->size - at)
		    : PIECE;
		uint64_t left = region->readable > at ? region->readable - at
						      : 0;
		size_t some = left < size ? (size_t)left : size;

		lost += target_read_some(dump->session->target,
		    region->address + at, dump->piece, some);
		memset(dump->piece + some, 0, size - some);
		fwrite(dump->piece, 1, size, out->data);
	}
	return lost;
}

static bool
region_dump(void *context, const struct region *region)
{
	struct dump *dump = context;
	const struct session *session = dump->session;
	struct out *out = out_of(dump, region->size);

	if (region->size > session->options.max_bytes - out->bytes) {
		out->left_out++;
		return true;
	}
	uint64_t lost = region_copy(dump, out, region);

	dump->session->heap->unreadable_data += lost;
	if (session->options.one_file)
		fprintf(out->index,
		    "%" PRIu64 " %#" PRIx64 " %" PRIu64 " %" PRIu64 "%s\n",
		    out->count, region->address, out->bytes, region->size,
		    lost > 0 ? " !" : "");
	else
		fprintf(out->index, "%" PRIu64 " %#" PRIx64 "%s\n", out->count,
		    region->address, lost > 0 ? " !" : "");
	out->count++;
	out->bytes += region->size;
	return true;
}

static void
out_finish(const struct session *session, struct out *out)
{
	if (fclose(out->data) != 0 || fclose(out->index) != 0)
		fail("%s: %s", out->name, strerror(errno));
	if (session->options.json) {
		json_object(NULL);
		json_text("file", out->name);
		json_number("regions", out->count);
		json_number("bytes", out->bytes);
		json_number("left_out", out->left_out);
		json_end();
		return;
	}
	printf("%s: %" PRIu64 " regions, %" PRIu64 " bytes", out->name,
	    out->count, out->bytes);
	if (out->left_out > 0)
		printf("; %" PRIu64 " more left out (--max-bytes)",
		    out->left_out);
	putchar('\n');
}

void
command_dump(struct session *session)
{
	struct dump dump = { .session = session };

	dump.piece = memory(1, PIECE);
	session_each(session, region_dump, &dump);
	if (session->options.json)
		json_array("files");
	for (size_t i = 0; i < dump.nouts; i++) {
		out_finish(session, dump.outs[i]);
		free(dump.outs[i]);
	}
	if (session->options.json)
		json_end();
	free(dump.outs);
	free(dump.piece);
}
