/* EXPLAIN as a document (JSON, YAML, XML): fields in PostgreSQL's order. */
#include "exec/ops/explain_priv.h"

static void print_prop(struct explain_doc *d, const struct explain_prop *p)
{
    if (!(p->where & EXPLAIN_IN_JSON)) return;
    if (p->form == EXPLAIN_LIST) explain__items(d, p->name, p->items, p->count);
    else explain__field(d, p->name, p->text, p->form == EXPLAIN_BARE);
}

static void count(struct explain_doc *d, const char *name, uint64_t n)
{
    explain__number(d, name, (double)n, 0);
}

/* Blocks are never written by who runs a statement, and there are no local buffers. */
static void print_buffers(struct explain_doc *d, const struct exec_usage *u)
{
    count(d, "Shared Hit Blocks", u->blocks_hit);
    count(d, "Shared Read Blocks", u->blocks_read);
    count(d, "Shared Dirtied Blocks", 0);
    count(d, "Shared Written Blocks", 0);
    count(d, "Local Hit Blocks", 0);
    count(d, "Local Read Blocks", 0);
    count(d, "Local Dirtied Blocks", 0);
    count(d, "Local Written Blocks", 0);
    count(d, "Temp Read Blocks", explain__blocks(u->temp_read));
    count(d, "Temp Written Blocks", explain__blocks(u->temp_written));
}

static void print_wal(struct explain_doc *d, const struct exec_usage *u)
{
    count(d, "WAL Records", u->wal_records);
    count(d, "WAL FPI", 0);
    count(d, "WAL Bytes", u->wal_bytes);
}

static void print_counts(struct explain_doc *d, const struct explain *x,
                         const struct explain_node *e)
{
    if (x->options->costs) {
        explain__number(d, "Startup Cost", e->plan->cost_start, 2);
        explain__number(d, "Total Cost", e->plan->cost_total, 2);
        explain__number(d, "Plan Rows", e->no_rows ? 0 : e->plan->rows, 0);
        explain__number(d, "Plan Width", e->no_rows ? 0 : e->plan->width, 0);
    }
    if (!x->stats) return;
    const struct node_stats *s = &x->stats[e->plan->id];
    if (x->options->timing) {
        explain__number(d, "Actual Startup Time", explain__ms(s, true), 3);
        explain__number(d, "Actual Total Time", explain__ms(s, false), 3);
    }
    explain__number(d, "Actual Rows", s->loops ? (double)s->rows / (double)s->loops : 0, 0);
    explain__number(d, "Actual Loops", (double)s->loops, 0);
}

/* The node's type comes first, then its place, then the rest of what names it. */
static void print_heads(struct explain_doc *d, const struct explain_node *e)
{
    size_t early = 1;
    while (early < e->heads.count && (strcmp(e->heads.data[early].name, "Strategy") == 0 ||
                                      strcmp(e->heads.data[early].name, "Partial Mode") == 0 ||
                                      strcmp(e->heads.data[early].name, "Operation") == 0))
        early++;
    for (size_t i = 0; i < early && i < e->heads.count; i++) print_prop(d, &e->heads.data[i]);
    if (e->relationship) explain__field(d, "Parent Relationship", e->relationship, false);
    if (e->label) explain__field(d, "Subplan Name", e->label, false);
    explain__field(d, "Parallel Aware", e->parallel ? "true" : "false", true);
    explain__field(d, "Async Capable", "false", true);
    for (size_t i = early; i < e->heads.count; i++) print_prop(d, &e->heads.data[i]);
}

static void print_node(struct explain_doc *d, const struct explain *x, const struct explain_node *e,
                       const char *name)
{
    explain__open(d, "Plan", name, false);
    print_heads(d, e);
    print_counts(d, x, e);
    for (size_t i = 0; i < e->props.count; i++) print_prop(d, &e->props.data[i]);
    if (x->stats && x->options->buffers) print_buffers(d, &x->stats[e->plan->id].usage);
    if (x->stats && x->options->wal) print_wal(d, &x->stats[e->plan->id].usage);
    if (e->before.count + e->children.count + e->after.count) {
        explain__open(d, "Plans", "Plans", true);
        for (size_t i = 0; i < e->before.count; i++) print_node(d, x, e->before.data[i], NULL);
        for (size_t i = 0; i < e->children.count; i++) print_node(d, x, e->children.data[i], NULL);
        for (size_t i = 0; i < e->after.count; i++) print_node(d, x, e->after.data[i], NULL);
        explain__close(d, "Plans", true);
    }
    explain__close(d, "Plan", false);
}

static void print_settings(struct explain_doc *d, const struct explain_options *o)
{
    if (!o->settings || !o->changed_count) return;
    explain__open(d, "Settings", "Settings", false);
    for (uint32_t i = 0; i < o->changed_count; i++)
        explain__field(d, o->changed[i].name, o->changed[i].value, false);
    explain__close(d, "Settings", false);
}

void explain__print_document(const struct explain *x, const struct explain_node *root,
                             struct strbuf *out)
{
    const struct explain_options *o = x->options;
    struct explain_doc d;
    explain__begin(&d, o->format, out);
    if (o->query_text) explain__field(&d, "Query Text", o->query_text, false);
    print_node(&d, x, root, "Plan");
    print_settings(&d, o);
    if (o->buffers && o->planning_us >= 0) {
        explain__open(&d, "Planning", "Planning", false);
        print_buffers(&d, &o->planning);
        explain__close(&d, "Planning", false);
    }
    if (o->summary && o->planning_us >= 0)
        explain__number(&d, "Planning Time", (double)o->planning_us / 1000.0, 3);
    if (x->stats && o->summary) {
        explain__open(&d, "Triggers", "Triggers", true);
        explain__close(&d, "Triggers", true);
        explain__number(&d, "Execution Time", (double)x->run_us / 1000.0, 3);
    }
    explain__end(&d);
}
