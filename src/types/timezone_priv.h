/* A time zone in memory: the transitions of its file, and the rule that holds after them. */
#ifndef HELIOS_TYPES_TIMEZONE_PRIV_H
#define HELIOS_TYPES_TIMEZONE_PRIV_H

#include "types/datetime_priv.h"

enum {
    ZONE_NAME_MAX = 64,
    ZONE_ABBREV_MAX = 12,
    ZONE_TYPES_MAX = 256,
    ZONE_TRANSITIONS_MAX = 4096,
    ZONE_FILE_BYTES_MAX = 256 << 10,
};

struct zone_type {
    int32_t offset; /* seconds east */
    bool dst;
    char abbrev[ZONE_ABBREV_MAX];
};

/* When daylight time begins or ends: Mm.w.d, Jn (1..365, never Feb 29) or n (0..365). */
enum zone_rule_kind { RULE_MONTH, RULE_JULIAN, RULE_DAY };
struct zone_rule {
    enum zone_rule_kind kind;
    int32_t month, week, day;
    int32_t seconds; /* after local midnight */
};

/* A POSIX TZ string. */
struct zone_posix {
    bool present, has_dst;
    struct zone_type std, dst;
    struct zone_rule start, end;
};

/* Immutable once in the cache. */
struct timezone {
    struct timezone *next;
    char name[ZONE_NAME_MAX];
    uint32_t transition_count, type_count;
    int64_t *at;             /* seconds since 1970, ascending */
    uint8_t *type_index;     /* in force from at[i] on */
    struct zone_type *types; /* [0] before the first transition */
    struct zone_posix posix; /* after the last */
};

/* Fills all but next and name; false when there is no such file or it is malformed. The path is
 * below the zone directory and safe. */
bool timezone__load(const char *path, struct timezone *z);
/* What timezone__load allocated, not `z` itself. */
void timezone__unload(struct timezone *z);
bool timezone__parse_posix(struct slice s, struct zone_posix *ret);

#endif
