/* Tables. Widths need the rows, so rows are held until the result ends, until `rows_max` are there
 * (the rest is only counted), or until HELD_BYTES_MAX: then the table starts with the widths seen
 * so far and goes on row by row.
 *
 * A table wider than the screen has its widest columns narrowed; their values wrap. Where even that
 * does not fit, records are shown one below the other. */
#include "shell/format.h"
#include "shell/format_priv.h"
#include "shell/width.h"

enum { HELD_BYTES_MAX = 32 << 20, COLUMN_MIN = 8, CELL_LINES_MAX = 24 };

struct held_row {
    struct held_row *next;
    const char **values; /* as they came */
    int *lengths;
};

struct layout {
    struct held_row *first, **last;
    int *widths;
    bool started, records;
    int64_t held;
};

struct lines {
    const char *top[3], *middle[3], *bottom[3], *bar, *rule, *newline, *wrap, *cut;
};

static const struct lines unicode_lines = {
    {"┌", "┬", "┐"}, {"├", "┼", "┤"}, {"└", "┴", "┘"}, "│", "─", "↵", "…", "…"};
static const struct lines ascii_lines = {
    {"+", "+", "+"}, {"+", "+", "+"}, {"+", "+", "+"}, "|", "-", "+", ".", "."};

/* The widest line of the value once it is safe to show. */
static int value_width(struct format *f, const char *s, size_t len)
{
    struct arena_mark mark = arena_mark(&f->arena);
    struct strbuf b;
    strbuf_init(&b, &f->arena);
    strbuf_reserve(&b, len + 1);
    width_escape(&b, slice_make(s, len), "\n");
    int widest = 0;
    for (const char *p = b.data, *end = b.data + b.len; p <= end;) {
        const char *nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        int w = width_text(slice_make(p, (size_t)((nl ? nl : end) - p)));
        if (w > widest) widest = w;
        p = nl ? nl + 1 : end + 1;
    }
    arena_rewind(&f->arena, mark);
    return widest;
}

static void see_width(struct format *f, int column, const char *s, size_t len)
{
    int w = value_width(f, s, len);
    if (w > f->layout->widths[column]) f->layout->widths[column] = w;
}

void layout__begin(struct format *f)
{
    struct layout *l = f->layout = ARENA_NEW(&f->arena, struct layout);
    l->last = &l->first;
    l->widths = ARENA_ARRAY(&f->arena, int, f->columns + 1);
    for (int i = 0; i < f->columns; i++)
        if (!f->style->tuples_only) see_width(f, i, f->column[i].name, strlen(f->column[i].name));
}

/* Narrows the widest columns until all fit, text before numbers. False: it cannot be done. */
static bool fit(struct format *f)
{
    int *w = f->layout->widths, limit = f->style->width;
    if (limit <= 0) return true;
    int64_t total = 1;
    for (int i = 0; i < f->columns; i++) total += w[i] + 3;
    while (total > limit) {
        int widest = -1;
        for (int i = 0; i < f->columns; i++) {
            if (w[i] <= COLUMN_MIN) continue;
            bool better = widest < 0 || (f->column[widest].number && !f->column[i].number) ||
                          (f->column[widest].number == f->column[i].number && w[i] > w[widest]);
            if (better) widest = i;
        }
        if (widest < 0) return false;
        /* As far as the next widest, or as far as needed: not one cell a time. */
        int next = COLUMN_MIN;
        for (int i = 0; i < f->columns; i++)
            if (i != widest && w[i] < w[widest] && w[i] > next) next = w[i];
        int64_t need = total - limit;
        int cut = w[widest] - next;
        if (cut > need) cut = (int)need;
        if (cut < 1) cut = 1;
        w[widest] -= cut;
        total -= cut;
    }
    return true;
}

static void rule(struct format *f, const char *const ends[3])
{
    const struct lines *k = f->style->ascii ? &ascii_lines : &unicode_lines;
    writer_adds(f->out, ends[0]);
    for (int i = 0; i < f->columns; i++) {
        writer_repeat(f->out, k->rule, f->layout->widths[i] + 2);
        writer_adds(f->out, i + 1 < f->columns ? ends[1] : ends[2]);
    }
    if (f->columns == 0) writer_adds(f->out, ends[2]);
    writer_adds(f->out, "\n");
}

enum alignment { ALIGN_LEFT, ALIGN_RIGHT, ALIGN_CENTER };

/* Writes the next piece of a value; *text is what is left. */
static void cell(struct format *f, struct slice *text, int width, enum alignment align, bool last)
{
    const struct lines *k = f->style->ascii ? &ascii_lines : &unicode_lines;
    const char *nl = text->len ? memchr(text->data, '\n', text->len) : NULL;
    size_t line = nl ? (size_t)(nl - text->data) : text->len;
    int used = 0;
    size_t n = line ? width_fit(slice_make(text->data, line), width, &used) : 0;
    const char *mark = n < line ? k->wrap : nl ? k->newline : " ";
    if (last && (n < line || nl)) mark = k->cut;
    int pad = width - used > 0 ? width - used : 0;
    int left = align == ALIGN_RIGHT ? pad : align == ALIGN_CENTER ? pad / 2 : 0;
    writer_repeat(f->out, " ", left + 1);
    if (n) writer_add(f->out, text->data, n);
    writer_repeat(f->out, " ", pad - left);
    writer_adds(f->out, mark);
    if (n == line && nl) n++;
    *text = slice_make(text->data + n, text->len - n);
}

static void row(struct format *f, const char *const *values, const int *lengths, bool head)
{
    const struct lines *k = f->style->ascii ? &ascii_lines : &unicode_lines;
    struct arena_mark mark = arena_mark(&f->arena);
    struct slice *text = ARENA_ARRAY(&f->arena, struct slice, f->columns + 1);
    for (int i = 0; i < f->columns; i++) {
        const char *null = format__null(f, "NULL");
        struct slice raw = values[i] ? slice_make(values[i], (size_t)lengths[i]) : slice_of(null);
        struct strbuf b;
        strbuf_init(&b, &f->arena);
        strbuf_reserve(&b, raw.len + 1);
        width_escape(&b, raw, "\n");
        text[i] = strbuf_slice(&b);
    }
    bool more = true, whole = f->columns == 1 || f->style->width <= 0;
    for (int line = 0; more; line++) {
        bool last = !whole && line + 1 == CELL_LINES_MAX;
        more = false;
        writer_adds(f->out, k->bar);
        for (int i = 0; i < f->columns; i++) {
            bool number = f->column[i].number;
            cell(f, &text[i], f->layout->widths[i],
                 head ? ALIGN_CENTER : number ? ALIGN_RIGHT : ALIGN_LEFT, last);
            writer_adds(f->out, k->bar);
            if (text[i].len && !last) more = true;
        }
        writer_adds(f->out, "\n");
    }
    arena_rewind(&f->arena, mark);
}

static void start(struct format *f)
{
    const struct lines *k = f->style->ascii ? &ascii_lines : &unicode_lines;
    struct layout *l = f->layout;
    l->started = true;
    if (f->title && !f->style->tuples_only) writer_addf(f->out, "%s\n", f->title);
    l->records = !fit(f);
    int64_t all = f->rows;
    if (l->records) {
        f->rows = 0;
    } else {
        rule(f, k->top);
        if (!f->style->tuples_only && f->columns > 0) {
            const char **names = ARENA_ARRAY(&f->arena, const char *, f->columns + 1);
            int *lengths = ARENA_ARRAY(&f->arena, int, f->columns + 1);
            for (int i = 0; i < f->columns; i++) {
                names[i] = f->column[i].name;
                lengths[i] = (int)strlen(names[i]);
            }
            row(f, names, lengths, true);
            rule(f, k->middle);
        }
    }
    for (struct held_row *r = l->first; r; r = r->next) {
        if (l->records) format__line_row(f, r->values, r->lengths), f->rows++;
        else row(f, r->values, r->lengths, false);
    }
    f->rows = all;
}

void layout__row(struct format *f, const char *const *values, const int *lengths)
{
    struct layout *l = f->layout;
    if (l->started) {
        if (l->records) format__line_row(f, values, lengths);
        else row(f, values, lengths, false);
        return;
    }
    if (f->style->rows_max > 0 && f->rows >= f->style->rows_max) return;
    struct held_row *r = ARENA_NEW(&f->arena, struct held_row);
    r->values = ARENA_ARRAY(&f->arena, const char *, f->columns + 1);
    r->lengths = ARENA_ARRAY(&f->arena, int, f->columns + 1);
    const char *null = format__null(f, "NULL");
    for (int i = 0; i < f->columns; i++) {
        const char *v = values[i] ? values[i] : null;
        size_t len = values[i] ? (size_t)lengths[i] : strlen(null);
        see_width(f, i, v, len);
        r->lengths[i] = (int)len;
        if (values[i]) r->values[i] = arena_strndup(&f->arena, values[i], len);
    }
    *l->last = r;
    l->last = &r->next;
    l->held++;
    if (f->style->rows_max == 0 && arena_bytes(&f->arena) > HELD_BYTES_MAX) {
        f->rows++; /* start() numbers what is held, this one too */
        start(f);
        f->rows--;
    }
}

void layout__end(struct format *f, bool complete)
{
    const struct lines *k = f->style->ascii ? &ascii_lines : &unicode_lines;
    struct layout *l = f->layout;
    bool cut = !l->started && l->held < f->rows;
    if (!l->started) start(f);
    if (!l->records) rule(f, k->bottom);
    if (f->style->tuples_only || !complete) return;
    if (cut)
        writer_addf(f->out, "(%lld of %lld rows shown; \\pset maxrows 0 shows all)\n",
                    (long long)l->held, (long long)f->rows);
    else
        writer_addf(f->out, f->rows == 1 ? "(%lld row)\n" : "(%lld rows)\n", (long long)f->rows);
}
