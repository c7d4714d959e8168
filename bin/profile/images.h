/*
 * images: the program and its libraries, as files on this machine.
 *
 * Owns:       struct image, one for each path of the load maps.
 * Invariants: an address within an image is the one that it was linked with,
 *             not the one where it was loaded. A file with another build id
 *             than the profile's is not used, unless it is the program that
 *             the user names. If a profile has no build ids, and a file seems
 *             not to be what was mapped, it is used after a warning.
 * Locking:    none.
 */
#ifndef PROFILE_IMAGES_H
#define PROFILE_IMAGES_H

#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "dump.h"
#include "symtab.h"
#include "units.h"

#define SEGMENTS_MAX 32

struct image {
	const char *path;     /* as in the load map */
	const char *build_id; /* that the profile wants, in hex, or NULL */
	const char *file;     /* what was read for it, or NULL */
	const struct dump *checked; /* for this one, the newest */
	bool warned, fits;
	bool told;             /* that there is no such file, or another one */
	bool code_is_left_out; /* a file of debug information */
	unsigned nsegments;
	GElf_Phdr segments[SEGMENTS_MAX];
	Dwfl *dwfl;
	Dwfl_Module *module; /* NULL: nothing known */
	struct symtab *symtab;
	struct units *units;
};

struct images_options {
	const char *program;  /* or NULL */
	const char *prefixes; /* folders, with commas; or NULL */
	const char *added;    /* an image that no map names; or NULL */
};

void images_begin(const struct images_options *options);
/* Is it this library? Its own functions are not looked up. */
bool image_is_allocator(const char *path);
/* The build id, of the profile or of the file that fits it; or NULL. */
const char *image_build_id(const struct mapping *map);
struct image *image_of_mapping(struct dump *dump, struct mapping *map);
uint64_t image_address(const struct image *image, const struct mapping *map,
    uint64_t pc);
/* The image that may be at an address outside all mappings, or NULL. */
struct image *image_unmapped(const struct dump *dump, uint64_t pc);
/*
 * The compilation unit of the address, if there is debug information. Add bias
 * to the addresses in the unit.
 */
bool image_unit(struct image *image, uint64_t address, Dwarf_Die *unit,
    Dwarf_Addr *bias);
/* The function symbol that covers the address, or NULL. */
const char *image_symbol(struct image *image, uint64_t address,
    struct symtab_range *range);

#endif
