/* EXPLAIN's JSON form: one document, an array of one object, fields in PostgreSQL's order. */
#include "exec/ops/explain_priv.h"

struct json {
    struct strbuf *out;
    uint32_t depth;
    bool first; /* of the present object or array */
};

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

static void line(struct json *j)
{
    strbuf_addc(j->out, '\n');
    for (uint32_t i = 0; i < j->depth; i++) strbuf_adds(j->out, "  ");
}

static void next(struct json *j)
{
    if (!j->first) strbuf_addc(j->out, ',');
    j->first = false;
    line(j);
}

static void name(struct json *j, const char *field)
{
    next(j);
    quoted(j->out, field);
    strbuf_adds(j->out, ": ");
}

static void begin(struct json *j, char bracket)
{
    strbuf_addc(j->out, bracket);
    j->depth++;
    j->first = true;
}

static void end(struct json *j, char bracket)
{
    j->depth--;
    line(j);
    strbuf_addc(j->out, bracket);
    j->first = false;
}

static void text(struct json *j, const char *field, const char *value)
{
    name(j, field);
    quoted(j->out, value);
}

static void number(struct json *j, const char *field, double value, int decimals)
{
    name(j, field);
    strbuf_addf(j->out, "%.*f", decimals, value);
}

static void print_prop(struct json *j, const struct explain_prop *p)
{
    if (!(p->where & EXPLAIN_IN_JSON)) return;
    name(j, p->name);
    if (p->form == EXPLAIN_TEXT) quoted(j->out, p->text);
    if (p->form == EXPLAIN_BARE) strbuf_adds(j->out, p->text);
    if (p->form != EXPLAIN_LIST) return;
    strbuf_addc(j->out, '[');
    for (uint32_t i = 0; i < p->count; i++) {
        if (i) strbuf_adds(j->out, ", ");
        quoted(j->out, p->items[i]);
    }
    strbuf_addc(j->out, ']');
}

static void print_counts(struct json *j, const struct explain *x, const struct explain_node *e)
{
    if (x->options->costs) {
        number(j, "Startup Cost", e->plan->cost_start, 2);
        number(j, "Total Cost", e->plan->cost_total, 2);
        number(j, "Plan Rows", e->no_rows ? 0 : e->plan->rows, 0);
        number(j, "Plan Width", e->no_rows ? 0 : e->plan->width, 0);
    }
    if (!x->stats) return;
    const struct node_stats *s = &x->stats[e->plan->id];
    if (x->options->timing) {
        number(j, "Actual Startup Time", explain__ms(s, true), 3);
        number(j, "Actual Total Time", explain__ms(s, false), 3);
    }
    number(j, "Actual Rows", s->loops ? (double)s->rows / (double)s->loops : 0, 0);
    number(j, "Actual Loops", (double)s->loops, 0);
}

/* The node's type comes first, then its place, then the rest of what names it. */
static void print_heads(struct json *j, const struct explain_node *e)
{
    size_t early = 1;
    while (early < e->heads.count && (strcmp(e->heads.data[early].name, "Strategy") == 0 ||
                                      strcmp(e->heads.data[early].name, "Partial Mode") == 0 ||
                                      strcmp(e->heads.data[early].name, "Operation") == 0))
        early++;
    for (size_t i = 0; i < early && i < e->heads.count; i++) print_prop(j, &e->heads.data[i]);
    if (e->relationship) text(j, "Parent Relationship", e->relationship);
    if (e->label) text(j, "Subplan Name", e->label);
    name(j, "Parallel Aware");
    strbuf_adds(j->out, "false");
    name(j, "Async Capable");
    strbuf_adds(j->out, "false");
    for (size_t i = early; i < e->heads.count; i++) print_prop(j, &e->heads.data[i]);
}

static void print_node(struct json *j, const struct explain *x, const struct explain_node *e)
{
    begin(j, '{');
    print_heads(j, e);
    print_counts(j, x, e);
    for (size_t i = 0; i < e->props.count; i++) print_prop(j, &e->props.data[i]);
    if (e->before.count + e->children.count + e->after.count) {
        name(j, "Plans");
        begin(j, '[');
        for (size_t i = 0; i < e->before.count; i++) next(j), print_node(j, x, e->before.data[i]);
        for (size_t i = 0; i < e->children.count; i++)
            next(j), print_node(j, x, e->children.data[i]);
        for (size_t i = 0; i < e->after.count; i++) next(j), print_node(j, x, e->after.data[i]);
        end(j, ']');
    }
    end(j, '}');
}

void explain__print_json(const struct explain *x, const struct explain_node *root,
                         struct strbuf *out)
{
    struct json j = {.out = out};
    begin(&j, '[');
    next(&j);
    begin(&j, '{');
    name(&j, "Plan");
    print_node(&j, x, root);
    if (x->stats && x->options->summary) {
        name(&j, "Triggers");
        begin(&j, '[');
        end(&j, ']');
        number(&j, "Execution Time", (double)x->run_us / 1000.0, 3);
    }
    end(&j, '}');
    end(&j, ']');
}
