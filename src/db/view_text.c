/* A view's query as PostgreSQL lays it out: its text is bound and printed anew, so that every name
 * is told in full. Printed are selects over tables and joins, and unions of them; for the rest
 * there is the text as it was written. */
#include "db/system_priv.h"

struct view_text {
    struct session *s;
    struct arena *a;
    struct strbuf *out;
    bool pretty;
};

enum { JOIN_DEPTH_MAX = 100 };

/* The table or view that the relation is a name of; NULL. */
static const struct table_def *named(const struct relation *r)
{
    return r->kind == REL_TABLE ? r->table : r->kind == REL_SUBQUERY ? r->view : NULL;
}

/* --- what is printed ------------------------------------------------------------------------- */

static bool is_printable_expr(void *ctx, const struct expr *e)
{
    if (e->kind == EXPR_SUBQUERY || e->kind == EXPR_WINDOW || e->kind == EXPR_GROUPING)
        return false;
    return expr_walk(e, is_printable_expr, ctx);
}

static bool is_printable_from(const struct from_item *f, int depth)
{
    if (f->kind == FROM_RELATION) return true;
    if (f->relation != UINT32_MAX || depth == JOIN_DEPTH_MAX || f->join > JOIN_RIGHT) return false;
    if (f->condition && !is_printable_expr(NULL, f->condition)) return false;
    return is_printable_from(f->left, depth + 1) && is_printable_from(f->right, depth + 1);
}

static bool is_plain(const struct query *q)
{
    return q->command == CMD_SELECT && !q->cte_count && !q->window_count && !q->has_windows &&
           !q->grouping_set_count && !q->locking_count && !q->limit_with_ties;
}

static bool is_printable(const struct query *q)
{
    if (!is_plain(q) || q->set_op != SETOP_NONE) return false;
    for (uint32_t i = 0; i < q->relation_count; i++)
        if (!named(q->relations[i])) return false;
    for (uint32_t i = 0; i < q->from_count; i++)
        if (!is_printable_from(q->from[i], 0)) return false;
    for (uint32_t i = 0; i < q->target_count; i++)
        if (!is_printable_expr(NULL, q->targets[i].expr)) return false;
    for (uint32_t i = 0; i < q->group_count; i++)
        if (!is_printable_expr(NULL, q->group_by[i])) return false;
    if (q->where && !is_printable_expr(NULL, q->where)) return false;
    return !q->having || is_printable_expr(NULL, q->having);
}

/* Unions lean to the left: (a UNION b) UNION c. */
static bool is_printable_union(const struct query *q, int depth)
{
    if (q->set_op == SETOP_NONE) return is_printable(q) && !q->order_count && !q->limit;
    if (!is_plain(q) || q->order_count || q->limit || q->offset || depth == JOIN_DEPTH_MAX)
        return false;
    if (q->right->set_op != SETOP_NONE || !is_printable_union(q->right, depth + 1)) return false;
    if (q->left->set_op != SETOP_NONE &&
        (q->left->set_op != q->set_op || q->left->set_all != q->set_all))
        return false;
    return is_printable_union(q->left, depth + 1);
}

/* --- expressions ----------------------------------------------------------------------------- */

static const char *text_of(struct view_text *v, const struct query *q, const struct expr *e, bool key)
{
    struct strbuf b;
    struct deparse_options o = {DEPARSE_DISPLAY, true, v->s->catalog, session__path(v->s)};
    strbuf_init(&b, v->a);
    strbuf_reserve(&b, 16);
    if (key) expr_deparse_key(e, q, &o, &b);
    else expr_deparse(e, q, &o, &b);
    return v->pretty ? sys_pretty(v->a, b.data) : b.data;
}

/* In GROUP BY and ORDER BY all but columns stand in brackets. */
static void print_key(struct view_text *v, const struct query *q, const struct expr *e)
{
    const char *text = text_of(v, q, e, e->kind == EXPR_CONST);
    bool bracket = e->kind != EXPR_COLUMN && e->kind != EXPR_CONST && text[0] != '(';
    strbuf_addf(v->out, bracket ? "(%s)" : "%s", text);
}

/* A count of rows is bigint, which goes without saying. */
static void print_count(struct view_text *v, const struct query *q, const char *word,
                        const struct expr *e)
{
    if (!e) return;
    if (e->kind == EXPR_CAST && !e->cast.is_explicit) e = e->args[0];
    if (e->kind == EXPR_CONST && !e->constant.null && e->type == TYPE_INT8)
        strbuf_addf(v->out, "\n %s %lld", word, (long long)e->constant.v.i64);
    else
        strbuf_addf(v->out, "\n %s %s", word, text_of(v, q, e, false));
}

/* A CASE begins on its own line; its lines stand further in than the targets. */
static void print_target(struct view_text *v, const char *text)
{
    bool quoted = false;
    if (text[0] != '\n') {
        strbuf_adds(v->out, text);
        return;
    }
    while (v->out->len && v->out->data[v->out->len - 1] == ' ') v->out->len--;
    for (; *text; text++) {
        if (*text == '\'') quoted = !quoted;
        strbuf_addc(v->out, *text);
        if (*text == '\n' && !quoted) strbuf_adds(v->out, "        ");
    }
}

/* --- clauses --------------------------------------------------------------------------------- */

static void print_targets(struct view_text *v, const struct query *q, const struct table_def *view)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->target_count; i++) {
        const struct target *t = &q->targets[i];
        if (t->junk) continue;
        const char *name = view && n < view->column_count ? view->columns[n].name : t->name;
        const char *own = NULL;
        const struct expr *e = t->expr;
        while (e->kind == EXPR_CAST && !e->cast.is_explicit) e = e->args[0]; /* a union's */
        if (e->kind == EXPR_COLUMN && e->column.levels_up == 0)
            own = q->relations[e->column.relation]->columns[e->column.column].name;
        if (n++) strbuf_adds(v->out, ",\n    ");
        print_target(v, text_of(v, q, t->expr, false));
        if (own ? strcmp(own, name) != 0 : strcmp(name, "?column?") != 0)
            strbuf_addf(v->out, " AS %s", sys_quote(v->a, name));
    }
}

static void print_from_item(struct view_text *v, const struct query *q, const struct from_item *f)
{
    static const char *const words[] = {
        [JOIN_INNER] = "JOIN", [JOIN_LEFT] = "LEFT JOIN", [JOIN_FULL] = "FULL JOIN",
        [JOIN_RIGHT] = "RIGHT JOIN"};
    if (f->kind == FROM_RELATION) {
        const struct relation *r = q->relations[f->relation];
        strbuf_adds(v->out, sys_relation_name(v->s, named(r), false, v->a));
        if (r->alias && strcmp(r->alias, named(r)->name) != 0)
            strbuf_addf(v->out, " %s", sys_quote(v->a, r->alias));
        return;
    }
    bool cross = !f->condition && f->join == JOIN_INNER;
    bool right = v->pretty && f->right->kind != FROM_RELATION;
    if (!v->pretty) strbuf_addc(v->out, '(');
    print_from_item(v, q, f->left);
    strbuf_addf(v->out, "\n     %s ", cross ? "CROSS JOIN" : words[f->join]);
    if (right) strbuf_addc(v->out, '(');
    print_from_item(v, q, f->right);
    if (right) strbuf_addc(v->out, ')');
    if (f->condition)
        strbuf_addf(v->out, v->pretty ? " ON %s" : " ON (%s)", text_of(v, q, f->condition, false));
    if (!v->pretty) strbuf_addc(v->out, ')');
}

static void print_distinct(struct view_text *v, const struct query *q)
{
    if (!q->distinct) return;
    strbuf_adds(v->out, " DISTINCT");
    if (!q->distinct_on_count) return;
    strbuf_adds(v->out, " ON (");
    for (uint32_t i = 0; i < q->distinct_on_count; i++) {
        if (i) strbuf_adds(v->out, ", ");
        print_key(v, q, q->targets[q->distinct_on[i]].expr);
    }
    strbuf_addc(v->out, ')');
}

static void print_order(struct view_text *v, const struct query *q)
{
    for (uint32_t i = 0; i < q->order_count; i++) {
        bool down = q->order_by[i].descending, first = q->order_by[i].nulls_first;
        strbuf_adds(v->out, i ? ", " : "\n  ORDER BY ");
        print_key(v, q, q->targets[q->order_by[i].target].expr);
        if (down) strbuf_adds(v->out, first ? " DESC" : " DESC NULLS LAST");
        else if (first) strbuf_adds(v->out, " NULLS FIRST");
    }
}

static void print_select(struct view_text *v, const struct query *q, const struct table_def *view)
{
    strbuf_adds(v->out, " SELECT");
    print_distinct(v, q);
    strbuf_addc(v->out, ' ');
    print_targets(v, q, view);
    for (uint32_t i = 0; i < q->from_count; i++) {
        strbuf_adds(v->out, i ? ",\n    " : "\n   FROM ");
        print_from_item(v, q, q->from[i]);
    }
    if (q->where) strbuf_addf(v->out, "\n  WHERE %s", text_of(v, q, q->where, false));
    for (uint32_t i = 0; i < q->group_count; i++) {
        strbuf_adds(v->out, i ? ", " : "\n  GROUP BY ");
        print_key(v, q, q->group_by[i]);
    }
    if (q->having) strbuf_addf(v->out, "\n HAVING %s", text_of(v, q, q->having, false));
    print_order(v, q);
    print_count(v, q, "OFFSET", q->offset);
    print_count(v, q, "LIMIT", q->limit);
}

static void print_query(struct view_text *v, const struct query *q, const struct table_def *view)
{
    static const char *const words[] = {
        [SETOP_UNION] = "UNION", [SETOP_INTERSECT] = "INTERSECT", [SETOP_EXCEPT] = "EXCEPT"};
    if (q->set_op == SETOP_NONE) {
        print_select(v, q, view);
        return;
    }
    print_query(v, q->left, view);
    strbuf_addf(v->out, "\n%s%s\n", words[q->set_op], q->set_all ? " ALL" : "");
    print_query(v, q->right, view); /* named as the left side is */
}

/* Columns by the names that the tables give them, not by those of a list of aliases, which is not
 * printed. */
static void use_own_names(struct query *q)
{
    for (; q->set_op != SETOP_NONE; q = q->left) use_own_names(q->right);
    for (uint32_t i = 0; i < q->relation_count; i++) {
        struct relation *r = q->relations[i];
        for (uint32_t k = 0; k < r->column_count; k++)
            if (r->kind == REL_SUBQUERY && k < r->view->column_count)
                r->columns[k].name = r->view->columns[k].name;
            else if (r->columns[k].attnum > 0)
                r->columns[k].name = r->table->columns[r->columns[k].attnum - 1].name;
    }
}

enum status sys_view_text(struct session *s, const struct table_def *view, bool pretty,
                          struct arena *a, const char **ret)
{
    struct bind_env env;
    struct ast *ast;
    struct query *q;
    struct strbuf b;
    *ret = NULL;
    session__bind_env(s, &env, a, slice_of(view->view_sql));
    TRY(env.parse_view(a, view->view_sql, &ast));
    TRY(bind_statement(&env, ast, &q));
    if (!(q->set_op == SETOP_NONE ? is_printable(q) : is_printable_union(q, 0))) return OK;
    use_own_names(q);
    strbuf_init(&b, a);
    struct view_text v = {s, a, &b, pretty};
    print_query(&v, q, view);
    strbuf_addc(&b, ';');
    *ret = b.data;
    return OK;
}
