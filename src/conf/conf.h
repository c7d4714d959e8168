/*
 * conf: reads options from all places where users can write them.
 *
 * Owns:       the public symbols malloc_conf and malloc_conf_2_conf_harder; the
 *             texts of the five sources, which the program can read back.
 * Invariants: conf_init() fills `opt` once. A bad option is reported once, and
 *             the options after it are read. Nothing here allocates, so that it
 *             can run inside the first malloc() of a process, before any
 *             constructor.
 * Locking:    none; start-up is single-threaded.
 *
 * Grammar: key:value[,key:value...]. A key is [A-Za-z0-9_]*, a value is any
 * bytes except a comma. Upper and lower case differ in keys and words.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>

struct options;

/* In the order of reading; for each key the last source that has it wins. */
enum conf_source {
	CONF_CONFIGURE,     /* --with-malloc-conf */
	CONF_SYMBOL,        /* malloc_conf in the program */
	CONF_LINK,          /* target of the link /etc/malloc.conf */
	CONF_ENVIRONMENT,   /* MALLOC_CONF */
	CONF_SYMBOL_HARDER, /* malloc_conf_2_conf_harder in the program */
	CONF_SOURCES
};

/*
 * The program may define these symbols with an initialiser, to choose options
 * itself. They are read once, perhaps before main().
 */
extern const char *malloc_conf;
extern const char *malloc_conf_2_conf_harder;

/**
 * Set `opt` to the defaults, then apply the five sources, and report their
 * mistakes. Ends the process if something is wrong and abort_conf is set. Keeps
 * errno.
 */
void conf_init(void);

/**
 * Text of one source as it was read at start; it stays until the process ends.
 * @return NULL if the source was absent (for the link: absent or empty); never
 *         NULL for CONF_CONFIGURE
 */
const char *conf_source(enum conf_source source);

/**
 * Fill `options` from the given texts, as conf_init() does from the real ones.
 * @param options  to be filled; need not be initialised
 * @param texts    one per source, NULL for an absent one
 */
void conf_settle(struct options *options,
    const char *const texts[CONF_SOURCES]);

/**
 * Apply one text to `options`, and report what is wrong with it.
 * @param options  already initialised; an accepted pair is echoed if its
 *                 confirm_conf is set
 * @return         false if something in the text was wrong (experimental keys
 *                 don't count)
 */
bool conf_parse(struct options *options, const char *text);

#endif
