/* Results as text, in every output mode. */
#ifndef HELIOS_SHELL_FORMAT_H
#define HELIOS_SHELL_FORMAT_H

#include "shell/backend.h"
#include "shell/writer.h"

enum mode {
    MODE_TABLE, MODE_LINE, MODE_CSV, MODE_TSV, MODE_JSON, MODE_JSONLINES, MODE_MARKDOWN,
    MODE_HTML, MODE_INSERT, MODE_UNALIGNED, MODE_COUNT
};

struct style {
    enum mode mode;
    char null[64];
    bool null_set;      /* \pset null was said; else NULL shows in tables, nothing elsewhere */
    bool tuples_only;   /* neither names nor counts */
    bool ascii;         /* +-| instead of lines */
    char separator[16]; /* unaligned and csv */
    int64_t rows_max;   /* a table shows no more; 0: all */
    int width;          /* of the screen; 0: as wide as needed */
    char table[128];    /* name for INSERT */
};

struct layout;

struct format {
    const struct style *style;
    struct writer *out;
    int columns;
    struct backend_column *column; /* names are copies */
    struct arena arena;
    struct layout *layout; /* MODE_TABLE */
    int64_t rows;
    const char *title;
};

const char *mode_name(enum mode m);
bool mode_find(const char *name, enum mode *ret);

/* `title` may be NULL; it must live until format_end. */
void format_begin(struct format *f, const struct style *style, struct writer *out,
                  const char *title, int n, const struct backend_column *columns);
void format_row(struct format *f, const char *const *values, const int *lengths);
/* `complete`: false after an error; closes what is open in any case. */
void format_end(struct format *f, bool complete);

#endif
