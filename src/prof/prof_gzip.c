#include "prof/prof_gzip.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "os/pages.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/compiler.h"

/* zlib needs 260 KiB and the memory for its state, in five pieces. */
enum {
	LEVEL = Z_BEST_SPEED,
	WINDOW_BITS = 15,
	AS_GZIP = 16, /* added to WINDOW_BITS: write a gzip file */
	MEMORY_LEVEL = 8,
	OUTPUT_SIZE = 16 << 10,
	MEMORY_SIZE = 320 << 10,
};

struct prof_gzip {
	z_stream stream;
	prof_write_function *write;
	void *context;
	size_t size; /* bytes mapped */
	size_t used; /* of memory */
	Bytef output[OUTPUT_SIZE];
	_Alignas(max_align_t) char memory[MEMORY_SIZE];
};

static voidpf
take(voidpf argument, uInt count, uInt size)
{
	struct prof_gzip *gzip = argument;
	size_t bytes = round_up((size_t)count * size, _Alignof(max_align_t));
	char *memory = gzip->memory + gzip->used;

	if (bytes > sizeof(gzip->memory) - gzip->used)
		return Z_NULL;
	gzip->used += bytes;
	return memory;
}

/* Does nothing: all memory is unmapped together at the end. */
static void
give(voidpf argument UNUSED, voidpf memory UNUSED)
{
}

struct prof_gzip *
prof_gzip_begin(prof_write_function *write, void *context)
{
	size_t size = round_up(sizeof(struct prof_gzip), system_info.page_size);
	struct prof_gzip *gzip = pages_map(size, system_info.page_size);

	if (gzip == NULL)
		return NULL;
	gzip->size = size;
	gzip->write = write;
	gzip->context = context;
	gzip->stream.zalloc = take;
	gzip->stream.zfree = give;
	gzip->stream.opaque = gzip;
	if (deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED,
		WINDOW_BITS + AS_GZIP, MEMORY_LEVEL,
		Z_DEFAULT_STRATEGY) == Z_OK)
		return gzip;
	pages_unmap(gzip, size);
	return NULL;
}

static void
run(struct prof_gzip *gzip, int flush)
{
	z_stream *stream = &gzip->stream;

	do {
		stream->next_out = gzip->output;
		stream->avail_out = sizeof(gzip->output);
		deflate(stream, flush);
		gzip->write(gzip->context, (const char *)gzip->output,
		    sizeof(gzip->output) - stream->avail_out);
	} while (stream->avail_out == 0);
	assert(stream->avail_in == 0);
}

void
prof_gzip_write(void *stream, const char *bytes, size_t length)
{
	struct prof_gzip *gzip = stream;

	assert(length <= UINT_MAX);
	gzip->stream.next_in = (Bytef *)(uintptr_t)bytes;
	gzip->stream.avail_in = (uInt)length;
	run(gzip, Z_NO_FLUSH);
}

void
prof_gzip_end(struct prof_gzip *gzip)
{
	run(gzip, Z_FINISH);
	deflateEnd(&gzip->stream);
	pages_unmap(gzip, gzip->size);
}
