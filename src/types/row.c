/* Rows as bytes. The fixed area keeps one slot a column, so that a column is found by one addition:
 *
 *   rep            slot
 *   bool … f64     the value, little-endian, 1 to 8 bytes
 *   interval, uuid 16 bytes
 *   bytes          u32 offset from the start of the variable area, u32 length
 *   numeric        8 bytes, u16 scale, u8 kind; the 8 are the coefficient, or for a big one u32
 *                  offset and u32 length of its numeric_store form in the variable area
 *
 * The slot of a NULL is zero, and the variable area is in column order without gaps, except that a
 * big numeric begins at a multiple of 8 from the start of the row, so that an aligned row can be
 * read in place. Equal values make equal bytes, and row_valid needs no set of ranges. The machine
 * is little-endian. */
#include "types/row.h"

#include "types/numeric.h"

enum { HEADER_BYTES = 2, NUMERIC_SLOT = 11, NUMERIC_ALIGN = 8, NUMERIC_SCALE_MAX = 16383 };
#define SMALL_COEFFICIENT_END 1000000000000000000ll

static const uint8_t slot_bytes[] = {
    [REP_BOOL] = 1, [REP_I16] = 2, [REP_I32] = 4, [REP_U32] = 4,
    [REP_I64] = 8, [REP_F32] = 4, [REP_F64] = 8, [REP_BYTES] = 8,
    [REP_NUMERIC] = NUMERIC_SLOT, [REP_INTERVAL] = 16, [REP_UUID] = 16,
};

const struct row_layout *row_layout_new(struct arena *a, const type_id *types, uint16_t count)
{
    struct row_layout *l = ARENA_NEW(a, struct row_layout);
    type_id *ids = ARENA_ARRAY(a, type_id, count);
    uint8_t *reps = ARENA_ARRAY(a, uint8_t, count);
    uint32_t *slots = ARENA_ARRAY(a, uint32_t, count);
    uint32_t *fixed = ARENA_ARRAY(a, uint32_t, (size_t)count + 1);
    for (uint16_t i = 0; i < count; i++) {
        ids[i] = types[i];
        reps[i] = (uint8_t)type_rep(types[i]);
        slots[i] = fixed[i];
        fixed[i + 1] = fixed[i] + slot_bytes[reps[i]];
    }
    l->column_count = count;
    l->types = ids;
    l->reps = reps;
    l->slot_offset = slots;
    l->fixed_bytes = fixed;
    return l;
}

static inline uint16_t load_count(const char *row)
{
    uint16_t n;
    memcpy(&n, row, sizeof(n));
    return n;
}

static inline uint32_t head_bytes(uint16_t columns)
{
    return HEADER_BYTES + ((uint32_t)columns + 7) / 8;
}

static inline bool is_null(const char *row, uint16_t column)
{
    return (uint8_t)row[HEADER_BYTES + (column >> 3)] >> (column & 7) & 1;
}

/* A place in the variable area. */
struct span {
    uint32_t offset, len;
};

/* A row being written into `out`: where it and its variable area begin. */
struct writer {
    struct strbuf *out;
    size_t start, tail;
};

static void encode_big_numeric(const struct writer *w, const struct numeric *n, size_t at)
{
    struct strbuf *out = w->out;
    struct span span;
    while ((out->len - w->start) % NUMERIC_ALIGN) strbuf_addc(out, '\0');
    span.offset = (uint32_t)(out->len - w->tail);
    numeric_store(n, out);
    span.len = (uint32_t)(out->len - w->tail) - span.offset;
    memcpy(out->data + at, &span, sizeof(span));
}

/* Writes one value into the slot at `at`; the bytes it refers to go to the end. */
static void encode_value(const struct writer *w, enum rep rep, const union value *v, size_t at)
{
    struct span span;
    switch (rep) {
    case REP_BYTES:
        span = (struct span){(uint32_t)(w->out->len - w->tail), v->bytes.len};
        strbuf_add(w->out, bytes_data(&v->bytes), v->bytes.len);
        memcpy(w->out->data + at, &span, sizeof(span));
        return;
    case REP_NUMERIC:
        if (v->numeric.kind == NUMERIC_SMALL) {
            memcpy(w->out->data + at, v, NUMERIC_SLOT);
            return;
        }
        if (v->numeric.kind == NUMERIC_BIG) encode_big_numeric(w, &v->numeric, at);
        w->out->data[at + NUMERIC_SLOT - 1] = (char)v->numeric.kind;
        return;
    default:
        memcpy(w->out->data + at, v, slot_bytes[rep]);
    }
}

void row_encode(const struct row_layout *l, const struct datum *values, struct strbuf *out)
{
    uint16_t n = l->column_count;
    uint32_t head = head_bytes(n);
    size_t start = out->len, slots = start + head, tail = slots + l->fixed_bytes[n];
    strbuf_reserve(out, tail - start);
    memset(out->data + start, 0, tail - start + 1);
    memcpy(out->data + start, &n, sizeof(n));
    out->len = tail;
    const struct writer w = {out, start, tail};
    for (uint16_t i = 0; i < n; i++) {
        if (values[i].null)
            out->data[start + HEADER_BYTES + (i >> 3)] |= (char)(1 << (i & 7));
        else
            encode_value(&w, (enum rep)l->reps[i], &values[i].v, slots + l->slot_offset[i]);
    }
    ASSERT(out->len - start <= UINT32_MAX);
}

uint16_t row_column_count(struct slice row)
{
    if (row.len < HEADER_BYTES) return 0;
    uint16_t n = load_count(row.data);
    return row.len < head_bytes(n) ? 0 : n;
}

/* The columns of a row from our own storage. */
static inline uint16_t check_row(const struct row_layout *l, struct slice row)
{
    ASSERT(row.len >= HEADER_BYTES);
    uint16_t n = load_count(row.data);
    ASSERT(n <= l->column_count && row.len >= head_bytes(n) + (size_t)l->fixed_bytes[n]);
    return n;
}

static inline const char *span_data(const struct row_layout *l, struct slice row,
                                    const char *slot, uint32_t *ret_len)
{
    uint16_t n = load_count(row.data);
    size_t tail = head_bytes(n) + (size_t)l->fixed_bytes[n];
    struct span s;
    memcpy(&s, slot, sizeof(s));
    ASSERT(s.offset <= row.len - tail && s.len <= row.len - tail - s.offset);
    *ret_len = s.len;
    return row.data + tail + s.offset;
}

static inline struct bytes load_bytes(const struct row_layout *l, struct slice row,
                                      const char *slot)
{
    uint32_t len;
    const char *data = span_data(l, row, slot, &len);
    return bytes_ref(data, len);
}

static inline struct numeric load_numeric(const struct row_layout *l, struct slice row,
                                          const char *slot)
{
    struct numeric n = {0};
    uint32_t len;
    memcpy(&n, slot, NUMERIC_SLOT);
    if (__builtin_expect(n.kind != NUMERIC_BIG, 1)) return n;
    const char *data = span_data(l, row, slot, &len);
    return numeric_load(slice_make(data, len), NULL);
}

bool row_get(const struct row_layout *l, struct slice row, uint16_t column, struct datum *ret)
{
    uint16_t n = check_row(l, row);
    if (column >= n) return false;
    memset(ret, 0, sizeof(*ret));
    ret->null = is_null(row.data, column);
    if (ret->null) return true;
    const char *slot = row.data + head_bytes(n) + l->slot_offset[column];
    enum rep rep = (enum rep)l->reps[column];
    switch (rep) {
    case REP_BYTES:
        ret->v.bytes = load_bytes(l, row, slot);
        break;
    case REP_NUMERIC:
        ret->v.numeric = load_numeric(l, row, slot);
        break;
    default:
        memcpy(&ret->v, slot, slot_bytes[rep]);
    }
    return true;
}

/* One column of a batch. */
struct column_job {
    const struct row_layout *l;
    const struct slice *rows;
    const uint16_t *sel; /* which rows; NULL: the first ones */
    uint32_t count, at;
    uint16_t column;
    bool present; /* and not NULL, in all the rows */
    const struct datum *missing; /* of this column; NULL: SQL NULL */
    struct vec *out;
};

static void set_null(const struct column_job *j, uint32_t i)
{
    struct vec *v = j->out;
    ASSERT(v->nulls);
    nulls_set(v->nulls, j->at + i);
    memset((char *)v->data + (size_t)(j->at + i) * v->width, 0, v->width);
}

static void set_missing(const struct column_job *j, uint32_t i)
{
    if (j->missing && !j->missing->null)
        memcpy((char *)j->out->data + (size_t)(j->at + i) * j->out->width, &j->missing->v,
               j->out->width);
    else
        set_null(j, i);
}

/* The loop over rows, once for each kind of slot; `slot`, `row` and `to` name this row's. Rows that all
 * have the column have its slot at the same place, and nothing to ask. */
#define EACH_ROW(j, ctype, store)                                                                  \
    do {                                                                                           \
        ctype *first = VEC_DATA((j)->out, ctype) + (j)->at, *to = first;                           \
        const struct slice *rows = (j)->rows; /* the stores might be to *j, for all that is known */\
        const uint16_t *sel = (j)->sel;                                                            \
        uint32_t count = (j)->count, slot_at = (j)->l->slot_offset[(j)->column];                   \
        if ((j)->present && !sel) {                                                                \
            slot_at += head_bytes((j)->l->column_count);                                           \
            for (uint32_t i = 0; i < count; i++, to++) {                                           \
                struct slice row = rows[i];                                                        \
                const char *slot = row.data + slot_at;                                             \
                store;                                                                             \
            }                                                                                      \
            break;                                                                                 \
        }                                                                                          \
        if ((j)->present) {                                                                        \
            slot_at += head_bytes((j)->l->column_count);                                           \
            for (uint32_t i = 0; i < count; i++) {                                                 \
                struct slice row = rows[sel[i]];                                                   \
                const char *slot = row.data + slot_at;                                             \
                to = first + sel[i];                                                               \
                store;                                                                             \
            }                                                                                      \
            break;                                                                                 \
        }                                                                                          \
        for (uint32_t k = 0; k < count; k++) {                                                     \
            uint32_t i = sel ? sel[k] : k;                                                         \
            struct slice row = rows[i];                                                            \
            uint16_t n = load_count(row.data);                                                     \
            to = first + i;                                                                        \
            if (__builtin_expect((j)->column >= n, 0)) {                                           \
                set_missing((j), i);                                                               \
                continue;                                                                          \
            }                                                                                      \
            if (is_null(row.data, (j)->column)) {                                                  \
                set_null((j), i);                                                                  \
                continue;                                                                          \
            }                                                                                      \
            const char *slot = row.data + head_bytes(n) + slot_at;                                 \
            store;                                                                                 \
        }                                                                                          \
    } while (0)

static void decode_column(const struct column_job *j)
{
    switch (type_rep(j->l->types[j->column])) {
    case REP_BOOL:
        EACH_ROW(j, uint8_t, *to = (uint8_t)*slot);
        return;
    case REP_I16:
        EACH_ROW(j, int16_t, memcpy(to, slot, 2));
        return;
    case REP_I32:
    case REP_U32:
    case REP_F32:
        EACH_ROW(j, uint32_t, memcpy(to, slot, 4));
        return;
    case REP_I64:
    case REP_F64:
        EACH_ROW(j, uint64_t, memcpy(to, slot, 8));
        return;
    case REP_BYTES:
        EACH_ROW(j, struct bytes, *to = load_bytes(j->l, row, slot));
        return;
    case REP_NUMERIC:
        EACH_ROW(j, struct numeric, *to = load_numeric(j->l, row, slot));
        return;
    case REP_INTERVAL:
    case REP_UUID:
        EACH_ROW(j, struct interval, memcpy(to, slot, 16));
        return;
    }
}

static void clear_nulls(uint64_t *nulls, uint32_t at, uint32_t count)
{
    uint32_t end = at + count;
    for (; at < end && at & 63; at++) nulls_clear(nulls, at);
    for (; at + 64 <= end; at += 64) nulls[at >> 6] = 0;
    for (; at < end; at++) nulls_clear(nulls, at);
}

enum { NULLS_WORD_COLUMNS = 64 };

/* Columns, of the first 64, that all the rows have: bit set. */
static uint64_t find_present(const struct row_layout *l, const struct slice *rows,
                             const uint16_t *sel, uint32_t count)
{
    uint64_t nulls = 0;
    uint16_t columns = l->column_count;
    uint32_t bytes = head_bytes(columns) - HEADER_BYTES;
    uint32_t least = head_bytes(columns) + l->fixed_bytes[columns];
    bool whole = true, has_word = least >= HEADER_BYTES + sizeof nulls; /* where the null bits are */
    ASSERT(has_word || bytes <= 1);
    for (uint32_t i = 0; i < count; i++) {
        struct slice row = rows[sel ? sel[i] : i];
        uint64_t word = 0;
        ASSERT(row.len >= HEADER_BYTES);
        if (!whole || load_count(row.data) != columns) {
            (void)check_row(l, row);
            whole = false;
            continue;
        }
        ASSERT(row.len >= least);
        if (has_word) memcpy(&word, row.data + HEADER_BYTES, sizeof word);
        else if (bytes) word = (uint8_t)row.data[HEADER_BYTES];
        nulls |= word;
    }
    if (bytes < sizeof nulls) nulls &= (1ull << bytes * 8) - 1;
    return whole ? ~nulls : 0;
}

static void decode_rows(const struct row_layout *l, const struct slice *rows, uint32_t count,
                        const uint16_t *columns, uint16_t column_count,
                        const struct datum *missing, uint32_t at, struct vec *out)
{
    uint64_t present = find_present(l, rows, NULL, count);
    for (uint16_t k = 0; k < column_count; k++) {
        uint16_t column = columns[k];
        struct column_job job = {.l = l, .rows = rows, .count = count, .at = at, .column = column,
                                 .missing = missing ? &missing[column] : NULL, .out = &out[k],
                                 .present = column < NULLS_WORD_COLUMNS && present >> column & 1};
        if (out[k].nulls) clear_nulls(out[k].nulls, at, count);
        decode_column(&job);
    }
}

/* In groups whose rows stay in the first cache from column to column. */
enum { ROWS_AT_ONCE = 128 };

void row_decode_batch(const struct row_layout *l, const struct slice *rows, uint32_t count,
                      const uint16_t *columns, uint16_t column_count, const struct datum *missing,
                      uint32_t at, struct vec *out)
{
    for (uint16_t k = 0; k < column_count; k++)
        ASSERT(out[k].form == VEC_FLAT && columns[k] < l->column_count);
    for (uint32_t i = 0; i < count; i += ROWS_AT_ONCE) {
        uint32_t n = count - i < ROWS_AT_ONCE ? count - i : ROWS_AT_ONCE;
        decode_rows(l, rows + i, n, columns, column_count, missing, at + i, out);
    }
}

static void decode_picks(const struct row_layout *l, const struct slice *rows, const uint16_t *sel,
                         uint32_t count, uint32_t at, const uint16_t *columns,
                         const uint16_t *picks, uint32_t pick_count, const struct datum *missing,
                         struct vec *out)
{
    uint64_t present = find_present(l, rows, sel, count);
    for (uint32_t k = 0; k < pick_count; k++) {
        uint16_t column = columns[picks[k]];
        struct column_job job = {.l = l, .rows = rows, .sel = sel, .count = count, .at = at,
                                 .column = column, .missing = missing ? &missing[column] : NULL,
                                 .out = &out[picks[k]],
                                 .present = column < NULLS_WORD_COLUMNS && present >> column & 1};
        decode_column(&job);
    }
}

void row_decode_picks(const struct row_layout *l, const struct slice *rows, const uint16_t *sel,
                      uint32_t count, const uint16_t *columns, const uint16_t *picks,
                      uint32_t pick_count, const struct datum *missing, struct vec *out)
{
    for (uint32_t i = 0; i < count && pick_count; i += ROWS_AT_ONCE) {
        uint32_t n = count - i < ROWS_AT_ONCE ? count - i : ROWS_AT_ONCE;
        if (sel) decode_picks(l, rows, sel + i, n, 0, columns, picks, pick_count, missing, out);
        else decode_picks(l, rows + i, NULL, n, i, columns, picks, pick_count, missing, out);
    }
}

static bool zero_bytes(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

/* The variable area of a row under inspection. */
struct tail {
    const char *data;
    size_t len, used; /* used: what the columns so far hold */
    size_t start;     /* of the area, from the start of the row */
};

static bool span_valid(const char *slot, struct tail *t)
{
    struct span s;
    memcpy(&s, slot, sizeof(s));
    if (s.offset != t->used || s.len > t->len - t->used) return false;
    t->used += s.len;
    return true;
}

static bool big_valid(const char *slot, struct tail *t)
{
    size_t pad = -(t->start + t->used) % NUMERIC_ALIGN;
    struct span s;
    memcpy(&s, slot, sizeof(s));
    if (s.len == 0 || pad > t->len - t->used || !zero_bytes(t->data + t->used, pad)) return false;
    t->used += pad;
    return span_valid(slot, t);
}

static bool slot_valid(enum rep rep, const char *slot, struct tail *t)
{
    struct numeric n = {0};
    switch (rep) {
    case REP_BOOL:
        return (uint8_t)*slot <= 1;
    case REP_BYTES:
        return span_valid(slot, t);
    case REP_NUMERIC:
        memcpy(&n, slot, NUMERIC_SLOT);
        if (n.kind == NUMERIC_BIG) return n.scale == 0 && big_valid(slot, t);
        if (n.kind != NUMERIC_SMALL)
            return n.kind <= NUMERIC_NINF && n.coefficient == 0 && n.scale == 0;
        return n.scale <= NUMERIC_SCALE_MAX && n.coefficient < SMALL_COEFFICIENT_END &&
               n.coefficient > -SMALL_COEFFICIENT_END;
    default:
        return true;
    }
}

bool row_valid(const struct row_layout *l, struct slice row)
{
    if (row.len < HEADER_BYTES || row.len > UINT32_MAX) return false;
    uint16_t n = load_count(row.data);
    if (n > l->column_count) return false;
    size_t head = head_bytes(n), start = head + l->fixed_bytes[n];
    if (row.len < start) return false;
    if (n & 7 && (uint8_t)row.data[head - 1] >> (n & 7)) return false;
    struct tail t = {.data = row.data + start, .len = row.len - start, .start = start};
    for (uint16_t i = 0; i < n; i++) {
        enum rep rep = (enum rep)l->reps[i];
        const char *slot = row.data + head + l->slot_offset[i];
        if (is_null(row.data, i) ? !zero_bytes(slot, slot_bytes[rep])
                                 : !slot_valid(rep, slot, &t))
            return false;
    }
    return t.used == t.len;
}
