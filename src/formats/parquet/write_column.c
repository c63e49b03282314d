/* A column that is written: its values as Parquet has them, and a dictionary of them as long as
 * there are few different ones. */
#include "formats/parquet/write_priv.h"

#include "base/hash.h"
#include "types/datetime.h"
#include "types/numeric.h"

enum { DAYS_1970_TO_2000 = 10957, JSON_OID = 114, JSONB_OID = 3802 };
static const int64_t us_1970_to_2000 = 946684800000000;

/* --- how ------------------------------------------------------------------------------------ */

static void describe(struct column_out *c, enum form form, int32_t physical, int32_t logical)
{
    c->form = form;
    c->leaf.physical = physical;
    c->leaf.logical = logical;
}

static void describe_integer(struct column_out *c, enum form form, int32_t physical, int32_t bits)
{
    describe(c, form, physical, LOGICAL_INTEGER);
    c->leaf.bits = bits;
    c->leaf.is_signed = form != FORM_U32;
}

static void describe_time(struct column_out *c, enum form form, int32_t logical, bool utc)
{
    describe(c, form, PHYSICAL_INT64, logical);
    c->leaf.unit = UNIT_MICROS;
    c->leaf.adjusted_to_utc = utc;
}

/* Without a precision there is no type that holds them all: then they are text. */
static void describe_numeric(struct column_out *c, int32_t typmod)
{
    int32_t precision = (typmod - 4) >> 16 & 0xffff;
    int32_t scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    bool fits = typmod >= 4 && precision <= DECIMAL_DIGITS_MAX && scale >= 0 && scale <= precision;
    describe(c, FORM_TEXT, PHYSICAL_BYTE_ARRAY, LOGICAL_STRING);
    if (!fits) return;
    describe(c, FORM_DECIMAL,
             precision <= 9    ? PHYSICAL_INT32
             : precision <= 18 ? PHYSICAL_INT64
                               : PHYSICAL_FIXED,
             LOGICAL_DECIMAL);
    c->leaf.precision = precision;
    c->leaf.scale = c->scale = scale;
    c->leaf.width = 16;
    c->limit = 1;
    for (int i = 0; i < precision; i++) c->limit *= 10;
}

void parquet__column_out_init(struct column_out *c, const struct parquet_column *of)
{
    *c = (struct column_out){.name = of->name, .type = of->type};
    c->leaf.name = of->name;
    c->leaf.optional = !of->required;
    switch (of->type) {
    case TYPE_BOOL: describe(c, FORM_BOOL, PHYSICAL_BOOLEAN, LOGICAL_NONE); break;
    case TYPE_INT2: describe_integer(c, FORM_I16, PHYSICAL_INT32, 16); break;
    case TYPE_INT4: describe_integer(c, FORM_I32, PHYSICAL_INT32, 32); break;
    case TYPE_INT8: describe_integer(c, FORM_I64, PHYSICAL_INT64, 64); break;
    case TYPE_OID: describe(c, FORM_U32, PHYSICAL_INT64, LOGICAL_NONE); break;
    case TYPE_FLOAT4: describe(c, FORM_F32, PHYSICAL_FLOAT, LOGICAL_NONE); break;
    case TYPE_FLOAT8: describe(c, FORM_F64, PHYSICAL_DOUBLE, LOGICAL_NONE); break;
    case TYPE_NUMERIC: describe_numeric(c, of->typmod); break;
    case TYPE_DATE: describe(c, FORM_DATE, PHYSICAL_INT32, LOGICAL_DATE); break;
    case TYPE_TIME: describe_time(c, FORM_I64, LOGICAL_TIME, false); break;
    case TYPE_TIMESTAMP: describe_time(c, FORM_TIMESTAMP, LOGICAL_TIMESTAMP, false); break;
    case TYPE_TIMESTAMPTZ: describe_time(c, FORM_TIMESTAMP, LOGICAL_TIMESTAMP, true); break;
    case TYPE_BYTEA: describe(c, FORM_BYTES, PHYSICAL_BYTE_ARRAY, LOGICAL_NONE); break;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR: describe(c, FORM_BYTES, PHYSICAL_BYTE_ARRAY, LOGICAL_STRING); break;
    case TYPE_UUID:
        describe(c, FORM_UUID, PHYSICAL_FIXED, LOGICAL_UUID);
        c->leaf.width = 16;
        break;
    case JSON_OID:
    case JSONB_OID: describe(c, FORM_TEXT, PHYSICAL_BYTE_ARRAY, LOGICAL_JSON); break;
    default: describe(c, FORM_TEXT, PHYSICAL_BYTE_ARRAY, LOGICAL_STRING);
    }
    strbuf_init(&c->levels, NULL);
    strbuf_init(&c->plain, NULL);
    strbuf_init(&c->codes, NULL);
    parquet__column_out_clear(c);
}

void parquet__column_out_release(struct column_out *c)
{
    strbuf_release(&c->levels);
    strbuf_release(&c->plain);
    strbuf_release(&c->codes);
    mem_free(MEM_QUERY, c->entries);
    mem_free(MEM_QUERY, c->slots);
}

void parquet__column_out_clear(struct column_out *c)
{
    strbuf_clear(&c->levels);
    strbuf_clear(&c->plain);
    strbuf_clear(&c->codes);
    c->dictionary = c->form != FORM_BOOL;
    c->entry_count = c->value_count = c->null_count = 0;
    if (c->slots) memset(c->slots, 0, c->slot_count * sizeof *c->slots);
    c->statistic = (struct statistic){0};
}

uint64_t parquet__column_out_bytes(const struct column_out *c)
{
    return c->plain.len + c->codes.len;
}

/* --- dictionary ----------------------------------------------------------------------------- */

/* The values behind their codes, from now on as they are. */
static void give_up(struct column_out *c)
{
    struct strbuf plain;
    const uint32_t *codes = (const uint32_t *)(const void *)c->codes.data;
    strbuf_init(&plain, NULL);
    for (uint32_t i = 0; i < c->value_count; i++) {
        const struct entry *e = &c->entries[codes[i]];
        strbuf_add(&plain, c->plain.data + e->offset, e->len);
    }
    strbuf_release(&c->plain);
    c->plain = plain;
    strbuf_clear(&c->codes);
    c->dictionary = false;
}

static void grow(struct column_out *c)
{
    c->slot_count = c->slot_count ? c->slot_count * 4 : 1024;
    mem_free(MEM_QUERY, c->slots);
    c->slots = mem_alloc(MEM_QUERY, c->slot_count * sizeof *c->slots);
    for (uint32_t i = 0; i < c->entry_count; i++) {
        uint32_t at = c->entries[i].hash & (c->slot_count - 1);
        while (c->slots[at]) at = (at + 1) & (c->slot_count - 1);
        c->slots[at] = i + 1;
    }
}

/* `value` as PLAIN writes it. */
static void add_to_dictionary(struct column_out *c, struct slice value)
{
    if (c->entry_count * 2 >= c->slot_count) grow(c);
    uint32_t hash = (uint32_t)hash_bytes(value.data, value.len), code;
    uint32_t at = hash & (c->slot_count - 1);
    for (; (code = c->slots[at]) != 0; at = (at + 1) & (c->slot_count - 1)) {
        const struct entry *e = &c->entries[code - 1];
        if (e->hash == hash && e->len == value.len &&
            memcmp(c->plain.data + e->offset, value.data, value.len) == 0)
            break;
    }
    if (code == 0) {
        if (c->entry_count == c->entry_cap) {
            c->entry_cap = c->entry_cap ? c->entry_cap * 2 : 256;
            c->entries = mem_realloc(MEM_QUERY, c->entries, c->entry_cap * sizeof *c->entries);
        }
        c->entries[c->entry_count] =
            (struct entry){(uint32_t)c->plain.len, (uint32_t)value.len, hash};
        strbuf_add(&c->plain, value.data, value.len);
        c->slots[at] = code = ++c->entry_count;
    }
    code--;
    strbuf_add(&c->codes, &code, sizeof code);
    c->value_count++;
    /* More than half of them are new: codes would only be added to the values. */
    if (c->plain.len > DICTIONARY_BYTES_MAX || c->entry_count > DICTIONARY_COUNT_MAX ||
        (c->value_count >= 4096 && c->entry_count > c->value_count / 2))
        give_up(c);
}

static void add_plain(struct column_out *c, struct slice value)
{
    if (c->dictionary) {
        add_to_dictionary(c, value);
        return;
    }
    strbuf_add(&c->plain, value.data, value.len);
    c->value_count++;
}

/* --- statistics ----------------------------------------------------------------------------- */

static void note_number(struct statistic *s, int64_t v)
{
    if (!s->any || v < s->min) s->min = v;
    if (!s->any || v > s->max) s->max = v;
    s->any = true;
}

/* Zeros of both signs are equal, so the bounds take the one that is further out. */
static void note_float(struct statistic *s, double v)
{
    if (v != v) s->none = true;
    if (!s->any || v < s->fmin) s->fmin = v;
    if (!s->any || v > s->fmax) s->fmax = v;
    s->any = true;
}

static void note_bytes(struct statistic *s, struct slice v)
{
    if (v.len > STATISTIC_BYTES_MAX) s->none = true;
    if (s->none) return;
    if (!s->any || slice_cmp(v, slice_make(s->min_bytes, s->min_len)) < 0) {
        memcpy(s->min_bytes, v.data, v.len);
        s->min_len = (uint32_t)v.len;
    }
    if (!s->any || slice_cmp(v, slice_make(s->max_bytes, s->max_len)) > 0) {
        memcpy(s->max_bytes, v.data, v.len);
        s->max_len = (uint32_t)v.len;
    }
    s->any = true;
}

/* --- values --------------------------------------------------------------------------------- */

static void add_i32(struct column_out *c, int32_t v)
{
    note_number(&c->statistic, v);
    add_plain(c, slice_make(&v, sizeof v));
}

static void add_i64(struct column_out *c, int64_t v)
{
    note_number(&c->statistic, v);
    add_plain(c, slice_make(&v, sizeof v));
}

static enum status refuse(const struct column_out *c, const char *what)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "%s in column \"%s\" cannot be written to Parquet",
                what, c->name);
}

/* Length, then bytes. */
static enum status add_string(struct column_out *c, struct slice s, struct strbuf *scratch)
{
    uint32_t len = (uint32_t)s.len;
    if (s.len > VALUE_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a value of column \"%s\" is larger than %d bytes",
                    c->name, VALUE_BYTES_MAX);
    note_bytes(&c->statistic, s);
    if (!c->dictionary) {
        strbuf_add(&c->plain, &len, sizeof len);
        strbuf_add(&c->plain, s.data, s.len);
        c->value_count++;
        return OK;
    }
    size_t at = scratch->len; /* s may lie before it; adding may move both */
    size_t from = s.data >= scratch->data && s.data < scratch->data + at
                      ? (size_t)(s.data - scratch->data)
                      : SIZE_MAX;
    strbuf_reserve(scratch, s.len + sizeof len);
    strbuf_add(scratch, &len, sizeof len);
    strbuf_add(scratch, from == SIZE_MAX ? s.data : scratch->data + from, s.len);
    add_plain(c, slice_make(scratch->data + at, scratch->len - at));
    scratch->len = at;
    return OK;
}

/* The number times 10^scale; false when it is no number or has more than 38 digits. */
static bool unscaled(const struct numeric *n, int32_t scale, struct strbuf *scratch, __int128 *ret)
{
    __int128 v = 0;
    bool negative = false;
    int digits = 0;
    if (n->kind == NUMERIC_SMALL && n->scale <= scale) {
        v = n->coefficient;
        for (int i = n->scale; i < scale; i++)
            if (__builtin_mul_overflow(v, (__int128)10, &v)) return false;
        *ret = v;
        return true;
    }
    if (n->kind != NUMERIC_SMALL && n->kind != NUMERIC_BIG) return false;
    strbuf_clear(scratch);
    numeric_to_text(n, scratch);
    int fraction = -1;
    for (size_t i = 0; i < scratch->len; i++) {
        char c = scratch->data[i];
        if (c == '-') negative = true;
        else if (c == '.') fraction = 0;
        else {
            v = v * 10 + (c - '0');
            digits += v != 0;
            fraction += fraction >= 0;
            if (digits > DECIMAL_DIGITS_MAX) return false;
        }
    }
    for (fraction = fraction < 0 ? 0 : fraction; fraction < scale; fraction++)
        if (__builtin_mul_overflow(v, (__int128)10, &v)) return false;
    *ret = negative ? -v : v;
    return true;
}

static enum status add_decimal(struct column_out *c, const struct numeric *n,
                               struct strbuf *scratch, struct arena *a)
{
    struct numeric fitted = *n;
    __int128 v, limit = c->limit;
    uint8_t big[16];
    bool number = n->kind == NUMERIC_SMALL || n->kind == NUMERIC_BIG;
    if (number && n->scale > c->scale) TRY(numeric_round(a, n, c->scale, &fitted));
    if (!number || !unscaled(&fitted, c->scale, scratch, &v) || v >= limit || v <= -limit)
        return refuse(c, number ? "a number that is too large" : "NaN or infinity");
    if (c->leaf.physical == PHYSICAL_INT32) return add_i32(c, (int32_t)v), OK;
    if (c->leaf.physical == PHYSICAL_INT64) return add_i64(c, (int64_t)v), OK;
    for (int i = 15; i >= 0; i--, v >>= 8) big[i] = (uint8_t)v;
    c->statistic.none = true; /* bytewise order is not theirs */
    add_plain(c, slice_make(big, sizeof big));
    return OK;
}

enum status parquet__column_out_add(struct column_out *c, const struct datum *d,
                                    const struct format_options *format, struct strbuf *scratch,
                                    struct arena *a)
{
    const union value *v = &d->v;
    if (c->leaf.optional) strbuf_addc(&c->levels, !d->null);
    if (d->null) return c->null_count++, OK;
    strbuf_clear(scratch);
    switch (c->form) {
    case FORM_BOOL:
        note_number(&c->statistic, v->b);
        return add_plain(c, slice_make(&v->b, 1)), OK;
    case FORM_I16: return add_i32(c, v->i16), OK;
    case FORM_I32: return add_i32(c, v->i32), OK;
    case FORM_DATE:
        if (v->i32 == DATE_NOBEGIN || v->i32 == DATE_NOEND) return refuse(c, "an infinite date");
        return add_i32(c, v->i32 + DAYS_1970_TO_2000), OK;
    case FORM_I64: return add_i64(c, v->i64), OK;
    case FORM_U32: return add_i64(c, v->u32), OK;
    case FORM_TIMESTAMP: {
        int64_t us;
        if (v->i64 == TS_NOBEGIN || v->i64 == TS_NOEND) return refuse(c, "an infinite timestamp");
        if (__builtin_add_overflow(v->i64, us_1970_to_2000, &us))
            return refuse(c, "a timestamp that is too large");
        return add_i64(c, us), OK;
    }
    case FORM_F32:
        note_float(&c->statistic, v->f32);
        return add_plain(c, slice_make(&v->f32, sizeof v->f32)), OK;
    case FORM_F64:
        note_float(&c->statistic, v->f64);
        return add_plain(c, slice_make(&v->f64, sizeof v->f64)), OK;
    case FORM_DECIMAL: return add_decimal(c, &v->numeric, scratch, a);
    case FORM_UUID:
        note_bytes(&c->statistic, slice_make(v->uuid, sizeof v->uuid));
        return add_plain(c, slice_make(v->uuid, sizeof v->uuid)), OK;
    case FORM_BYTES: return add_string(c, bytes_slice(&v->bytes), scratch);
    case FORM_TEXT:
        value_to_text(c->type, v, format, scratch);
        return add_string(c, strbuf_slice(scratch), scratch);
    }
    UNREACHABLE();
}
