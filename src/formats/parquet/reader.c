/* A file of Parquet, row group by row group. The footer's bytes are kept: row groups are read from
 * them as they come. */
#include "formats/parquet/parquet_priv.h"

static const char magic[] = "PAR1", encrypted[] = "PARE";
enum { MAGIC_BYTES = 4, TAIL_BYTES = 8 };

struct parquet_reader {
    struct file *file;
    uint64_t bytes, bytes_read;
    struct budget memory;
    struct arena arena; /* of the schema */
    struct buffer footer_buffer;
    struct slice footer;
    struct metadata m;
    const uint8_t *next_group;
    uint32_t groups_left;
    uint64_t group_rows_left;
    uint64_t rows_left;
    struct chunk_meta *metas; /* of the row group */
    struct chunk *chunks;     /* of the columns that are wanted */
    uint32_t chunk_count;
};

static enum status not_parquet(void)
{
    return FAIL(BAD_COPY_FILE_FORMAT, "the file is no Parquet file, or is cut off"),
           error_detail("A Parquet file begins and ends with \"PAR1\".");
}

static enum status read_footer(struct parquet_reader *r)
{
    char head[MAGIC_BYTES], tail[TAIL_BYTES];
    uint32_t len;
    if (r->bytes < MAGIC_BYTES + TAIL_BYTES) return not_parquet();
    TRY(file_read(r->file, head, MAGIC_BYTES, 0));
    TRY(file_read(r->file, tail, TAIL_BYTES, r->bytes - TAIL_BYTES));
    if (memcmp(tail + 4, encrypted, MAGIC_BYTES) == 0)
        return FAIL(FEATURE_NOT_SUPPORTED, "encrypted Parquet files are not supported");
    if (memcmp(head, magic, MAGIC_BYTES) != 0 || memcmp(tail + 4, magic, MAGIC_BYTES) != 0)
        return not_parquet();
    memcpy(&len, tail, sizeof len);
    if (len > r->bytes - MAGIC_BYTES - TAIL_BYTES)
        return DAMAGED("its footer is longer than the file");
    if (len > FOOTER_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED,
                    "the footer of the Parquet file is larger than %d bytes", FOOTER_BYTES_MAX);
    TRY(parquet__buffer_need(&r->memory, &r->footer_buffer, (size_t)len + 1, false));
    TRY(file_read(r->file, r->footer_buffer.data, len, r->bytes - TAIL_BYTES - len));
    r->footer = slice_make(r->footer_buffer.data, len);
    r->bytes_read = (uint64_t)len + TAIL_BYTES;
    return OK;
}

enum status parquet_open(struct file *f, uint64_t bytes, uint64_t memory_max,
                         struct parquet_reader **ret)
{
    struct parquet_reader *r = mem_alloc(MEM_QUERY, sizeof *r);
    r->file = f;
    r->bytes = bytes;
    r->memory.max = memory_max;
    arena_init(&r->arena, MEM_QUERY);
    *ret = r;
    TRY(read_footer(r));
    TRY(parquet__read_metadata(r->footer, &r->arena, &r->m));
    r->next_group = r->m.groups;
    r->groups_left = r->m.group_count;
    r->rows_left = (uint64_t)r->m.rows;
    return OK;
}

void parquet_close(struct parquet_reader *r)
{
    if (!r) return;
    for (uint32_t i = 0; i < r->chunk_count; i++) parquet__chunk_release(&r->chunks[i]);
    parquet__buffer_release(&r->memory, &r->footer_buffer);
    arena_release(&r->arena);
    mem_free(MEM_QUERY, r);
}

const struct parquet_column *parquet_columns(const struct parquet_reader *r, uint32_t *ret_count)
{
    *ret_count = r->m.column_count;
    return r->m.columns;
}

uint64_t parquet_rows(const struct parquet_reader *r) { return (uint64_t)r->m.rows; }
uint64_t parquet_bytes_read(const struct parquet_reader *r) { return r->bytes_read; }

enum status parquet_select(struct parquet_reader *r, const uint32_t *columns, uint32_t count)
{
    const struct metadata *m = &r->m;
    r->metas = ARENA_ARRAY(&r->arena, struct chunk_meta, m->leaf_count + 1);
    r->chunks = ARENA_ARRAY(&r->arena, struct chunk, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct parquet_column *c = &m->columns[columns[i]];
        struct chunk *k = &r->chunks[i];
        if (c->type == TYPE_NONE)
            return FAIL(FEATURE_NOT_SUPPORTED, "column \"%s\" of the Parquet file is %s, which "
                                               "cannot be read",
                        c->name, c->reason),
                   error_object(NULL, NULL, c->name, NULL);
        k->leaf = &m->leaves[m->column_leaf[columns[i]]];
        k->type = c->type;
        k->value_width = type_get(c->type)->width;
        k->file = r->file;
        k->file_bytes = r->bytes;
        k->bytes_read = &r->bytes_read;
        k->memory = &r->memory;
        parquet__chunk_init(k);
        r->chunk_count = i + 1;
    }
    return OK;
}

static enum status next_group(struct parquet_reader *r)
{
    const struct metadata *m = &r->m;
    int64_t rows;
    TRY(parquet__read_group(m, r->footer, &r->next_group, r->metas, &rows));
    r->groups_left--;
    if ((uint64_t)rows > r->rows_left) return DAMAGED("its row groups have more rows than it says");
    for (uint32_t i = 0; i < r->chunk_count; i++) {
        const struct chunk_meta *meta = &r->metas[r->chunks[i].leaf - m->leaves];
        if (meta->values != rows)
            return DAMAGED("column \"%s\" has another number of values than its row group",
                           r->chunks[i].leaf->name);
        if (rows > 0) TRY(parquet__chunk_begin(&r->chunks[i], meta));
    }
    r->group_rows_left = (uint64_t)rows;
    r->rows_left -= (uint64_t)rows;
    return OK;
}

/* A batch never crosses row groups: its strings may lie in the dictionaries of one. */
enum status parquet_next(struct parquet_reader *r, struct vec *columns, uint32_t max,
                         struct arena *a, uint32_t *ret_rows)
{
    *ret_rows = 0;
    while (r->group_rows_left == 0) {
        if (r->groups_left == 0 && r->rows_left > 0)
            return DAMAGED("its row groups have fewer rows than it says");
        if (r->groups_left == 0) return OK;
        TRY(next_group(r));
    }
    uint32_t n = r->group_rows_left < max ? (uint32_t)r->group_rows_left : max;
    for (uint32_t i = 0; i < r->chunk_count; i++)
        TRY(parquet__chunk_next(&r->chunks[i], &columns[i], 0, n, a));
    r->group_rows_left -= n;
    *ret_rows = n;
    return OK;
}
