/*
 * error_text: what an error number means, in words.
 *
 * Owns:       a table.
 * Invariants: never allocates and ignores the locale; strerror() may do both.
 * Locking:    none.
 */
#ifndef OS_ERROR_TEXT_H
#define OS_ERROR_TEXT_H

/* Room for the text of any number. */
#define ERROR_TEXT_MAX 64

/**
 * @param error  an error number, above 0
 * @param text   out: the words, or "error N" for a number that operations on
 *               files and threads do not give
 * @return       `text`
 */
const char *error_text(int error, char text[ERROR_TEXT_MAX]);

#endif
