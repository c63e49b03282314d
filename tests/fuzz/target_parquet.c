/* Files of Parquet. First byte: how an input is meant: 0 a whole file; else the column of one that
 * the writer has made (once), with what follows as patches to it: two bytes of place, one of what
 * stands there then. All columns that can be read are read to the end, with little memory; what
 * comes out must print, and goes into a file again. A file that was read whole must come back from
 * that. */
#include "formats/parquet/parquet.h"
#include "fuzz.h"

#include "base/os_memory.h"
#include "types/numeric.h"

enum { INPUT_MAX = 1 << 16, ROWS = 300, COLUMNS = 9, BATCHES_MAX = 4, MEMORY_MAX = 8 << 20 };

const char *const fuzz_words[] = {"PAR1",
                                  "PARE",
                                  "\x15\0",
                                  "\x19\x1c",
                                  "\x28\xb5\x2f\xfd",
                                  "\x1f\x8b\x08",
                                  "\377\377\377\377\17",
                                  "\0\0\0\0",
                                  NULL};

static const type_id types[COLUMNS] = {TYPE_INT4, TYPE_TEXT, TYPE_NUMERIC, TYPE_BOOL, TYPE_FLOAT8,
                                       TYPE_UUID, TYPE_TIMESTAMP, TYPE_BYTEA, TYPE_INT2};
static struct strbuf model; /* len 0: not made yet */

static enum status append(void *ctx, const char *data, size_t len)
{
    strbuf_add(ctx, data, len);
    return OK;
}

static struct parquet_writer *new_writer(struct strbuf *out, const struct parquet_column *columns,
                                         uint32_t count)
{
    const struct parquet_sink sink = {append, out};
    return parquet_writer_new(columns, count, &format_default, &sink);
}

static void fill(struct datum *row, uint32_t i, struct arena *a)
{
    for (uint32_t k = 0; k < COLUMNS; k++) {
        row[k] = (struct datum){.null = k > 0 && (i + k) % 11 == 0};
        if (type_rep(types[k]) == REP_NUMERIC) row[k].v.numeric = numeric_small(i * 77, 2);
        else if (type_rep(types[k]) == REP_BYTES)
            row[k].v.bytes = bytes_copy(a, "a value that is long enough", i % (k == 1 ? 5 : 27));
        else if (type_rep(types[k]) == REP_F64) row[k].v.f64 = i / 3.0;
        else if (type_rep(types[k]) == REP_BOOL) row[k].v.b = i % 3 == 0;
        else row[k].v.i64 = k == 6 ? (int64_t)i * 1000000007 : (int64_t)(i % 100);
    }
}

static void make_model(void)
{
    struct parquet_column columns[COLUMNS];
    struct datum row[COLUMNS];
    struct arena a;
    if (model.len > 0) return;
    strbuf_init(&model, NULL);
    arena_init(&a, MEM_TEST);
    for (uint32_t k = 0; k < COLUMNS; k++)
        columns[k] = (struct parquet_column){
            .name = "c", .type = types[k], .required = k == 0,
            .typmod = types[k] == TYPE_NUMERIC ? ((20 << 16) | 2) + 4 : -1};
    struct parquet_writer *w = new_writer(&model, columns, COLUMNS);
    for (uint32_t i = 0; i < ROWS; i++) {
        fill(row, i, &a);
        FUZZ_CHECK(parquet_write(w, row) == OK);
    }
    FUZZ_CHECK(parquet_finish(w) == OK);
    parquet_writer_free(w);
    arena_release(&a);
}

static void print(const struct vec *v, uint32_t rows, struct strbuf *text)
{
    for (uint32_t i = 0; i < rows; i++) {
        struct datum d = vec_get(v, i);
        strbuf_clear(text);
        if (!d.null) value_to_text(v->type, &d.v, &format_default, text);
    }
}

struct reading {
    struct os *os;
    struct arena schema, values;
    struct strbuf text;
};

/* True: to its end. Its rows are written to `out`, if there is one. */
static bool read_columns(struct reading *r, struct parquet_reader *p, struct strbuf *out,
                         uint64_t *ret_rows)
{
    uint32_t count, wanted[64], n = 0, rows = 1;
    struct parquet_column kept[64];
    struct vec vectors[64];
    struct datum row[64];
    struct parquet_writer *w = NULL;
    bool whole = true;
    const struct parquet_column *columns = parquet_columns(p, &count);
    for (uint32_t i = 0; i < count && n < 64; i++) {
        if (columns[i].type == TYPE_NONE) continue;
        kept[n] = columns[i];
        vec_init_flat(&vectors[n], columns[i].type, &r->schema);
        wanted[n++] = i;
    }
    *ret_rows = 0;
    FUZZ_CHECK(parquet_select(p, wanted, n) == OK);
    if (out) w = new_writer(out, kept, n);
    for (int batch = 0; whole && rows > 0; batch++) {
        arena_clear(&r->values);
        for (uint32_t i = 0; i < n; i++) memset(vectors[i].nulls, 0, NULL_WORDS * sizeof(uint64_t));
        whole = batch < BATCHES_MAX &&
                parquet_next(p, vectors, BATCH_ROWS, &r->values, &rows) == OK;
        for (uint32_t i = 0; whole && i < n; i++) print(&vectors[i], rows, &r->text);
        for (uint32_t k = 0; whole && w && k < rows; k++) {
            for (uint32_t i = 0; i < n; i++) row[i] = vec_get(&vectors[i], k);
            whole = parquet_write(w, row) == OK; /* an infinite date */
        }
        if (whole) *ret_rows += rows;
    }
    if (w && whole) whole = parquet_finish(w) == OK;
    parquet_writer_free(w);
    return whole;
}

static bool read_file(struct reading *r, struct slice bytes, uint64_t memory, struct strbuf *out,
                      uint64_t *ret_rows)
{
    struct file *f;
    struct parquet_reader *p = NULL;
    fuzz_write_file(r->os, "/f", bytes.data, bytes.len);
    FUZZ_CHECK(os_open(r->os, "/f", OPEN_READ_ONLY, &f) == OK);
    bool whole = parquet_open(f, bytes.len, memory, &p) == OK;
    if (whole) whole = read_columns(r, p, out, ret_rows);
    parquet_close(p);
    file_close(f);
    FUZZ_CHECK(os_remove(r->os, "/f") == OK);
    return whole;
}

static void run(void *arg)
{
    struct fuzz_input *in = arg;
    struct strbuf bytes, out;
    struct reading r = {.os = os_memory_new()};
    uint64_t rows = 0, again = 0;
    bool patched = fuzz_u8(in) != 0;
    strbuf_init(&bytes, NULL);
    strbuf_init(&out, NULL);
    strbuf_init(&r.text, NULL);
    arena_init(&r.schema, MEM_TEST);
    arena_init(&r.values, MEM_TEST);
    make_model();
    struct slice rest = fuzz_rest(in), base = patched ? strbuf_slice(&model) : rest;
    strbuf_add(&bytes, base.data, base.len);
    for (size_t i = 0; patched && i + 3 <= rest.len && i < 64 * 3; i += 3) {
        const uint8_t *p = (const uint8_t *)rest.data + i;
        bytes.data[(p[0] << 8 | p[1]) % bytes.len] = (char)p[2];
    }
    if (read_file(&r, strbuf_slice(&bytes), MEMORY_MAX, &out, &rows)) {
        FUZZ_CHECK(read_file(&r, strbuf_slice(&out), UINT64_MAX, NULL, &again));
        FUZZ_CHECK(again == rows);
    }
    arena_release(&r.schema);
    arena_release(&r.values);
    strbuf_release(&r.text);
    strbuf_release(&bytes);
    strbuf_release(&out);
    os_memory_free(r.os);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    fuzz_on_fiber(run, &in);
    return 0;
}
