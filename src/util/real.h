/*
 * real: the logarithm and the exponential function. The C library has them in
 * libm, which this library is not linked with.
 *
 * Owns:       nothing.
 * Invariants: results are exact to 14 digits. Allocates nothing, changes
 *             neither errno nor a mode of the floating point unit.
 * Locking:    none.
 */
#ifndef UTIL_REAL_H
#define UTIL_REAL_H

/* ln x, for a normal x > 0. */
double real_ln(double x);

/* 1 - e^-x, for x >= 0; exact even if x is very small. */
double real_share(double x);

#endif
