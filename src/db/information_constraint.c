/* information_schema: constraints, the columns they use, roles and privileges. NOT NULL appears as
 * a check constraint under a made-up name, as PostgreSQL's views have it. */
#include "db/information_priv.h"

/* --- walking --------------------------------------------------------------------------------- */

struct each {
    struct sys_scan *x;
    const struct table_def *t;
    const char *schema;
};
typedef enum status (*constraint_rows)(const struct each *e, const struct constraint_def *k);

static enum status each_constraint(struct sys_scan *x, constraint_rows rows)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        struct each e = {x, t, sys_schema_name(x, t->schema)};
        for (uint16_t i = 0; i < t->constraint_count; i++) TRY(rows(&e, t->constraints[i]));
    }
    return OK;
}

static const char *not_null_name(const struct each *e, const struct column_def *c)
{
    return arena_printf(e->x->arena, "%u_%u_%d_not_null", e->t->schema, e->t->oid, c->number);
}

typedef enum status (*not_null_rows)(const struct each *e, const struct column_def *c);

static enum status each_not_null(struct sys_scan *x, not_null_rows rows)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        struct each e = {x, t, sys_schema_name(x, t->schema)};
        if (t->kind != 'r') continue;
        for (uint16_t i = 0; i < t->column_count; i++)
            if (t->columns[i].not_null && !t->columns[i].dropped) TRY(rows(&e, &t->columns[i]));
    }
    return OK;
}

/* --- constraints ----------------------------------------------------------------------------- */

static enum status emit_constraint(const struct each *e, const struct constraint_def *k)
{
    struct sys_scan *x = e->x;
    struct sys_cell distinct = N;
    if (k->kind == 'u') {
        const struct index_def *ix = catalog_index_by_oid(x->catalog, k->index);
        distinct = YES_NO(!ix || !ix->nulls_not_distinct);
    }
    return SYS_EMIT(x, DB(x), T(e->schema), T(k->name), DB(x), T(e->schema), T(e->t->name),
                    T(k->kind == 'c'   ? "CHECK"
                      : k->kind == 'p' ? "PRIMARY KEY"
                      : k->kind == 'u' ? "UNIQUE"
                                       : "FOREIGN KEY"),
                    YES_NO(k->deferrable), YES_NO(k->initially_deferred), T("YES"), distinct);
}

static enum status emit_not_null(const struct each *e, const struct column_def *c)
{
    struct sys_scan *x = e->x;
    return SYS_EMIT(x, DB(x), T(e->schema), T(not_null_name(e, c)), DB(x), T(e->schema),
                    T(e->t->name), T("CHECK"), T("NO"), T("NO"), T("YES"), N);
}

enum status sys_is_table_constraints(struct sys_scan *x)
{
    TRY(each_constraint(x, emit_constraint));
    return each_not_null(x, emit_not_null);
}

static enum status emit_check(const struct each *e, const struct constraint_def *k)
{
    struct sys_scan *x = e->x;
    const char *sql;
    if (k->kind != 'c') return OK;
    TRY(sys_expression(x->s, e->t->oid, k->check_sql, x->arena, &sql));
    return SYS_EMIT(x, DB(x), T(e->schema), T(k->name), T(arena_printf(x->arena, "(%s)", sql)));
}

static enum status emit_not_null_check(const struct each *e, const struct column_def *c)
{
    struct sys_scan *x = e->x;
    const char *clause = arena_printf(x->arena, "%s IS NOT NULL", c->name);
    return SYS_EMIT(x, DB(x), T(e->schema), T(not_null_name(e, c)), T(clause));
}

enum status sys_is_check_constraints(struct sys_scan *x)
{
    TRY(each_constraint(x, emit_check));
    return each_not_null(x, emit_not_null_check);
}

/* --- columns of constraints ------------------------------------------------------------------ */

/* Where the referenced column stands in the key that the foreign key refers to. */
static struct sys_cell position_in_unique(const struct each *e, const struct constraint_def *k,
                                          uint16_t i)
{
    const struct index_def *ix = catalog_index_by_oid(e->x->catalog, k->index);
    if (k->kind != 'f' || !ix) return N;
    for (uint16_t n = 0; n < ix->key_count; n++)
        if (ix->columns[n].column == k->foreign_columns[i]) return I(n + 1);
    return N;
}

static enum status emit_key_columns(const struct each *e, const struct constraint_def *k)
{
    struct sys_scan *x = e->x;
    if (k->kind == 'c') return OK;
    for (uint16_t i = 0; i < k->column_count; i++) {
        const struct column_def *c = sys_column(e->t, k->columns[i]);
        if (!c) continue;
        TRY(SYS_EMIT(x, DB(x), T(e->schema), T(k->name), DB(x), T(e->schema), T(e->t->name),
                     T(c->name), I(i + 1), position_in_unique(e, k, i)));
    }
    return OK;
}

enum status sys_is_key_column_usage(struct sys_scan *x)
{
    return each_constraint(x, emit_key_columns);
}

static enum status emit_used_columns(const struct each *e, const struct constraint_def *k)
{
    struct sys_scan *x = e->x;
    bool foreign = k->kind == 'f';
    const struct table_def *t =
        foreign ? catalog_table_by_oid(x->catalog, k->foreign_table) : e->t;
    for (uint16_t i = 0; t && i < k->column_count; i++) {
        const struct column_def *c = sys_column(t, foreign ? k->foreign_columns[i] : k->columns[i]);
        if (!c) continue;
        TRY(SYS_EMIT(x, DB(x), T(sys_schema_name(x, t->schema)), T(t->name), T(c->name), DB(x),
                     T(e->schema), T(k->name)));
    }
    return OK;
}

enum status sys_is_constraint_column_usage(struct sys_scan *x)
{
    return each_constraint(x, emit_used_columns);
}

static const char *rule_name(char action)
{
    switch (action) {
    case 'c': return "CASCADE";
    case 'n': return "SET NULL";
    case 'd': return "SET DEFAULT";
    case 'r': return "RESTRICT";
    default: return "NO ACTION";
    }
}

static enum status emit_referential(const struct each *e, const struct constraint_def *k)
{
    struct sys_scan *x = e->x;
    if (k->kind != 'f') return OK;
    const struct table_def *to = catalog_table_by_oid(x->catalog, k->foreign_table);
    const struct index_def *ix = catalog_index_by_oid(x->catalog, k->index);
    const struct constraint_def *key =
        ix && ix->constraint ? catalog_constraint_by_oid(x->catalog, ix->constraint) : NULL;
    struct sys_cell null = N;
    return SYS_EMIT(x, DB(x), T(e->schema), T(k->name), key ? DB(x) : null,
                    key && to ? T(sys_schema_name(x, to->schema)) : null,
                    T(key ? key->name : NULL),
                    T(k->match == 'f' ? "FULL" : k->match == 'p' ? "PARTIAL" : "NONE"),
                    T(rule_name(k->on_update)), T(rule_name(k->on_delete)));
}

enum status sys_is_referential_constraints(struct sys_scan *x)
{
    return each_constraint(x, emit_referential);
}

/* --- roles and privileges -------------------------------------------------------------------- */

enum status sys_is_roles(struct sys_scan *x)
{
    size_t pos = 0;
    const struct role_def *r;
    while (catalog_next_role(x->catalog, &pos, &r))
        if (x->s->superuser || r->oid == x->s->user_oid) TRY(SYS_EMIT(x, T(r->name)));
    return OK;
}

static const struct {
    char letter;
    const char *name;
} privileges[] = {{'a', "INSERT"},   {'r', "SELECT"},     {'w', "UPDATE"}, {'d', "DELETE"},
                  {'D', "TRUNCATE"}, {'x', "REFERENCES"}, {'t', "TRIGGER"}};

struct grant {
    const char *grantor, *grantee;
    const char *letters; /* "r*w": with the option to grant, without */
    bool owner;          /* who may grant all */
};

static enum status emit_grant(struct sys_scan *x, const struct table_def *t, const struct grant *g)
{
    for (size_t i = 0; i < sizeof privileges / sizeof privileges[0]; i++) {
        const char *at = strchr(g->letters, privileges[i].letter);
        if (!at) continue;
        TRY(SYS_EMIT(x, T(g->grantor), T(g->grantee), DB(x), T(sys_schema_name(x, t->schema)),
                     T(t->name), T(privileges[i].name), YES_NO(g->owner || at[1] == '*'),
                     YES_NO(privileges[i].letter == 'r')));
    }
    return OK;
}

/* One aclitem, "grantee=letters/grantor". */
static enum status emit_acl_item(struct sys_scan *x, const struct table_def *t, const char *item)
{
    const char *equals = strchr(item, '='), *slash = equals ? strchr(equals, '/') : NULL;
    const char *owner = sys_role_name(x, t->owner, x->arena);
    if (!slash) return OK;
    struct grant g = {.grantor = slash + 1, .grantee = "PUBLIC"};
    if (equals > item) g.grantee = arena_strndup(x->arena, item, (size_t)(equals - item));
    g.letters = arena_strndup(x->arena, equals + 1, (size_t)(slash - equals - 1));
    g.owner = strcmp(g.grantee, owner) == 0;
    return emit_grant(x, t, &g);
}

static enum status emit_grants(struct sys_scan *x, const struct table_def *t)
{
    struct array_view v;
    struct sys_cell acl = sys_array_from_text(x, TYPE_ACLITEM_ARRAY, t->acl);
    const char *owner = sys_role_name(x, t->owner, x->arena);
    struct grant all = {owner, owner, "arwdDxt", true};
    if (acl.kind == SYS_NULL) return emit_grant(x, t, &all);
    TRY(array_open(&acl.bytes, x->arena, &v));
    for (uint32_t i = 0; i < v.count; i++) {
        struct slice s = bytes_slice(&v.elements[i].v.bytes);
        TRY(emit_acl_item(x, t, arena_strndup(x->arena, s.data, s.len)));
    }
    return OK;
}

enum status sys_is_table_privileges(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t))
        if (t->kind != 'S' && t->kind != 'c' && !sys_is_system(t)) TRY(emit_grants(x, t));
    return OK;
}
