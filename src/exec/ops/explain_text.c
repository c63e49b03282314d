/* EXPLAIN's text form: a line a node, two columns further in and six a level, its properties under
 * it. Init plans and subplans stand under a line of their own. */
#include "exec/ops/explain_priv.h"

enum { LEVEL_COLUMNS = 6, LABEL_COLUMNS = 2 };

static void indent(struct strbuf *out, uint32_t columns)
{
    strbuf_reserve(out, columns);
    for (uint32_t i = 0; i < columns; i++) strbuf_addc(out, ' ');
}

double explain__ms(const struct node_stats *s, bool first)
{
    /* The time to the first row is kept of the first run alone. */
    if (first && s->rows) return (double)s->first_us / 1000.0;
    return s->loops ? (double)s->total_us / 1000.0 / (double)s->loops : 0;
}

static void print_counts(const struct explain *x, const struct explain_node *e, struct strbuf *out)
{
    if (x->options->costs)
        strbuf_addf(out, "  (cost=%.2f..%.2f rows=%.0f width=%u)", e->plan->cost_start,
                    e->plan->cost_total, e->no_rows ? 0.0 : e->plan->rows,
                    e->no_rows ? 0 : e->plan->width);
    if (!x->stats) return;
    const struct node_stats *s = &x->stats[e->plan->id];
    if (!s->loops) {
        strbuf_adds(out, " (never executed)");
        return;
    }
    strbuf_adds(out, " (actual ");
    if (x->options->timing)
        strbuf_addf(out, "time=%.3f..%.3f ", explain__ms(s, true), explain__ms(s, false));
    strbuf_addf(out, "rows=%.0f loops=%llu)", (double)s->rows / (double)s->loops,
                (unsigned long long)s->loops);
}

static void print_props(const struct explain_node *e, uint32_t columns, struct strbuf *out)
{
    for (size_t i = 0; i < e->props.count; i++) {
        const struct explain_prop *p = &e->props.data[i];
        if (!(p->where & EXPLAIN_IN_TEXT)) continue;
        indent(out, columns);
        strbuf_addf(out, "%s: ", p->name);
        if (p->form != EXPLAIN_LIST) strbuf_adds(out, p->text);
        for (uint32_t k = 0; k < p->count; k++) {
            if (k) strbuf_adds(out, ", ");
            strbuf_adds(out, p->items[k]);
        }
        strbuf_addc(out, '\n');
    }
}

/* `columns`: where the node's arrow stands; the root has none. */
static void print_node(const struct explain *x, const struct explain_node *e, uint32_t columns,
                       bool root, struct strbuf *out)
{
    uint32_t inside = root ? 2 : columns + LEVEL_COLUMNS;
    if (!root) {
        indent(out, columns);
        strbuf_adds(out, "->  ");
    }
    strbuf_adds(out, e->title);
    print_counts(x, e, out);
    strbuf_addc(out, '\n');
    print_props(e, inside, out);
    for (size_t i = 0; i < e->before.count; i++) {
        indent(out, inside);
        strbuf_addf(out, "%s\n", e->before.data[i]->label);
        print_node(x, e->before.data[i], inside + LABEL_COLUMNS, false, out);
    }
    for (size_t i = 0; i < e->children.count; i++)
        print_node(x, e->children.data[i], inside, false, out);
    for (size_t i = 0; i < e->after.count; i++) {
        indent(out, inside);
        strbuf_addf(out, "%s\n", e->after.data[i]->label);
        print_node(x, e->after.data[i], inside + LABEL_COLUMNS, false, out);
    }
}

void explain__print_text(const struct explain *x, const struct explain_node *root,
                         struct strbuf *out)
{
    print_node(x, root, 0, true, out);
    if (x->stats && x->options->summary)
        strbuf_addf(out, "Execution Time: %.3f ms\n", (double)x->run_us / 1000.0);
}
