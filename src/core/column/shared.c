/* What the blocks of a column share (docs/format/column.md): a sorted dictionary, where few
 * values are repeated, so that codes compare as values do; or a table of symbols for strings. */
#include "core/column/column_priv.h"

#include <stdlib.h>

#include "base/array.h"
#include "types/record.h"

enum {
    REPEATED = 4,              /* times that a value of a dictionary occurs at least, on average */
    SAMPLE_BYTES = 16 << 10,   /* of strings that a table is learnt from */
    SAMPLE_STRING_BYTES = 256, /* of each */
    SLOTS_MIN = 1 << 10,
    SAMPLE_VALUES = 4096,      /* at most, that tell whether a dictionary is worth a look at all of them */
    SAMPLE_VALUES_MIN = 512,
    SAMPLE_PART = 32,
    PASSES = 15, /* segments until a dictionary is tried again that was none for so many rows */
    PASS_ROWS_MIN = 1 << 16,
    SAMPLE_SLOTS = 1 << 14,
    SAMPLE_DISTINCT = 97,      /* of a hundred: as good as no value comes again */
};

static bool has_dictionary(enum rep rep)
{
    return rep == REP_I32 || rep == REP_U32 || rep == REP_I64 || rep == REP_BYTES ||
           rep == REP_UUID;
}

/* --- a sample --------------------------------------------------------------------------------- */

struct sample {
    uint64_t values, distinct; /* distinct ones by their hashes */
    int64_t min, max;          /* of integers */
};

/* Values from everywhere, a few of each block. */
static void take_sample(type_id type, const struct vec *vecs, const uint32_t *rows, uint32_t count, uint64_t all,
                        struct sample *ret)
{
    enum rep rep = type_rep(type);
    uint64_t *slots = mem_alloc(MEM_RUN, SAMPLE_SLOTS * sizeof *slots), next = 0;
    uint64_t wanted = all / SAMPLE_PART < SAMPLE_VALUES_MIN ? SAMPLE_VALUES_MIN : all / SAMPLE_PART;
    uint64_t stride = all / (wanted < SAMPLE_VALUES ? wanted : SAMPLE_VALUES);
    struct datum d;
    *ret = (struct sample){.min = INT64_MAX, .max = INT64_MIN};
    if (!stride) stride = 1;
    for (uint32_t k = 0; k < count; next -= rows[k++])
        for (; next < rows[k]; next += stride) {
            vec_load(&vecs[k], (uint32_t)next, &d);
            if (d.null || ret->values == SAMPLE_SLOTS / 2) continue;
            uint64_t hash = value_hash(type, &d.v) | 1;
            uint32_t at = (uint32_t)(hash >> 32) & (SAMPLE_SLOTS - 1);
            while (slots[at] && slots[at] != hash) at = (at + 1) & (SAMPLE_SLOTS - 1);
            ret->distinct += !slots[at];
            slots[at] = hash;
            ret->values++;
            if (!column__int_bytes(rep)) continue;
            int64_t v = column__int_of(rep, &d.v);
            ret->min = v < ret->min ? v : ret->min;
            ret->max = v > ret->max ? v : ret->max;
        }
    mem_free(MEM_RUN, slots);
}

/* Is it worth a look at all values? Codes are to be a quarter smaller than the numbers, which take at most what the
 * range of all says; values that the sample lacks may make it a bit wider. */
static bool may_pay(type_id type, const struct sample *s)
{
    if (s->values < SAMPLE_VALUES_MIN / 2) return true; /* hardly a sample */
    if (s->distinct * 100 > s->values * SAMPLE_DISTINCT) return false;
    if (!column__int_bytes(type_rep(type))) return true;
    unsigned codes = lanes__width(s->distinct), numbers = lanes__width((uint64_t)s->max - (uint64_t)s->min);
    return codes * 4 < (numbers + 1) * 3;
}

/* --- collecting distinct values --------------------------------------------------------------- */

struct collector {
    struct column_shared *s;
    ARRAY(union value) values; /* references to the caller's bytes */
    size_t bytes;
    uint32_t limit;
};

static void grow_slots(struct column_shared *s, const union value *values, uint32_t n)
{
    uint32_t slots = s->slots ? 2 * (s->slot_mask + 1) : SLOTS_MIN;
    mem_free(MEM_RUN, s->slots);
    s->slots = mem_alloc(MEM_RUN, slots * sizeof *s->slots);
    s->slot_mask = slots - 1;
    for (uint32_t c = 0; c < n; c++) {
        uint32_t at = (uint32_t)value_hash(s->type, &values[c]) & s->slot_mask;
        while (s->slots[at]) at = (at + 1) & s->slot_mask;
        s->slots[at] = c + 1;
    }
}

/* False when there is to be no dictionary. */
static bool collect_value(struct collector *c, const union value *v)
{
    struct column_shared *s = c->s;
    struct datum new = {.v = *v};
    if (!s->slots || 2 * c->values.count > s->slot_mask)
        grow_slots(s, c->values.data, (uint32_t)c->values.count);
    uint32_t at = (uint32_t)value_hash(s->type, v) & s->slot_mask;
    for (; s->slots[at]; at = (at + 1) & s->slot_mask) {
        struct datum old = {.v = c->values.data[s->slots[at] - 1]};
        if (value_compare(s->type, &old.v, v)) continue;
        /* Equal values that are not alike, as char(n) may have them, have no code in common. */
        return value_identical(s->type, &old, &new);
    }
    if (c->values.count == c->limit) return false;
    if (type_rep(s->type) == REP_BYTES) c->bytes += v->bytes.len;
    if (c->bytes > DICTIONARY_BYTES_MAX) return false;
    ARRAY_PUSH(&c->values, *v);
    s->slots[at] = (uint32_t)c->values.count;
    return true;
}

/* Bits a value that lanes above each block's least would take, by blocks. */
struct widths {
    uint64_t bits, rows;
};

static bool collect(struct collector *c, const struct vec *vecs, const uint32_t *rows,
                    uint32_t count, struct widths *w)
{
    enum rep rep = type_rep(c->s->type);
    bool ints = column__int_bytes(rep) != 0;
    struct datum d;
    bool met;
    for (uint32_t k = 0; k < count; k++) {
        struct recent_values recent = {0}; /* of this block: its least and greatest are asked for */
        int64_t min = INT64_MAX, max = INT64_MIN;
        for (uint32_t i = 0; i < rows[k]; i++) {
            vec_load(&vecs[k], i, &d);
            if (d.null) continue;
            uint32_t *code = column__recent(&recent, &d.v, rep == REP_BYTES, &met);
            if (met) continue;
            *code = 1;
            if (!collect_value(c, &d.v)) return false;
            if (!ints) continue;
            int64_t v = column__int_of(rep, &d.v);
            min = v < min ? v : min;
            max = v > max ? v : max;
        }
        w->rows += rows[k];
        if (min < max) w->bits += (uint64_t)rows[k] * lanes__width((uint64_t)max - (uint64_t)min);
    }
    return c->values.count > 0;
}

static int by_value(const void *a, const void *b, void *type)
{
    return value_compare(*(const type_id *)type, a, b);
}

static void adopt(struct collector *c)
{
    struct column_shared *s = c->s;
    uint32_t n = (uint32_t)c->values.count;
    qsort_r(c->values.data, n, sizeof *c->values.data, by_value, &s->type);
    vec_init_flat_rows(&s->dictionary, s->type, n + 1, &s->arena);
    for (uint32_t i = 0; i < n; i++)
        vec_set(&s->dictionary, i,
                (struct datum){.v = value_copy(&s->arena, s->type, c->values.data[i])});
    vec_set(&s->dictionary, n, (struct datum){.null = true});
    s->dictionary_count = n;
    memset(s->slots, 0, (s->slot_mask + 1ull) * sizeof *s->slots);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)value_hash(s->type, &c->values.data[i]) & s->slot_mask;
        while (s->slots[at]) at = (at + 1) & s->slot_mask;
        s->slots[at] = i + 1;
    }
}

/* Codes are wanted where they are a quarter smaller than the numbers, and always for what is no
 * number. */
static bool pays(const struct collector *c, const struct widths *w)
{
    enum rep rep = type_rep(c->s->type);
    if (!column__int_bytes(rep)) return true;
    uint64_t codes = w->rows * lanes__width(c->values.count) +
                     c->values.count * 8 * column__int_bytes(rep);
    return codes < w->bits - w->bits / 4;
}

static bool learn_dictionary(struct column_shared *s, const struct vec *vecs, const uint32_t *rows,
                             uint32_t count)
{
    uint64_t all = 0;
    struct widths w = {0};
    for (uint32_t k = 0; k < count; k++) all += rows[k];
    struct sample sample;
    take_sample(s->type, vecs, rows, count, all, &sample);
    if (!may_pay(s->type, &sample)) return false;
    s->looked = all >= PASS_ROWS_MIN;
    struct collector c = {.s = s, .limit = DICTIONARY_MAX};
    if (all / REPEATED < c.limit) c.limit = (uint32_t)(all / REPEATED);
    bool yes = collect(&c, vecs, rows, count, &w) && pays(&c, &w);
    if (yes) adopt(&c);
    else mem_free(MEM_RUN, s->slots), s->slots = NULL;
    ARRAY_RELEASE(&c.values);
    return yes;
}

/* --- symbols ---------------------------------------------------------------------------------- */

static void learn_symbols(struct column_shared *s, const struct vec *vecs, const uint32_t *rows,
                          uint32_t count)
{
    struct arena a;
    ARRAY(struct slice) sample = {0};
    uint64_t all = 0, bytes = 0;
    struct datum d;
    arena_init(&a, MEM_RUN);
    for (uint32_t k = 0; k < count; k++) all += rows[k];
    /* From everywhere, as values near to each other are alike: every so many, told by the first
     * ones. */
    uint64_t stride = 1, at = 0;
    for (uint32_t i = 0; count && i < rows[0]; i++) {
        vec_load(&vecs[0], i, &d);
        bytes += d.null ? 0 : d.v.bytes.len < SAMPLE_STRING_BYTES ? d.v.bytes.len
                                                                  : SAMPLE_STRING_BYTES;
    }
    if (count && rows[0]) stride = bytes * all / rows[0] / SAMPLE_BYTES;
    if (!stride) stride = 1;
    bytes = 0;
    for (uint32_t k = 0; k < count && bytes < 2 * SAMPLE_BYTES; k++)
        for (uint32_t i = 0; i < rows[k] && bytes < 2 * SAMPLE_BYTES; i++) {
            if (at++ % stride) continue;
            vec_load(&vecs[k], i, &d);
            if (d.null || !d.v.bytes.len) continue;
            size_t len = d.v.bytes.len < SAMPLE_STRING_BYTES ? d.v.bytes.len : SAMPLE_STRING_BYTES;
            ARENA_PUSH(&a, &sample, slice_dup(&a, slice_make(bytes_data(&d.v.bytes), len)));
            bytes += len;
        }
    s->encoder = symbols__learn(sample.data, (uint32_t)sample.count);
    if (s->encoder)
        s->symbols = arena_memdup(&s->arena, symbols__table(s->encoder), sizeof *s->symbols);
    arena_release(&a);
}

static bool is_due(uint8_t *passes)
{
    uint8_t left = passes ? __atomic_load_n(passes, __ATOMIC_RELAXED) : 0;
    if (left) __atomic_store_n(passes, (uint8_t)(left - 1), __ATOMIC_RELAXED);
    return !left;
}

void column_learn(type_id type, const struct vec *vecs, const uint32_t *rows, uint32_t count,
                  const struct column_options *o, uint8_t *passes, struct column_shared **ret)
{
    enum rep rep = type_rep(type);
    struct column_shared *s = mem_alloc(MEM_RUN, sizeof *s);
    s->type = type;
    arena_init(&s->arena, MEM_RUN);
    *ret = NULL;
    bool alike = rep != REP_BYTES || type == TYPE_BPCHAR || type_is_bytewise(type);
    bool able = o->dictionary && alike && has_dictionary(rep);
    bool yes = able && is_due(passes) && learn_dictionary(s, vecs, rows, count);
    if (able && !yes && passes && s->looked) __atomic_store_n(passes, PASSES, __ATOMIC_RELAXED);
    if (!yes && rep == REP_BYTES && o->strings & 1 << STRINGS_SYMBOLS)
        learn_symbols(s, vecs, rows, count);
    if (yes || s->encoder) *ret = s;
    else column_shared_free(s);
}

void column_shared_free(struct column_shared *s)
{
    if (!s) return;
    symbols__free(s->encoder);
    mem_free(MEM_RUN, s->slots);
    arena_release(&s->arena);
    mem_free(MEM_RUN, s);
}

uint32_t column__code_of(const struct column_shared *s, const union value *v)
{
    uint32_t at = (uint32_t)value_hash(s->type, v) & s->slot_mask;
    for (;; at = (at + 1) & s->slot_mask) {
        ASSERT(s->slots[at]); /* it was learnt */
        uint32_t code = s->slots[at] - 1;
        struct datum d = vec_get(&s->dictionary, code);
        if (!value_compare(s->type, &d.v, v)) return code;
    }
}

const struct vec *column_dictionary(const struct column_shared *s, uint32_t *ret_count)
{
    if (!s || !s->dictionary.data) return NULL;
    *ret_count = s->dictionary_count;
    return &s->dictionary;
}

/* --- bytes ------------------------------------------------------------------------------------ */

void column_shared_store(const struct column_shared *s, struct strbuf *out)
{
    size_t start = out->len;
    struct shared_header h = {.kind = SHARED_SYMBOLS};
    struct column_hint hint = {{0}};
    struct column_options o = column_options_default;
    ASSERT(start % 8 == 0);
    strbuf_add(out, &h, sizeof h);
    if (s->dictionary.data) {
        h.kind = SHARED_DICTIONARY;
        h.count = s->dictionary_count;
        for (uint32_t at = 0; at < h.count;) {
            struct vec part = s->dictionary;
            part.data = (char *)part.data + (size_t)at * part.width;
            part.nulls = NULL;
            uint32_t rows = column_block_rows(s->type, &part, h.count - at);
            column_encode(s->type, &part, rows, NULL, &o, &hint, out);
            at += rows;
        }
    } else {
        h.count = s->symbols->count;
        symbols__store(s->symbols, out);
        while (out->len % 8) strbuf_addc(out, 0);
    }
    h.bytes = (uint32_t)(out->len - start);
    memcpy(out->data + start, &h, sizeof h);
}

static enum status load_dictionary(struct column_shared *s, struct slice raw, uint32_t count)
{
    struct vec *d = &s->dictionary, part;
    struct column_block *b;
    uint32_t at = 0;
    if (!has_dictionary(type_rep(s->type)) || !count || count > DICTIONARY_MAX)
        return FAIL(DATA_CORRUPTED, "invalid dictionary: its count is out of range");
    vec_init_flat_rows(d, s->type, count + 1, &s->arena);
    while (raw.len) {
        TRY(column_open(s->type, raw, NULL, &s->arena, &b));
        uint32_t n = column_rows(b);
        bool large = b->h.encoding == COLUMN_STRINGS && b->strings.raw_bytes > DICTIONARY_BYTES_MAX;
        if (n > count - at || column_null_count(b) || large)
            return FAIL(DATA_CORRUPTED, "invalid dictionary: its count is out of range");
        TRY(column_read(b, NULL, n, true, &s->arena, &part));
        memcpy((char *)d->data + (size_t)at * d->width, part.data, (size_t)n * d->width);
        at += n;
        raw = slice_make(raw.data + column_bytes(b), raw.len - column_bytes(b));
    }
    if (at != count) return FAIL(DATA_CORRUPTED, "invalid dictionary: it is cut off");
    for (uint32_t i = 1; i < count; i++) {
        struct datum low = vec_get(d, i - 1), high = vec_get(d, i);
        if (value_compare(s->type, &low.v, &high.v) >= 0)
            return FAIL(DATA_CORRUPTED, "invalid dictionary: it is not in order");
    }
    vec_set(d, count, (struct datum){.null = true});
    s->dictionary_count = count;
    return OK;
}

static enum status load(struct column_shared *s, struct slice raw)
{
    struct shared_header h;
    ASSERT((uintptr_t)raw.data % 8 == 0);
    if (raw.len < sizeof h) return FAIL(DATA_CORRUPTED, "invalid dictionary: it is too short");
    memcpy(&h, raw.data, sizeof h);
    if (h.bytes < sizeof h || h.bytes > raw.len || h.bytes % 8)
        return FAIL(DATA_CORRUPTED, "invalid dictionary: its length is out of range");
    struct slice body = {raw.data + sizeof h, h.bytes - sizeof h};
    if (h.kind == SHARED_DICTIONARY) return load_dictionary(s, body, h.count);
    if (h.kind != SHARED_SYMBOLS)
        return FAIL(DATA_CORRUPTED, "invalid dictionary: its kind is unknown");
    size_t bytes;
    s->symbols = ARENA_NEW(&s->arena, struct symbols);
    const char *wrong = symbols__load(body, s->symbols, &bytes);
    if (wrong) return FAIL(DATA_CORRUPTED, "invalid dictionary: %s", wrong);
    return OK;
}

enum status column_shared_load(type_id type, struct slice raw, struct column_shared **ret)
{
    struct column_shared *s = mem_alloc(MEM_RUN, sizeof *s);
    s->type = type;
    arena_init(&s->arena, MEM_RUN);
    enum status st = load(s, raw);
    if (st == OK) *ret = s;
    else column_shared_free(s);
    return st;
}
