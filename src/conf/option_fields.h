/*
 * option_fields: the fields of all options, and the form of a row about one.
 *
 * Owns:       nothing.
 * Invariants: a row has the name, type, place, range, default and words of one
 *             key.
 * Locking:    none.
 */
#ifndef CONF_OPTION_FIELDS_H
#define CONF_OPTION_FIELDS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/size_class.h"

/* Values of word options; the order is that of the words in options.c. */
enum zero_realloc { ZERO_REALLOC_ALLOC, ZERO_REALLOC_FREE, ZERO_REALLOC_ABORT };
enum percpu_arena { PERCPU_DISABLED, PERCPU_PERCPU, PERCPU_PHYCPU };
enum dss { DSS_DISABLED, DSS_PRIMARY, DSS_SECONDARY };
/* Only start-up sets THP_UNSUPPORTED, if the kernel has no huge pages. */
enum thp { THP_DEFAULT, THP_ALWAYS, THP_NEVER, THP_UNSUPPORTED };
enum metadata_thp {
	METADATA_THP_DISABLED,
	METADATA_THP_AUTO,
	METADATA_THP_ALWAYS
};
enum hugify_style { HUGIFY_AUTO, HUGIFY_NONE, HUGIFY_EAGER, HUGIFY_LAZY };
enum prof_time { PROF_TIME_DEFAULT, PROF_TIME_HIGH };
enum prof_signal_action { PROF_SIGNAL_TOGGLE, PROF_SIGNAL_DUMP };
enum prof_format { PROF_FORMAT_TEXT, PROF_FORMAT_PPROF };
enum safety { SAFETY_OFF, SAFETY_BASIC, SAFETY_FULL };
enum safety_action { SAFETY_ACTION_ABORT, SAFETY_ACTION_REPORT };
enum foreign { FOREIGN_AUTO, FOREIGN_FORWARD, FOREIGN_ABORT };

/* Fractions are fixed point, 16 bits each side of the point. */
#define RATIO_ONE   ((uint32_t)1 << 16)
#define RATIO_NEVER UINT32_MAX

/* A statistics option keeps these letters, each of them at most once. */
#define STATS_LETTERS "JPgmdablxeh"

/* Limits of the thread cache: sizes in bytes, numbers of size classes. */
#define TCACHE_MAX_LIMIT     ((size_t)8 << 20)
#define TCACHE_MAX_DEFAULT   262144
#define TCACHE_CLASSES_MAX   76
#define TCACHE_NCACHED_LIMIT 8191
/* In tcache_ncached_max: the cache chooses the depth itself. */
#define NCACHED_COMPUTED (-1)

#define QUARANTINE_FULL ((size_t)64 << 20) /* in safety:full */

/* Some options are fractions of this. */
#define HUGE_PAGE ((size_t)2 << 20)

#define BIN_SHARDS_LIMIT 64
#define NARENAS_LIMIT    4094
#define PROF_BT_LIMIT    1024

struct options {
	/* General */
	bool abort;        /* on most warnings */
	bool abort_conf;   /* on bad options */
	bool confirm_conf; /* echo sources and settings */
	bool junk_alloc;   /* both from the key junk */
	bool junk_free;
	bool zero;
	bool utrace;
	bool xmalloc; /* abort on allocation failure */
	bool infallible_new;
	bool stats_print; /* at exit */
	enum zero_realloc zero_realloc;
	int64_t mutex_max_spin; /* -1: for ever */
	int64_t stats_interval; /* bytes; -1: off */
	char stats_print_opts[sizeof(STATS_LETTERS)];
	char stats_interval_opts[sizeof(STATS_LETTERS)];
	unsigned double_free_max_scan; /* key debug_double_free_max_scan */

	/* Only this library has these: see doc/OPTIONS.md */
	enum safety safety;
	enum safety_action safety_action;
	unsigned guard_sample; /* one object in this many; 0: none */
	unsigned guard_slots;
	enum foreign foreign;
	bool deepbind; /* dlopen may have RTLD_DEEPBIND */
	/*
	 * The parts of safety:full. Bit i: the i-th bool below was set by name.
	 */
	uint8_t parts_given;
	bool canary;
	bool zero_free;
	bool uaf_check;
	bool random_slots;
	bool guard_large;
	bool quarantine_given;
	bool quarantine_by_heap; /* less in a small heap */
	bool checked;            /* a part needs to see every call */
	size_t quarantine;       /* bytes; 0: none */
	size_t limit_soft;       /* bytes; 0: none */
	size_t limit_hard;

	/* Arenas, pages, purging */
	unsigned narenas;       /* 0: by CPUs and narenas_ratio */
	uint32_t narenas_ratio; /* fixed point */
	enum percpu_arena percpu_arena;
	size_t oversize_threshold; /* 0: off */
	bool background_thread;
	bool background_auto; /* only if background_thread is false */
	bool retain;
	bool core_dump_free; /* core dumps contain pages that are retained */
	bool huge_arena_pac_thp;
	bool trust_madvise;
	bool cache_oblivious;
	bool disable_large_size_classes;
	size_t max_background_threads;
	ssize_t dirty_decay_ms; /* 0: at once, -1: never */
	ssize_t muzzy_decay_ms;
	enum dss dss;
	enum thp thp;
	enum metadata_thp metadata_thp;
	size_t lg_extent_max_active_fit;
	size_t process_madvise_max_batch; /* regions; 0: off */
	size_t calloc_madvise_threshold;
	uint16_t slab_sizes[SMALL_CLASSES_MAX]; /* in 4 KiB; 0: default */
	uint8_t bin_shards[SMALL_CLASSES_MAX];

	/* Thread cache */
	bool tcache;
	bool tcache_trim; /* trim caches of silent threads */
	bool experimental_tcache_gc;
	size_t tcache_max; /* a size class */
	/* By size class, small ones first; NCACHED_COMPUTED or a depth. */
	int16_t tcache_ncached_max[TCACHE_CLASSES_MAX];
	unsigned tcache_nslots_small_min;
	unsigned tcache_nslots_small_max;
	unsigned tcache_nslots_large;
	ssize_t lg_tcache_nslots_mul;
	size_t tcache_gc_incr_bytes;
	size_t tcache_gc_delay_bytes;
	unsigned lg_tcache_flush_small_div;
	unsigned lg_tcache_flush_large_div;

	/* Huge page allocator */
	bool hpa;
	bool hpa_hugify_sync;
	bool hpa_start_huge_if_thp_always; /* both keys experimental_... */
	bool hpa_enforce_hugify;
	enum hugify_style hpa_hugify_style;
	size_t hpa_slab_max_alloc;
	size_t hpa_hugification_threshold;
	size_t hpa_purge_threshold;
	uint64_t hpa_hugify_delay_ms;
	uint64_t hpa_min_purge_interval_ms;
	uint64_t hpa_min_purge_delay_ms;
	uint32_t hpa_dirty_mult;   /* fixed point, or RATIO_NEVER */
	ssize_t hpa_max_purge_nhp; /* key experimental_... */
	size_t hpa_sec_nshards;
	size_t hpa_sec_max_alloc;
	size_t hpa_sec_max_bytes;
	size_t hpa_sec_batch_fill_extra;

	/* Profiling */
	bool prof;
	bool prof_active;
	bool prof_thread_active_init;
	bool prof_gdump;
	bool prof_final;
	bool prof_leak;
	bool prof_leak_error;
	bool prof_accum;
	bool prof_pid_namespace;
	bool prof_stats;
	bool prof_holes;
	bool prof_sys_thread_name;
	bool prof_log;
	bool prof_unbias;
	enum prof_time prof_time_resolution;
	enum prof_format prof_format;
	char prof_signal[32]; /* name or number; "": none */
	enum prof_signal_action prof_signal_action;
	size_t lg_prof_sample;
	ssize_t lg_prof_interval;
	unsigned prof_bt_max;
	ssize_t prof_recent_alloc_max;
	ssize_t prof_dump_most; /* -1: no limit */

	/* Guards */
	size_t san_guard_small;
	size_t san_guard_large;
	ssize_t lg_san_uaf_align;

	/*
	 * Long texts come last, so that the other fields share few cache lines.
	 */
	char prof_prefix[PATH_MAX];
	char log[256];
};

enum option_type {
	OPTION_BOOL,
	OPTION_UNSIGNED,
	OPTION_SIZE,
	OPTION_SSIZE,
	OPTION_UINT64,
	OPTION_INT64,
	OPTION_RATIO,
	OPTION_WORD,
	OPTION_LETTERS,
	OPTION_STRING,
	OPTION_SPECIAL /* has a setter, and may have a getter of a text */
};

enum option_result {
	OPTION_SET,
	OPTION_CLIPPED,   /* set to the nearest allowed value */
	OPTION_UNKNOWN,   /* no such key; never from option_set() */
	OPTION_BAD_VALUE, /* does not parse */
	OPTION_OUT_OF_RANGE,
	OPTION_BAD_RANGES /* a list lo-hi:value|... is broken somewhere */
};

struct option_row;
typedef enum option_result option_setter(const struct option_row *row,
    struct options *options, const char *value, size_t length);

struct option_row {
	const char *name;
	enum option_type type;
	bool clip;     /* a number out of range moves to its bound */
	bool no_ctl;   /* can't be read as the mallctl opt.<name> */
	bool absent;   /* not compiled in */
	size_t offset; /* in struct options */
	size_t size;   /* bytes of the field */
	int64_t min;   /* of a number; for ratios in fixed point */
	uint64_t max;
	const char *preset;       /* the default as a user writes it, or NULL */
	const char *word;         /* stands for a number, or NULL */
	const char *const *words; /* NULL-terminated, as in the enum */
	const char *allowed;      /* text, if the other fields don't say it */
	const char *idle;         /* why it has no effect; NULL: it has one */
	const char *wants;   /* key:value that it needs to have an effect */
	bool wants_prefix;   /* no effect if prof_prefix is empty */
	uint32_t word_value; /* what `word` stands for: any number */
	option_setter *set;  /* used instead of that of the type */
	const char *(*get)(const struct options *); /* OPTION_SPECIAL */
};

#endif
