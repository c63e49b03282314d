/* EXPLAIN, for its own files: explain.c the entry; explain_build.c the tree, explain_node.c the
 * names and explain_describe.c the properties of its nodes; explain_expr.c expressions with the
 * names of slots; explain_text.c and explain_fields.c the two
 * forms, the latter by explain_document.c. The plan becomes a tree of its
 * own first, so that both forms say the same: nodes that PostgreSQL does not have (projection,
 * filter) are folded into what they stand on. */
#ifndef HELIOS_EXEC_OPS_EXPLAIN_PRIV_H
#define HELIOS_EXEC_OPS_EXPLAIN_PRIV_H

#include "base/array.h"
#include "exec/ops/ops_priv.h"

enum explain_form { EXPLAIN_TEXT, EXPLAIN_LIST, EXPLAIN_BARE /* numbers, true, false */ };
enum { EXPLAIN_IN_TEXT = 1, EXPLAIN_IN_JSON = 2, EXPLAIN_IN_BOTH = 3 };

struct explain_prop {
    const char *name;
    enum explain_form form;
    uint8_t where;
    const char *text;
    const char **items; /* LIST */
    uint32_t count;
};

struct explain_node {
    const struct plan_node *plan; /* whose estimates and counts it shows */
    const char *title;            /* text's whole name */
    const char *relationship;     /* JSON: to its parent; NULL for the root */
    const char *label;            /* "SubPlan 1", "CTE x"; NULL */
    uint64_t removed;             /* by the filters folded into it */
    bool parallel;                /* workers divide it */
    bool no_rows;                 /* DML without RETURNING */
    ARRAY(struct explain_prop) heads; /* JSON: before the estimates */
    ARRAY(struct explain_prop) props;
    ARRAY(struct explain_node *) before, children, after; /* init plans; inputs; subplans */
};

/* What an expression's slots mean: columns of `left`, then of `right`. Over `table` slots are its
 * columns first (twice with `excluded`: the second row is EXCLUDED's). */
struct explain_scope {
    const struct plan_node *left, *right;
    const struct plan_node *bottom; /* last of the nodes shown as one; NULL: left is another one */
    const struct table_def *table;
    bool excluded;
};

struct explain_outer {
    const struct expr *expr; /* NULL: not known */
    struct explain_scope scope;
};

struct explain {
    const struct plan *plan;
    const struct explain_options *options;
    const struct exec_session *session;
    struct txn *txn;                 /* NULL: it has ended */
    struct arena *arena;
    const uint64_t *moments;         /* of the run, by number */
    const struct node_stats *stats;  /* by plan_node.id; NULL: not run */
    struct explain_outer *outers;    /* by outer value's number */
    const char **aliases;            /* by plan_node.id: unique; NULL: not a relation */
    const char **cte_names;          /* by plan.ctes' index; NULL: never scanned */
    uint32_t *subplan_numbers;       /* by plan.subplans' index, from 1; 0: not shown yet */
    uint32_t subplan_count, relation_count;
    enum status status;              /* the first error: then nothing more is done */
    int64_t run_us;
};

/* --- explain_expr.c --- */

/* Unique names for the plan's relations. */
void explain__name_relations(struct explain *x);
/* `prefix`: columns with their relations' names. */
void explain__expr(struct explain *x, const struct expr *e, const struct explain_scope *s,
                   bool prefix, struct strbuf *out);
const char *explain__text(struct explain *x, const struct expr *e, const struct explain_scope *s,
                          bool prefix);
/* An aggregate or window call over its node's input. */
void explain__call(struct explain *x, const struct aggregate_call *c, const struct explain_scope *s,
                   bool prefix, struct strbuf *out);
/* The constants as one array constant, as PostgreSQL's planner makes it; NULL when not all are. */
struct expr *explain__constant_array(struct explain *x, struct expr *const *items, uint32_t count);
/* Is it run once and kept, so that it shows as InitPlan? */
bool explain__is_init_plan(const struct subplan *p);
/* Names carry their relations where there is more than one. */
bool explain__prefix(const struct explain *x);

/* --- explain_node.c, explain_describe.c --- */

struct explain_node *explain__node_new(struct explain *x, const struct plan_node *plan);
/* The last of the nodes that are shown as one with `n`. */
const struct plan_node *explain__bottom(const struct plan_node *n);
/* DISTINCT without ON: all columns together are the key. */
bool explain__is_plain_distinct(const struct plan_node *n);
struct explain_scope explain__scope(const struct plan_node *n, const struct plan_node *bottom);
void explain__add(struct explain *x, struct explain_node *e, const char *name, const char *text);
void explain__add_list(struct explain *x, struct explain_node *e, const char *name,
                       const char **items, uint32_t count);
void explain__head(struct explain *x, struct explain_node *e, const char *name, const char *text);
void explain__title(struct explain *x, struct explain_node *e, const struct plan_node *bottom);
/* What is below the node's line. */
void explain__describe(struct explain *x, struct explain_node *e, const struct plan_node *top,
                       const struct plan_node *bottom);
/* explain_columns.c: of a scan. */
void explain__describe_columns(struct explain *x, struct explain_node *e, const struct plan_node *n);
/* The conditions of an index's key range; NULL for none. */
const char *explain__range(struct explain *x, const struct plan_node *n);

/* --- explain_build.c --- */

struct explain_node *explain__build(struct explain *x, const struct plan_node *n);

/* --- explain_document.c: what is written between begin and end is one object --- */

struct explain_doc {
    struct strbuf *out;
    enum explain_format format;
    uint32_t depth;
    bool any;       /* the present group has a member */
    bool same_line; /* YAML: the next member follows a "- " */
};
void explain__begin(struct explain_doc *d, enum explain_format format, struct strbuf *out);
void explain__end(struct explain_doc *d);
/* name NULL: a member of a list. */
void explain__open(struct explain_doc *d, const char *tag, const char *name, bool list);
void explain__close(struct explain_doc *d, const char *tag, bool list);
void explain__field(struct explain_doc *d, const char *name, const char *value, bool bare);
void explain__number(struct explain_doc *d, const char *name, double value, int decimals);
void explain__items(struct explain_doc *d, const char *name, const char *const *items,
                    uint32_t count);

/* --- forms --- */

void explain__print_text(const struct explain *x, const struct explain_node *root,
                         struct strbuf *out);
void explain__print_document(const struct explain *x, const struct explain_node *root,
                             struct strbuf *out);
/* Of PostgreSQL's size, so that its readers of plans are not misled. */
uint64_t explain__blocks(uint64_t bytes);
/* Milliseconds a loop. */
double explain__ms(const struct node_stats *s, bool first);

#endif
