/* What hangs on relations: defaults, constraints, sequences, rules of views, comments, and the
 * dependencies by which clients find the sequence of a serial column. */
#include "db/system_priv.h"
#include "types/record.h"

enum status sys_pg_attrdef(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        for (uint16_t i = 0; i < t->column_count; i++) {
            const struct column_def *c = &t->columns[i];
            if (!c->default_sql || c->dropped) continue;
            TRY(SYS_EMIT(x, I(sys_attrdef_oid(t, c)), I(t->oid), I(c->number), T(c->default_sql)));
        }
    }
    return OK;
}

/* --- constraints ----------------------------------------------------------------------------- */

/* The equality operators of a foreign key: pairs of (referenced, referencing) column, or both of
 * one side. */
static struct sys_cell equality_operators(struct sys_scan *x, const struct table_def *left,
                                          const int16_t *left_columns,
                                          const struct table_def *right,
                                          const int16_t *right_columns, uint16_t n)
{
    oid_t *v = ARENA_ARRAY(x->arena, oid_t, n + 1);
    for (uint16_t i = 0; i < n; i++) {
        const struct column_def *l = sys_column(left, left_columns[i]);
        const struct column_def *r = sys_column(right, right_columns[i]);
        type_id lt = !l ? TYPE_NONE : l->type == TYPE_VARCHAR ? TYPE_TEXT : l->type;
        type_id rt = !r ? TYPE_NONE : r->type == TYPE_VARCHAR ? TYPE_TEXT : r->type;
        const struct operator_def *op = operator_exact("=", lt, rt);
        v[i] = op ? op->oid : 0;
    }
    return V(sys_array_oid(x->arena, v, n));
}

static enum status emit_constraint(struct sys_scan *x, const struct table_def *t,
                                   const struct constraint_def *k)
{
    bool foreign = k->kind == 'f', check = k->kind == 'c';
    struct sys_cell columns = N, foreign_columns = N, pf = N, pp = N, ff = N, set = N;
    uint16_t n = k->column_count;
    if (n) columns = V(sys_array_int2(x->arena, k->columns, n));
    if (k->set_count) set = V(sys_array_int2(x->arena, k->set_columns, k->set_count));
    const struct table_def *to =
        foreign ? catalog_table_by_oid(x->catalog, k->foreign_table) : NULL;
    if (to) {
        foreign_columns = V(sys_array_int2(x->arena, k->foreign_columns, n));
        pf = equality_operators(x, to, k->foreign_columns, t, k->columns, n);
        pp = equality_operators(x, to, k->foreign_columns, to, k->foreign_columns, n);
        ff = equality_operators(x, t, k->columns, t, k->columns, n);
    }
    return SYS_EMIT(x, I(k->oid), T(k->name), I(t->schema), C(k->kind), I(k->deferrable),
                    I(k->initially_deferred), I(k->validated || !(foreign || check)), I(t->oid),
                    I(0), I(k->index), I(0), I(foreign ? k->foreign_table : 0),
                    C(foreign ? k->on_update : ' '), C(foreign ? k->on_delete : ' '),
                    C(foreign ? k->match : ' '), I(1), I(0), I(check ? k->no_inherit : true),
                    columns, foreign_columns, pf, pp, ff, set, N, T(check ? k->check_sql : NULL));
}

enum status sys_pg_constraint(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t))
        for (uint16_t i = 0; i < t->constraint_count; i++)
            TRY(emit_constraint(x, t, t->constraints[i]));
    return OK;
}

/* --- sequences ------------------------------------------------------------------------------- */

enum status sys_pg_sequence(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        const struct sequence_def *q = t->sequence;
        if (!q) continue;
        TRY(SYS_EMIT(x, I(t->oid), I(q->type), I(q->start), I(q->increment), I(q->max), I(q->min),
                     I(q->cache), I(q->cycle)));
    }
    return OK;
}

enum status sys_pg_sequences(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        const struct sequence_def *q = t->sequence;
        int64_t last;
        bool called;
        if (!q) continue;
        TRY(sequence_read(x->s, t, &last, &called));
        TRY(SYS_EMIT(x, T(sys_schema_name(x, t->schema)), T(t->name),
                     T(sys_role_name(x, t->owner, x->arena)), I(q->type), I(q->start), I(q->min),
                     I(q->max), I(q->increment), I(q->cycle), I(q->cache),
                     called ? I(last) : N));
    }
    return OK;
}

/* --- rules ----------------------------------------------------------------------------------- */

enum status sys_pg_rewrite(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        if (!t->view_sql) continue;
        TRY(SYS_EMIT(x, I(sys_rule_oid(t)), T("_RETURN"), I(t->oid), C('1'), C('O'), I(1), T("<>"),
                     T(t->view_sql)));
    }
    return OK;
}

/* --- dependencies ---------------------------------------------------------------------------- */

struct address {
    oid_t class, object;
    int32_t column;
};

static enum status depend(struct sys_scan *x, struct address what, struct address on, char kind)
{
    return SYS_EMIT(x, I(what.class), I(what.object), I(what.column), I(on.class), I(on.object),
                    I(on.column), C(kind));
}

static struct address relation(oid_t oid, int32_t column)
{
    return (struct address){CLASS_RELATION, oid, column};
}

static enum status depend_columns(struct sys_scan *x, const struct table_def *t)
{
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct column_def *c = &t->columns[i];
        if (!c->default_sql || c->dropped) continue;
        struct address d = {CLASS_ATTRDEF, sys_attrdef_oid(t, c), 0};
        TRY(depend(x, d, relation(t->oid, c->number), c->generated ? 'i' : 'a'));
    }
    return OK;
}

static enum status depend_constraints(struct sys_scan *x, const struct table_def *t)
{
    for (uint16_t i = 0; i < t->constraint_count; i++) {
        const struct constraint_def *k = t->constraints[i];
        struct address c = {CLASS_CONSTRAINT, k->oid, 0};
        for (uint16_t n = 0; n < k->column_count; n++)
            TRY(depend(x, c, relation(t->oid, k->columns[n]), 'a'));
        if (k->kind != 'f') continue;
        if (k->index) TRY(depend(x, c, relation(k->index, 0), 'n'));
        for (uint16_t n = 0; n < k->column_count; n++)
            TRY(depend(x, c, relation(k->foreign_table, k->foreign_columns[n]), 'n'));
    }
    return OK;
}

static enum status depend_index(struct sys_scan *x, const struct table_def *t,
                                const struct index_def *ix)
{
    if (ix->constraint)
        return depend(x, relation(ix->oid, 0),
                      (struct address){CLASS_CONSTRAINT, ix->constraint, 0}, 'i');
    uint32_t seen = 0;
    for (uint16_t i = 0; i < ix->column_count; i++) {
        if (ix->columns[i].column == 0) continue;
        seen++;
        TRY(depend(x, relation(ix->oid, 0), relation(t->oid, ix->columns[i].column), 'a'));
    }
    return seen ? OK : depend(x, relation(ix->oid, 0), relation(t->oid, 0), 'a');
}

static enum status depend_sequence(struct sys_scan *x, const struct table_def *t)
{
    const struct sequence_def *q = t->sequence;
    const struct table_def *owner = catalog_table_by_oid(x->catalog, q->owner_table);
    const struct column_def *c = owner ? sys_column(owner, q->owner_column) : NULL;
    if (!c) return OK;
    if (c->default_sql && q->owner_kind == 'a') {
        struct address d = {CLASS_ATTRDEF, sys_attrdef_oid(owner, c), 0};
        TRY(depend(x, d, relation(t->oid, 0), 'n'));
    }
    return depend(x, relation(t->oid, 0), relation(owner->oid, c->number), q->owner_kind);
}

/* What the view's query names. One that does not bind any more depends on nothing. */
static enum status depend_view(struct sys_scan *x, const struct table_def *t)
{
    struct address rule = {CLASS_REWRITE, sys_rule_oid(t), 0};
    struct error kept = *error_current();
    struct bind_env env;
    struct ast *ast;
    struct query *q;
    TRY(depend(x, rule, relation(t->oid, 0), 'i'));
    session__bind_env(x->s, &env, x->arena, slice_of(t->view_sql));
    env.noting = true;
    enum status s = env.parse_view(x->arena, t->view_sql, &ast);
    if (s == OK) s = bind_statement(&env, ast, &q);
    if (s != OK) *error_current() = kept;
    for (size_t i = 0; s == OK && i < env.uses.count; i++) {
        const struct table_def *of = env.uses.data[i].table;
        if (of && !sys_is_system(of)) TRY(depend(x, rule, relation(of->oid, 0), 'n'));
    }
    return OK;
}

enum status sys_pg_depend(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        if (sys_is_system(t)) continue;
        struct address schema = {CLASS_NAMESPACE, t->schema, 0};
        TRY(depend(x, relation(t->oid, 0), schema, 'n'));
        TRY(depend_columns(x, t));
        TRY(depend_constraints(x, t));
        for (uint16_t i = 0; i < t->index_count; i++) TRY(depend_index(x, t, t->indexes[i]));
        if (t->sequence && t->sequence->owner_table) TRY(depend_sequence(x, t));
        if (t->view_sql) TRY(depend_view(x, t));
    }
    return OK;
}

/* --- comments -------------------------------------------------------------------------------- */

static enum status describe(struct sys_scan *x, oid_t class, oid_t object, int32_t column,
                            const char *comment)
{
    if (!comment) return OK;
    return SYS_EMIT(x, I(object), I(class), I(column), T(comment));
}

enum status sys_pg_description(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    const struct schema_def *d;
    const struct function_def *f;
    while (sys_next_table(x, &pos, &t)) {
        bool type = t->kind == 'c'; /* the comment is the type's */
        TRY(describe(x, type ? CLASS_TYPE : CLASS_RELATION, type ? type_row(t->oid) : t->oid, 0,
                     t->comment));
        for (uint16_t i = 0; i < t->column_count; i++)
            if (!t->columns[i].dropped)
                TRY(describe(x, CLASS_RELATION, t->oid, t->columns[i].number,
                             t->columns[i].comment));
        for (uint16_t i = 0; i < t->index_count; i++)
            TRY(describe(x, CLASS_RELATION, t->indexes[i]->oid, 0, t->indexes[i]->comment));
        for (uint16_t i = 0; i < t->constraint_count; i++)
            TRY(describe(x, CLASS_CONSTRAINT, t->constraints[i]->oid, 0,
                         t->constraints[i]->comment));
        for (uint16_t i = 0; i < t->trigger_count; i++)
            TRY(describe(x, CLASS_TRIGGER, t->triggers[i]->oid, 0, t->triggers[i]->comment));
    }
    pos = 0;
    while (catalog_next_function(x->catalog, &pos, &f)) {
        d = catalog_schema_by_oid(x->catalog, f->schema);
        if (d && d->database == x->s->database_oid)
            TRY(describe(x, CLASS_PROC, f->proc.oid, 0, f->comment));
    }
    pos = 0;
    while (sys_next_schema(x, &pos, &d))
        TRY(describe(x, CLASS_NAMESPACE, d->oid, 0, d->comment));
    return OK;
}

enum status sys_pg_shdescription(struct sys_scan *x)
{
    size_t pos = 0;
    const struct database_def *d;
    while (catalog_next_database(x->catalog, &pos, &d))
        if (d->comment) TRY(SYS_EMIT(x, I(d->oid), I(CLASS_DATABASE), T(d->comment)));
    return OK;
}
