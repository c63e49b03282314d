/* COPY: what its files share. A statement is read into a `struct copy`; rows then go through a
 * `struct copy_in` or a `struct copy_out`, whose format is a pair of functions. */
#ifndef HELIOS_DB_COPY_PRIV_H
#define HELIOS_DB_COPY_PRIV_H

#include "base/os.h"
#include "db/session_priv.h"

enum {
    COPY_PIECE_BYTES = 256 << 10,     /* read from a file, or written to one, at once */
    COPY_LINE_BYTES_MAX = 256 << 20,  /* one row of input */
    COPY_BATCH_BYTES_MAX = 16 << 20,  /* a batch of wide rows is handed on early */
    COPY_SHOWN_BYTES = 100,           /* of a value or line in an error's context */
};

enum copy_format { COPY_TEXT, COPY_CSV, COPY_BINARY, COPY_JSON, COPY_PARQUET };
enum copy_header { COPY_HEADER_NONE, COPY_HEADER_LINE, COPY_HEADER_MATCH };

struct copy_options {
    enum copy_format format;
    enum copy_header header;
    char delimiter, quote, escape;
    struct slice null_text;
    bool force_quote_all;
    bool ignore_errors;       /* ON_ERROR ignore */
    int64_t reject_limit;     /* 0: none */
    const char *reject_table; /* NULL: none */
    /* Lists of names (constants); NULL: not given. */
    const struct ast_list *force_quote, *force_not_null, *force_null;
};

/* Formats whose bytes are no text: clients must pass them on as they are. */
static inline bool copy__is_binary(const struct copy_options *o)
{
    return o->format == COPY_BINARY || o->format == COPY_PARQUET;
}

/* json and jsonb, by PostgreSQL's numbers: their text goes into JSON as it is, and comes from it so. */
static inline bool copy__is_json(type_id type)
{
    return type == 114 || type == 3802;
}

struct copy_column {
    const char *name;
    struct slice name_slice; /* the same; of JSON */
    type_id type;
    int32_t typmod;
    bool force_quote, force_not_null, force_null;
};

struct copy {
    struct session *s;
    const struct result_sink *sink;
    const struct ast_copy *ast;
    const struct statement *statement;
    struct slice text;
    struct copy_options o;
    const struct table_def *table; /* NULL: COPY (query) TO */
    const char *schema;            /* of the table */
    struct copy_column *columns;
    uint32_t column_count;
};

/* A zeroed node of a statement that COPY makes for itself. */
#define COPY_AST(a, type, ast_kind)                                                                \
    ({                                                                                             \
        struct type *node_ = ARENA_NEW((a), struct type);                                          \
        node_->node = (struct ast){(ast_kind), -1};                                                \
        node_;                                                                                     \
    })

/* --- copy_options.c --- */
enum status copy__options(const struct ast_copy *a, struct slice text,
                          struct copy_options *ret) MUST;
/* Marks the columns that FORCE_… names; 42P10 for one that is not copied. */
enum status copy__force_columns(struct copy *c) MUST;

/* --- copy_file.c --- */
/* May the session name a file of the server, and can this be its name? */
enum status copy__check_file(const struct copy *c) MUST;
/* The file of the statement, in a directory that the settings allow; one to write is emptied. */
enum status copy__open_file(const struct copy *c, struct file **ret) MUST;

/* --- COPY FROM: copy_in.c --- */
enum copy_eol { COPY_EOL_UNKNOWN, COPY_EOL_NL, COPY_EOL_CR, COPY_EOL_CRNL };

/* Where a row came from, for an error that the executor finds in it. */
struct copy_line {
    uint64_t number;
    struct slice text; /* its start; data NULL: not text */
};

struct copy_in {
    struct copy *c;
    struct file *file; /* NULL: the client */
    uint64_t file_pos, file_bytes;
    /* Input that is at hand: data[pos..end). Moves when more is asked for. */
    char *data;
    size_t pos, end, cap;
    bool exhausted;    /* nothing comes behind `end` */
    bool finished;     /* the end marker was seen */
    enum copy_eol eol;
    uint64_t line;     /* number of the line or row being read, from 1 */
    struct slice line_text; /* data NULL: not at hand */
    struct copy_line *lines; /* of the batch's rows: BATCH_ROWS */
    uint64_t rows_before;   /* the batch */
    struct error *late;     /* of the row behind the batch, which goes first; NULL: none */
    struct slice *fields;   /* of the row: column_count + 1; data NULL: NULL */
    struct strbuf scratch;  /* unescaped fields of the row */
    uint32_t *key_columns;  /* JSON: the column of the row's first, second … key, likely */
    struct batch batch;     /* its vectors serve every batch again */
    struct arena values;    /* bytes of the batch */
    struct copy_rejects *rejects; /* NULL: a bad row ends the statement */
    size_t row_next;        /* bytes from pos to the row behind the one being read; 0: not known */
    const char *bad_column; /* of the error in the slot; NULL: it is about the row */
    struct copy_parquet *parquet; /* NULL: another format */
    uint64_t parquet_row;         /* rows of the file before the batch */
    /* Reads one row into the vectors at `row`; END_OF_DATA (no message) behind the last. */
    enum status (*read_row)(struct copy_in *in, uint32_t row);
};

enum status copy__in(struct copy *c, char tag[64]) MUST;
/* INSERT INTO schema.table (names) OVERRIDING SYSTEM VALUE VALUES ($1, …). */
struct ast *copy__insert_ast(struct arena *a, const char *schema, const struct table_def *table,
                             const char *const *names, uint32_t count);
/* More bytes behind in->end; END_OF_DATA (no message) when there are none. */
enum status copy__more(struct copy_in *in) MUST;
/* The context of the error in the slot: a column and its text (data NULL: none to show), or column
 * NULL: the line. Returns the error's code. */
enum status copy__where(struct copy_in *in, const struct copy_column *column, struct slice value);

/* --- copy_reject.c --- */
enum status copy__begin_rejects(struct copy_in *in) MUST;
void copy__release_rejects(struct copy_in *in);
/* The row of the error in the slot is to be passed over: OK if it may, else an error's code. */
enum status copy__reject(struct copy_in *in, struct slice row) MUST;
/* After the last row: into their table; and the notice. */
enum status copy__insert_rejects(struct copy_in *in) MUST;
enum status copy__tell_rejects(struct copy_in *in) MUST;

/* --- formats, reading --- */
enum status copy__read_text_row(struct copy_in *in, uint32_t row) MUST;  /* copy_text.c */
enum status copy__read_csv_row(struct copy_in *in, uint32_t row) MUST;   /* copy_csv.c */
enum status copy__read_binary_row(struct copy_in *in, uint32_t row) MUST; /* copy_binary.c */
enum status copy__read_json_row(struct copy_in *in, uint32_t row) MUST;  /* copy_json.c */
void copy__begin_json_in(struct copy_in *in);
/* Parquet gives whole batches (copy_parquet.c). */
enum status copy__begin_parquet_in(struct copy_in *in) MUST;
enum status copy__next_parquet(void *ctx, struct batch *ret) MUST;
void copy__end_parquet_in(struct copy_in *in);
/* The first line of text and csv, where one is announced; compared when it must match. */
enum status copy__read_text_header(struct copy_in *in) MUST;
enum status copy__read_csv_header(struct copy_in *in) MUST;
enum status copy__read_binary_header(struct copy_in *in) MUST;
/* Values from in->fields, `count` of which were found, into the vectors (copy_text.c). */
enum status copy__put_fields(struct copy_in *in, uint32_t row, uint32_t count) MUST;
enum status copy__match_header(struct copy_in *in, uint32_t count) MUST;
/* After the end marker: the client's remaining bytes are dropped. */
enum status copy__finish(struct copy_in *in) MUST;

/* --- COPY TO: copy_out.c --- */
struct copy_out {
    struct copy *c;
    struct file *file; /* NULL: the client */
    uint64_t file_pos, rows;
    struct strbuf row;     /* being made; of a file: what is not written yet */
    struct strbuf scratch; /* one value's text */
    struct datum *values;  /* one row of a batch */
    bool special[256];     /* bytes that make a value need escapes or quotes */
    struct slice *keys;    /* JSON: what stands before each value */
    struct parquet_writer *parquet; /* NULL: another format */
    enum status (*write_row)(struct copy_out *out, const struct datum *values);
};

enum status copy__out(struct copy *c, char tag[64]) MUST;
enum status copy__write_text_row(struct copy_out *out, const struct datum *values) MUST;
enum status copy__write_csv_row(struct copy_out *out, const struct datum *values) MUST;
enum status copy__write_binary_row(struct copy_out *out, const struct datum *values) MUST;
enum status copy__write_json_row(struct copy_out *out, const struct datum *values) MUST;
enum status copy__write_parquet_row(struct copy_out *out, const struct datum *values) MUST;
/* out->row to where it is to go. */
enum status copy__push(struct copy_out *out) MUST;
void copy__begin_text(struct copy_out *out);   /* fills `special`, adds a header line */
void copy__begin_csv(struct copy_out *out);
void copy__begin_binary(struct copy_out *out);
void copy__begin_json(struct copy_out *out);
void copy__begin_parquet(struct copy_out *out);
void copy__end_binary(struct copy_out *out);
enum status copy__end_parquet(struct copy_out *out) MUST;
void copy__free_parquet(struct copy_out *out);
/* Text of a value: its own bytes, or made in out->scratch. */
struct slice copy__value_text(struct copy_out *out, type_id type, const union value *v);

#endif
