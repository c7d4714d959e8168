/*
 * build: the results of configure, as constants for a plain `if`.
 *
 * Owns:       nothing; the only file that includes config.h.
 * Invariants: every switch is 0 or 1 in all builds, so code under a switch that
 *             is off is still compiled, and then dropped.
 */
#ifndef UTIL_BUILD_H
#define UTIL_BUILD_H

#include "config.h"

enum {
	BUILD_DEBUG = CONFIG_DEBUG,         /* assertions */
	BUILD_STATS = CONFIG_STATS,         /* statistics are counted */
	BUILD_FILL = CONFIG_FILL,           /* options junk and zero */
	BUILD_PROF = CONFIG_PROF,           /* config.prof is true */
	BUILD_PROF_GZIP = CONFIG_PROF_GZIP, /* profiles can be gzipped */
	BUILD_XMALLOC = CONFIG_XMALLOC,     /* option xmalloc */
	BUILD_CACHE_OBLIVIOUS = CONFIG_CACHE_OBLIVIOUS,
	BUILD_CXX = CONFIG_CXX,                 /* operators new and delete */
	BUILD_DLOPEN = CONFIG_DLOPEN,           /* removes RTLD_DEEPBIND */
	BUILD_USER_CONFIG = CONFIG_USER_CONFIG, /* reads link, environment */
	BUILD_FORCE_GETENV = CONFIG_FORCE_GETENV,
	BUILD_UTRACE = CONFIG_UTRACE,
	BUILD_OPT_SAFETY_CHECKS = CONFIG_OPT_SAFETY_CHECKS,
	BUILD_OPT_SIZE_CHECKS = CONFIG_OPT_SIZE_CHECKS,
	BUILD_UAF_DETECTION = CONFIG_UAF_DETECTION,
	BUILD_LAZY_LOCK = CONFIG_LAZY_LOCK,
	BUILD_PAGEID = CONFIG_PAGEID,            /* mappings have a name */
	BUILD_LG_QUANTUM = CONFIG_LG_QUANTUM,    /* log2 of least alignment */
	BUILD_ADDRESS_BITS = 8 * sizeof(void *), /* 32 or 64 */
};

#define BUILD_MALLOC_CONF CONFIG_MALLOC_CONF /* options of lowest priority */
#define BUILD_PREFIX      CONFIG_PREFIX      /* of all public symbols */
#define BUILD_GID         JEMALLOC_VERSION_GID_IDENT /* commit, a bare token */
#define BUILD_VERSION     JEMALLOC_VERSION           /* of the contract */
#define BUILD_RELEASE     JEMALLOC_RELEASE /* of this implementation */

#endif
