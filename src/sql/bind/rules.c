/* What the table itself says about its rows: defaults, generated columns, CHECK constraints. Kept
 * in the catalog as text and bound again for each statement, over relation 0, the target table. */
#include "sql/bind/query_priv.h"

static void show(struct scope *s, uint32_t relation)
{
    ASSERT(s->query->relation_count > relation);
    ARENA_PUSH(s->env->arena, &s->names,
               (struct name_item){.relation = relation, .columns_visible = true, .name_visible = true});
}

/* `relation`: whose columns are visible; UINT32_MAX: none. */
static enum status stored(struct scope *s, const char *sql, uint32_t relation, const char *what,
                          struct expr **ret)
{
    struct bind_env *env = s->env;
    struct slice text = env->text;
    struct scope own;
    struct ast *ast;
    if (!env->parse_expression)
        return FAIL(INTERNAL_ERROR, "stored expressions cannot be read here");
    TRY(env->parse_expression(env->arena, sql, &ast));
    bind__scope_init(&own, env, NULL);
    own.query = s->query;
    own.place = PLACE_STORED;
    own.what = what;
    if (relation != UINT32_MAX) show(&own, relation);
    const bind_variable variable = env->variable; /* what a table says is not about a function's names */
    env->text = slice_of(sql);
    env->variable = NULL;
    enum status result = bind__expression(&own, ast, PLACE_STORED, ret);
    env->text = text;
    env->variable = variable;
    if (result != OK) (void)error_at(0); /* a place in the stored text is none in the statement's */
    return result;
}

enum status bind__stored(struct scope *s, const char *sql, bool columns, const char *what,
                         struct expr **ret)
{
    return stored(s, sql, columns ? 0 : UINT32_MAX, what, ret);
}

void bind__show_target(struct scope *s)
{
    show(s, s->query->view ? s->query->view_relation : 0);
}

/* --- indexes -------------------------------------------------------------------------------- */

static bool is_plain(const struct index_def *x)
{
    bool plain = !x->predicate_sql;
    for (uint16_t i = 0; i < x->key_count; i++) plain &= x->columns[i].column != 0;
    return plain;
}

static enum status index_rule(struct scope *s, uint32_t relation, const struct index_def *x,
                              struct index_rule *ret)
{
    struct expr *e;
    for (uint16_t i = 0; i < x->key_count; i++) {
        if (x->columns[i].column) continue;
        if (!ret->keys) ret->keys = ARENA_ARRAY(s->env->arena, struct expr *, x->key_count);
        TRY(stored(s, x->columns[i].expression_sql, relation, "index expressions", &ret->keys[i]));
    }
    if (!x->predicate_sql) return OK;
    TRY(stored(s, x->predicate_sql, relation, "index predicates", &e));
    return bind__coerce_boolean(s, e, "WHERE", &ret->predicate);
}

static enum status index_rules(struct scope *s, uint32_t relation)
{
    struct relation *r = s->query->relations[relation];
    const struct table_def *t = r->table;
    for (uint16_t i = 0; i < t->index_count; i++) {
        if (is_plain(t->indexes[i])) continue;
        if (!r->rules)
            r->rules = ARENA_ARRAY(s->env->arena, struct index_rule, t->index_count);
        TRY(index_rule(s, relation, t->indexes[i], &r->rules[i]));
    }
    return OK;
}

/* The table's own names of its columns count, not those that FROM may have given. */
enum status bind__index_rules(struct scope *s, uint32_t relation)
{
    struct relation *r = s->query->relations[relation];
    struct rel_column *given = r->columns;
    bool any = false;
    for (uint16_t i = 0; i < r->table->index_count; i++) any |= !is_plain(r->table->indexes[i]);
    if (!any) return OK;
    r->columns = arena_memdup(s->env->arena, given, r->column_count * sizeof *given);
    for (uint32_t i = 0; i < r->column_count; i++)
        if (given[i].attnum > 0)
            r->columns[i].name = r->table->columns[given[i].attnum - 1].name;
    enum status st = index_rules(s, relation);
    r->columns = given;
    return st;
}

/* --- defaults ------------------------------------------------------------------------------- */

/* The sequence behind an identity column. */
static const struct table_def *identity_sequence(const struct scope *s, const struct table_def *t,
                                                 const struct column_def *c)
{
    const struct table_def *x;
    size_t pos = 0;
    while (catalog_next_table(s->env->catalog, &pos, &x))
        if (x->kind == 'S' && x->sequence && x->sequence->owner_table == t->oid &&
            x->sequence->owner_column == c->number)
            return x;
    return NULL;
}

static enum status identity(struct scope *s, const struct table_def *t, const struct column_def *c,
                            struct expr **ret)
{
    const struct table_def *sequence = identity_sequence(s, t, c);
    const struct proc_def *const *list, *proc = NULL;
    uint32_t n = proc_by_name(SLICE("nextval"), &list);
    for (uint32_t i = 0; i < n; i++)
        if (list[i]->arg_count == 1 && list[i]->args[0] == TYPE_REGCLASS) proc = list[i];
    if (!sequence || !proc)
        return FAIL(INTERNAL_ERROR, "no owned sequence found for column \"%s\"", c->name);
    struct expr *call = bind__new(s, EXPR_CALL, TYPE_INT8, -1, 1);
    struct datum oid = {0};
    oid.v.u32 = sequence->oid;
    call->args[0] = expr_const(s->env->arena, TYPE_REGCLASS, oid);
    call->call.proc = proc;
    *ret = call;
    return OK;
}

static enum status default_or_none(struct scope *s, const struct table_def *t, uint32_t column,
                                   struct expr **ret)
{
    const struct column_def *c = &t->columns[column];
    struct expr *e = NULL;
    *ret = NULL;
    if (c->dropped || c->generated) return OK;
    if (c->default_sql) TRY(bind__stored(s, c->default_sql, false, "DEFAULT expressions", &e));
    else if (c->identity) TRY(identity(s, t, c, &e));
    if (!e) return OK;
    return bind_coerce_assignment(s->env, e, c->type, c->typmod, c->name, ret);
}

enum status bind__default(struct scope *s, const struct table_def *t, uint32_t column,
                          struct expr **ret)
{
    const struct column_def *c = &t->columns[column];
    TRY(default_or_none(s, t, column, ret));
    if (!*ret) {
        *ret = expr_const(s->env->arena, c->type, (struct datum){.null = true});
        (*ret)->typmod = c->typmod;
    }
    return OK;
}

static enum status bind_generated(struct scope *s, const struct table_def *t)
{
    struct query *q = s->query;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct column_def *c = &t->columns[i];
        struct expr *e;
        if (c->dropped || !c->generated || !c->default_sql) continue;
        if (!q->generated)
            q->generated = ARENA_ARRAY(s->env->arena, struct expr *, t->column_count);
        TRY(bind__stored(s, c->default_sql, true, "column generation expressions", &e));
        TRY(bind_coerce_assignment(s->env, e, c->type, c->typmod, c->name, &q->generated[i]));
    }
    return OK;
}

static enum status bind_checks(struct scope *s, const struct table_def *t)
{
    struct query *q = s->query;
    struct arena *a = s->env->arena;
    q->checks = ARENA_ARRAY(a, struct expr *, t->constraint_count);
    q->check_defs = ARENA_ARRAY(a, const struct constraint_def *, t->constraint_count);
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        const struct constraint_def *c = t->constraints[i];
        struct expr *e;
        if (c->kind != 'c' || !c->check_sql) continue;
        TRY(bind__stored(s, c->check_sql, true, "check constraints", &e));
        TRY(bind__coerce_boolean(s, e, "CHECK", &q->checks[q->check_count]));
        q->check_defs[q->check_count++] = c;
    }
    return OK;
}

enum status bind__table_rules(struct scope *s, const struct table_def *t, bool with_defaults)
{
    struct query *q = s->query;
    if (with_defaults) {
        q->defaults = ARENA_ARRAY(s->env->arena, struct expr *, t->column_count);
        for (uint32_t i = 0; i < t->column_count; i++)
            TRY(default_or_none(s, t, i, &q->defaults[i]));
    }
    TRY(bind_generated(s, t));
    return bind_checks(s, t);
}
