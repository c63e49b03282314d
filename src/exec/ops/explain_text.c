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

uint64_t explain__blocks(uint64_t bytes)
{
    enum { BLOCK = 8192 };
    return (bytes + BLOCK - 1) / BLOCK;
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

static void print_pair(struct strbuf *out, const char *title, const char *names[2], uint64_t a,
                       uint64_t b, bool *any)
{
    if (!a && !b) return;
    strbuf_addf(out, "%s %s", *any ? "," : "", title);
    if (a) strbuf_addf(out, " %s=%llu", names[0], (unsigned long long)a);
    if (b) strbuf_addf(out, " %s=%llu", names[1], (unsigned long long)b);
    *any = true;
}

static bool has_buffers(const struct exec_usage *u)
{
    return u->blocks_hit || u->blocks_read || u->temp_read || u->temp_written;
}

static void print_buffers(const struct exec_usage *u, uint32_t columns, struct strbuf *out)
{
    static const char *shared[] = {"hit", "read"}, *temp[] = {"read", "written"};
    bool any = false;
    if (!has_buffers(u)) return;
    indent(out, columns);
    strbuf_adds(out, "Buffers:");
    print_pair(out, "shared", shared, u->blocks_hit, u->blocks_read, &any);
    print_pair(out, "temp", temp, explain__blocks(u->temp_read), explain__blocks(u->temp_written),
               &any);
    strbuf_addc(out, '\n');
}

static void print_usage(const struct explain *x, const struct explain_node *e, uint32_t columns,
                        struct strbuf *out)
{
    if (!x->stats) return;
    const struct exec_usage *u = &x->stats[e->plan->id].usage;
    if (x->options->buffers) print_buffers(u, columns, out);
    if (!x->options->wal || !u->wal_records) return;
    indent(out, columns);
    strbuf_addf(out, "WAL: records=%llu bytes=%llu\n", (unsigned long long)u->wal_records,
                (unsigned long long)u->wal_bytes);
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
    print_usage(x, e, inside, out);
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
    const struct explain_options *o = x->options;
    print_node(x, root, 0, true, out);
    for (uint32_t i = 0; o->settings && i < o->changed_count; i++)
        strbuf_addf(out, "%s%s = '%s'%s", i ? ", " : "Settings: ", o->changed[i].name,
                    o->changed[i].value, i + 1 < o->changed_count ? "" : "\n");
    if (o->buffers && o->planning_us >= 0 && has_buffers(&o->planning)) {
        strbuf_adds(out, "Planning:\n");
        print_buffers(&o->planning, 2, out);
    }
    if (o->summary && o->planning_us >= 0)
        strbuf_addf(out, "Planning Time: %.3f ms\n", (double)o->planning_us / 1000.0);
    if (x->stats && o->summary)
        strbuf_addf(out, "Execution Time: %.3f ms\n", (double)x->run_us / 1000.0);
}
