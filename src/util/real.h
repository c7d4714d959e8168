/*
 * real: the logarithm and the exponential function, which libc lacks.
 *
 * Owns:       nothing.
 * Invariants: results are right to 14 digits; nothing is allocated, no mode
 *             of the floating point unit or errno is changed.
 * Locking:    none.
 */
#ifndef UTIL_REAL_H
#define UTIL_REAL_H

/* ln x, for a normal x > 0. */
double real_ln(double x);

/* 1 - e^-x, for x >= 0, exact also where x is tiny. */
double real_share(double x);

#endif
