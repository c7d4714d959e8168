#include "disassembly.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "tool.h"

struct place {
	const char *file;
	int line;
};

/* "file:line", perhaps with " (discriminator n)" */
static bool
place_parse(char *text, struct place *place)
{
	char *mark = strstr(text, " (discriminator ");
	char *colon, *end;

	if (mark != NULL)
		*mark = '\0';
	colon = strrchr(text, ':');
	if (colon == NULL || colon == text || !isdigit((unsigned char)colon[1]))
		return false;
	long line = strtol(colon + 1, &end, 10);

	if (*end != '\0')
		return false;
	place->file = intern_bytes(text, (size_t)(colon - text));
	place->line = (int)line;
	return true;
}

static void
line_parse(struct disassembly *code, char *text, struct place *place)
{
	char *at = text + strspn(text, " "), *end;
	uint64_t address;

	if (at == text) {
		place_parse(text, place);
		return;
	}
	address = strtoull(at, &end, 16);
	if (end == at || end[0] != ':' || end[1] != '\t')
		return;
	code->item = array_room(code->item, code->count, sizeof(*code->item));
	code->item[code->count++] = (struct instruction){
		.address = address,
		.file = place->file,
		.line = place->line,
		.text = intern(end + 2),
	};
}

void
disassemble(struct disassembly *code, const char *file, uint64_t start,
    uint64_t end)
{
	char *from = print("--start-address=0x%" PRIx64, start);
	char *to = print("--stop-address=0x%" PRIx64, end);
	struct place place = { NULL, 0 };
	struct process objdump;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	process_start(&objdump,
	    (const char *const[]){ "objdump", "-C", "-d", "-l",
		"--no-show-raw-insn", from, to, file, NULL },
	    0, PIPE);
	while ((length = getline(&line, &room, objdump.output)) >= 0) {
		while (length > 0 && isspace((unsigned char)line[length - 1]))
			line[--length] = '\0';
		line_parse(code, line, &place);
	}
	if (!process_end(&objdump))
		fail("objdump of %s failed", file);
	free(line);
	free(from);
	free(to);
}

struct instruction *
disassembly_find(struct disassembly *code, uint64_t address)
{
	size_t at = rows_upto(code->item, code->count, sizeof(*code->item),
	    address);

	return at == 0 ? NULL : &code->item[at - 1];
}
