/* Objects as the SQL that makes them: pg_get_indexdef, pg_get_constraintdef, pg_get_viewdef. Stored
 * expressions are bound anew and printed, so that they show today's names. */
#include "db/system_priv.h"

/* --- names ----------------------------------------------------------------------------------- */

const char *sys_quote(struct arena *a, const char *name)
{
    struct strbuf b;
    strbuf_init(&b, a);
    strbuf_reserve(&b, strlen(name) + 2);
    expr_identifier(name, &b);
    return b.data;
}

const char *sys_qualified(struct session *s, oid_t schema, const char *name, struct arena *a)
{
    const struct schema_def *d = catalog_schema_by_oid(s->catalog, schema);
    if (!d) return sys_quote(a, name);
    return arena_printf(a, "%s.%s", sys_quote(a, d->name), sys_quote(a, name));
}

/* Visible: its name alone finds it, and nothing before it. */
bool sys_relation_visible(struct session *s, oid_t relation)
{
    const struct search_path *path = session__path(s);
    const struct table_def *t = catalog_table_by_oid(s->catalog, relation);
    const struct index_def *ix = t ? NULL : catalog_index_by_oid(s->catalog, relation);
    if (t) return catalog_lookup(s->catalog, path, NULL, t->name) == t;
    return ix && catalog_lookup_index(s->catalog, path, NULL, ix->name) == ix;
}

const char *sys_relation_name(struct session *s, const struct table_def *t, bool full,
                              struct arena *a)
{
    if (!full && sys_relation_visible(s, t->oid)) return sys_quote(a, t->name);
    return sys_qualified(s, t->schema, t->name, a);
}

/* --- expressions ----------------------------------------------------------------------------- */

enum status sys_expression(struct session *s, oid_t table, const char *storage, struct arena *a,
                           const char **ret)
{
    const struct table_def *t = table ? catalog_table_by_oid(s->catalog, table) : NULL;
    return session__display_expression(s, t, storage, a, ret);
}

static enum status expression(struct session *s, const struct table_def *t, const char *storage,
                              bool pretty, struct arena *a, const char **ret)
{
    TRY(session__display_expression(s, t, storage, a, ret));
    if (pretty) *ret = sys_pretty(a, *ret);
    return OK;
}

/* --- indexes --------------------------------------------------------------------------------- */

/* "f(…)" and nothing after: such need no parentheses in an index's list of columns. */
static bool is_call(const char *sql)
{
    const char *p = sql;
    int depth = 0;
    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
           *p == '_' || *p == '.')
        p++;
    if (p == sql || *p != '(') return false;
    for (; *p; p++) {
        if (*p == '\'' || *p == '"') {
            const char *end = strchr(p + 1, *p);
            if (!end) return false;
            p = end;
        }
        depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
        if (depth == 0) return p[1] == '\0';
    }
    return false;
}

enum status sys_index_column(struct session *s, const struct table_def *t,
                             const struct index_column *c, bool pretty, struct arena *a,
                             const char **ret)
{
    const struct column_def *column = sys_column(t, c->column);
    *ret = "";
    if (column) {
        *ret = sys_quote(a, column->name);
        return OK;
    }
    if (!c->expression_sql) return OK;
    TRY(expression(s, t, c->expression_sql, pretty, a, ret));
    if (!is_call(*ret)) *ret = arena_printf(a, "(%s)", *ret);
    return OK;
}

static enum status index_columns(struct session *s, const struct table_def *t,
                                 const struct index_def *ix, bool pretty, struct arena *a,
                                 struct strbuf *b)
{
    for (uint16_t i = 0; i < ix->column_count; i++) {
        const struct index_column *c = &ix->columns[i];
        const char *sql;
        if (i == ix->key_count) strbuf_adds(b, ") INCLUDE (");
        else if (i) strbuf_adds(b, ", ");
        TRY(sys_index_column(s, t, c, pretty, a, &sql));
        strbuf_adds(b, sql);
        if (i >= ix->key_count) continue;
        if (c->descending) strbuf_adds(b, c->nulls_first ? " DESC" : " DESC NULLS LAST");
        else if (c->nulls_first) strbuf_adds(b, " NULLS FIRST");
    }
    return OK;
}

enum status sys_index_definition(struct session *s, oid_t index, int column, bool pretty,
                                 struct arena *a, const char **ret)
{
    const struct index_def *ix = catalog_index_by_oid(s->catalog, index);
    const struct table_def *t = ix ? catalog_table_by_oid(s->catalog, ix->table) : NULL;
    *ret = NULL;
    if (!t) return OK;
    if (column != 0) {
        *ret = "";
        if (column < 1 || column > ix->column_count) return OK;
        return sys_index_column(s, t, &ix->columns[column - 1], pretty, a, ret);
    }
    struct strbuf b;
    strbuf_init(&b, a);
    strbuf_addf(&b, "CREATE %sINDEX %s ON %s USING btree (", ix->unique ? "UNIQUE " : "",
                sys_quote(a, ix->name), sys_relation_name(s, t, !pretty, a));
    TRY(index_columns(s, t, ix, pretty, a, &b));
    strbuf_addc(&b, ')');
    if (ix->nulls_not_distinct) strbuf_adds(&b, " NULLS NOT DISTINCT");
    if (ix->predicate_sql) {
        const char *sql;
        TRY(expression(s, t, ix->predicate_sql, pretty, a, &sql));
        strbuf_addf(&b, " WHERE %s", sql);
    }
    *ret = b.data;
    return OK;
}

/* --- constraints ----------------------------------------------------------------------------- */

static void name_columns(const struct table_def *t, const int16_t *numbers, uint16_t n,
                         struct strbuf *b)
{
    for (uint16_t i = 0; i < n; i++) {
        const struct column_def *c = sys_column(t, numbers[i]);
        if (i) strbuf_adds(b, ", ");
        if (c) expr_identifier(c->name, b);
    }
}

static void key_definition(struct session *s, const struct table_def *t,
                           const struct constraint_def *k, struct strbuf *b)
{
    const struct index_def *ix = catalog_index_by_oid(s->catalog, k->index);
    strbuf_adds(b, k->kind == 'p' ? "PRIMARY KEY " : "UNIQUE ");
    if (ix && ix->nulls_not_distinct) strbuf_adds(b, "NULLS NOT DISTINCT ");
    strbuf_addc(b, '(');
    name_columns(t, k->columns, k->column_count, b);
    strbuf_addc(b, ')');
    if (!ix || ix->column_count == ix->key_count) return;
    strbuf_adds(b, " INCLUDE (");
    for (uint16_t i = ix->key_count; i < ix->column_count; i++) {
        if (i > ix->key_count) strbuf_adds(b, ", ");
        name_columns(t, &ix->columns[i].column, 1, b);
    }
    strbuf_addc(b, ')');
}

static void action_definition(const char *when, char action, struct strbuf *b)
{
    const char *what = action == 'r'   ? "RESTRICT"
                       : action == 'c' ? "CASCADE"
                       : action == 'n' ? "SET NULL"
                       : action == 'd' ? "SET DEFAULT"
                                       : NULL;
    if (what) strbuf_addf(b, " ON %s %s", when, what);
}

static void foreign_definition(struct session *s, const struct table_def *t,
                               const struct constraint_def *k, struct arena *a, struct strbuf *b)
{
    const struct table_def *to = catalog_table_by_oid(s->catalog, k->foreign_table);
    strbuf_adds(b, "FOREIGN KEY (");
    name_columns(t, k->columns, k->column_count, b);
    strbuf_addf(b, ") REFERENCES %s(", to ? sys_relation_name(s, to, false, a) : "???");
    if (to) name_columns(to, k->foreign_columns, k->column_count, b);
    strbuf_addc(b, ')');
    if (k->match == 'f') strbuf_adds(b, " MATCH FULL");
    action_definition("UPDATE", k->on_update, b);
    action_definition("DELETE", k->on_delete, b);
    if (!k->set_count) return;
    strbuf_adds(b, " (");
    name_columns(t, k->set_columns, k->set_count, b);
    strbuf_addc(b, ')');
}

/* Of a constraint trigger; *ret NULL when there is none of that number. */
static enum status trigger_constraint(struct session *s, oid_t constraint, struct arena *a,
                                      const char **ret)
{
    const struct table_def *t;
    size_t pos = 0;
    *ret = NULL;
    while (constraint && catalog_next_table(s->catalog, &pos, &t))
        for (uint16_t i = 0; i < t->trigger_count; i++) {
            const struct trigger_def *g = t->triggers[i];
            if (g->constraint != constraint) continue;
            *ret = arena_printf(a, "TRIGGER%s%s", g->deferrable ? " DEFERRABLE" : "",
                                g->initially_deferred ? " INITIALLY DEFERRED" : "");
            return OK;
        }
    return OK;
}

enum status sys_constraint_definition(struct session *s, oid_t constraint, bool pretty,
                                      struct arena *a, const char **ret)
{
    const struct constraint_def *k = catalog_constraint_by_oid(s->catalog, constraint);
    if (!k) return trigger_constraint(s, constraint, a, ret);
    const struct table_def *t = k ? catalog_table_by_oid(s->catalog, k->table) : NULL;
    struct strbuf b;
    *ret = NULL;
    if (!t) return OK;
    strbuf_init(&b, a);
    if (k->kind == 'c') {
        const char *sql;
        TRY(expression(s, t, k->check_sql, pretty, a, &sql));
        strbuf_addf(&b, "CHECK (%s)", sql);
        if (k->no_inherit) strbuf_adds(&b, " NO INHERIT");
    } else if (k->kind == 'f') {
        foreign_definition(s, t, k, a, &b);
    } else {
        key_definition(s, t, k, &b);
    }
    if (k->deferrable) strbuf_adds(&b, " DEFERRABLE");
    if (k->initially_deferred) strbuf_adds(&b, " INITIALLY DEFERRED");
    if (!k->validated && (k->kind == 'c' || k->kind == 'f')) strbuf_adds(&b, " NOT VALID");
    *ret = b.data;
    return OK;
}

/* --- views ----------------------------------------------------------------------------------- */

/* A view is kept as it was written; what cannot be printed in PostgreSQL's layout shows that. */
enum status sys_view_definition(struct session *s, oid_t view, bool pretty, struct arena *a,
                                const char **ret)
{
    const struct table_def *t = catalog_table_by_oid(s->catalog, view);
    *ret = NULL;
    if (!t || !t->view_sql) return OK;
    enum status st = sys_view_text(s, t, pretty, a, ret);
    if (st == QUERY_CANCELED || st == OUT_OF_MEMORY) return st;
    if (st != OK) error_clear(); /* it does not bind any more: it is shown all the same */
    if (st == OK && *ret) return OK;
    struct slice sql = slice_of(t->view_sql);
    while (sql.len && strchr("; \t\r\n", sql.data[sql.len - 1])) sql.len--;
    while (sql.len && strchr(" \t\r\n", sql.data[0])) sql = slice_make(sql.data + 1, sql.len - 1);
    *ret = arena_printf(a, " %.*s;", (int)sql.len, sql.data);
    return OK;
}
