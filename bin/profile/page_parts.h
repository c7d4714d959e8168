/*
 * page_parts: scripts and styles of pictures and pages. They are files of their
 * own in the sources, and strings here.
 *
 * Owns:       nothing.
 * Invariants: nothing in them loads anything.
 * Locking:    none.
 */
#ifndef PROFILE_PAGE_PARTS_H
#define PROFILE_PAGE_PARTS_H

extern const char flame_script[];
extern const char flame_style[];
extern const char flame_controls[]; /* of the picture: search, buttons */
extern const char page_script[];
extern const char page_style[];

#endif
