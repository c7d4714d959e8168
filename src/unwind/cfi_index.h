/*
 * cfi_index: makes the sorted table of unwind information where the linker has
 * made none.
 *
 * Owns:       the memory of the table, which stays for ever.
 * Invariants: an entry that is not understood is left out.
 * Locking:    none.
 */
#ifndef UNWIND_CFI_INDEX_H
#define UNWIND_CFI_INDEX_H

#include <stddef.h>
#include <stdint.h>

/**
 * @param eh_frame  the section in memory
 * @param size      its bytes
 * @param base      an address at most 2 GiB away from all code and entries
 * @return          the table, for cfi_find(); 0: no memory, or no entries
 */
uintptr_t cfi_index_make(const uint8_t *eh_frame, size_t size, uintptr_t base);

#endif
