/*
 * pieces: metadata pieces that are counted, overwritten when they are given
 * back, and refused when the test wants that. For programs that wrap
 * metadata_take_piece and metadata_give_piece.
 */
#ifndef UNIT_PROF_PIECES_H
#define UNIT_PROF_PIECES_H

#include <string.h>

#include "../unit.h"
#include "extent/metadata.h"

static struct fault piece_fault;
static _Atomic long npieces;
static _Atomic long piece_bytes;

void *__real_metadata_take_piece(size_t size);
void __real_metadata_give_piece(void *piece, size_t size);
void *__wrap_metadata_take_piece(size_t size);
void __wrap_metadata_give_piece(void *piece, size_t size);

void *
__wrap_metadata_take_piece(size_t size)
{
	void *piece = fault_hits(&piece_fault)
	    ? NULL
	    : __real_metadata_take_piece(size);

	npieces += piece != NULL;
	piece_bytes += piece != NULL ? (long)size : 0;
	return piece;
}

void
__wrap_metadata_give_piece(void *piece, size_t size)
{
	npieces--;
	piece_bytes -= (long)size;
	memset(piece, 0xa5, size);
	__real_metadata_give_piece(piece, size);
}

#endif
