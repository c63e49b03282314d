/* CREATE TABLE (LIKE other …): columns, and by INCLUDING what else, of a relation that is there.
 *
 * The other's parts are written out as the SQL that makes them, which is parsed and takes the place of LIKE in the
 * statement: so whatever a column, a key or an index can say has one way into the catalog. Plain indexes and comments
 * come when the table is there. */
#include "db/ddl_priv.h"
#include "db/rights.h"
#include "db/system_priv.h"
#include "sql/parse/parse.h"

struct like {
    struct ddl *d;
    const struct table_def *from;
    uint32_t including; /* enum like_option */
    struct ast_create_table *into;
};

static enum status source(struct ddl *d, const struct ast_like *n, const struct table_def **ret)
{
    const struct ast_range_var *v = n->relation;
    const struct search_path *path = session__path(d->s);
    const struct table_def *t = catalog_lookup(d->s->catalog, path, v->schema, v->name);
    bool index = !t && catalog_lookup_index(d->s->catalog, path, v->schema, v->name);
    if (index || (t && t->kind == 'S')) {
        FAIL(WRONG_OBJECT_TYPE, "relation \"%s\" is invalid in LIKE clause", v->name);
        error_detail("This operation is not supported for %s.", index ? "indexes" : "sequences");
        return ddl__at(d, n->node.location, WRONG_OBJECT_TYPE);
    }
    if (!t) return ddl__at(d, n->node.location, ddl__find(d, v, 0, false, &t));
    *ret = t;
    return rights_check_table(d->s, t, "r");
}

static enum status parse_one(struct ddl *d, const char *sql, struct ast **ret)
{
    struct statement *st;
    uint32_t n;
    TRY(sql_parse(d->a, slice_of(sql), &st, &n));
    if (n != 1) return FAIL(INTERNAL_ERROR, "the definition \"%s\" holds %u statements", sql, n);
    *ret = st[0].ast;
    return OK;
}

/* --- columns ---------------------------------------------------------------------------------- */

static void identity_words(struct like *l, const struct column_def *c, struct strbuf *b)
{
    const struct table_def *q = ddl__identity_sequence(l->d, l->from->oid, c->number);
    strbuf_addf(b, " GENERATED %s AS IDENTITY", c->identity == 'a' ? "ALWAYS" : "BY DEFAULT");
    if (!q) return;
    const struct sequence_def *s = q->sequence;
    strbuf_addf(b, " (INCREMENT %ld MINVALUE %ld MAXVALUE %ld START %ld CACHE %ld%s)", s->increment, s->min,
                s->max, s->start, s->cache, s->cycle ? " CYCLE" : "");
}

static enum status column_words(struct like *l, const struct column_def *c, struct strbuf *b)
{
    const char *sql;
    strbuf_addf(b, "%s ", ddl__quote(l->d->a, c->name));
    session__type_name(l->d->s, c->type, c->typmod, b);
    if (c->not_null) strbuf_adds(b, " NOT NULL");
    if (c->identity && l->including & LIKE_IDENTITY) identity_words(l, c, b);
    uint32_t wanted = c->generated ? LIKE_GENERATED : LIKE_DEFAULTS;
    if (!c->default_sql || c->identity || !(l->including & wanted)) return OK;
    TRY(sys_expression(l->d->s, l->from->oid, c->default_sql, l->d->a, &sql));
    strbuf_addf(b, c->generated ? " GENERATED ALWAYS AS (%s) STORED" : " DEFAULT %s", sql);
    return OK;
}

/* --- constraints ------------------------------------------------------------------------------ */

/* Checks keep their names; keys get those that the new table's would have. */
static enum status constraint_words(struct like *l, const struct constraint_def *k, struct strbuf *b)
{
    const char *sql;
    bool key = k->kind == 'p' || k->kind == 'u';
    if (k->kind == 'f' || !(l->including & (key ? LIKE_INDEXES : LIKE_CONSTRAINTS))) return OK;
    TRY(sys_constraint_definition(l->d->s, k->oid, false, l->d->a, &sql));
    strbuf_adds(b, ", ");
    if (!key) strbuf_addf(b, "CONSTRAINT %s ", ddl__quote(l->d->a, k->name));
    strbuf_adds(b, sql);
    return OK;
}

static void append(struct like *l, struct ast_list *to, const struct ast_list *what)
{
    struct ast **items = ARENA_ARRAY(l->d->a, struct ast *, to->count + what->count);
    if (to->count) memcpy(items, to->items, to->count * sizeof *items);
    if (what->count) memcpy(items + to->count, what->items, what->count * sizeof *items);
    *to = (struct ast_list){items, to->count + what->count};
}

static enum status add_parts(struct like *l)
{
    struct strbuf b;
    struct ast *ast;
    const char *between = "";
    strbuf_init(&b, l->d->a);
    strbuf_adds(&b, "CREATE TABLE t (");
    for (uint16_t i = 0; i < l->from->column_count; i++) {
        if (l->from->columns[i].dropped) continue;
        strbuf_adds(&b, between);
        between = ", ";
        TRY(column_words(l, &l->from->columns[i], &b));
    }
    for (uint16_t i = 0; i < l->from->constraint_count && *between; i++)
        TRY(constraint_words(l, l->from->constraints[i], &b));
    strbuf_adds(&b, ")");
    TRY(parse_one(l->d, b.data, &ast));
    append(l, &l->into->columns, &AST(ast, ast_create_table)->columns);
    append(l, &l->into->constraints, &AST(ast, ast_create_table)->constraints);
    return OK;
}

enum status ddl__expand_like(struct ddl *d, const struct ast_create_table *n,
                             const struct ast_create_table **ret)
{
    *ret = n;
    bool any = false;
    for (uint32_t i = 0; i < n->columns.count; i++) any |= n->columns.items[i]->kind == AST_LIKE;
    if (!any) return OK;
    struct ast_create_table *copy = arena_memdup(d->a, n, sizeof *n);
    struct like l = {.d = d, .into = copy};
    copy->columns = (struct ast_list){0};
    for (uint32_t i = 0; i < n->columns.count; i++) {
        struct ast *item = n->columns.items[i];
        if (item->kind != AST_LIKE) {
            append(&l, &copy->columns, &(struct ast_list){&item, 1});
            continue;
        }
        l.including = AST(item, ast_like)->including;
        TRY(source(d, AST(item, ast_like), &l.from));
        TRY(add_parts(&l));
    }
    *ret = copy;
    return OK;
}

/* --- what comes once the table is there ------------------------------------------------------- */

static enum status copy_index(struct like *l, const struct index_def *x)
{
    const char *sql;
    struct ast *ast;
    if (x->constraint || x->primary || !x->valid) return OK;
    TRY(sys_index_definition(l->d->s, x->oid, 0, false, l->d->a, &sql));
    TRY(parse_one(l->d, sql, &ast));
    struct ast_create_index *n = AST(ast, ast_create_index);
    n->name = NULL;
    n->table = l->into->table;
    l->d->unplaced = true;
    return ddl__create_index(l->d, n);
}

/* The comments of columns and checks; of the same names here. */
static enum status copy_comments(struct like *l, const struct table_def *to)
{
    struct table_edit e;
    ddl__edit(l->d, to, &e);
    for (uint16_t i = 0; i < l->from->column_count; i++) {
        const struct column_def *c = &l->from->columns[i];
        struct column_def *mine = c->dropped ? NULL : ddl__edit_column(&e, c->name);
        if (mine && c->comment) mine->comment = c->comment;
    }
    for (size_t i = 0; i < e.constraints.count; i++) {
        const struct constraint_def *k =
            table_constraint(l->from, slice_of(e.constraints.data[i]->name));
        if (!k || !k->comment || k->kind != 'c' || e.constraints.data[i]->kind != 'c') continue;
        struct constraint_def *copy = arena_memdup(l->d->a, e.constraints.data[i], sizeof *copy);
        copy->comment = k->comment;
        e.constraints.data[i] = copy;
    }
    return ddl__edit_put(l->d, &e, NULL);
}

enum status ddl__finish_like(struct ddl *d, const struct ast_create_table *n, oid_t table)
{
    for (uint32_t i = 0; i < n->columns.count; i++) {
        if (n->columns.items[i]->kind != AST_LIKE) continue;
        const struct ast_like *like = AST(n->columns.items[i], ast_like);
        struct ast_range_var v = {.node = {AST_RANGE_VAR, -1}, .name = ddl__table(d, table)->name};
        const struct schema_def *schema =
            catalog_schema_by_oid(d->s->catalog, ddl__table(d, table)->schema);
        v.schema = schema->name;
        struct ast_create_table into = *n;
        into.table = &v;
        struct like l = {.d = d, .including = like->including, .into = &into};
        TRY(source(d, like, &l.from));
        if (like->including & LIKE_COMMENTS) TRY(copy_comments(&l, ddl__table(d, table)));
        for (uint16_t k = 0; k < l.from->index_count && like->including & LIKE_INDEXES; k++)
            TRY(copy_index(&l, l.from->indexes[k]));
    }
    return OK;
}
