/* One SQL value: 16 bytes whose reading depends on the type (type.h, enum rep). NULL is told beside
 * it. Copying a value copies a reference to its bytes: whoever keeps one longer than its source
 * calls value_copy. */
#ifndef HELIOS_TYPES_VALUE_H
#define HELIOS_TYPES_VALUE_H

#include "types/type.h"

enum { BYTES_INLINE_MAX = 12 };

/* A string of bytes, 16 bytes wide (Neumann and Freitag, "Umbra", CIDR 2020): up to 12 bytes lie
 * inline, zero-padded; longer ones keep their first 4 beside the pointer, so that most comparisons
 * never follow it. Text is UTF-8. bpchar is stored padded to its length; its trailing blanks do not
 * count when it is compared, hashed or made a key. */
struct __attribute__((aligned(8))) bytes {
    uint32_t len;
    union {
        char inline_data[BYTES_INLINE_MAX];
        struct __attribute__((packed)) {
            char prefix[4];
            const char *ptr; /* at offset 8 of the whole: aligned */
        };
    };
};

/* A decimal: coefficient × 10^-scale when small, else `big` (types/numeric.h). The display scale is
 * part of the value, as in PostgreSQL: 1.50 and 1.5 are equal but print differently. */
enum numeric_kind { NUMERIC_SMALL, NUMERIC_BIG, NUMERIC_NAN, NUMERIC_PINF, NUMERIC_NINF };
struct numeric {
    union {
        int64_t coefficient;
        const struct numeric_big *big; /* self-contained: one block of bytes */
    };
    uint16_t scale; /* digits after the point, 0..16383 */
    uint8_t kind;   /* enum numeric_kind */
    uint8_t pad[5]; /* zero */
};

struct interval {
    int64_t us;
    int32_t days, months;
};

union value {
    bool b;
    int16_t i16;
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    float f32;
    double f64;
    struct bytes bytes;
    struct numeric numeric;
    struct interval interval;
    uint8_t uuid[16];
};
_Static_assert(sizeof(struct bytes) == 16, "bytes");
_Static_assert(sizeof(struct numeric) == 16, "numeric");
_Static_assert(sizeof(union value) == 16, "value");

struct datum {
    union value v;
    bool null;
};

static inline const char *bytes_data(const struct bytes *b)
{
    return b->len <= BYTES_INLINE_MAX ? b->inline_data : b->ptr;
}
/* The slice points into *b when short: it lives no longer than *b. */
static inline struct slice bytes_slice(const struct bytes *b)
{
    return slice_make(bytes_data(b), b->len);
}
/* Keeps `data` by reference when longer than 12 bytes. */
static inline struct bytes bytes_ref(const char *data, uint32_t len)
{
    struct bytes b;
    b.len = len;
    if (len <= BYTES_INLINE_MAX) {
        memset(b.inline_data, 0, BYTES_INLINE_MAX);
        if (len) memcpy(b.inline_data, data, len);
    } else {
        memcpy(b.prefix, data, 4);
        b.ptr = data;
    }
    return b;
}
static inline struct bytes bytes_copy(struct arena *a, const char *data, uint32_t len)
{
    if (len <= BYTES_INLINE_MAX) return bytes_ref(data, len);
    return bytes_ref((const char *)arena_memdup(a, data, len), len);
}
static inline struct bytes bytes_from_slice(struct arena *a, struct slice s)
{
    return bytes_copy(a, s.data, (uint32_t)s.len);
}
static inline bool bytes_eq(const struct bytes *a, const struct bytes *b)
{
    if (memcmp(a, b, 8) != 0) return false; /* length and first 4 bytes */
    if (a->len <= BYTES_INLINE_MAX) return memcmp(a, b, 16) == 0;
    return memcmp(a->ptr, b->ptr, a->len) == 0;
}
int bytes_cmp(const struct bytes *a, const struct bytes *b); /* bytewise: collation "C" */

/* Deep copy into the arena. */
union value value_copy(struct arena *a, type_id type, union value v);
static inline struct datum datum_copy(struct arena *a, type_id type, struct datum d)
{
    if (!d.null) d.v = value_copy(a, type, d.v);
    return d;
}

/* Total order of a type's values as its btree operator class has it: NaN above all, -0 = 0, text
 * bytewise, bpchar without trailing blanks. -1, 0, 1. Neither is NULL. */
int value_compare(type_id type, const union value *a, const union value *b);
/* Alike to the last digit, both NULL among them: 1.0 and 1.00 are equal, but print differently. */
bool value_identical(type_id type, const struct datum *a, const struct datum *b);
/* Equal values (value_compare = 0) hash alike, over all integer widths too. */
uint64_t value_hash(type_id type, const union value *v);

/* The columns of a row type; see types/record.h. */
struct row_columns {
    const type_id *types;
    const int32_t *typmods;
    const char *const *names; /* NULL: not told */
    uint32_t count;
};

/* What regclass, regtype … stand for is known to the session alone, and so are row types. */
struct reg_names {
    void *ctx;
    enum status (*read)(void *ctx, type_id type, struct slice text, struct arena *a,
                        uint32_t *ret) MUST;
    void (*print)(void *ctx, type_id type, uint32_t oid, struct strbuf *out);
    enum status (*row_columns)(void *ctx, type_id type, struct arena *a,
                               struct row_columns *ret) MUST;
};
static inline bool type_is_reg(type_id type)
{
    return type == TYPE_REGCLASS || type == TYPE_REGTYPE || type == TYPE_REGPROC ||
           type == TYPE_REGNAMESPACE || type == TYPE_REGROLE || type == TYPE_REGPROCEDURE ||
           type == TYPE_REGOPER || type == TYPE_REGOPERATOR || type == TYPE_REGCOLLATION;
}

/* Text form, as PostgreSQL's output functions print it under `fmt`. */
struct format_options {
    int8_t extra_float_digits;   /* 1: shortest form that round-trips (default) */
    uint8_t date_style;          /* enum date_style (types/datetime.h) */
    uint8_t date_order;          /* enum date_order */
    uint8_t interval_style;      /* enum interval_style */
    bool bytea_escape;           /* bytea_output = escape */
    const struct timezone *zone; /* of the session; NULL: UTC (types/datetime.h) */
    int64_t now_us;              /* the transaction's time, for 'now', 'today' in input */
    const struct reg_names *names; /* NULL: numbers, and names of types, are all that is known */
};
extern const struct format_options format_default; /* ISO, MDY, UTC, postgres intervals */

void value_to_text(type_id type, const union value *v, const struct format_options *fmt,
                   struct strbuf *out);
/* PostgreSQL's input functions: same grammar, same errors (22P02, 22003, 22007, 22008 …). Applies
 * typmod with the rules of an assignment cast (varchar(n) overflow is 22001 unless blanks). Bytes of
 * the result are in the arena. */
enum status value_from_text(type_id type, int32_t typmod, struct slice text,
                            const struct format_options *fmt, struct arena *a,
                            union value *ret) MUST;
/* Binary form, as PostgreSQL's send and receive functions (network order). `names` NULL: bytes that the
 * server wrote itself, so that a composite value is what it says. */
void value_to_binary(type_id type, const union value *v, struct strbuf *out);
enum status value_from_binary(type_id type, int32_t typmod, struct slice data,
                              const struct reg_names *names, struct arena *a,
                              union value *ret) MUST;
/* Fits a value of the type to a typmod: rounds numeric (22003 when too big), pads or cuts strings
 * (`explicit_cast` cuts silently), rounds times. typmod -1 is no change. */
enum status value_apply_typmod(type_id type, int32_t typmod, bool explicit_cast, struct arena *a,
                               union value *v) MUST;

#endif
