/* Values: text form, binary form, stored row, key and array of every type. What is taken in must
 * come out in a form that is taken in again, as an equal value; the rest is refused. The first
 * byte picks what the bytes are, the second the type. */
#include "base/hash.h"
#include "base/random.h"
#include "fuzz.h"
#include "gateway/pg/pg_priv.h"
#include "types/array.h"
#include "types/cast.h"
#include "types/key.h"
#include "types/numeric.h"
#include "types/row.h"
#include "types/timetz.h"

enum { INPUT_MAX = 4096 };

const char *const fuzz_words[] = {
    "infinity", "-infinity", "epoch", "now", "today", "tomorrow", "allballs", "BC", "AD", "AM",
    "PM", "UTC", "+14:00", "Europe/Berlin", "EST5EDT", "2024-02-29", "294276-12-31 23:59:59.999999",
    "4713-01-01 BC", "24:00:00", "T", "Z", "J2451187", "1 year", "2 mons", "-3 days", "04:05:06",
    "P1Y2M3DT4H5M6S", "P0001-02-03T04:05:06", "@ 1 minute ago", "1-2", "NaN", "Inf", "1e10", "e-5",
    "0x", "1e131071", ".000000000000000000001", "{", "}", "{{1,2},{3,4}}", "[2:3]={1,2}", "NULL",
    "\"a,b\"", "\\x", "\\000", "\\\\", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "true", "off",
    "101", "x1F", "b01", "10.1.2.3", "/24", "::ffff:", "2001:db8::", "08:00:2b:", "-04:05",
    "-$1,234.56", "(", "16/B374D848",
    "empty", "[1,5)", "(,3]", "[", ")", "]", ",", NULL};

static type_id pick_type(uint8_t n)
{
    static const type_id types[] = {
        TYPE_BOOL, TYPE_BYTEA, TYPE_CHAR1, TYPE_NAME, TYPE_INT8, TYPE_INT2, TYPE_INT4, TYPE_TEXT,
        TYPE_OID, TYPE_FLOAT4, TYPE_FLOAT8, TYPE_BPCHAR, TYPE_VARCHAR, TYPE_DATE, TYPE_TIME,
        TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ, TYPE_INTERVAL, TYPE_NUMERIC, TYPE_UUID, TYPE_BOOL_ARRAY,
        TYPE_INT4_ARRAY, TYPE_TEXT_ARRAY, TYPE_NUMERIC_ARRAY, TYPE_INTERVAL_ARRAY,
        TYPE_UUID_ARRAY, TYPE_FLOAT8_ARRAY, TYPE_TIMESTAMPTZ_ARRAY, TYPE_BYTEA_ARRAY,
        TYPE_DATE_ARRAY, TYPE_INT2VECTOR, TYPE_OIDVECTOR, TYPE_JSON, TYPE_JSONB, TYPE_JSONB_ARRAY,
        TYPE_BIT, TYPE_VARBIT, TYPE_INET, TYPE_CIDR, TYPE_MACADDR, TYPE_MACADDR8, TYPE_TIMETZ,
        TYPE_MONEY, TYPE_XID8, TYPE_PG_LSN, TYPE_INT4RANGE, TYPE_INT8RANGE, TYPE_NUMRANGE,
        TYPE_DATERANGE, TYPE_TSRANGE, TYPE_TSTZRANGE, TYPE_INT4MULTIRANGE, TYPE_NUMMULTIRANGE,
        TYPE_DATEMULTIRANGE, TYPE_TSTZMULTIRANGE};
    return types[n % (sizeof types / sizeof *types)];
}

/* Values that no text or key gives back exactly. */
static bool comparable(type_id t)
{
    return t != TYPE_FLOAT4; /* printed with the digits that fmt asks for */
}

static void check_text(struct arena *a, type_id t, const union value *v,
                       const struct format_options *fmt)
{
    struct strbuf text;
    union value again;
    strbuf_init(&text, a);
    value_to_text(t, v, fmt, &text);
    if (value_from_text(t, -1, strbuf_slice(&text), fmt, a, &again) != OK)
        fuzz_fail("%s does not take its own text \"%s\": %s", type_get(t)->name, text.data,
                  error_current()->message);
    if (comparable(t) && fmt == &format_default && value_compare(t, v, &again) != 0)
        fuzz_fail("%s changes by its text \"%s\"", type_get(t)->name, text.data);
    FUZZ_CHECK(value_hash(t, v) == value_hash(t, &again) || value_compare(t, v, &again) != 0);
}

static void check_binary(struct arena *a, type_id t, const union value *v)
{
    struct strbuf bytes;
    union value again;
    strbuf_init(&bytes, a);
    value_to_binary(t, v, &bytes);
    if (value_from_binary(t, -1, strbuf_slice(&bytes), NULL, a, &again) != OK)
        fuzz_fail("%s does not take its own bytes: %s", type_get(t)->name,
                  error_current()->message);
    FUZZ_CHECK(value_compare(t, v, &again) == 0);
}

static void check_stored(struct arena *a, type_id t, const union value *v)
{
    const type_id types[] = {TYPE_INT4, t, TYPE_TEXT};
    const struct row_layout *l = row_layout_new(a, types, 3);
    const struct datum row[] = {{.null = true}, {.v = *v},
                                {.v.bytes = bytes_ref("a text of some length", 21)}};
    struct datum got;
    struct strbuf bytes;
    strbuf_init(&bytes, a);
    row_encode(l, row, &bytes);
    FUZZ_CHECK(row_valid(l, strbuf_slice(&bytes)));
    FUZZ_CHECK(row_get(l, strbuf_slice(&bytes), 1, &got) && !got.null);
    FUZZ_CHECK(value_compare(t, v, &got.v) == 0);
    for (int i = 0; i < 4; i++) {
        struct key_part part = {.type = t, .descending = i & 1, .nulls_first = i & 2};
        struct datum d = {.v = *v};
        strbuf_clear(&bytes);
        key_encode(&part, d, &bytes);
        struct slice key = strbuf_slice(&bytes);
        FUZZ_CHECK(key_decode(&part, &key, a, &got) == OK && key.len == 0 && !got.null);
        FUZZ_CHECK(value_compare(t, v, &got.v) == 0);
    }
}

/* POSIX zones may lie further off than the text and the bytes of an offset can say. */
static bool far_off(type_id t, const union value *v)
{
    enum { LIMIT = 16 * 3600 };
    struct timetz z;
    if (t != TYPE_TIMETZ) return false;
    z = timetz_open(&v->bytes);
    return z.west <= -LIMIT || z.west >= LIMIT;
}

static void check_value(struct arena *a, type_id t, const union value *v)
{
    struct format_options fmt = format_default;
    if (far_off(t, v)) return;
    check_text(a, t, v, &fmt);
    check_text(a, t, v, &format_default);
    for (unsigned style = 1; style < 4; style++) {
        fmt.date_style = (uint8_t)style;
        fmt.interval_style = (uint8_t)style;
        struct strbuf text;
        strbuf_init(&text, a);
        value_to_text(t, v, &fmt, &text);
    }
    check_binary(a, t, v);
    check_stored(a, t, v);
    FUZZ_CHECK(value_compare(t, v, v) == 0);
}

static void foreign_row(struct arena *a, struct fuzz_input *in)
{
    type_id types[8];
    uint16_t count = 1 + fuzz_u8(in) % 8;
    for (uint16_t i = 0; i < count; i++) types[i] = pick_type(fuzz_u8(in));
    const struct row_layout *l = row_layout_new(a, types, count);
    struct slice row = slice_dup(a, fuzz_rest(in));
    struct datum d;
    if (!row_valid(l, row)) return;
    FUZZ_CHECK(row_column_count(row) <= count || row_column_count(row) > 0);
    for (uint16_t i = 0; i < count; i++)
        if (row_get(l, row, i, &d) && !d.null && type_rep(types[i]) == REP_BYTES) {
            struct slice s = bytes_slice(&d.v.bytes);
            (void)hash_bytes(s.data, s.len);
        }
}

static void foreign_array(struct arena *a, struct fuzz_input *in)
{
    struct slice s = slice_dup(a, fuzz_rest(in));
    struct bytes b = bytes_ref(s.data, (uint32_t)s.len);
    struct array_view v;
    if (array_open(&b, a, &v) != OK) return;
    uint64_t count = v.ndim ? 1 : 0;
    for (int i = 0; i < v.ndim; i++) count *= (uint64_t)v.dims[i];
    FUZZ_CHECK(count == v.count);
    (void)array_make_view(a, &v);
}

static void foreign_key(struct arena *a, struct fuzz_input *in, uint8_t flags, type_id t)
{
    struct key_part part = {.type = t, .descending = flags & 1, .nulls_first = flags & 2};
    struct slice key = slice_dup(a, fuzz_rest(in));
    struct datum d;
    while (key.len && key_decode(&part, &key, a, &d) == OK)
        if (!d.null && type_rep(t) != REP_BYTES) FUZZ_CHECK(value_compare(t, &d.v, &d.v) == 0);
}

static void run(struct arena *a, struct fuzz_input *in)
{
    uint8_t what = fuzz_u8(in);
    type_id t = pick_type(fuzz_u8(in));
    union value v;
    bool text = pg__check_text(fuzz_rest(in)) == OK; /* the gateway lets no other through */
    if (!text && what % 8 < 3) return;
    switch (what % 8) {
    case 0:
    case 1:
        if (value_from_text(t, -1, fuzz_rest(in), &format_default, a, &v) == OK)
            check_value(a, t, &v);
        break;
    case 2: {
        const struct format_options fmt = {.date_order = what >> 6, .date_style = what >> 4 & 3,
                                           .interval_style = what >> 3 & 3, .bytea_escape = true};
        if (value_from_text(t, -1, fuzz_rest(in), &fmt, a, &v) == OK) check_value(a, t, &v);
        break;
    }
    case 3:
        if (value_from_binary(t, -1, fuzz_rest(in), NULL, a, &v) == OK) check_value(a, t, &v);
        break;
    case 4: foreign_row(a, in); break;
    case 5: foreign_key(a, in, what >> 4, t); break;
    case 6: foreign_array(a, in); break;
    default: {
        /* As CREATE TABLE has them. */
        int32_t mods[2] = {fuzz_u8(in) * 4, fuzz_u8(in) % 64}, typmod = -1;
        if (type_make_typmod(t, mods, 1 + (what >> 3 & 1), &typmod) != OK) break;
        if (pg__check_text(fuzz_rest(in)) != OK) break;
        if (value_from_text(t, typmod, fuzz_rest(in), &format_default, a, &v) == OK)
            check_value(a, t, &v);
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    struct arena a;
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    arena_init(&a, MEM_TEST);
    run(&a, &in);
    arena_release(&a);
    return 0;
}
