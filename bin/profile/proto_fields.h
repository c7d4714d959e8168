/*
 * proto_fields: the numbers of fields in pprof's profile.proto.
 *
 * Owns:       nothing.
 * Invariants: none.
 * Locking:    none.
 */
#ifndef PROFILE_PROTO_FIELDS_H
#define PROFILE_PROTO_FIELDS_H

/* clang-format off */
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4, PROFILE_FUNCTION = 5, PROFILE_STRING = 6,
    PROFILE_DROP_FRAMES = 7, PROFILE_KEEP_FRAMES = 8, PROFILE_TIME = 9,
    PROFILE_PERIOD_TYPE = 11, PROFILE_PERIOD = 12, PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_TYPE = 14, PROFILE_FIELDS = 15 };
/* The comment of a profile of holes. */
#define COMMENT_HOLES	"profile of holes"
/* One that the library writes if its list of closed libraries has gaps. */
#define COMMENT_CLOSED	"closed more"
enum { TYPE_TYPE = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_TEXT = 2, LABEL_NUMBER = 3 };
enum { MAPPING_ID = 1, MAPPING_START = 2, MAPPING_LIMIT = 3,
    MAPPING_OFFSET = 4, MAPPING_FILE = 5, MAPPING_BUILD_ID = 6,
    MAPPING_FUNCTIONS = 7, MAPPING_FILES = 8, MAPPING_LINES = 9,
    MAPPING_INLINE = 10 };
enum { LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_ADDRESS = 3,
    LOCATION_LINE = 4 };
enum { LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM = 3,
    FUNCTION_FILE = 4, FUNCTION_LINE = 5 };
/* clang-format on */

#endif
