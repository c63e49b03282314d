/* COPY in Parquet format, both ways. A file of Parquet is read by its end: what comes from the
 * client is kept in a temporary file first. Columns go by name; where the file's type is another
 * than the table's, values are converted as their text would be. */
#include "db/copy_priv.h"

#include <stdio.h>

#include "formats/parquet/parquet.h"

struct copy_parquet {
    struct parquet_reader *reader;
    struct vec
        *vectors; /* the columns as the file has them; those of the batch where types agree */
    const struct parquet_column **columns; /* of the file, in the order of the table's */
    uint64_t bad[NULL_WORDS]; /* rows of the batch that are rejected */
    uint32_t bad_count;
    char spool[OS_PATH_MAX]; /* "": none */
};

/* --- reading: the file ---------------------------------------------------------------------- */

static enum status spool_rest(struct copy_in *in, struct file *to)
{
    uint64_t limit = in->c->s->db->query_temp_bytes, at = 0;
    for (;;) {
        size_t held = in->end - in->pos;
        if (limit && at + held > limit)
            return FAIL(CONFIGURATION_LIMIT_EXCEEDED,
                        "temporary file size exceeds query.temp_limit");
        if (held > 0) TRY(file_write(to, in->data + in->pos, held, at));
        at += held;
        in->pos = in->end = 0;
        TRY(session__check_interrupts(in->c->s));
        enum status more = copy__more(in);
        if (more == END_OF_DATA) break;
        if (more != OK) return more;
    }
    in->file_bytes = at;
    return OK;
}

/* What the client sends, in a file of ours; removed by copy__end_parquet_in. */
static enum status spool(struct copy_in *in, struct copy_parquet *p)
{
    static uint64_t last; /* atomic */
    const struct db *db = in->c->s->db;
    struct file *f;
    int n = snprintf(p->spool, sizeof p->spool, "%s/copy-%llu.tmp", db->temp_dir,
                     (unsigned long long)__atomic_add_fetch(&last, 1, __ATOMIC_RELAXED));
    if ((size_t)n >= sizeof p->spool) return p->spool[0] = '\0', FAIL(IO_ERROR, "path is too long");
    TRY(os_mkdir(db->os, db->temp_dir));
    TRY(os_open(db->os, p->spool, OPEN_CREATE | OPEN_EXCLUSIVE, &f));
    enum status result = spool_rest(in, f);
    in->file = f; /* closed with it */
    return result;
}

void copy__end_parquet_in(struct copy_in *in)
{
    struct copy_parquet *p = in->parquet;
    if (!p) return;
    parquet_close(p->reader);
    if (!p->spool[0]) return;
    struct error kept = *error_current();
    if (in->file) file_close(in->file);
    in->file = NULL;
    (void)!os_remove(in->c->s->db->os, p->spool); /* else db_open does */
    *error_current() = kept;
}

/* --- reading: columns ----------------------------------------------------------------------- */

static uint32_t find(const struct parquet_column *columns, uint32_t count, struct slice name)
{
    for (uint32_t i = 0; i < count; i++)
        if (slice_eq(slice_of(columns[i].name), name)) return i;
    for (uint32_t i = 0; i < count; i++)
        if (slice_eq_nocase(slice_of(columns[i].name), name)) return i;
    return count;
}

static enum status choose(struct copy_in *in, struct copy_parquet *p)
{
    const struct copy *c = in->c;
    uint32_t count, *wanted = ARENA_ARRAY(&c->s->arena, uint32_t, c->column_count);
    const struct parquet_column *columns = parquet_columns(p->reader, &count);
    bool *used = ARENA_ARRAY(&c->s->arena, bool, count + 1);
    for (uint32_t i = 0; i < c->column_count; i++) {
        wanted[i] = find(columns, count, slice_of(c->columns[i].name));
        if (wanted[i] == count)
            return FAIL(BAD_COPY_FILE_FORMAT, "the Parquet file has no column \"%s\"",
                        c->columns[i].name),
                   error_hint("List the columns that it has.");
        used[wanted[i]] = true;
    }
    for (uint32_t i = 0; i < count && c->ast->columns.count == 0; i++)
        if (!used[i])
            return FAIL(BAD_COPY_FILE_FORMAT, "column \"%s\" of the Parquet file is no column of "
                                              "\"%s\"",
                        columns[i].name, c->table->name),
                   error_hint("List the columns that are to be read, and others are passed over.");
    TRY(parquet_select(p->reader, wanted, c->column_count));
    p->vectors = ARENA_ARRAY(&c->s->arena, struct vec, c->column_count);
    p->columns = ARENA_ARRAY(&c->s->arena, const struct parquet_column *, c->column_count);
    for (uint32_t i = 0; i < c->column_count; i++) {
        type_id type = columns[wanted[i]].type;
        p->columns[i] = &columns[wanted[i]];
        if (type == c->columns[i].type) p->vectors[i] = in->batch.columns[i];
        else vec_init_flat(&p->vectors[i], type, &c->s->arena);
    }
    return OK;
}

enum status copy__begin_parquet_in(struct copy_in *in)
{
    struct copy_parquet *p = ARENA_NEW(&in->c->s->arena, struct copy_parquet);
    uint64_t memory = in->c->s->exec.memory_limit_bytes;
    in->parquet = p;
    if (!in->file) TRY(spool(in, p));
    in->exhausted = true;
    TRY(parquet_open(in->file, in->file_bytes, memory ? memory : UINT64_MAX, &p->reader));
    return choose(in, p);
}

/* --- reading: values ------------------------------------------------------------------------ */

static bool is_bad(const struct copy_in *in, uint32_t row)
{
    return nulls_get(in->parquet->bad, row);
}

/* The error in the slot is about a value: its row goes to the rejects, or the statement ends. */
static enum status bad_value(struct copy_in *in, uint32_t row, const struct copy_column *c,
                             struct slice text)
{
    in->line = in->parquet_row + row + 1;
    (void)copy__where(in, c, text);
    TRY(copy__reject(in, text));
    nulls_set(in->parquet->bad, row);
    in->parquet->bad_count++;
    return OK;
}

/* Rows that are fine, without gaps. */
static uint32_t squeeze(struct copy_in *in, uint32_t rows)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rows; i++) {
        if (is_bad(in, i)) continue;
        for (uint32_t k = 0; k < in->c->column_count && kept != i; k++) {
            struct vec *v = &in->batch.columns[k];
            struct datum d = vec_get(v, i);
            nulls_clear(v->nulls, kept);
            vec_set(v, kept, d);
        }
        in->lines[kept++] = in->lines[i];
    }
    return kept;
}

static enum status check_strings(struct copy_in *in, const struct copy_column *c,
                                 const struct vec *v, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++) {
        if (nulls_get(v->nulls, i) || is_bad(in, i)) continue;
        if (session_check_text(bytes_slice(&VEC_DATA(v, struct bytes)[i])) == OK) continue;
        TRY(bad_value(in, i, c, (struct slice){0}));
    }
    return OK;
}

/* A value of the same type fits the column's modifier, or is made to. */
static enum status fit(struct copy_in *in, const struct copy_column *c, struct vec *v,
                       uint32_t rows)
{
    if (c->typmod < 0) return OK;
    for (uint32_t i = 0; i < rows; i++) {
        struct datum d = vec_get(v, i);
        if (d.null || is_bad(in, i)) continue;
        if (value_apply_typmod(c->type, c->typmod, false, &in->values, &d.v) != OK)
            TRY(bad_value(in, i, c, (struct slice){0}));
        else vec_set(v, i, d);
    }
    return OK;
}

#define WIDEN(from, to)                                                                            \
    do {                                                                                           \
        for (uint32_t i = 0; i < rows; i++) VEC_DATA(v, to)[i] = (to)VEC_DATA(from_v, from)[i];    \
        memcpy(v->nulls, from_v->nulls, NULL_WORDS * sizeof(uint64_t));                            \
        return true;                                                                               \
    } while (0)

/* The conversions that cannot fail and that files need most. */
static bool widen(const struct vec *from_v, struct vec *v, uint32_t rows)
{
    if (from_v->type == TYPE_INT4 && v->type == TYPE_INT8) WIDEN(int32_t, int64_t);
    if (from_v->type == TYPE_INT2 && v->type == TYPE_INT4) WIDEN(int16_t, int32_t);
    if (from_v->type == TYPE_INT2 && v->type == TYPE_INT8) WIDEN(int16_t, int64_t);
    if (from_v->type == TYPE_FLOAT4 && v->type == TYPE_FLOAT8) WIDEN(float, double);
    if (from_v->type == TYPE_INT4 && v->type == TYPE_FLOAT8) WIDEN(int32_t, double);
    return false;
}

static bool strings_alike(type_id a, type_id b)
{
    return a == TYPE_TEXT && (b == TYPE_VARCHAR || b == TYPE_BPCHAR);
}

static enum status convert(struct copy_in *in, const struct copy_column *c, const struct vec *from,
                           struct vec *v, uint32_t rows)
{
    struct strbuf *text = &in->scratch;
    if (widen(from, v, rows)) return OK;
    for (uint32_t i = 0; i < rows; i++) {
        struct datum d = vec_get(from, i);
        enum status result = OK;
        if (is_bad(in, i)) continue;
        if (!d.null && strings_alike(from->type, c->type)) {
            result = value_apply_typmod(c->type, c->typmod, false, &in->values, &d.v);
        } else if (!d.null) {
            strbuf_clear(text);
            value_to_text(from->type, &d.v, &format_default, text);
            result = value_from_text(c->type, c->typmod, strbuf_slice(text),
                                     &in->c->s->settings.format, &in->values, &d.v);
        }
        if (result != OK) TRY(bad_value(in, i, c, strbuf_slice(text)));
        else vec_set(v, i, d);
    }
    return OK;
}

static enum status convert_batch(struct copy_in *in, uint32_t rows)
{
    const struct copy *c = in->c;
    const struct copy_parquet *p = in->parquet;
    for (uint32_t i = 0; i < c->column_count; i++) {
        struct vec *v = &in->batch.columns[i], *from = &p->vectors[i];
        if (from->type == TYPE_TEXT) TRY(check_strings(in, &c->columns[i], from, rows));
        bool same = from->type == c->columns[i].type;
        if (same && p->columns[i]->typmod == c->columns[i].typmod) continue;
        if (same) TRY(fit(in, &c->columns[i], v, rows));
        else TRY(convert(in, &c->columns[i], from, v, rows));
    }
    return OK;
}

static enum status read_batch(struct copy_in *in, uint32_t *ret_rows)
{
    const struct copy *c = in->c;
    struct copy_parquet *p = in->parquet;
    uint32_t rows;
    TRY(session__check_interrupts(c->s));
    in->line = in->parquet_row + 1;
    arena_clear(&in->values);
    memset(p->bad, 0, sizeof p->bad);
    p->bad_count = 0;
    for (uint32_t i = 0; i < c->column_count; i++) {
        memset(in->batch.columns[i].nulls, 0, NULL_WORDS * sizeof(uint64_t));
        memset(p->vectors[i].nulls, 0, NULL_WORDS * sizeof(uint64_t));
    }
    if (parquet_next(p->reader, p->vectors, BATCH_ROWS, &in->values, &rows) != OK)
        return copy__where(in, NULL, (struct slice){0});
    if (rows == 0) return END_OF_DATA;
    TRY(convert_batch(in, rows));
    for (uint32_t i = 0; i < rows; i++)
        in->lines[i] = (struct copy_line){.number = in->parquet_row + i + 1};
    in->parquet_row += rows;
    *ret_rows = p->bad_count ? squeeze(in, rows) : rows;
    return OK;
}

enum status copy__next_parquet(void *ctx, struct batch *ret)
{
    struct copy_in *in = ctx;
    uint32_t rows = 0;
    in->rows_before += in->batch.rows;
    in->batch.rows = 0;
    while (rows == 0) TRY(read_batch(in, &rows));
    in->batch.rows = in->batch.count = rows;
    in->batch.sel = NULL;
    *ret = in->batch;
    return OK;
}

/* --- writing -------------------------------------------------------------------------------- */

static enum status take_bytes(void *ctx, const char *data, size_t len)
{
    struct copy_out *out = ctx;
    while (len > 0) {
        size_t n = len < COPY_PIECE_BYTES ? len : COPY_PIECE_BYTES;
        TRY(session__check_interrupts(out->c->s));
        strbuf_add(&out->row, data, n);
        TRY(copy__push(out));
        data += n;
        len -= n;
    }
    return OK;
}

enum status copy__write_parquet_row(struct copy_out *out, const struct datum *values)
{
    return parquet_write(out->parquet, values);
}

void copy__begin_parquet(struct copy_out *out)
{
    const struct copy *c = out->c;
    struct parquet_column *columns =
        ARENA_ARRAY(&c->s->arena, struct parquet_column, c->column_count + 1);
    const struct parquet_sink sink = {take_bytes, out};
    for (uint32_t i = 0; i < c->column_count; i++)
        columns[i] = (struct parquet_column){
            .name = c->columns[i].name, .type = c->columns[i].type, .typmod = c->columns[i].typmod};
    out->parquet = parquet_writer_new(columns, c->column_count, &c->s->settings.format, &sink);
}

enum status copy__end_parquet(struct copy_out *out)
{
    return parquet_finish(out->parquet);
}

void copy__free_parquet(struct copy_out *out)
{
    parquet_writer_free(out->parquet);
}
