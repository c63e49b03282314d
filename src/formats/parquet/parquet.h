/* Apache Parquet files (github.com/apache/parquet-format): tables of flat columns, read into
 * vectors and written from them. What DuckDB, pyarrow and Spark write is read: all encodings, pages
 * of both versions, none, snappy, gzip, zstd and LZ4_RAW compression. Nested columns are told as
 * such and cannot be read. Every byte of a file is taken to be hostile: sizes are bounded, and
 * memory is counted. */
#ifndef HELIOS_FORMATS_PARQUET_PARQUET_H
#define HELIOS_FORMATS_PARQUET_PARQUET_H

#include "base/os.h"
#include "types/vec.h"

enum { PARQUET_COLUMNS_MAX = 10000 };

struct parquet_column {
    const char *name;
    type_id type;       /* the SQL type of its values; TYPE_NONE: cannot be read */
    int32_t typmod;     /* numeric(p,s) of decimals; else -1 */
    bool required;      /* no NULLs */
    const char *reason; /* of TYPE_NONE: "a list", … */
};

/* --- reading -------------------------------------------------------------------------------- */

struct parquet_reader;

/* Reads footer and schema of a file of so many bytes, which stays open as long as the reader. All
 * that the reader holds is at most `memory_max` bytes (PROGRAM_LIMIT_EXCEEDED beyond).
 * BAD_COPY_FILE_FORMAT when it is damaged or no Parquet file. Released by parquet_close, whatever
 * happens. */
enum status parquet_open(struct file *f, uint64_t bytes, uint64_t memory_max,
                         struct parquet_reader **ret) MUST;
void parquet_close(struct parquet_reader *r);
const struct parquet_column *parquet_columns(const struct parquet_reader *r, uint32_t *ret_count);
uint64_t parquet_rows(const struct parquet_reader *r);
/* Bytes of the file that were read; of how many, the size tells. */
uint64_t parquet_bytes_read(const struct parquet_reader *r);
/* The columns that are wanted, in the order of the vectors. FEATURE_NOT_SUPPORTED for one that
 * cannot be read. Once, before the first parquet_next. */
enum status parquet_select(struct parquet_reader *r, const uint32_t *columns, uint32_t count) MUST;
/* Up to `max` (≤ BATCH_ROWS) rows into flat vectors of the columns' types, whose nulls are zeroed;
 * bytes stay until the next call. *ret_rows 0: there are no more. Text is as it lies in the file:
 * not checked. */
enum status parquet_next(struct parquet_reader *r, struct vec *columns, uint32_t max,
                         struct arena *a, uint32_t *ret_rows) MUST;

/* --- writing -------------------------------------------------------------------------------- */

struct parquet_writer;

/* Where the bytes go, in order. */
struct parquet_sink {
    enum status (*write)(void *ctx, const char *data, size_t len) MUST;
    void *ctx;
};

/* A column of type name, typmod as given. Types without a counterpart are written as their text. */
struct parquet_writer *parquet_writer_new(const struct parquet_column *columns, uint32_t count,
                                          const struct format_options *format,
                                          const struct parquet_sink *sink);
void parquet_writer_free(struct parquet_writer *w);
enum status parquet_write(struct parquet_writer *w, const struct datum *row) MUST;
/* The rows that are held, and the footer. */
enum status parquet_finish(struct parquet_writer *w) MUST;

#endif
