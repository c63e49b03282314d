/* Documents of EXPLAIN in JSON, YAML and XML: groups, lists and fields, each as PostgreSQL writes it.
 *
 * A group is an object or a list with a name (in XML: a tag) or without, as a member of a list. The
 * three differ in what parts two members: JSON's comma, YAML's "- ", which stands on the line of a
 * member's first field, XML's closing tag. */
#include <stdio.h>

#include "exec/ops/explain_priv.h"

enum { INDENT_COLUMNS = 2 };

static void indent(struct explain_doc *d, uint32_t depth)
{
    strbuf_reserve(d->out, (size_t)depth * INDENT_COLUMNS);
    for (uint32_t i = 0; i < depth * INDENT_COLUMNS; i++) strbuf_addc(d->out, ' ');
}

static void quoted(struct strbuf *out, const char *s)
{
    strbuf_addc(out, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        switch (c) {
        case '"': strbuf_adds(out, "\\\""); break;
        case '\\': strbuf_adds(out, "\\\\"); break;
        case '\n': strbuf_adds(out, "\\n"); break;
        case '\r': strbuf_adds(out, "\\r"); break;
        case '\t': strbuf_adds(out, "\\t"); break;
        case '\b': strbuf_adds(out, "\\b"); break;
        case '\f': strbuf_adds(out, "\\f"); break;
        default:
            if (c < 0x20) strbuf_addf(out, "\\u%04x", c);
            else strbuf_addc(out, (char)c);
        }
    }
    strbuf_addc(out, '"');
}

static void xml_text(struct strbuf *out, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '&': strbuf_adds(out, "&amp;"); break;
        case '<': strbuf_adds(out, "&lt;"); break;
        case '>': strbuf_adds(out, "&gt;"); break;
        case '"': strbuf_adds(out, "&quot;"); break;
        case '\r': strbuf_adds(out, "&#x0d;"); break;
        default: strbuf_addc(out, *s);
        }
    }
}

static void xml_tag(struct explain_doc *d, const char *open, const char *name, const char *close)
{
    strbuf_adds(d->out, open);
    for (; *name; name++) {
        bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                     (*name >= '0' && *name <= '9') || strchr("-_.", *name);
        strbuf_addc(d->out, plain ? *name : '-');
    }
    strbuf_adds(d->out, close);
}

/* Before a member of the present group. */
static void begin_member(struct explain_doc *d)
{
    switch (d->format) {
    case EXPLAIN_FORMAT_JSON:
        if (d->any) strbuf_addc(d->out, ',');
        strbuf_addc(d->out, '\n');
        indent(d, d->depth);
        break;
    case EXPLAIN_FORMAT_YAML:
        if (d->same_line) break;
        strbuf_addc(d->out, '\n');
        indent(d, d->depth);
        break;
    default: indent(d, d->depth);
    }
    d->any = true;
    d->same_line = false;
}

static void label(struct explain_doc *d, const char *name)
{
    if (!name) {
        if (d->format == EXPLAIN_FORMAT_YAML) strbuf_adds(d->out, "- ");
        return;
    }
    if (d->format == EXPLAIN_FORMAT_JSON) quoted(d->out, name);
    else strbuf_adds(d->out, name);
    strbuf_adds(d->out, ": ");
}

void explain__open(struct explain_doc *d, const char *tag, const char *name, bool list)
{
    begin_member(d);
    if (d->format == EXPLAIN_FORMAT_XML) xml_tag(d, "<", tag, ">\n");
    else label(d, name);
    if (d->format == EXPLAIN_FORMAT_JSON) strbuf_addc(d->out, list ? '[' : '{');
    d->depth++;
    d->any = false;
    d->same_line = d->format == EXPLAIN_FORMAT_YAML && !name;
}

void explain__close(struct explain_doc *d, const char *tag, bool list)
{
    d->depth--;
    if (d->format == EXPLAIN_FORMAT_JSON) {
        strbuf_addc(d->out, '\n');
        indent(d, d->depth);
        strbuf_addc(d->out, list ? ']' : '}');
    } else if (d->format == EXPLAIN_FORMAT_XML) {
        indent(d, d->depth);
        xml_tag(d, "</", tag, ">\n");
    }
    d->any = true;
    d->same_line = false;
}

void explain__field(struct explain_doc *d, const char *name, const char *value, bool bare)
{
    begin_member(d);
    if (d->format == EXPLAIN_FORMAT_XML) {
        xml_tag(d, "<", name, ">");
        xml_text(d->out, value);
        xml_tag(d, "</", name, ">\n");
        return;
    }
    label(d, name);
    if (bare) strbuf_adds(d->out, value);
    else quoted(d->out, value);
}

void explain__number(struct explain_doc *d, const char *name, double value, int decimals)
{
    char text[400];
    (void)snprintf(text, sizeof text, "%.*f", decimals, value);
    explain__field(d, name, text, true);
}

void explain__items(struct explain_doc *d, const char *name, const char *const *items,
                    uint32_t count)
{
    if (d->format == EXPLAIN_FORMAT_JSON) {
        begin_member(d);
        label(d, name);
        for (uint32_t i = 0; i < count; i++) {
            strbuf_adds(d->out, i ? ", " : "[");
            quoted(d->out, items[i]);
        }
        strbuf_adds(d->out, count ? "]" : "[]");
        return;
    }
    explain__open(d, name, name, true);
    for (uint32_t i = 0; i < count; i++) {
        begin_member(d);
        if (d->format == EXPLAIN_FORMAT_XML) {
            strbuf_adds(d->out, "<Item>");
            xml_text(d->out, items[i]);
            strbuf_adds(d->out, "</Item>\n");
        } else {
            strbuf_adds(d->out, "- ");
            quoted(d->out, items[i]);
        }
    }
    explain__close(d, name, true);
}

void explain__begin(struct explain_doc *d, enum explain_format format, struct strbuf *out)
{
    *d = (struct explain_doc){.out = out, .format = format, .same_line = true};
    if (format == EXPLAIN_FORMAT_JSON) strbuf_addc(out, '[');
    if (format == EXPLAIN_FORMAT_XML)
        strbuf_adds(out, "<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n");
    if (format != EXPLAIN_FORMAT_YAML) d->depth = 1;
    explain__open(d, "Query", NULL, false);
}

void explain__end(struct explain_doc *d)
{
    explain__close(d, "Query", false);
    if (d->format == EXPLAIN_FORMAT_JSON) strbuf_adds(d->out, "\n]");
    if (d->format == EXPLAIN_FORMAT_XML) strbuf_adds(d->out, "</explain>");
}
