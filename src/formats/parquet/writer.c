/* Rows are gathered by column until there are enough for a row group, which is written as a whole:
 * so a file may be written to where nothing can be changed afterwards. */
#include "formats/parquet/write_priv.h"

struct parquet_writer {
    struct parquet_sink sink;
    const struct format_options *format;
    struct column_out *columns;
    struct written_chunk *chunks;
    uint32_t column_count;
    struct strbuf out, scratch, groups;
    struct arena arena; /* of a row */
    uint32_t group_rows, group_count;
    int64_t rows, written;
    bool begun;
};

struct parquet_writer *parquet_writer_new(const struct parquet_column *columns, uint32_t count,
                                          const struct format_options *format,
                                          const struct parquet_sink *sink)
{
    struct parquet_writer *w = mem_alloc(MEM_QUERY, sizeof *w);
    w->sink = *sink;
    w->format = format;
    w->columns = mem_alloc(MEM_QUERY, (count + 1) * sizeof *w->columns);
    w->chunks = mem_alloc(MEM_QUERY, (count + 1) * sizeof *w->chunks);
    w->column_count = count;
    for (uint32_t i = 0; i < count; i++) parquet__column_out_init(&w->columns[i], &columns[i]);
    strbuf_init(&w->out, NULL);
    strbuf_init(&w->scratch, NULL);
    strbuf_init(&w->groups, NULL);
    arena_init(&w->arena, MEM_QUERY);
    return w;
}

void parquet_writer_free(struct parquet_writer *w)
{
    if (!w) return;
    for (uint32_t i = 0; i < w->column_count; i++) parquet__column_out_release(&w->columns[i]);
    mem_free(MEM_QUERY, w->columns);
    mem_free(MEM_QUERY, w->chunks);
    strbuf_release(&w->out);
    strbuf_release(&w->scratch);
    strbuf_release(&w->groups);
    arena_release(&w->arena);
    mem_free(MEM_QUERY, w);
}

static enum status push(struct parquet_writer *w)
{
    enum status result = w->sink.write(w->sink.ctx, w->out.data, w->out.len);
    w->written += (int64_t)w->out.len;
    strbuf_clear(&w->out);
    return result;
}

static enum status begin(struct parquet_writer *w)
{
    if (w->begun) return OK;
    w->begun = true;
    strbuf_adds(&w->out, "PAR1");
    return push(w);
}

static enum status end_group(struct parquet_writer *w)
{
    struct thrift_out o = {.b = &w->groups};
    TRY(begin(w));
    if (w->group_rows == 0) return OK;
    for (uint32_t i = 0; i < w->column_count; i++)
        parquet__write_pages(&w->columns[i], &w->out, &w->scratch, &w->chunks[i]);
    parquet__write_group(&o, w->columns, w->column_count, w->chunks, w->written, w->group_rows);
    for (uint32_t i = 0; i < w->column_count; i++) parquet__column_out_clear(&w->columns[i]);
    w->rows += w->group_rows;
    w->group_rows = 0;
    w->group_count++;
    if (w->groups.len > FOOTER_BYTES_MAX / 2)
        return FAIL(PROGRAM_LIMIT_EXCEEDED,
                    "a Parquet file with so many row groups cannot be written"),
               error_hint("Write the rows to more than one file.");
    return push(w);
}

enum status parquet_write(struct parquet_writer *w, const struct datum *row)
{
    uint64_t bytes = 0;
    bool full = false;
    arena_clear(&w->arena);
    for (uint32_t i = 0; i < w->column_count; i++) {
        struct column_out *c = &w->columns[i];
        TRY(parquet__column_out_add(c, &row[i], w->format, &w->scratch, &w->arena));
        uint64_t held = parquet__column_out_bytes(c);
        full |= held >= COLUMN_BYTES_MAX;
        bytes += held;
    }
    w->group_rows++;
    return full || bytes >= GROUP_BYTES_MAX || w->group_rows == GROUP_ROWS ? end_group(w) : OK;
}

enum status parquet_finish(struct parquet_writer *w)
{
    TRY(end_group(w));
    parquet__write_footer(&w->out, w->columns, w->column_count, strbuf_slice(&w->groups),
                          w->group_count, w->rows);
    return push(w);
}
