#include "core_notes.h"

#include <elf.h>
#include <string.h>

#include "bytes.h"
#include "target.h"
#include "tool.h"

struct part {
	const unsigned char *bytes;
	size_t size;
};

/* The offsets in a note, which depend on the size of a pointer. */
struct shape {
	unsigned status_tid, status_registers;
	unsigned info_name;
};

static const struct shape shape_64 = { 32, 112, 40 };
static const struct shape shape_32 = { 24, 72, 28 };

#define NAME_SIZE 16

static const struct shape *
shape_of(const struct target *target)
{
	return target->pointer_size == 8 ? &shape_64 : &shape_32;
}

/* A word of the target's pointer size, or 0. */
static uint64_t
word_at(const struct target *target, struct part part, size_t index)
{
	unsigned width = target->pointer_size;

	if (!range_inside(index * width, width, part.size))
		return 0;
	return bytes_number(part.bytes + index * width, width,
	    target->big_endian);
}

/*
 * Which of the registers are the stack pointer, the thread pointer and the
 * address of the next instruction. The thread pointer may have a note of its
 * own, or none.
 */
static const struct registers {
	unsigned machine;
	unsigned stack;
	int thread;
	unsigned pc;
} registers[] = {
	{ EM_X86_64, 19, 21, 16 },
	{ EM_386, 15, -1, 12 },
	{ EM_AARCH64, 31, -1, 32 },
	{ EM_RISCV, 2, 4, 0 },
	{ EM_PPC64, 1, 13, 32 },
};

static void
thread_add(struct core_notes *notes, struct target *target, struct part part)
{
	const struct shape *shape = shape_of(target);
	struct target_thread thread = { 0 };

	if (part.size < shape->status_registers)
		return;
	thread.tid = (uint32_t)bytes_number(part.bytes + shape->status_tid, 4,
	    target->big_endian);
	part.bytes += shape->status_registers;
	part.size -= shape->status_registers;
	for (size_t i = 0; i < LENGTH(registers); i++) {
		const struct registers *r = &registers[i];

		if (r->machine != notes->machine)
			continue;
		thread.stack = word_at(target, part, r->stack);
		thread.pc = word_at(target, part, r->pc);
		if (r->thread >= 0)
			thread.pointer = word_at(target, part,
			    (unsigned)r->thread);
	}
	target->threads = array_room(target->threads, target->nthreads,
	    sizeof(thread));
	target->threads[target->nthreads++] = thread;
}

static void
name_read(struct core_notes *notes, const struct target *target,
    struct part part)
{
	unsigned at = shape_of(target)->info_name;

	if (part.size < at + NAME_SIZE)
		return;
	notes->name = intern_bytes((const char *)part.bytes + at,
	    strnlen((const char *)part.bytes + at, NAME_SIZE));
}

static void
auxv_read(struct core_notes *notes, const struct target *target,
    struct part part)
{
	size_t pairs = part.size / target->pointer_size / 2;

	for (size_t i = 0; i < pairs; i++) {
		if (word_at(target, part, 2 * i) == AT_PHDR)
			notes->program_headers = word_at(target, part,
			    2 * i + 1);
	}
}

/*
 * NT_FILE: the count, the unit of offsets, for each file start, end and offset;
 * then their names.
 */
static void
files_read(struct core_notes *notes, const struct target *target,
    struct part part)
{
	uint64_t count = word_at(target, part, 0);
	uint64_t unit = word_at(target, part, 1);
	size_t width = target->pointer_size;

	if (part.size < 2 * width || count > (part.size / width - 2) / 3)
		return;
	const char *name = (const char *)part.bytes + (2 + 3 * count) * width;
	const char *end = (const char *)part.bytes + part.size;

	for (size_t i = 0; i < count && name < end; i++) {
		size_t length = strnlen(name, (size_t)(end - name));
		struct core_file file = {
			.start = word_at(target, part, 2 + 3 * i),
			.end = word_at(target, part, 3 + 3 * i),
			.offset = word_at(target, part, 4 + 3 * i) * unit,
			.path = intern_bytes(name, length),
			.fd = -1,
		};

		name += length + 1;
		if (file.start >= file.end)
			continue;
		notes->files = array_room(notes->files, notes->nfiles,
		    sizeof(file));
		notes->files[notes->nfiles++] = file;
	}
}

static void
note_read(struct core_notes *notes, struct target *target, unsigned type,
    struct part part)
{
	if (type == NT_PRSTATUS)
		thread_add(notes, target, part);
	else if (type == NT_PRPSINFO)
		name_read(notes, target, part);
	else if (type == NT_AUXV)
		auxv_read(notes, target, part);
	else if (type == NT_FILE)
		files_read(notes, target, part);
}

void
core_notes_read(struct core_notes *notes, struct target *target,
    const unsigned char *bytes, size_t size)
{
	size_t at = 0;

	while (range_inside(at, 12, size)) {
		uint64_t owner = bytes_number(bytes + at, 4,
		    target->big_endian);
		uint64_t length = bytes_number(bytes + at + 4, 4,
		    target->big_endian);
		unsigned type = (unsigned)bytes_number(bytes + at + 8, 4,
		    target->big_endian);
		uint64_t contents = at + 12 + ((owner + 3) & ~(uint64_t)3);

		if (!range_inside(contents, length, size))
			break;
		if (owner == 5 && memcmp(bytes + at + 12, "CORE", 5) == 0)
			note_read(notes, target, type,
			    (struct part){ bytes + contents, length });
		/*
		 * The note belongs to the thread whose registers came before
		 * it.
		 */
		if (owner == 6 && memcmp(bytes + at + 12, "LINUX", 6) == 0 &&
		    type == NT_ARM_TLS && target->nthreads > 0)
			target->threads[target->nthreads - 1].pointer =
			    word_at(target,
				(struct part){ bytes + contents, length }, 0);
		at = contents + ((length + 3) & ~(uint64_t)3);
	}
}

static int
file_compare(const void *a, const void *b)
{
	const struct core_file *first = a, *second = b;

	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	return 0;
}

void
core_notes_order(struct core_notes *notes)
{
	sort(notes->files, notes->nfiles, sizeof(struct core_file),
	    file_compare);
}

const struct core_file *
core_notes_file(const struct core_notes *notes, uint64_t address)
{
	size_t at = rows_upto(notes->files, notes->nfiles,
	    sizeof(struct core_file), address);

	if (at == 0 || notes->files[at - 1].end <= address)
		return NULL;
	return &notes->files[at - 1];
}

bool
core_notes_is_program(const struct core_notes *notes, const char *path)
{
	const struct core_file *file = core_notes_file(notes,
	    notes->program_headers);

	return file != NULL && strcmp(file->path, path) == 0;
}
