#include "os/error_text.h"

#include <errno.h>

#include "util/compiler.h"
#include "util/format.h"

/* Errors of opening, writing, closing, renaming files and starting threads. */
static const struct {
	int error;
	const char *words;
} texts[] = {
	{ EPERM, "not permitted" },
	{ ENOENT, "there is no such folder" },
	{ EINTR, "interrupted" },
	{ EIO, "input/output error" },
	{ ENXIO, "nobody reads it" },
	{ EBADF, "the descriptor was closed by the program" },
	{ EAGAIN, "too many threads or no room at the moment" },
	{ ENOMEM, "out of memory" },
	{ EACCES, "permission denied" },
	{ EBUSY, "it is in use" },
	{ EEXIST, "it exists already" },
	{ ENODEV, "no such device" },
	{ ENOTDIR, "a part of the path is not a folder" },
	{ EISDIR, "it is a folder" },
	{ EINVAL, "the kernel does not support that" },
	{ ENFILE, "too many open files in the system" },
	{ EMFILE, "too many open files in this process" },
	{ ETXTBSY, "it is a running program" },
	{ EFBIG, "the file is too large" },
	{ ENOSPC, "no space left on the device" },
	{ EROFS, "the file system is read-only" },
	{ EPIPE, "the reader went away" },
	{ ENAMETOOLONG, "the name is too long" },
	{ ENOSYS, "the kernel does not know that call" },
	{ ELOOP, "too many symbolic links" },
	{ EOVERFLOW, "the file is too large" },
	{ EDQUOT, "the disk quota is used up" },
	{ ESTALE, "the server has lost the file" },
};

const char *
error_text(int error, char text[ERROR_TEXT_MAX])
{
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].error == error) {
			format_text(text, ERROR_TEXT_MAX, "%s", texts[i].words);
			return text;
		}
	}
	format_text(text, ERROR_TEXT_MAX, "error %d", error);
	return text;
}
