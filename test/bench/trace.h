/*
 * trace: what a program asked of malloc, in order. record.c writes it, replay.c
 * does it again.
 *
 * Invariants: events have the order in which they happened: an address is freed
 *             before it is given out again. A resize is two events of its
 *             thread, because the object may move.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>

#define TRACE_MAGIC   UINT64_C(0x0131656361727461)
#define TRACE_EVENTS  ((uint64_t)1 << 28)
#define TRACE_THREADS 8192

enum trace_kind {
	TRACE_TAKE, /* address, size, alignment */
	TRACE_FREE,
	TRACE_RESIZE_FROM,
	TRACE_RESIZE_TO, /* address, size */
};

struct trace_event {
	uint64_t address : 48;
	uint64_t kind : 3;
	uint64_t thread : 13;
	uint64_t size : 58;
	uint64_t lg_align : 6; /* 0: that of malloc */
};

struct trace {
	uint64_t magic;
	_Atomic uint64_t count; /* beyond TRACE_EVENTS they are lost */
	struct trace_event event[];
};

#endif
