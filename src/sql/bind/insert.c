/* INSERT. The source is a query whose visible columns have the types of the table's columns: a
 * SELECT whose targets are coerced in place, or VALUES rows, each value bound to its column. A
 * column that says DEFAULT in every row is left out, so that the table's own default makes it. */
#include "sql/bind/view_target_priv.h"

struct insertion {
    struct scope *scope;
    const struct ast_insert *ast;
    const struct table_def *table;
    uint32_t *columns; /* table columns, in the order of the source's */
    uint32_t column_count;
    bool *given; /* of each table column: a value other than DEFAULT stands for it */
};

/* --- columns -------------------------------------------------------------------------------- */

static enum status named_columns(struct insertion *in)
{
    struct scope *s = in->scope;
    for (uint32_t i = 0; i < in->ast->columns.count; i++) {
        const struct ast_target *t = AST(in->ast->columns.items[i], ast_target);
        uint32_t c;
        TRY(bind__target_column(s, t->name, t->node.location, &c));
        if (t->step_count)
            return bind__at(s, t->node.location,
                            UNSUPPORTED("assignment to array elements and fields is not supported"));
        for (uint32_t k = 0; k < i; k++)
            if (in->columns[k] == c && strcmp(AST(in->ast->columns.items[k], ast_target)->name, t->name) != 0)
                return FAIL(SYNTAX_ERROR, "multiple assignments to same column \"%s\"",
                            in->table->columns[c].name); /* by two names of a view */
            else if (in->columns[k] == c)
                return bind__at(
                    s, t->node.location,
                    FAIL(DUPLICATE_COLUMN, "column \"%s\" specified more than once", t->name));
        in->columns[in->column_count++] = c;
    }
    return OK;
}

static enum status list_columns(struct insertion *in)
{
    const struct query *q = in->scope->query;
    const struct table_def *t = q->view ? q->view : in->table;
    uint32_t room = t->column_count + in->ast->columns.count;
    in->columns = ARENA_ARRAY(in->scope->env->arena, uint32_t, room);
    if (in->ast->columns.count) return named_columns(in);
    for (uint32_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].dropped)
            in->columns[in->column_count++] = q->view ? q->view_columns[i] : i;
    return OK;
}

/* The n-th of a view's columns, which is no column of its table. */
static enum status fixed_column(const struct insertion *in, uint32_t n)
{
    const struct table_def *v = in->scope->query->view;
    uint32_t i = 0;
    for (; i < v->column_count; i++)
        if (!v->columns[i].dropped && n-- == 0) break;
    return bind__fixed_column(in->scope, v->columns[i].name);
}

/* Fewer values than columns is right only where no columns are named. */
static enum status check_width(struct insertion *in, uint32_t width, int too_many_at, bool row)
{
    struct scope *s = in->scope;
    if (width > in->column_count)
        return bind__at(s, too_many_at,
                        FAIL(SYNTAX_ERROR, "INSERT has more expressions than target columns"));
    if (width < in->column_count && in->ast->columns.count) {
        enum status code = FAIL(SYNTAX_ERROR, "INSERT has more target columns than expressions");
        if (row)
            (void)error_hint(
                "The insertion source is a row expression containing the same number of "
                "columns expected by the INSERT. Did you accidentally use extra "
                "parentheses?");
        return bind__at(s, in->ast->columns.items[width]->location, code);
    }
    in->column_count = width;
    for (uint32_t i = 0; i < width; i++)
        if (in->columns[i] == UINT32_MAX) return fixed_column(in, i);
    return OK;
}

/* The value is there, but the table's own is taken: OVERRIDING USER VALUE. */
static bool is_ignored(const struct insertion *in, uint32_t column)
{
    return in->ast->overriding == 'u' && in->table->columns[column].identity;
}

/* Some columns the statement may not give values to. PostgreSQL finds that last of all. */
static enum status check_given(const struct insertion *in)
{
    for (uint32_t i = 0; i < in->table->column_count; i++) {
        const struct column_def *c = &in->table->columns[i];
        bool always = c->identity == 'a' && !in->ast->overriding;
        if (!in->given[i] || (!c->generated && !always)) continue;
        (void)FAIL(GENERATED_ALWAYS, "cannot insert a non-DEFAULT value into column \"%s\"",
                   c->name);
        if (c->generated) return error_detail("Column \"%s\" is a generated column.", c->name);
        (void)error_detail("Column \"%s\" is an identity column defined as GENERATED ALWAYS.",
                           c->name);
        return error_hint("Use OVERRIDING SYSTEM VALUE to override.");
    }
    return OK;
}

static enum status coerce(const struct insertion *in, struct expr *e, uint32_t column,
                          struct expr **ret)
{
    const struct column_def *c = &in->table->columns[column];
    return bind_coerce_assignment(in->scope->env, e, c->type, c->typmod, c->name, ret);
}

/* --- INSERT … SELECT ------------------------------------------------------------------------ */

static enum status from_select(struct insertion *in)
{
    struct scope *s = in->scope;
    struct query *source;
    uint32_t width = 0;
    int too_many_at = -1;
    TRY(bind__select_in(s->env, s, in->ast->select, true, NULL, &source));
    for (uint32_t i = 0; i < source->target_count; i++) {
        if (source->targets[i].junk) continue;
        if (width++ == in->column_count) too_many_at = bind__begin(source->targets[i].expr);
    }
    TRY(check_width(in, width, too_many_at, false));
    for (uint32_t i = 0; i < width; i++) {
        struct expr *e = source->targets[i].expr, *made;
        in->given[in->columns[i]] = true;
        if (is_ignored(in, in->columns[i])) TRY(bind__default(s, in->table, in->columns[i], &made));
        else TRY(coerce(in, e, in->columns[i], &made));
        if (made == e) continue;
        if (e->type != TYPE_UNKNOWN) bind__keep_original(s, source, i);
        source->targets[i].expr = made;
    }
    s->query->source = source;
    return OK;
}

/* --- INSERT … VALUES ------------------------------------------------------------------------ */

static bool is_default(const struct ast *ast)
{
    return ast->kind == AST_SET_TO_DEFAULT;
}

/* Values as they are written, NULL for DEFAULT. */
static enum status bind_row(struct scope *source, const struct ast_list *values, enum place place,
                            struct expr **ret)
{
    for (uint32_t i = 0; i < values->count; i++) {
        if (is_default(values->items[i])) continue;
        TRY(bind__expression(source, values->items[i], place, &ret[i]));
        TRY(bind__no_aggregate(source, ret[i], "VALUES"));
    }
    return OK;
}

/* Packs a row to the columns that are kept. */
static enum status fit_row(struct insertion *in, const bool *kept, struct expr **row)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < in->column_count; i++) {
        struct expr *e = row[i];
        if (!kept[i]) continue;
        if (!e || is_ignored(in, in->columns[i]))
            TRY(bind__default(in->scope, in->table, in->columns[i], &e));
        row[n++] = e;
    }
    return OK;
}

/* A single row may call set-returning functions: it is a SELECT without FROM then. */
static void row_as_select(struct insertion *in, struct scope *source, struct expr **row,
                          uint32_t width)
{
    struct query *q = source->query;
    q->targets = ARENA_ARRAY(source->env->arena, struct target, width);
    q->target_count = width;
    for (uint32_t i = 0; i < width; i++) {
        q->targets[i].expr = row[i];
        q->targets[i].name = in->table->columns[in->columns[i]].name;
    }
}

static void choose_columns(struct insertion *in, struct expr ***rows, bool *kept)
{
    uint32_t width = 0, first = UINT32_MAX;
    for (uint32_t i = 0; i < in->column_count; i++) {
        uint32_t c = in->columns[i];
        for (uint32_t r = 0; r < in->ast->select->value_row_count && !in->given[c]; r++)
            in->given[c] = rows[r][i] != NULL;
        kept[i] = in->given[c] && !is_ignored(in, c);
        width += kept[i];
        if (first == UINT32_MAX && !in->table->columns[c].generated) first = i;
    }
    /* Rows need a column to be made of. */
    if (width == 0 && first != UINT32_MAX) kept[first] = true;
}

static enum status bind_rows(struct insertion *in, struct scope *source, struct expr ***rows)
{
    const struct ast_select *v = in->ast->select;
    uint32_t width = v->values[0].count;
    enum place place = v->value_row_count == 1 ? PLACE_INSERT : PLACE_VALUES;
    const struct ast_row *only = width ? AST(v->values[0].items[0], ast_row) : NULL;
    bool row = place == PLACE_INSERT && width == 1 && only->node.kind == AST_ROW &&
               !only->explicit_row && only->args.count == in->column_count;
    int at = width > in->column_count ? v->values[0].items[in->column_count]->location : -1;
    for (uint32_t i = 0; i < v->value_row_count; i++) {
        rows[i] = ARENA_ARRAY(source->env->arena, struct expr *, v->values[i].count);
        TRY(bind_row(source, &v->values[i], place, rows[i]));
        TRY(bind__same_length(source, v, i));
        if (i == 0) TRY(check_width(in, width, at, row));
        /* A value that is not used must be right all the same. */
        for (uint32_t k = 0; k < width; k++)
            if (rows[i][k]) TRY(coerce(in, rows[i][k], in->columns[k], &rows[i][k]));
    }
    return OK;
}

static enum status from_values(struct insertion *in)
{
    struct arena *a = in->scope->env->arena;
    uint32_t row_count = in->ast->select->value_row_count, n = 0;
    struct expr ***rows = ARENA_ARRAY(a, struct expr **, row_count);
    struct scope source;
    bind__scope_init(&source, in->scope->env, in->scope);
    bind__query_new(&source, CMD_SELECT);
    TRY(bind_rows(in, &source, rows));
    bool *kept = ARENA_ARRAY(a, bool, in->column_count);
    choose_columns(in, rows, kept);
    for (uint32_t i = 0; i < row_count; i++) TRY(fit_row(in, kept, rows[i]));
    struct rel_column *columns = ARENA_ARRAY(a, struct rel_column, in->column_count);
    for (uint32_t i = 0; i < in->column_count; i++) {
        const struct column_def *c = &in->table->columns[in->columns[i]];
        if (!kept[i]) continue;
        columns[n] = (struct rel_column){.type = c->type, .typmod = c->typmod};
        in->columns[n++] = in->columns[i];
    }
    in->column_count = n;
    if (row_count == 1 && source.query->has_srf) row_as_select(in, &source, rows[0], n);
    else bind__values_relation(&source, rows, row_count, columns, n);
    in->scope->query->source = source.query;
    return OK;
}

static bool plain_values(const struct ast_select *v)
{
    return v->value_row_count && !v->order_by.count && !v->limit && !v->offset &&
           !v->locking.count && !v->with.ctes.count;
}

/* --- MERGE ---------------------------------------------------------------------------------- */

enum status bind__merge_insert(struct scope *s, const struct ast_merge_when *w,
                               struct merge_action *ret)
{
    struct arena *a = s->env->arena;
    const struct ast_insert ast = {.columns = w->targets, .overriding = w->overriding};
    struct insertion in = {.scope = s, .ast = &ast, .table = s->query->table};
    uint32_t width = w->values.count;
    in.given = ARENA_ARRAY(a, bool, in.table->column_count);
    TRY(list_columns(&in));
    ret->assignments = ARENA_ARRAY(a, struct assignment, width + 1);
    if (!width) return OK;
    struct expr **row = ARENA_ARRAY(a, struct expr *, width);
    TRY(bind_row(s, &w->values, PLACE_VALUES, row));
    TRY(check_width(&in, width, width > in.column_count ? w->values.items[in.column_count]->location : -1,
                    false));
    for (uint32_t i = 0; i < width; i++) {
        uint32_t c = in.columns[i];
        if (!row[i]) continue;
        in.given[c] = true;
        TRY(coerce(&in, row[i], c, &row[i]));
        if (!is_ignored(&in, c))
            ret->assignments[ret->assignment_count++] = (struct assignment){c, row[i]};
    }
    return check_given(&in);
}

/* --- the whole ------------------------------------------------------------------------------ */

enum status bind__returning(struct scope *s, const struct ast_list *items)
{
    struct query *q = s->query;
    if (items->count == 0) return OK;
    TRY(bind__targets(s, items, PLACE_RETURNING, &q->returning, &q->returning_count));
    return bind__resolve_targets(s, q->returning, q->returning_count);
}

enum status bind__insert(struct bind_env *env, const struct ast_insert *ast, struct scope *parent,
                         struct query **ret)
{
    struct scope s;
    uint32_t relation;
    bind__scope_init(&s, env, parent);
    struct query *q = bind__query_new(&s, CMD_INSERT);
    q->fills = ast->fills;
    TRY(bind__with(&s, &ast->with));
    TRY(bind__target_table(&s, ast->table, false, &relation));
    struct insertion in = {.scope = &s, .ast = ast, .table = q->table};
    in.given = ARENA_ARRAY(env->arena, bool, q->table->column_count);
    TRY(list_columns(&in));
    if (!ast->select) in.column_count = 0;
    else if (plain_values(ast->select)) TRY(from_values(&in));
    else TRY(from_select(&in));
    q->insert_columns = in.columns;
    q->insert_column_count = in.column_count;
    TRY(bind__table_rules(&s, q->table, true));
    if (ast->on_conflict && (q->table->kind == 'v' || q->view))
        return UNSUPPORTED("ON CONFLICT is not supported for views");
    if (ast->on_conflict) TRY(bind__on_conflict(&s, ast->on_conflict));
    s.names.count = 0;
    bind__show_target(&s);
    s.what = "COPY FROM WHERE conditions";
    if (ast->row_where)
        TRY(bind__condition(&s, ast->row_where, PLACE_STORED, "WHERE", &q->row_where));
    TRY(bind__returning(&s, &ast->returning));
    TRY(check_given(&in));
    if (ast->on_conflict) TRY(bind__check_assignments(&s, &ast->on_conflict->targets));
    *ret = q;
    return bind__foreign_keys(&s);
}
