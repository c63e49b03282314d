/* Columns of a file of Parquet: it says itself what they are. */
#include "bin/infer.h"

#include "formats/parquet/parquet.h"

static void take(struct infer *f, const struct parquet_column *c)
{
    struct infer_column *k = &f->columns[f->count];
    struct strbuf type;
    if (c->type == TYPE_NONE) return; /* COPY reads the others */
    strbuf_init(&type, f->arena);
    type_format(c->type, c->typmod, &type);
    *k = (struct infer_column){.name = arena_strdup(f->arena, c->name), .type = type.data};
    f->count++;
}

static enum status read_schema(struct infer *f, struct file *file)
{
    struct parquet_reader *r = NULL;
    uint64_t bytes;
    uint32_t count;
    TRY(file_size(file, &bytes));
    enum status result = parquet_open(file, bytes, UINT64_MAX, &r);
    if (result == OK) {
        const struct parquet_column *columns = parquet_columns(r, &count);
        for (uint32_t i = 0; i < count && f->count < INFER_COLUMNS_MAX; i++) take(f, &columns[i]);
        f->rows = parquet_rows(r);
    }
    parquet_close(r);
    return result;
}

enum status infer_parquet(struct infer *f, const char *path)
{
    struct file *file;
    TRY(os_open(os_real(), path, OPEN_READ_ONLY, &file));
    enum status result = read_schema(f, file);
    file_close(file);
    if (result == OK && f->count == 0)
        return FAIL(FEATURE_NOT_SUPPORTED, "the Parquet file has no column that can be read");
    return result;
}
