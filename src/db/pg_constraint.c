/* What hangs on relations: defaults, constraints, sequences, rules of views, comments. */
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

/* A constraint trigger is a constraint, too, of its name. */
static enum status emit_trigger(struct sys_scan *x, const struct table_def *t,
                                const struct trigger_def *g)
{
    return SYS_EMIT(x, I(g->constraint), T(g->name), I(t->schema), C('t'), I(g->deferrable),
                    I(g->initially_deferred), I(1), I(t->oid), I(0), I(0), I(0), I(0), C(' '),
                    C(' '), C(' '), I(1), I(0), I(1), N, N, N, N, N, N, N, N);
}

enum status sys_pg_constraint(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        for (uint16_t i = 0; i < t->constraint_count; i++)
            TRY(emit_constraint(x, t, t->constraints[i]));
        for (uint16_t i = 0; i < t->trigger_count; i++)
            if (t->triggers[i]->constraint) TRY(emit_trigger(x, t, t->triggers[i]));
    }
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
    return sys_builtin_descriptions(x);
}

enum status sys_pg_shdescription(struct sys_scan *x)
{
    size_t pos = 0;
    const struct database_def *d;
    while (catalog_next_database(x->catalog, &pos, &d))
        if (d->comment) TRY(SYS_EMIT(x, I(d->oid), I(CLASS_DATABASE), T(d->comment)));
    return OK;
}
