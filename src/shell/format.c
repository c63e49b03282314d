/* The modes that write a row as it comes. Tables, which must look ahead, are in layout.c. */
#include "shell/format.h"

#include "shell/format_priv.h"
#include "shell/width.h"

static const char *const mode_names[MODE_COUNT] = {
    "table", "line", "csv", "tsv", "json", "jsonlines", "markdown", "html", "insert", "unaligned"};

const char *mode_name(enum mode m) { return mode_names[m]; }

bool mode_find(const char *name, enum mode *ret)
{
    /* What other shells call them. */
    static const struct {
        const char *name;
        enum mode mode;
    } aliases[] = {{"box", MODE_TABLE},       {"duckbox", MODE_TABLE},   {"aligned", MODE_TABLE},
                   {"column", MODE_TABLE},    {"tabs", MODE_TSV},        {"expanded", MODE_LINE},
                   {"vertical", MODE_LINE},   {"ndjson", MODE_JSONLINES}, {"jsonl", MODE_JSONLINES},
                   {"md", MODE_MARKDOWN},     {"list", MODE_UNALIGNED}};
    for (int i = 0; i < MODE_COUNT; i++)
        if (str_eq_nocase(name, mode_names[i])) return *ret = (enum mode)i, true;
    for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
        if (str_eq_nocase(name, aliases[i].name)) return *ret = aliases[i].mode, true;
    return false;
}

const char *format__null(const struct format *f, const char *otherwise)
{
    return f->style->null_set ? f->style->null : otherwise;
}

void format__json_string(struct writer *w, const char *s, size_t len)
{
    writer_add(w, "\"", 1);
    for (size_t i = 0, n; i < len; i += n) {
        int32_t c = width_decode(slice_make(s + i, len - i), &n);
        switch (c) {
        case -1:
            writer_adds(w, "\xEF\xBF\xBD");
            break; /* JSON is UTF-8: the replacement character */
        case '"': writer_adds(w, "\\\""); break;
        case '\\': writer_adds(w, "\\\\"); break;
        case '\n': writer_adds(w, "\\n"); break;
        case '\r': writer_adds(w, "\\r"); break;
        case '\t': writer_adds(w, "\\t"); break;
        default:
            if (c >= 0 && c <= 0xFFFF && width_char(c) < 0) writer_addf(w, "\\u%04x", (unsigned)c);
            else writer_add(w, s + i, n);
        }
    }
    writer_add(w, "\"", 1);
}

/* NaN and Infinity are numbers to SQL only. */
static bool json_number(const char *s)
{
    return (*s >= '0' && *s <= '9') || (*s == '-' && s[1] >= '0' && s[1] <= '9');
}

static void json_row(struct format *f, const char *const *values, const int *lengths)
{
    bool lines = f->style->mode == MODE_JSONLINES;
    struct writer *w = f->out;
    if (!lines) writer_adds(w, f->rows ? ",\n " : "");
    writer_adds(w, "{");
    for (int i = 0; i < f->columns; i++) {
        const struct backend_column *c = &f->column[i];
        const char *v = values[i];
        if (i) writer_adds(w, lines ? "," : ", ");
        format__json_string(w, c->name, strlen(c->name));
        writer_adds(w, lines ? ":" : ": ");
        if (!v) writer_adds(w, "null");
        else if (c->truth) writer_adds(w, *v == 't' ? "true" : "false");
        else if ((c->number && json_number(v)) || c->json) writer_add(w, v, (size_t)lengths[i]);
        else format__json_string(w, v, (size_t)lengths[i]);
    }
    writer_adds(w, lines ? "}\n" : "}");
}

static void csv_field(struct format *f, const char *s, size_t len)
{
    const char *sep = f->style->separator[0] ? f->style->separator : ",";
    bool quote = memchr(s, '"', len) || memchr(s, '\n', len) || memchr(s, '\r', len) ||
                 memmem(s, len, sep, strlen(sep)) || (len == 2 && memcmp(s, "\\.", 2) == 0);
    if (!quote) {
        writer_add(f->out, s, len);
        return;
    }
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_addc(&b, '"');
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"') strbuf_addc(&b, '"');
        strbuf_addc(&b, s[i]);
    }
    strbuf_addc(&b, '"');
    writer_add(f->out, b.data, b.len);
    strbuf_release(&b);
}

static void csv_row(struct format *f, const char *const *values, const int *lengths)
{
    for (int i = 0; i < f->columns; i++) {
        if (i) writer_adds(f->out, f->style->separator[0] ? f->style->separator : ",");
        if (!values[i]) writer_adds(f->out, format__null(f, ""));
        else csv_field(f, values[i], lengths ? (size_t)lengths[i] : strlen(values[i]));
    }
    writer_adds(f->out, "\n");
}

/* Tabs, line ends and backslashes as \t, \n, \r and \\, as COPY's text form has them. */
static void tsv_row(struct format *f, const char *const *values, const int *lengths)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    for (int i = 0; i < f->columns; i++) {
        const char *v = values[i];
        if (i) strbuf_addc(&b, '\t');
        if (!v) strbuf_adds(&b, format__null(f, ""));
        size_t len = !v ? 0 : lengths ? (size_t)lengths[i] : strlen(v);
        for (size_t k = 0; k < len; k++) {
            if (v[k] == '\t') strbuf_adds(&b, "\\t");
            else if (v[k] == '\n') strbuf_adds(&b, "\\n");
            else if (v[k] == '\r') strbuf_adds(&b, "\\r");
            else if (v[k] == '\\') strbuf_adds(&b, "\\\\");
            else strbuf_addc(&b, v[k]);
        }
    }
    strbuf_addc(&b, '\n');
    writer_add(f->out, b.data, b.len);
    strbuf_release(&b);
}

static void unaligned_row(struct format *f, const char *const *values, const int *lengths)
{
    for (int i = 0; i < f->columns; i++) {
        if (i) writer_adds(f->out, f->style->separator[0] ? f->style->separator : "|");
        if (!values[i]) writer_adds(f->out, format__null(f, ""));
        else writer_add(f->out, values[i], lengths ? (size_t)lengths[i] : strlen(values[i]));
    }
    writer_adds(f->out, "\n");
}

/* A value over several lines goes on under its first one. */
static void line_value(struct format *f, int indent, const char *v, size_t len)
{
    const char *end = v + len, *nl;
    while ((nl = memchr(v, '\n', (size_t)(end - v))) != NULL) {
        writer_add(f->out, v, (size_t)(nl - v) + 1);
        writer_repeat(f->out, " ", indent);
        v = nl + 1;
    }
    writer_add(f->out, v, (size_t)(end - v));
    writer_adds(f->out, "\n");
}

void format__line_row(struct format *f, const char *const *values, const int *lengths)
{
    int widest = 0;
    for (int i = 0; i < f->columns; i++) {
        int w = width_text(slice_of(f->column[i].name));
        if (w > widest) widest = w;
    }
    if (!f->style->tuples_only) {
        struct strbuf head;
        strbuf_init(&head, NULL);
        strbuf_addf(&head, f->style->ascii ? "-[ record %lld ]" : "─[ record %lld ]",
                    (long long)f->rows + 1);
        int cells = width_text(strbuf_slice(&head));
        writer_add(f->out, head.data, head.len);
        writer_repeat(f->out, f->style->ascii ? "-" : "─", widest + 12 - cells);
        writer_adds(f->out, "\n");
        strbuf_release(&head);
    } else if (f->rows) {
        writer_adds(f->out, "\n");
    }
    for (int i = 0; i < f->columns; i++) {
        const char *name = f->column[i].name;
        writer_adds(f->out, name);
        writer_repeat(f->out, " ", widest - width_text(slice_of(name)));
        writer_adds(f->out, f->style->ascii ? " | " : " │ ");
        if (values[i]) line_value(f, widest + 3, values[i], (size_t)lengths[i]);
        else writer_addf(f->out, "%s\n", format__null(f, "NULL"));
    }
}

static void names_row(struct format *f)
{
    const char **names = ARENA_ARRAY(&f->arena, const char *, f->columns + 1);
    for (int i = 0; i < f->columns; i++) names[i] = f->column[i].name;
    if (f->style->mode == MODE_CSV) csv_row(f, names, NULL);
    else if (f->style->mode == MODE_TSV) tsv_row(f, names, NULL);
    else unaligned_row(f, names, NULL);
}

void format_begin(struct format *f, const struct style *style, struct writer *out,
                  const char *title, int n, const struct backend_column *columns)
{
    *f = (struct format){.style = style, .out = out, .columns = n, .title = title};
    arena_init(&f->arena, MEM_SESSION);
    f->column = ARENA_ARRAY(&f->arena, struct backend_column, n + 1);
    for (int i = 0; i < n; i++) {
        struct strbuf name;
        strbuf_init(&name, &f->arena);
        strbuf_reserve(&name, 1);
        if (out->screen) width_escape(&name, slice_of(columns[i].name), "");
        else strbuf_adds(&name, columns[i].name);
        f->column[i] = columns[i];
        f->column[i].name = name.data;
    }
    bool heads = !style->tuples_only;
    switch (style->mode) {
    case MODE_TABLE: layout__begin(f); break;
    case MODE_CSV:
    case MODE_TSV:
    case MODE_UNALIGNED:
        if (heads) names_row(f);
        break;
    case MODE_JSON: writer_adds(out, "["); break;
    case MODE_MARKDOWN: format__markdown_begin(f); break;
    case MODE_HTML: format__html_begin(f); break;
    case MODE_LINE:
        if (heads && title) writer_addf(out, "%s\n", title);
        break;
    default: break;
    }
}

void format_row(struct format *f, const char *const *values, const int *lengths)
{
    switch (f->style->mode) {
    case MODE_TABLE: layout__row(f, values, lengths); break;
    case MODE_LINE: format__line_row(f, values, lengths); break;
    case MODE_CSV: csv_row(f, values, lengths); break;
    case MODE_TSV: tsv_row(f, values, lengths); break;
    case MODE_JSON:
    case MODE_JSONLINES: json_row(f, values, lengths); break;
    case MODE_MARKDOWN: format__markdown_row(f, values, lengths); break;
    case MODE_HTML: format__html_row(f, values, lengths); break;
    case MODE_INSERT: format__insert_row(f, values, lengths); break;
    case MODE_UNALIGNED: unaligned_row(f, values, lengths); break;
    case MODE_COUNT: break;
    }
    f->rows++;
}

void format_end(struct format *f, bool complete)
{
    long long n = f->rows;
    bool counted = !f->style->tuples_only && complete;
    switch (f->style->mode) {
    case MODE_TABLE: layout__end(f, complete); break;
    case MODE_JSON: writer_adds(f->out, "]\n"); break;
    case MODE_HTML: writer_adds(f->out, "</table>\n"); break;
    case MODE_LINE:
        if (counted && n == 0) writer_adds(f->out, "(0 rows)\n");
        break;
    case MODE_UNALIGNED:
        if (counted) writer_addf(f->out, n == 1 ? "(%lld row)\n" : "(%lld rows)\n", n);
        break;
    default: break;
    }
    arena_release(&f->arena);
}
