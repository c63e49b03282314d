/* What the columns of a file are, from how it begins: names, types, and of CSV the delimiter and
 * whether there is a header line. For `helios import --create`. */
#ifndef HELIOS_BIN_INFER_H
#define HELIOS_BIN_INFER_H

#include "base/arena.h"
#include "base/str.h"

enum { INFER_COLUMNS_MAX = 1600 };

/* In the order in which one gives way to another is in infer.c. */
enum infer_kind {
    INFER_NOTHING, /* only NULLs so far */
    INFER_BOOLEAN,
    INFER_INTEGER,
    INFER_NUMERIC,
    INFER_DOUBLE,
    INFER_DATE,
    INFER_TIMESTAMP,
    INFER_TIMESTAMPTZ,
    INFER_UUID,
    INFER_TEXT,
};

struct infer_column {
    const char *name;
    enum infer_kind kind;
    const char *type; /* of Parquet: as SQL has it; else NULL */
};

struct infer {
    struct arena *arena;
    struct infer_column *columns; /* INFER_COLUMNS_MAX */
    uint32_t count;
    uint64_t rows; /* that were looked at */
    char delimiter;
    bool header;
    bool all_text; /* asked for */
};

void infer_init(struct infer *f, struct arena *a);
/* The kind of one value as text, and of two values together. */
enum infer_kind infer_kind_of(struct slice text);
enum infer_kind infer_together(enum infer_kind a, enum infer_kind b);
/* `sample`: the beginning of the file; `whole`: all of it. delimiter '\0', header -1: to be found
 * out. */
void infer_csv(struct infer *f, struct slice sample, bool whole, char delimiter, int header);
void infer_json(struct infer *f, struct slice sample, bool whole);
/* BAD_COPY_FILE_FORMAT and what else reading the footer may give. */
enum status infer_parquet(struct infer *f, const char *path) MUST;
/* "name" type, … */
void infer_print_columns(const struct infer *f, struct strbuf *out);
/* In double quotes. */
void infer_print_name(const char *name, struct strbuf *out);

#endif
