#include "unwind/cfi.h"

#include <stddef.h>
#include <string.h>

#include "unwind/cfi_reader.h"
#include "unwind/cfi_table.h"

enum { REMEMBER_MAX = 4 };

/* One entry of .eh_frame with the information it shares with others. */
struct entry {
	struct cfi_reader common; /* instructions for all of them */
	struct cfi_reader own;
	const uint8_t *start;
	uintptr_t pc_start;
	uintptr_t pc_end;
	uint64_t code_factor;
	int64_t data_factor;
	uint64_t return_register;
	uint8_t encoding; /* of addresses */
	bool augmented;
	bool signal;
};

/* The state while instructions are executed, until `pc` is reached. */
struct program {
	struct cfi_reader code;
	const struct entry *entry;
	uintptr_t location;
	uintptr_t pc;
	bool failed;
	unsigned depth;
	struct cfi_rules rules;
	struct cfi_rules initial; /* after the common instructions */
	struct cfi_rules remembered[REMEMBER_MAX];
};

static const struct cfi_table *
table_of(uintptr_t at)
{
	const struct cfi_table *table = (const struct cfi_table *)at;

	if ((table->version != CFI_TABLE_LINKED &&
		table->version != CFI_TABLE_MADE) ||
	    table->count_encoding != CFI_U32 ||
	    table->table_encoding != CFI_TABLE_SORTED ||
	    (table->pointer_encoding & CFI_FORMAT) != CFI_S32)
		return NULL;
	return table;
}

bool
cfi_find(uintptr_t at, uintptr_t pc, struct cfi_line *line)
{
	const struct cfi_table *table = table_of(at);
	uint32_t low = 0, high;
	uintptr_t base;

	if (table == NULL)
		return false;
	base = cfi_table_base(table);
	high = table->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (base + (uintptr_t)(intptr_t)table->line[middle].pc <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	*line = (struct cfi_line){ .index = at, .number = low - 1 };
	return low != 0;
}

static const uint8_t *
entry_at(const struct cfi_line *line)
{
	const struct cfi_table *table = (const struct cfi_table *)line->index;

	return (const uint8_t *)(cfi_table_base(table) +
	    (uintptr_t)(intptr_t)table->line[line->number].entry);
}

uint64_t
cfi_fingerprint(const struct cfi_line *line)
{
	/*
	 * The factors are odd, so the sum changes if one word changes. They
	 * differ, so it also changes if two words are exchanged.
	 */
	static const uint64_t factor[] = {
		0x9e3779b97f4a7c15,
		0xbf58476d1ce4e5b9,
		0x94d049bb133111eb,
		0xd6e8feb86659fd93,
		0xa0761d6478bd642f,
		0xe7037ed1a0b428db,
		0x8ebc6af09c88c6e3,
		0x589965cc75374cc3,
	};
	const struct cfi_table *table = table_of(line->index);
	uint64_t sum, word;
	const uint8_t *at;
	uint32_t length;

	if (table == NULL || line->number >= table->count)
		return 0;
	memcpy(&sum, &table->line[line->number], sizeof(sum));
	sum = (sum ^ line->index) * 0x2545f4914f6cdd1d + line->number;
	at = entry_at(line);
	memcpy(&length, at, sizeof(length));
	for (uint32_t i = 0; i < 8 && (i + 1) * 8 <= length + 4; i++) {
		memcpy(&word, at + 8 * i, sizeof(word));
		sum += word * factor[i];
	}
	return sum != 0 ? sum : 1;
}

/* Sets a reader to the contents of a record, which follow its length. */
static bool
record_init(struct cfi_reader *reader, const uint8_t *at)
{
	uint64_t length;

	*reader = (struct cfi_reader){ .at = at, .end = at + 12 };
	length = cfi_read(reader, 4);
	if (length == 0xffffffff)
		length = cfi_read(reader, 8);
	reader->end = reader->at + length;
	return length != 0;
}

/* Reads the augmentation of a CIE; the first one of its letters is 'z'. */
static void
read_augmentation(struct entry *entry, struct cfi_reader *reader,
    const char *letters)
{
	uint64_t size = cfi_read_uleb(reader);
	struct cfi_reader data = *reader;
	uint8_t encoding;

	cfi_skip(reader, size);
	data.end = reader->at;
	entry->augmented = true;
	for (letters++; *letters != 0; letters++) {
		switch (*letters) {
		case 'R':
			entry->encoding = (uint8_t)cfi_read(&data, 1);
			break;
		case 'L':
			cfi_skip(&data, 1);
			break;
		case 'P':
			encoding = (uint8_t)cfi_read(&data, 1);
			if ((encoding & CFI_RELATIVE) == CFI_ALIGNED)
				reader->failed = true;
			cfi_read_pointer(&data, encoding & CFI_FORMAT);
			break;
		case 'S':
			entry->signal = true;
			break;
		default:
			/*
			 * 'B' and 'G' have no data. Other letters are unknown,
			 * and so is the length of their data; compilers write
			 * 'R' before them.
			 */
			break;
		}
	}
}

static bool
read_common(struct entry *entry, const uint8_t *at)
{
	struct cfi_reader reader;
	const char *letters;
	uint8_t version;

	if (!record_init(&reader, at))
		return false;
	if (cfi_read(&reader, 4) != 0)
		return false;
	version = (uint8_t)cfi_read(&reader, 1);
	letters = (const char *)reader.at;
	while (cfi_read(&reader, 1) != 0)
		;
	if (reader.failed)
		return false; /* the letters have no end */
	if (version == 4)
		cfi_skip(&reader, 2); /* sizes of addresses and segments */
	entry->code_factor = cfi_read_uleb(&reader);
	entry->data_factor = cfi_read_sleb(&reader);
	entry->return_register = version == 1 ? cfi_read(&reader, 1)
					      : cfi_read_uleb(&reader);
	if (*letters == 'z')
		read_augmentation(entry, &reader, letters);
	else if (*letters != 0)
		return false;
	entry->common = reader;
	return !reader.failed && entry->return_register < REGISTERS;
}

static bool
entry_init(struct entry *entry, const uint8_t *at)
{
	struct cfi_reader reader;
	const uint8_t *here;
	uint32_t back;

	memset(entry, 0, sizeof(*entry));
	entry->start = at;
	if (!record_init(&reader, at))
		return false;
	here = reader.at;
	back = (uint32_t)cfi_read(&reader, 4);
	if (back == 0 || !read_common(entry, here - back))
		return false;
	entry->pc_start = cfi_read_pointer(&reader, entry->encoding);
	entry->pc_end = entry->pc_start +
	    cfi_read_pointer(&reader, entry->encoding & CFI_FORMAT);
	if (entry->augmented)
		cfi_skip(&reader, cfi_read_uleb(&reader));
	entry->own = reader;
	return !reader.failed;
}

bool
cfi_entry_start(const uint8_t *record, uintptr_t *pc)
{
	struct entry entry;

	if (!entry_init(&entry, record) || entry.pc_start >= entry.pc_end)
		return false;
	*pc = entry.pc_start;
	return true;
}

/* A factored offset. If it is too large, it is some other number. */
static int64_t
scale(const struct program *program, uint64_t offset)
{
	return (int64_t)(offset * (uint64_t)program->entry->data_factor);
}

static void
set_rule(struct program *program, uint64_t number, enum cfi_kind kind,
    int64_t value)
{
	if (value != (int32_t)value)
		program->failed = true;
	if (number >= REGISTERS)
		return; /* a vector register: not needed */
	program->rules.of[number] = (struct cfi_rule){
		.value = (int32_t)value,
		.kind = (uint8_t)kind,
	};
}

static void
restore_rule(struct program *program, uint64_t number)
{
	if (number < REGISTERS)
		program->rules.of[number] = program->initial.of[number];
}

static void
set_cfa(struct program *program, uint64_t number, int64_t offset)
{
	if (number >= REGISTERS || offset != (int32_t)offset) {
		program->failed = true;
		return;
	}
	program->rules.cfa_register = (uint8_t)number;
	program->rules.cfa = (struct cfi_rule){
		.value = (int32_t)offset,
		.kind = CFI_IS_OFFSET,
	};
}

/* Skips an expression; returns where it is. */
static int64_t
skip_expression(struct program *program)
{
	int64_t place = program->code.at - program->entry->start;

	cfi_skip(&program->code, cfi_read_uleb(&program->code));
	return place;
}

enum {
	ADVANCE = 0x40, /* two bits of kind, six of value */
	OFFSET = 0x80,
	RESTORE = 0xc0,
	NOP = 0x00,
	SET_LOCATION = 0x01,
	ADVANCE1 = 0x02,
	ADVANCE2 = 0x03,
	ADVANCE4 = 0x04,
	OFFSET_EXTENDED = 0x05,
	RESTORE_EXTENDED = 0x06,
	UNDEFINED = 0x07,
	SAME_VALUE = 0x08,
	REGISTER = 0x09,
	REMEMBER_STATE = 0x0a,
	RESTORE_STATE = 0x0b,
	DEF_CFA = 0x0c,
	DEF_CFA_REGISTER = 0x0d,
	DEF_CFA_OFFSET = 0x0e,
	DEF_CFA_EXPRESSION = 0x0f,
	EXPRESSION = 0x10,
	OFFSET_EXTENDED_SF = 0x11,
	DEF_CFA_SF = 0x12,
	DEF_CFA_OFFSET_SF = 0x13,
	VAL_OFFSET = 0x14,
	VAL_OFFSET_SF = 0x15,
	VAL_EXPRESSION = 0x16,
	NEGATE_RA_STATE = 0x2d, /* aarch64: pc is signed, see
				 * registers_plain_pc() */
	ARGS_SIZE = 0x2e,
	NEGATIVE_OFFSET = 0x2f,
};

static bool
run_advance(struct program *program, unsigned op)
{
	struct cfi_reader *code = &program->code;
	uint64_t delta;

	if ((op & RESTORE) == ADVANCE) {
		delta = op & 0x3f;
	} else if (op == ADVANCE1) {
		delta = cfi_read(code, 1);
	} else if (op == ADVANCE2) {
		delta = cfi_read(code, 2);
	} else if (op == ADVANCE4) {
		delta = cfi_read(code, 4);
	} else if (op == SET_LOCATION) {
		program->location = cfi_read_pointer(code,
		    program->entry->encoding);
		return true;
	} else {
		return false;
	}
	program->location += delta * program->entry->code_factor;
	return true;
}

static bool
run_cfa(struct program *program, unsigned op)
{
	struct cfi_reader *code = &program->code;
	uint8_t same = program->rules.cfa_register;
	uint64_t number;

	switch (op) {
	case DEF_CFA:
		number = cfi_read_uleb(code);
		set_cfa(program, number, (int64_t)cfi_read_uleb(code));
		return true;
	case DEF_CFA_SF:
		number = cfi_read_uleb(code);
		set_cfa(program, number,
		    scale(program, (uint64_t)cfi_read_sleb(code)));
		return true;
	case DEF_CFA_REGISTER:
		set_cfa(program, cfi_read_uleb(code), program->rules.cfa.value);
		return true;
	case DEF_CFA_OFFSET:
		set_cfa(program, same, (int64_t)cfi_read_uleb(code));
		return true;
	case DEF_CFA_OFFSET_SF:
		set_cfa(program, same,
		    scale(program, (uint64_t)cfi_read_sleb(code)));
		return true;
	case DEF_CFA_EXPRESSION:
		program->rules.cfa = (struct cfi_rule){
			.value = (int32_t)skip_expression(program),
			.kind = CFI_IS_EXPRESSION,
		};
		return true;
	default:
		return false;
	}
}

/* Instructions about one register; its number is the first operand. */
static bool
run_rule(struct program *program, unsigned op)
{
	struct cfi_reader *code = &program->code, before = *code;
	uint64_t number = cfi_read_uleb(code);

	switch (op) {
	case OFFSET_EXTENDED:
		set_rule(program, number, CFI_AT_OFFSET,
		    scale(program, cfi_read_uleb(code)));
		return true;
	case OFFSET_EXTENDED_SF:
		set_rule(program, number, CFI_AT_OFFSET,
		    scale(program, (uint64_t)cfi_read_sleb(code)));
		return true;
	case NEGATIVE_OFFSET:
		set_rule(program, number, CFI_AT_OFFSET,
		    scale(program, -cfi_read_uleb(code)));
		return true;
	case VAL_OFFSET:
		set_rule(program, number, CFI_IS_OFFSET,
		    scale(program, cfi_read_uleb(code)));
		return true;
	case VAL_OFFSET_SF:
		set_rule(program, number, CFI_IS_OFFSET,
		    scale(program, (uint64_t)cfi_read_sleb(code)));
		return true;
	case EXPRESSION:
		set_rule(program, number, CFI_AT_EXPRESSION,
		    skip_expression(program));
		return true;
	case VAL_EXPRESSION:
		set_rule(program, number, CFI_IS_EXPRESSION,
		    skip_expression(program));
		return true;
	case REGISTER:
		set_rule(program, number, CFI_IN_REGISTER,
		    (int64_t)cfi_read_uleb(code));
		return true;
	case UNDEFINED:
		set_rule(program, number, CFI_UNDEFINED, 0);
		return true;
	case SAME_VALUE:
		set_rule(program, number, CFI_SAME, 0);
		return true;
	case RESTORE_EXTENDED:
		restore_rule(program, number);
		return true;
	default:
		*code = before;
		return false;
	}
}

static void
run_other(struct program *program, unsigned op)
{
	switch (op) {
	case NOP:
	case NEGATE_RA_STATE:
		return;
	case ARGS_SIZE:
		cfi_read_uleb(&program->code);
		return;
	case REMEMBER_STATE:
		if (program->depth == REMEMBER_MAX)
			program->failed = true;
		else
			program->remembered[program->depth++] = program->rules;
		return;
	case RESTORE_STATE:
		if (program->depth == 0)
			program->failed = true;
		else
			program->rules = program->remembered[--program->depth];
		return;
	default:
		program->failed = true;
	}
}

/* Executes instructions until they end, or concern code after `pc`. */
static bool
run(struct program *program, const struct cfi_reader *instructions)
{
	program->code = *instructions;
	while (program->code.at < program->code.end &&
	    program->location <= program->pc) {
		unsigned op = (unsigned)cfi_read(&program->code, 1);

		if ((op & RESTORE) == OFFSET)
			set_rule(program, op & 0x3f, CFI_AT_OFFSET,
			    scale(program, cfi_read_uleb(&program->code)));
		else if ((op & RESTORE) == RESTORE)
			restore_rule(program, op & 0x3f);
		else if (!run_advance(program, op) && !run_cfa(program, op) &&
		    !run_rule(program, op))
			run_other(program, op);
		if (program->failed || program->code.failed)
			return false;
	}
	return true;
}

bool
cfi_row_init(struct cfi_row *row, const struct cfi_line *line, uintptr_t pc)
{
	struct program program;
	struct entry entry;

	if (!entry_init(&entry, entry_at(line)))
		return false;
	if (pc < entry.pc_start || pc >= entry.pc_end)
		return false;
	program.entry = &entry;
	program.location = entry.pc_start;
	program.pc = pc;
	program.failed = false;
	program.depth = 0;
	memset(&program.rules, 0, sizeof(program.rules));
	program.initial = program.rules;
	if (!run(&program, &entry.common))
		return false;
	program.initial = program.rules;
	if (!run(&program, &entry.own))
		return false;
	row->base = entry.start;
	row->signal = entry.signal;
	row->return_register = (uint8_t)entry.return_register;
	row->rules = program.rules;
	return true;
}
