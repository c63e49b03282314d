/* Fitting a value to its column's modifier: char(n) is padded and cut, varchar(n) cut, both counted
 * in characters; numerics and times are rounded by their own files; an array is fitted element by
 * element. */
#include "types/value.h"

#include "types/array.h"
#include "types/bits.h"
#include "types/datetime.h"
#include "types/numeric.h"
#include "types/timetz.h"

enum { TYPMOD_HEADER = 4 };

/* Bytes of the first `chars` characters, or all; *ret_chars is how many there are, up to that. */
static uint32_t prefix_bytes(struct slice s, uint32_t chars, uint32_t *ret_chars)
{
    uint32_t n = 0;
    size_t i = 0;
    while (i < s.len && n < chars) {
        i++;
        while (i < s.len && ((uint8_t)s.data[i] & 0xc0) == 0x80) i++;
        n++;
    }
    *ret_chars = n;
    return (uint32_t)i;
}

static bool all_blanks(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ') return false;
    return true;
}

static enum status fit_string(type_id type, uint32_t limit, bool explicit_cast, struct arena *a,
                              struct bytes *b)
{
    struct slice s = bytes_slice(b);
    uint32_t chars, kept;
    if (type == TYPE_VARCHAR && s.len <= limit) return OK;
    kept = prefix_bytes(s, limit, &chars);
    if (!explicit_cast && !all_blanks(s.data + kept, s.len - kept))
        return FAIL(STRING_DATA_RIGHT_TRUNCATION, "value too long for type %s(%u)",
                    type == TYPE_BPCHAR ? "character" : "character varying", limit);
    uint32_t pad = type == TYPE_BPCHAR ? limit - chars : 0;
    if (!pad) {
        *b = kept == s.len ? *b : bytes_copy(a, s.data, kept);
        return OK;
    }
    char *padded = arena_alloc_aligned(a, (size_t)kept + pad, 1);
    memcpy(padded, s.data, kept);
    memset(padded + kept, ' ', pad);
    *b = bytes_ref(padded, kept + pad);
    return OK;
}

static enum status fit_elements(int32_t typmod, bool explicit_cast, struct arena *a,
                                struct bytes *b)
{
    struct array_view v;
    TRY(array_open(b, a, &v));
    for (uint32_t i = 0; i < v.count; i++)
        if (!v.elements[i].null)
            TRY(value_apply_typmod(v.element, typmod, explicit_cast, a, &v.elements[i].v));
    *b = array_make_view(a, &v);
    return OK;
}

enum status value_apply_typmod(type_id type, int32_t typmod, bool explicit_cast, struct arena *a,
                               union value *v)
{
    if (typmod < 0) return OK;
    switch (type) {
    case TYPE_BPCHAR:
    case TYPE_VARCHAR:
        if (typmod < TYPMOD_HEADER) return OK;
        return fit_string(type, (uint32_t)(typmod - TYPMOD_HEADER), explicit_cast, a, &v->bytes);
    case TYPE_BIT:
    case TYPE_VARBIT:
        return bits_fit(type, typmod, explicit_cast, a, &v->bytes);
    case TYPE_TIMETZ:
        timetz_fit(typmod, &v->bytes);
        return OK;
    case TYPE_NUMERIC:
        return numeric_apply_typmod(a, typmod, &v->numeric);
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
        return datetime_apply_typmod(type, typmod, v);
    default:
        return type_is_array(type) ? fit_elements(typmod, explicit_cast, a, &v->bytes) : OK;
    }
}
