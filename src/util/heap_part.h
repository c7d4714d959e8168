/*
 * heap_part: the rows for tools about structures that only one module knows.
 *
 * Owns:       struct heap_part and the macros to fill it.
 * Invariants: a row names a member, and the compiler finds its place and size.
 *             So a change of a structure changes what tools read.
 * Locking:    none; all of it is constant.
 *
 * The rows of structures in headers are in heap/descriptor.
 */
#ifndef UTIL_HEAP_PART_H
#define UTIL_HEAP_PART_H

#include <stddef.h>

#include "util/compiler.h"
#include "util/heap_layout.h"

struct heap_part {
	uint32_t root; /* enum heap_root_id; 0: none */
	uint32_t stride;
	uint32_t count;
	uint32_t nfields;
	const void *address; /* of the root */
	const struct heap_field *fields;
};

#define HEAP_WIDTH(type, member) ((uint16_t)sizeof(((type *)NULL)->member))

/* A part that is one variable, with an array of rows. */
#define HEAP_VARIABLE(root, variable, rows) \
	{ \
		root, sizeof(variable), 1, ARRAY_LEN(rows), &(variable), rows \
	}

/*
 * A plain member. For the structure EXTENT and the field ADDR, the numbers are
 * HEAP_EXTENT and HEAP_EXTENT_ADDR.
 */
#define HEAP_ROW(structure, field, type, member) \
	{ \
		HEAP_##structure, HEAP_##structure##_##field, \
		    offsetof(type, member), HEAP_WIDTH(type, member), 0, 0, \
		    UINT64_MAX \
	}

/* An array: the width of an element counts. */
#define HEAP_ROW_ARRAY(structure, field, type, member) \
	{ \
		HEAP_##structure, HEAP_##structure##_##field, \
		    offsetof(type, member), HEAP_WIDTH(type, member[0]), 0, 0, \
		    UINT64_MAX \
	}

/* A structure inside the structure. */
#define HEAP_ROW_STRUCT(structure, field, type, member) \
	{ \
		HEAP_##structure, HEAP_##structure##_##field, \
		    offsetof(type, member), 0, 0, 0, 0 \
	}

/* `bits` bits of a member, from bit `shift` on. */
#define HEAP_ROW_BITS(structure, field, type, member, shift, bits) \
	{ \
		HEAP_##structure, HEAP_##structure##_##field, \
		    offsetof(type, member), HEAP_WIDTH(type, member), shift, \
		    0, UINT64_MAX >> (64 - (bits)) \
	}

#endif
