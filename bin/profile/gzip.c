#include "gzip.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "util/build.h"

#if CONFIG_ZLIB
#include <zlib.h>
#endif

bool
gzip_is(const void *bytes, size_t length)
{
	return length > 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}

#if CONFIG_ZLIB

enum { GZIP_WINDOW = 15 + 16 };

/* zlib counts in 32 bits, so larger files go in portions. */
static unsigned
portion(size_t length)
{
	return length > UINT_MAX / 2 ? UINT_MAX / 2 : (unsigned)length;
}

/* Unpacks one part; a file may be several, one after another. */
static void
unpack_part(z_stream *stream, const char *path, const unsigned char *end,
    char **text, size_t *room)
{
	int status = Z_OK;

	while (status != Z_STREAM_END) {
		size_t done = stream->total_out;

		if (*room - done < 65536) {
			*room *= 2;
			*text = realloc(*text, *room + 1);
			if (*text == NULL)
				fail("out of memory");
		}
		stream->next_out = (unsigned char *)*text + done;
		stream->avail_out = portion(*room - done);
		stream->avail_in = portion((size_t)(end - stream->next_in));
		status = inflate(stream, Z_NO_FLUSH);
		if (status == Z_BUF_ERROR ||
		    (status == Z_OK && stream->next_in == end &&
			stream->avail_out > 0))
			fail("%s: the compressed file is truncated", path);
		if (status != Z_OK && status != Z_STREAM_END)
			fail("%s: the compressed file is damaged", path);
	}
}

char *
gzip_unpack(const char *path, const void *bytes, size_t length,
    size_t *unpacked)
{
	const unsigned char *end = (const unsigned char *)bytes + length;
	size_t room = 2 * length + 131072;
	char *text = memory(room + 1, 1);
	z_stream stream = { .next_in = (void *)(uintptr_t)bytes };

	if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		fail("out of memory");
	for (;;) {
		uLong sum;

		unpack_part(&stream, path, end, &text, &room);
		if (!gzip_is(stream.next_in, (size_t)(end - stream.next_in)))
			break;
		sum = stream.total_out;
		inflateReset(&stream);
		stream.total_out = sum;
	}
	*unpacked = stream.total_out;
	text[*unpacked] = '\0';
	inflateEnd(&stream);
	return text;
}

void
gzip_write(FILE *to, const void *bytes, size_t length)
{
	const unsigned char *end = (const unsigned char *)bytes + length;
	unsigned char part[65536];
	z_stream stream = { .next_in = (void *)(uintptr_t)bytes };
	int status = Z_OK;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
		GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		fail("out of memory");
	while (status != Z_STREAM_END) {
		size_t left = (size_t)(end - stream.next_in);

		stream.avail_in = portion(left);
		stream.next_out = part;
		stream.avail_out = sizeof(part);
		status = deflate(&stream,
		    left == stream.avail_in ? Z_FINISH : Z_NO_FLUSH);
		fwrite(part, 1, sizeof(part) - stream.avail_out, to);
	}
	deflateEnd(&stream);
}

#else

char *
gzip_unpack(const char *path, const void *bytes, size_t length,
    size_t *unpacked)
{
	(void)bytes, (void)length, (void)unpacked;
	fail("%s: is compressed, and this jeprof was built without zlib: use "
	     "gunzip first",
	    path);
}

void
gzip_write(FILE *to, const void *bytes, size_t length)
{
	fwrite(bytes, 1, length, to);
}

#endif
