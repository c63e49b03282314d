#ifndef DB_ACTIVITY_H
#define DB_ACTIVITY_H

#include "base/str.h"

/* What a session shows of itself in pg_stat_activity. Its own thread writes, any other reads. */

enum { ACTIVITY_BYTES = 1024 }; /* of a statement's text, the final NUL included */

struct activity_text {
    uint32_t version;                           /* odd while it is written */
    uint64_t words[ACTIVITY_BYTES / sizeof(uint64_t)];
};

/* The text, cut at a whole character where it is too long. Never waits. */
void activity_text_set(struct activity_text *t, struct slice text);
/* As a C string. False: after many tries it was still being written anew, and may be mixed. */
bool activity_text_get(const struct activity_text *t, char ret[ACTIVITY_BYTES]);

#endif
