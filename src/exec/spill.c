#include "exec/spill.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/os.h"
#include "exec/parallel.h"
#include "types/row.h"

/* A buffer stands between rows and file, for writing, then for reading. In reading, the rows of a batch
 * are those whose bytes the buffer holds whole: it is filled anew only when none is left, so that rows
 * can be pointed to. A row larger than the buffer makes the buffer grow. */

enum { BUFFER_BYTES = 128 << 10, BUFFER_MIN = 16 << 10, BUFFER_SHARE = 128, LENGTH_BYTES = 4, PRESSED_PERCENT = 60,
       ARENAS_AN_ASK = 64, PLENTY_SHARE = 8 };

struct spill {
    struct execution *x;
    struct spill **link, *next; /* in x->spills */
    struct file *file;
    struct arena arena; /* of the layout */
    const struct row_layout *layout;
    uint16_t columns, *all;
    struct datum *values; /* room for a row */
    struct strbuf row;  /* being encoded */
    char *buffer;
    size_t cap, start, end; /* reading: [start, end) is not yet given; writing: end is the fill */
    uint64_t written, read; /* bytes of the file */
    uint64_t rows;
    bool reading;
};

/* Operators ask for each batch: those of a plan of a thousand operators get an answer that is some batches
 * old, as summing costs more than many a batch; but not when memory may become short. */
uint64_t exec_memory_used(struct execution *x)
{
    if (x->memory_asked++ < x->arena_count / ARENAS_AN_ASK &&
        x->memory_seen < exec_memory_limit(x) / PLENTY_SHARE)
        return x->memory_seen;
    x->memory_asked = 0;
    uint64_t used = arena_bytes(x->arena) - x->arena_base;
    for (const struct owned_arena *o = x->arenas; o; o = o->next) used += arena_bytes(&o->arena);
    for (const struct spill *s = x->spills; s; s = s->next) used += s->cap + s->row.cap;
    x->memory_seen = x->shared_bytes ? parallel_memory(x, used) : used;
    return x->memory_seen;
}

uint64_t exec_memory_limit(const struct execution *x)
{
    uint64_t limit = x->session->memory_limit_bytes;
    return limit ? limit : UINT64_MAX;
}

bool exec_memory_above(struct execution *x, uint32_t percent)
{
    uint64_t limit = exec_memory_limit(x);
    return limit != UINT64_MAX && exec_memory_used(x) > limit / 100 * percent;
}

bool exec_memory_pressed(struct execution *x)
{
    return exec_memory_above(x, PRESSED_PERCENT);
}

uint64_t spill_buffer_bytes(const struct execution *x)
{
    uint64_t share = exec_memory_limit(x) / BUFFER_SHARE;
    if (x->parallel) share /= x->parallel->gather->gather.workers; /* others do the same */
    return share > BUFFER_BYTES ? BUFFER_BYTES : share < BUFFER_MIN ? BUFFER_MIN : share;
}

static enum status open_file(struct execution *x, struct file **ret)
{
    static uint64_t last; /* atomic */
    const struct exec_session *s = x->session;
    char path[OS_PATH_MAX];
    if (!s->os || !s->temp_dir) {
        FAIL(OUT_OF_MEMORY, "out of memory");
        return error_detail("The query needs more than its memory limit, and has nowhere to spill.");
    }
    int n = snprintf(path, sizeof path, "%s/spill-%llu.tmp", s->temp_dir,
                     (unsigned long long)__atomic_add_fetch(&last, 1, __ATOMIC_RELAXED));
    ASSERT(n > 0);
    if ((size_t)n >= sizeof path) return FAIL(IO_ERROR, "path \"%.64s...\" is too long", s->temp_dir);
    TRY(os_mkdir(s->os, s->temp_dir));
    return os_open(s->os, path, OPEN_CREATE | OPEN_EXCLUSIVE, ret);
}

static void link_spill(struct execution *x, struct spill *s)
{
    s->next = x->spills;
    s->link = &x->spills;
    if (s->next) s->next->link = &s->next;
    x->spills = s;
}

static void unlink_spill(struct spill *s)
{
    *s->link = s->next;
    if (s->next) s->next->link = s->link;
}

enum status spill_new(struct execution *x, uint16_t columns, const type_id *types,
                      struct spill **ret)
{
    struct file *file;
    TRY(open_file(x, &file));
    struct spill *s = mem_alloc(MEM_QUERY, sizeof *s);
    s->x = x;
    s->file = file;
    arena_init(&s->arena, MEM_QUERY);
    s->layout = row_layout_new(&s->arena, types, columns);
    s->columns = columns;
    s->all = ARENA_ARRAY(&s->arena, uint16_t, columns + 1);
    for (uint16_t i = 0; i < columns; i++) s->all[i] = i;
    s->values = ARENA_ARRAY(&s->arena, struct datum, columns + 1);
    strbuf_init(&s->row, NULL);
    s->cap = (size_t)spill_buffer_bytes(x);
    s->buffer = mem_alloc(MEM_QUERY, s->cap);
    link_spill(x, s);
    *ret = s;
    return OK;
}

void spill_give(struct execution *to, struct spill *s)
{
    unlink_spill(s);
    s->x->spilled_bytes -= s->written;
    to->spilled_bytes += s->written;
    s->x = to;
    link_spill(to, s);
}

void spill_free(struct spill *s)
{
    struct os *os = s->x->session->os;
    struct error kept = *error_current();
    char path[OS_PATH_MAX];
    unlink_spill(s);
    snprintf(path, sizeof path, "%s", s->file->path);
    s->x->spilled_bytes -= s->written;
    if (s->x->shared_spilled) (void)parallel_spill(s->x, -s->written);
    file_close(s->file);
    if (os_remove(os, path) != OK) *error_current() = kept; /* db_open does it */
    strbuf_release(&s->row);
    arena_release(&s->arena);
    mem_free(MEM_QUERY, s->buffer);
    mem_free(MEM_QUERY, s);
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum status flush(struct spill *s)
{
    uint64_t limit = s->x->session->temp_limit_bytes, all = s->x->spilled_bytes + s->end;
    if (!s->end) return OK;
    if (s->x->shared_spilled) all = parallel_spill(s->x, s->end);
    if (limit && all > limit) {
        if (s->x->shared_spilled) (void)parallel_spill(s->x, -(uint64_t)s->end);
        FAIL(CONFIGURATION_LIMIT_EXCEEDED, "temporary file size exceeds temp_file_limit (%llukB)",
             (unsigned long long)(limit >> 10));
        return error_hint("Raise query.temp_limit, or query.memory_limit so that less is spilled.");
    }
    enum status st = file_write(s->file, s->buffer, s->end, s->written);
    if (st != OK && s->x->shared_spilled) (void)parallel_spill(s->x, -(uint64_t)s->end);
    TRY(st);
    s->written += s->end;
    s->x->temp_written += s->end;
    s->x->spilled_bytes += s->end;
    if (s->x->spilled_bytes > s->x->spilled_bytes_most) s->x->spilled_bytes_most = s->x->spilled_bytes;
    s->end = 0;
    return OK;
}

/* Nothing of the buffer's content is kept. */
static void reserve(struct spill *s, size_t need)
{
    if (need <= s->cap) return;
    mem_free(MEM_QUERY, s->buffer);
    s->cap = need;
    s->buffer = mem_alloc(MEM_QUERY, s->cap);
}

enum status spill_add_bytes(struct spill *s, struct slice bytes)
{
    ASSERT(!s->reading && bytes.len <= UINT32_MAX - LENGTH_BYTES);
    uint32_t len = (uint32_t)bytes.len;
    if (s->end + LENGTH_BYTES + len > s->cap) {
        TRY(flush(s));
        reserve(s, LENGTH_BYTES + len);
    }
    memcpy(s->buffer + s->end, &len, LENGTH_BYTES);
    memcpy(s->buffer + s->end + LENGTH_BYTES, bytes.data, len);
    s->end += LENGTH_BYTES + len;
    s->rows++;
    return OK;
}

enum status spill_add_row(struct spill *s, const struct datum *row)
{
    strbuf_clear(&s->row);
    row_encode(s->layout, row, &s->row);
    return spill_add_bytes(s, strbuf_slice(&s->row));
}

enum status spill_add_batch(struct spill *s, const struct batch *b)
{
    ASSERT(b->column_count >= s->columns);
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t at = b->sel ? b->sel[i] : i;
        for (uint16_t c = 0; c < s->columns; c++) s->values[c] = vec_get(&b->columns[c], at);
        TRY(spill_add_row(s, s->values));
    }
    return OK;
}

uint64_t spill_row_count(const struct spill *s)
{
    return s->rows;
}

uint64_t spill_bytes(const struct spill *s)
{
    return s->written + (s->reading ? 0 : s->end);
}

/* --- reading ---------------------------------------------------------------------------------- */

enum status spill_rest(struct spill *s)
{
    if (!s->reading) TRY(flush(s));
    mem_free(MEM_QUERY, s->buffer);
    s->buffer = NULL;
    s->cap = s->start = s->end = 0;
    strbuf_release(&s->row);
    strbuf_init(&s->row, NULL);
    return OK;
}

enum status spill_rewind(struct spill *s)
{
    if (!s->reading) TRY(flush(s));
    reserve(s, (size_t)spill_buffer_bytes(s->x));
    s->reading = true;
    s->read = 0;
    s->start = s->end = 0;
    return OK;
}

/* The row that begins at `at` of the buffer; NULL data when it is not wholly there. */
static struct slice row_at(const struct spill *s, size_t at, size_t *ret_need)
{
    uint32_t len;
    *ret_need = LENGTH_BYTES;
    if (s->end - at < LENGTH_BYTES) return (struct slice){0};
    memcpy(&len, s->buffer + at, LENGTH_BYTES);
    *ret_need += len;
    if (s->end - at < *ret_need) return (struct slice){0};
    return slice_make(s->buffer + at + LENGTH_BYTES, len);
}

/* Makes the row at s->start whole. What lay before it is gone. */
static enum status fill(struct spill *s)
{
    for (;;) {
        size_t need;
        if (row_at(s, s->start, &need).data) return OK;
        size_t kept = s->end - s->start;
        if (!kept && s->read == s->written) return END_OF_DATA;
        if (need > s->cap) {
            char *grown = mem_alloc(MEM_QUERY, need);
            memcpy(grown, s->buffer + s->start, kept);
            mem_free(MEM_QUERY, s->buffer);
            s->buffer = grown;
            s->cap = need;
        } else {
            memmove(s->buffer, s->buffer + s->start, kept);
        }
        s->start = 0;
        s->end = kept;
        uint64_t n = s->written - s->read;
        if (n > s->cap - kept) n = s->cap - kept;
        if (!n) return FAIL(DATA_CORRUPTED, "temporary file \"%s\" ends within a row", s->file->path);
        TRY(file_read(s->file, s->buffer + kept, (size_t)n, s->read));
        s->read += n;
        s->x->temp_read += n;
        s->end += (size_t)n;
    }
}

enum status spill_next(struct spill *s, struct arena *a, struct batch *ret)
{
    ASSERT(s->reading);
    TRY(fill(s));
    struct slice *rows = arena_alloc(a, BATCH_ROWS * sizeof *rows);
    uint32_t n = 0;
    size_t need;
    while (n < BATCH_ROWS) {
        struct slice row = row_at(s, s->start, &need);
        if (!row.data) break;
        rows[n++] = row;
        s->start += need;
    }
    *ret = (struct batch){.rows = n, .count = n, .column_count = s->columns};
    ret->columns = ARENA_ARRAY(a, struct vec, s->columns + 1);
    for (uint16_t c = 0; c < s->columns; c++)
        vec_init_flat_rows(&ret->columns[c], s->layout->types[c], n, a);
    row_decode_batch(s->layout, rows, n, s->all, s->columns, NULL, 0, ret->columns);
    return OK;
}

enum status spill_fetch(struct spill *s, uint64_t from, uint64_t bytes, struct arena *a,
                        struct batch *ret)
{
    ASSERT(!s->reading && from + bytes <= s->written + s->end);
    char *data = arena_alloc(a, bytes + 1);
    struct slice *rows = arena_alloc(a, BATCH_ROWS * sizeof *rows);
    uint64_t at = 0;
    uint32_t n = 0;
    if (from + bytes > s->written) TRY(flush(s));
    TRY(file_read(s->file, data, bytes, from));
    s->x->temp_read += bytes;
    while (at + LENGTH_BYTES <= bytes && n < BATCH_ROWS) {
        uint32_t len;
        memcpy(&len, data + at, LENGTH_BYTES);
        at += LENGTH_BYTES;
        if (len > bytes - at) return FAIL(DATA_CORRUPTED, "temporary file is damaged");
        rows[n++] = slice_make(data + at, len);
        at += len;
    }
    *ret = (struct batch){.rows = n, .count = n, .column_count = s->columns};
    ret->columns = ARENA_ARRAY(a, struct vec, s->columns + 1);
    for (uint16_t c = 0; c < s->columns; c++)
        vec_init_flat_rows(&ret->columns[c], s->layout->types[c], n, a);
    row_decode_batch(s->layout, rows, n, s->all, s->columns, NULL, 0, ret->columns);
    return OK;
}

enum status spill_next_bytes(struct spill *s, struct slice *ret)
{
    size_t need;
    ASSERT(s->reading);
    TRY(fill(s));
    *ret = row_at(s, s->start, &need);
    s->start += need;
    return OK;
}

enum status spill_next_row(struct spill *s, struct datum *ret)
{
    struct slice row;
    TRY(spill_next_bytes(s, &row));
    for (uint16_t c = 0; c < s->columns; c++) {
        bool there = row_get(s->layout, row, c, &ret[c]);
        ASSERT(there);
    }
    return OK;
}
