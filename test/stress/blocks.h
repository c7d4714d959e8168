/*
 * blocks: a list of blocks, each filled with what can be verified.
 *
 * Offers:     adding a block, as long as there is memory; freeing all.
 * Invariants: without memory errno is ENOMEM; freeing keeps it.
 */
#ifndef STRESS_BLOCKS_H
#define STRESS_BLOCKS_H

#include "stress.h"

struct block {
	struct block *next;
	size_t size;
	uint64_t seed;
	char bytes[];
};

/*
 * False: there is no memory. `seed`: what the contents depend on. Sets errno to
 * 0 beforehand.
 */
static inline bool
blocks_add(struct block **list, size_t size, uint64_t seed)
{
	struct block *block;

	errno = 0;
	block = hidden(malloc(size));
	if (block == NULL) {
		CHECK(errno == ENOMEM);
		return false;
	}
	block->next = *list;
	block->size = size;
	block->seed = seed;
	bytes_fill(block->bytes, size - sizeof(*block), seed);
	*list = block;
	return true;
}

static inline void
blocks_free(struct block *list)
{
	while (list != NULL) {
		struct block *next = list->next;

		bytes_verify(list->bytes, list->size - sizeof(*list),
		    list->seed);
		errno = 5;
		free(list);
		CHECK(errno == 5);
		list = next;
	}
}

#endif
