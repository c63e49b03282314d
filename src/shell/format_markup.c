/* Modes whose text another program reads as markup or as SQL. */
#include "shell/format.h"
#include "shell/format_priv.h"

static void markdown_text(struct writer *w, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '|') writer_adds(w, "\\|");
        else if (s[i] == '\\') writer_adds(w, "\\\\");
        else if (s[i] == '\n') writer_adds(w, "<br>");
        else if (s[i] == '<') writer_adds(w, "&lt;");
        else if (s[i] != '\r') {
            size_t n = strcspn(s + i, "|\\\n\r<");
            if (n > len - i) n = len - i;
            if (n == 0) n = 1;
            writer_add(w, s + i, n);
            i += n - 1;
        }
    }
}

void format__markdown_begin(struct format *f)
{
    writer_adds(f->out, "|");
    for (int i = 0; i < f->columns; i++) {
        writer_adds(f->out, " ");
        markdown_text(f->out, f->column[i].name, strlen(f->column[i].name));
        writer_adds(f->out, " |");
    }
    writer_adds(f->out, "\n|");
    for (int i = 0; i < f->columns; i++)
        writer_adds(f->out, f->column[i].number ? " ---: |" : " --- |");
    writer_adds(f->out, "\n");
}

void format__markdown_row(struct format *f, const char *const *values, const int *lengths)
{
    writer_adds(f->out, "|");
    for (int i = 0; i < f->columns; i++) {
        writer_adds(f->out, " ");
        if (values[i]) markdown_text(f->out, values[i], (size_t)lengths[i]);
        else writer_adds(f->out, format__null(f, "NULL"));
        writer_adds(f->out, " |");
    }
    writer_adds(f->out, "\n");
}

static void html_text(struct writer *w, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (s[i]) {
        case '<': writer_adds(w, "&lt;"); break;
        case '>': writer_adds(w, "&gt;"); break;
        case '&': writer_adds(w, "&amp;"); break;
        case '"': writer_adds(w, "&quot;"); break;
        case '\n': writer_adds(w, "<br>\n"); break;
        default: {
            size_t n = strcspn(s + i, "<>&\"\n");
            if (n > len - i) n = len - i;
            if (n == 0) n = 1;
            writer_add(w, s + i, n);
            i += n - 1;
        }
        }
    }
}

void format__html_begin(struct format *f)
{
    writer_adds(f->out, "<table>\n");
    if (f->style->tuples_only) return;
    writer_adds(f->out, "  <tr>");
    for (int i = 0; i < f->columns; i++) {
        writer_adds(f->out, "<th>");
        html_text(f->out, f->column[i].name, strlen(f->column[i].name));
        writer_adds(f->out, "</th>");
    }
    writer_adds(f->out, "</tr>\n");
}

void format__html_row(struct format *f, const char *const *values, const int *lengths)
{
    writer_adds(f->out, "  <tr>");
    for (int i = 0; i < f->columns; i++) {
        writer_adds(f->out, f->column[i].number ? "<td align=\"right\">" : "<td>");
        const char *null = format__null(f, "NULL");
        if (values[i]) html_text(f->out, values[i], (size_t)lengths[i]);
        else html_text(f->out, null, strlen(null));
        writer_adds(f->out, "</td>");
    }
    writer_adds(f->out, "</tr>\n");
}

/* Doubles each `quote` and puts one at both ends. */
static void quoted(struct writer *w, char quote, const char *s, size_t len)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    /* A backslash is plain text in '…' unless old settings say otherwise; E'…' is always clear. */
    bool escapes = quote == '\'' && memchr(s, '\\', len);
    if (escapes) strbuf_addc(&b, 'E');
    strbuf_addc(&b, quote);
    for (size_t i = 0; i < len; i++) {
        if (s[i] == quote || (escapes && s[i] == '\\')) strbuf_addc(&b, s[i]);
        strbuf_addc(&b, s[i]);
    }
    strbuf_addc(&b, quote);
    writer_add(w, b.data, b.len);
    strbuf_release(&b);
}

static bool plain_name(const char *s)
{
    if (!(*s == '_' || (*s >= 'a' && *s <= 'z'))) return false;
    return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

void format__insert_row(struct format *f, const char *const *values, const int *lengths)
{
    writer_addf(f->out, "INSERT INTO %s (", f->style->table[0] ? f->style->table : "\"table\"");
    for (int i = 0; i < f->columns; i++) {
        const char *name = f->column[i].name;
        if (i) writer_adds(f->out, ", ");
        if (plain_name(name)) writer_adds(f->out, name);
        else quoted(f->out, '"', name, strlen(name));
    }
    writer_adds(f->out, ") VALUES (");
    for (int i = 0; i < f->columns; i++) {
        const char *v = values[i];
        if (i) writer_adds(f->out, ", ");
        bool digits = v && f->column[i].number && strspn(v, "-0123456789.e+") == (size_t)lengths[i];
        if (!v) writer_adds(f->out, "NULL");
        else if (digits) writer_add(f->out, v, (size_t)lengths[i]);
        else if (f->column[i].truth) writer_adds(f->out, *v == 't' ? "true" : "false");
        else quoted(f->out, '\'', v, (size_t)lengths[i]);
    }
    writer_adds(f->out, ");\n");
}
