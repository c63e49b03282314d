/* Memcomparable keys: byte strings whose memcmp order is the order of the values (docs/format/key.md).
 *
 * Each part begins with a byte: 0x01 NULL first, 0x02 not NULL, 0x03 NULL last (PostgreSQL's
 * default for ascending). DESC inverts every byte of the part, marker included. Integers are
 * big-endian with the sign flipped; floats by the usual total-order trick; bytes are escaped
 * (00 -> 00 FF) and end with 00 01; numerics as sign, exponent, digits, so that equal values of
 * different scale encode alike. An encoded key can be decoded, but for display scale. */
#ifndef HELIOS_TYPES_KEY_H
#define HELIOS_TYPES_KEY_H

#include "types/value.h"

enum { KEY_NULL_FIRST = 1, KEY_NOT_NULL = 2, KEY_NULL_LAST = 3 };

struct key_part {
    type_id type;
    bool descending;
    bool nulls_first;
};

void key_encode(const struct key_part *part, struct datum d, struct strbuf *out);
/* Takes the first part off *key. DATA_CORRUPTED when malformed. Numeric scale is the least that
 * holds the value. */
enum status key_decode(const struct key_part *part, struct slice *key, struct arena *a,
                       struct datum *ret) MUST;
/* The smallest key that is greater than all keys with this prefix; false when there is none (all
 * 0xff). In place. */
bool key_successor(struct strbuf *prefix);

#endif
