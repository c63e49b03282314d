/* Writing: a column of the row group that is being gathered. */
#ifndef HELIOS_FORMATS_PARQUET_WRITE_PRIV_H
#define HELIOS_FORMATS_PARQUET_WRITE_PRIV_H

#include "formats/parquet/parquet_priv.h"

enum {
    GROUP_ROWS = 122880,            /* as DuckDB has them: its unit of parallel reading */
    COLUMN_BYTES_MAX = 16 << 20,    /* of a column's values in a row group; a page is all of them */
    GROUP_BYTES_MAX = 64 << 20,
    VALUE_BYTES_MAX = PAGE_BYTES_MAX / 2,
    DICTIONARY_BYTES_MAX = 1 << 20,
    DICTIONARY_COUNT_MAX = 1 << 16,
    STATISTIC_BYTES_MAX = 64,       /* longer strings have none */
    DECIMAL_DIGITS_MAX = 38,
};

/* How values of the SQL type are written. */
enum form {
    FORM_BOOL,
    FORM_I16,     /* as INT32 */
    FORM_I32,
    FORM_DATE,
    FORM_I64,
    FORM_U32,     /* as INT64 */
    FORM_TIMESTAMP,
    FORM_F32,
    FORM_F64,
    FORM_DECIMAL, /* INT32, INT64 or 16 bytes, by precision */
    FORM_UUID,
    FORM_BYTES,
    FORM_TEXT,    /* what prints it */
};

struct statistic {
    bool any, none; /* none: there was a value that has no order, or is too long */
    int64_t min, max;
    double fmin, fmax;
    uint8_t min_bytes[STATISTIC_BYTES_MAX], max_bytes[STATISTIC_BYTES_MAX];
    uint32_t min_len, max_len;
};

struct entry { /* of the dictionary */
    uint32_t offset, len, hash;
};

struct column_out {
    const char *name;
    type_id type;
    enum form form;
    int32_t scale;
    __int128 limit;         /* of decimals: 10^precision */
    struct leaf leaf;       /* as it is described */
    struct strbuf levels;   /* a byte a row: 1, 0 for NULL */
    struct strbuf plain;    /* values that are not NULL, PLAIN; booleans a byte each */
    /* While `dictionary`: codes stand for the values, plain is the dictionary. */
    bool dictionary;
    struct strbuf codes;    /* uint32_t each */
    struct entry *entries;
    uint32_t entry_count, entry_cap;
    uint32_t *slots;        /* of entries, + 1; 0: free */
    uint32_t slot_count;
    uint32_t value_count, null_count;
    struct statistic statistic;
};

struct written_chunk { /* where it went */
    int64_t dictionary_offset, data_offset, compressed, uncompressed;
    bool dictionary;
};

/* --- write_column.c --- */
void parquet__column_out_init(struct column_out *c, const struct parquet_column *of);
void parquet__column_out_release(struct column_out *c);
/* For the next row group. */
void parquet__column_out_clear(struct column_out *c);
enum status parquet__column_out_add(struct column_out *c, const struct datum *d,
                                    const struct format_options *format, struct strbuf *scratch,
                                    struct arena *a) MUST;
uint64_t parquet__column_out_bytes(const struct column_out *c);

/* --- write_pages.c --- */
/* Appends its pages to `out`; offsets count from the beginning of `out`. */
void parquet__write_pages(struct column_out *c, struct strbuf *out, struct strbuf *scratch,
                          struct written_chunk *ret);
void parquet__hybrid_write(struct strbuf *b, const uint32_t *values, uint32_t count,
                           unsigned width);

/* --- write_footer.c --- */
void parquet__write_group(struct thrift_out *o, const struct column_out *columns, uint32_t count,
                          const struct written_chunk *chunks, int64_t base, int64_t rows);
/* `groups`: what parquet__write_group has made of each. */
void parquet__write_footer(struct strbuf *b, const struct column_out *columns, uint32_t count,
                           struct slice groups, uint32_t group_count, int64_t rows);

#endif
