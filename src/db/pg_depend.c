/* pg_depend: what needs what. By it clients find the sequence of a serial column, and pg_dump the
 * order in which things are made. */
#include "db/system_priv.h"
#include "sql/type_name.h"
#include "types/record.h"

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

/* --- types ------------------------------------------------------------------------------------ */

/* The relation whose rows the type's values, or their elements, are; NULL. */
static const struct table_def *row_of(struct sys_scan *x, type_id type)
{
    const struct type_info *i = type_get(type);
    if (i && i->element && type_is_row(i->element)) type = i->element;
    const struct table_def *t = type_is_row(type) ? type_row_table(x->catalog, type) : NULL;
    return t && !sys_is_system(t) ? t : NULL;
}

static enum status depend_on_type(struct sys_scan *x, struct address what, type_id type)
{
    struct address t = {CLASS_TYPE, type, 0};
    return row_of(x, type) ? depend(x, what, t, 'n') : OK;
}

/* A table has its row type, a composite type its relation; both have the type of arrays. */
static enum status depend_row_type(struct sys_scan *x, const struct table_def *t)
{
    if (t->kind == 'S') return OK;
    struct address row = {CLASS_TYPE, type_row(t->oid), 0}, self = relation(t->oid, 0);
    struct address array = {CLASS_TYPE, type_get(row.object)->array, 0};
    if (t->kind == 'c') {
        TRY(depend(x, self, row, 'i'));
        TRY(depend(x, row, (struct address){CLASS_NAMESPACE, t->schema, 0}, 'n'));
    } else {
        TRY(depend(x, row, self, 'i'));
    }
    TRY(depend(x, array, row, 'i'));
    for (uint16_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].dropped)
            TRY(depend_on_type(x, relation(t->oid, t->columns[i].number), t->columns[i].type));
    return OK;
}

/* --- functions and triggers ------------------------------------------------------------------- */

enum { CLASS_LANGUAGE = 2612, LANGUAGE_PLPGSQL = 13500 };

static enum status depend_function(struct sys_scan *x, const struct function_def *f)
{
    struct address self = {CLASS_PROC, f->proc.oid, 0};
    TRY(depend(x, self, (struct address){CLASS_NAMESPACE, f->schema, 0}, 'n'));
    if (f->language != 's')
        TRY(depend(x, self, (struct address){CLASS_LANGUAGE, LANGUAGE_PLPGSQL, 0}, 'n'));
    TRY(depend_on_type(x, self, f->proc.result));
    if (f->result_table) TRY(depend_on_type(x, self, type_row(f->result_table)));
    for (uint16_t i = 0; i < f->all_count; i++) TRY(depend_on_type(x, self, f->all_types[i]));
    return OK;
}

static enum status depend_trigger(struct sys_scan *x, const struct table_def *t,
                                  const struct trigger_def *g)
{
    struct address self = {CLASS_TRIGGER, g->oid, 0};
    TRY(depend(x, self, (struct address){CLASS_PROC, g->function, 0}, 'n'));
    TRY(depend(x, self, relation(t->oid, 0), 'a'));
    for (uint16_t i = 0; i < g->column_count; i++)
        TRY(depend(x, self, relation(t->oid, g->columns[i]), 'n'));
    if (!g->constraint) return OK;
    return depend(x, (struct address){CLASS_CONSTRAINT, g->constraint, 0}, self, 'i');
}

/* --- views ------------------------------------------------------------------------------------ */

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
        const struct name_use *u = &env.uses.data[i];
        const struct table_def *of = u->table;
        if (u->function) TRY(depend(x, rule, (struct address){CLASS_PROC, u->function, 0}, 'n'));
        if (!of || sys_is_system(of)) continue;
        if (u->var) TRY(depend(x, rule, relation(of->oid, 0), 'n'));
        else if (!u->columns) TRY(depend_on_type(x, rule, type_row(of->oid)));
    }
    return OK;
}

static enum status depend_table(struct sys_scan *x, const struct table_def *t)
{
    struct address schema = {CLASS_NAMESPACE, t->schema, 0};
    if (t->kind != 'c') TRY(depend(x, relation(t->oid, 0), schema, 'n'));
    TRY(depend_row_type(x, t));
    TRY(depend_columns(x, t));
    TRY(depend_constraints(x, t));
    for (uint16_t i = 0; i < t->index_count; i++) TRY(depend_index(x, t, t->indexes[i]));
    for (uint16_t i = 0; i < t->trigger_count; i++) TRY(depend_trigger(x, t, t->triggers[i]));
    if (t->sequence && t->sequence->owner_table) TRY(depend_sequence(x, t));
    return t->view_sql ? depend_view(x, t) : OK;
}

enum status sys_pg_depend(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    const struct function_def *f;
    while (sys_next_table(x, &pos, &t))
        if (!sys_is_system(t)) TRY(depend_table(x, t));
    pos = 0;
    while (catalog_next_function(x->catalog, &pos, &f)) {
        const struct schema_def *n = catalog_schema_by_oid(x->catalog, f->schema);
        if (n && n->database == x->s->database_oid) TRY(depend_function(x, f));
    }
    return OK;
}
