/*
 * json: writes one JSON document to stdout.
 *
 * Owns:       the state of the document: depth, commas.
 * Invariants: each caller closes what it has opened. Addresses are texts
 *             ("0x7f..."), all other numbers are numbers. Texts are UTF-8.
 * Locking:    none.
 */
#ifndef HEAP_JSON_H
#define HEAP_JSON_H

#include <stdbool.h>
#include <stdint.h>

/* `key` is NULL in an array and at the top. */
void json_object(const char *key);
void json_array(const char *key);
void json_end(void);

/* From now on a document is one line. */
void json_one_line(void); /* of either */
void json_number(const char *key, uint64_t number);
void json_real(const char *key, double number);
void json_bool(const char *key, bool value);
void json_text(const char *key, const char *text); /* NULL: null */
void json_address(const char *key, uint64_t address);

#endif
