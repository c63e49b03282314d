/* pg_class, pg_attribute and pg_index: relations, their columns and their indexes, out of the
 * catalog's snapshot. System tables are told of like all others, as clients list them. */
#include "db/system_priv.h"
#include "types/record.h"

/* --- pg_class -------------------------------------------------------------------------------- */

/* Tables that foreign keys refer to: they have triggers in PostgreSQL, and psql asks for foreign
 * keys only where relhastriggers says so. */
static void find_referenced(struct sys_scan *x, struct map *ret)
{
    size_t pos = 0;
    const struct table_def *t;
    map_init(ret);
    while (sys_next_table(x, &pos, &t)) {
        for (uint16_t i = 0; i < t->constraint_count; i++) {
            if (t->constraints[i]->kind != 'f') continue;
            map_put_u64(ret, t->oid, x);
            map_put_u64(ret, t->constraints[i]->foreign_table, x);
        }
    }
}

static uint16_t count_checks(const struct table_def *t)
{
    uint16_t n = 0;
    for (uint16_t i = 0; i < t->constraint_count; i++) n += t->constraints[i]->kind == 'c';
    return n;
}

static struct sys_cell options_of(struct sys_scan *x, const struct table_def *t)
{
    if (!t->options || !*t->options) return N;
    if (t->options[0] == '{') return sys_array_from_text(x, TYPE_TEXT_ARRAY, t->options);
    return sys_array_from_text(x, TYPE_TEXT_ARRAY, arena_printf(x->arena, "{%s}", t->options));
}

static enum status emit_table(struct sys_scan *x, const struct table_def *t, bool triggers)
{
    bool table = t->kind == 'r' || t->kind == 'm', stored = t->kind != 'v' && t->kind != 'c',
         system = sys_is_system(t);
    double rows = t->kind == 'S' ? 1 : t->statistics.rows;
    bool typed = t->kind != 'S' && !system;
    return SYS_EMIT(x, I(t->oid), T(t->name), I(t->schema), I(typed ? type_row(t->oid) : 0), I(0),
                    I(t->owner), I(table ? AM_HEAP : 0), I(stored ? t->oid : 0), I(0),
                    I(t->kind == 'S' ? 1 : t->statistics.pages), R(rows), I(0), I(0),
                    I(t->index_count > 0), I(0), C(t->persistence), C(t->kind),
                    I(t->kind == 'S' ? 3 : t->column_count), I(count_checks(t)),
                    I(t->view_sql != NULL), I(triggers), I(0), I(0), I(0),
                    I(t->kind != 'm' || t->tree != 0),
                    C(table && !system ? 'd' : 'n'), I(0), I(0), I(table ? 3 : 0),
                    I(table ? 1 : 0), sys_array_from_text(x, TYPE_ACLITEM_ARRAY, t->acl),
                    options_of(x, t), N);
}

static enum status emit_index(struct sys_scan *x, const struct table_def *t,
                              const struct index_def *ix)
{
    double rows = t->statistics.rows > 0 ? t->statistics.rows : 0;
    return SYS_EMIT(x, I(ix->oid), T(ix->name), I(t->schema), I(0), I(0), I(t->owner),
                    I(AM_BTREE), I(ix->oid), I(0), I(1), R(rows), I(0), I(0), I(0), I(0),
                    C(t->persistence), C('i'), I(ix->column_count), I(0), I(0), I(0), I(0), I(0),
                    I(0), I(1), C('n'), I(0), I(0), I(0), I(0), N, N, N);
}

enum status sys_pg_class(struct sys_scan *x)
{
    struct map referenced;
    size_t pos = 0;
    const struct table_def *t;
    enum status result = OK;
    find_referenced(x, &referenced);
    while (result == OK && sys_next_table(x, &pos, &t)) {
        result = emit_table(x, t, map_get_u64(&referenced, t->oid) != NULL || t->trigger_count);
        for (uint16_t i = 0; result == OK && i < t->index_count; i++)
            result = emit_index(x, t, t->indexes[i]);
    }
    map_release(&referenced);
    return result;
}

/* --- pg_attribute ---------------------------------------------------------------------------- */

struct attribute {
    oid_t relation;
    const char *name;
    type_id type;
    int32_t typmod;
    int16_t number;
    bool not_null, has_default, has_missing, dropped;
    char identity, generated;
    int32_t target;
};

static enum status emit_attribute(struct sys_scan *x, const struct attribute *a)
{
    const struct type_info *t = type_get(a->type);
    return SYS_EMIT(x, I(a->relation), T(a->name), I(a->dropped ? 0 : a->type), I(a->target),
                    I(t ? t->typlen : 4), I(a->number), I(type_is_array(a->type)), I(-1),
                    I(a->typmod), I(t ? t->byval : true), C(t ? t->align : 'i'),
                    C(sys_storage(a->type)), C(0), I(a->not_null), I(a->has_default),
                    I(a->has_missing), C(a->identity), C(a->generated), I(a->dropped), I(1), I(0),
                    I(sys_collation(a->type)), N, N, N, N);
}

static const struct {
    const char *name;
    type_id type;
    int16_t number;
} system_columns[] = {{"tableoid", TYPE_OID, -6}, {"cmax", 29, -5}, {"xmax", TYPE_XID, -4},
                      {"cmin", 29, -3},           {"xmin", 28, -2}, {"ctid", TYPE_TID, -1}};

static enum status emit_system_columns(struct sys_scan *x, oid_t relation)
{
    for (size_t i = 0; i < sizeof system_columns / sizeof system_columns[0]; i++) {
        struct attribute a = {.relation = relation, .name = system_columns[i].name,
                              .type = system_columns[i].type, .typmod = -1,
                              .number = system_columns[i].number, .not_null = true};
        TRY(emit_attribute(x, &a));
    }
    return OK;
}

static enum status emit_columns(struct sys_scan *x, const struct table_def *t)
{
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct column_def *c = &t->columns[i];
        struct attribute a = {.relation = t->oid, .name = c->name, .type = c->type,
                              .typmod = c->typmod, .number = c->number, .not_null = c->not_null,
                              .has_default = c->default_sql != NULL,
                              .has_missing = c->has_missing, .dropped = c->dropped,
                              .identity = c->identity, .generated = c->generated,
                              .target = c->statistics_target};
        if (c->dropped) {
            a.name = arena_printf(x->arena, "........pg.dropped.%d........", c->number);
            a.target = 0;
            a.not_null = a.has_default = a.has_missing = false;
        }
        TRY(emit_attribute(x, &a));
    }
    return OK;
}

static enum status emit_sequence_columns(struct sys_scan *x, const struct table_def *t)
{
    static const struct {
        const char *name;
        type_id type;
    } columns[] = {{"last_value", TYPE_INT8}, {"log_cnt", TYPE_INT8}, {"is_called", TYPE_BOOL}};
    for (int i = 0; i < 3; i++) {
        struct attribute a = {.relation = t->oid, .name = columns[i].name,
                              .type = columns[i].type, .typmod = -1, .not_null = true,
                              .number = (int16_t)(i + 1), .target = -1};
        TRY(emit_attribute(x, &a));
    }
    return OK;
}

static enum status emit_index_columns(struct sys_scan *x, const struct table_def *t,
                                      const struct index_def *ix)
{
    for (uint16_t i = 0; i < ix->column_count; i++) {
        const struct column_def *c = sys_column(t, ix->columns[i].column);
        struct attribute a = {.relation = ix->oid,
                              .name = sys_index_column_name(t, ix, i, x->arena),
                              .type = ix->columns[i].type, .typmod = c ? c->typmod : -1,
                              .number = (int16_t)(i + 1), .target = -1};
        TRY(emit_attribute(x, &a));
    }
    return OK;
}

enum status sys_pg_attribute(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        if (t->kind != 'v' && t->kind != 'c') TRY(emit_system_columns(x, t->oid));
        if (t->kind == 'S') TRY(emit_sequence_columns(x, t));
        else TRY(emit_columns(x, t));
        for (uint16_t i = 0; i < t->index_count; i++)
            TRY(emit_index_columns(x, t, t->indexes[i]));
    }
    return OK;
}

/* --- pg_index -------------------------------------------------------------------------------- */

enum { INDOPTION_DESC = 1, INDOPTION_NULLS_FIRST = 2 };

/* The expressions of an index in their stored form, one after the other. */
static const char *index_expressions(struct sys_scan *x, const struct index_def *ix)
{
    struct strbuf b;
    strbuf_init(&b, x->arena);
    for (uint16_t i = 0; i < ix->column_count; i++) {
        if (ix->columns[i].column != 0) continue;
        if (b.len) strbuf_adds(&b, ", ");
        strbuf_adds(&b, ix->columns[i].expression_sql);
    }
    return b.len ? b.data : NULL;
}

static enum status emit_pg_index(struct sys_scan *x, const struct table_def *t,
                                 const struct index_def *ix)
{
    struct arena *a = x->arena;
    uint16_t n = ix->column_count, keys = ix->key_count;
    int16_t *numbers = ARENA_ARRAY(a, int16_t, n + 1), *options = ARENA_ARRAY(a, int16_t, n + 1);
    oid_t *classes = ARENA_ARRAY(a, oid_t, n + 1), *collations = ARENA_ARRAY(a, oid_t, n + 1);
    for (uint16_t i = 0; i < n; i++) {
        const struct index_column *c = &ix->columns[i];
        numbers[i] = c->column;
        options[i] = (int16_t)((c->descending ? INDOPTION_DESC : 0) |
                               (c->nulls_first ? INDOPTION_NULLS_FIRST : 0));
        classes[i] = sys_operator_class(c->type);
        collations[i] = sys_collation(c->type);
    }
    const struct constraint_def *k =
        ix->constraint ? catalog_constraint_by_oid(x->catalog, ix->constraint) : NULL;
    return SYS_EMIT(x, I(ix->oid), I(t->oid), I(n), I(keys), I(ix->unique),
                    I(ix->nulls_not_distinct), I(ix->primary), I(0), I(!k || !k->deferrable), I(0),
                    I(ix->valid), I(0), I(ix->ready), I(ix->live), I(0),
                    V(sys_vector_int2(a, numbers, n)),
                    V(sys_vector_oid(a, collations, keys)), V(sys_vector_oid(a, classes, keys)),
                    V(sys_vector_int2(a, options, keys)), T(index_expressions(x, ix)),
                    T(ix->predicate_sql));
}

enum status sys_pg_index(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t))
        for (uint16_t i = 0; i < t->index_count; i++) TRY(emit_pg_index(x, t, t->indexes[i]));
    return OK;
}
