/*
 * selftest: what --test does.
 *
 * Owns:       nothing.
 * Invariants: needs no file and no other program.
 * Locking:    none.
 */
#ifndef PROFILE_SELFTEST_H
#define PROFILE_SELFTEST_H

/* Prints PASS or the errors; returns the number of errors. */
int selftest(void);

#endif
