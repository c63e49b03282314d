/* The words of jsonb's bytes. */
#ifndef HELIOS_TYPES_JSONB_PRIV_H
#define HELIOS_TYPES_JSONB_PRIV_H

#include "types/jsonb.h"

enum { JSONB__WORD = 4, JSONB__SHIFT = 28, JSONB__LOW = (1 << JSONB__SHIFT) - 1 };
enum { JSONB__HEAD_ARRAY, JSONB__HEAD_OBJECT, JSONB__HEAD_SCALAR };

static inline uint32_t jsonb__u32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
/* A value whose payload these bytes are. */
struct json_value jsonb__packed(enum json_kind kind, struct slice bytes);
/* The order of keys in an object: by length, then bytewise. */
int jsonb__compare_keys(struct slice a, struct slice b);

/* Of values of different kinds, the order; and the classes of keys of indexes. */
enum jsonb__rank {
    JSONB__EMPTY = 1, JSONB__NULL, JSONB__STRING, JSONB__NUMBER, JSONB__BOOL, JSONB__ARRAY,
    JSONB__OBJECT
};
enum jsonb__rank jsonb__rank(const struct json_value *v);
/* Of a whole document. */
enum jsonb__rank jsonb__root_rank(const struct json_value *v);

#endif
