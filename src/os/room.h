/*
 * room: what the limits of this process and the machine leave for a mapping.
 *
 * Owns:       what was known at the start.
 * Invariants: never allocates; errno is kept. What can't be read counts as no
 *             limit, and the usual setting.
 * Locking:    none. No caller holds a lock.
 */
#ifndef OS_ROOM_H
#define OS_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads what is known at the start; before threads, after system_init().
 */
void room_init(void);

/*
 * Can no mapping of `need` bytes ever succeed here, whatever is unmapped? Then
 * it is longer than all addresses, or than memory and swap, which kernels
 * refuse by default. For mappings that were refused.
 */
bool room_is_too_large(size_t need);

/**
 * How many bytes have to be unmapped before the limits of the process leave
 * room for a mapping that was refused?
 * @param need    bytes of the mapping
 * @param extra   bytes that should be free besides, if they can be
 * @param mapped  bytes that are mapped at least, if /proc does not tell
 * @return        0: no limit is in the way; SIZE_MAX: unmapping can't help
 */
size_t room_lack(size_t need, size_t extra, size_t mapped);

#endif
