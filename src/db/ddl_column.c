/* One column of CREATE TABLE and ALTER TABLE ADD COLUMN, in two steps. First its type and what
 * needs no name; once the table is known with all its columns, its default, sequence and
 * constraints. */
#include "db/ddl_priv.h"
#include "db/past_priv.h"
#include "db/storage_priv.h"
#include "types/record.h"

/* --- types ---------------------------------------------------------------------------------- */

static bool is_serial(const struct ast_column_def *c, type_id *ret)
{
    static const struct {
        const char *name;
        type_id type;
    } serials[] = {{"smallserial", TYPE_INT2}, {"serial2", TYPE_INT2}, {"serial", TYPE_INT4},
                   {"serial4", TYPE_INT4},     {"bigserial", TYPE_INT8}, {"serial8", TYPE_INT8}};
    if (!c->type || c->type->names.count != 1) return false;
    for (size_t i = 0; i < sizeof serials / sizeof serials[0]; i++)
        if (strcmp(c->type->names.items[0], serials[i].name) == 0) {
            *ret = serials[i].type;
            return true;
        }
    return false;
}

static enum status check_collation(struct ddl *d, const struct ast_column_def *c, type_id type)
{
    static const char *const known[] = {"default", "C", "POSIX", "ucs_basic"};
    if (c->collation.count == 0) return OK;
    const char *name = c->collation.items[c->collation.count - 1];
    const struct type_info *info = type_get(type);
    if (!info || info->category != 'S') {
        struct strbuf b;
        strbuf_init(&b, d->a);
        session__type_name(d->s, type, -1, &b);
        return ddl__at(d, c->node.location,
                       FAIL(DATATYPE_MISMATCH, "collations are not supported by type %s", b.data));
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0) return OK;
    return ddl__at(d, c->node.location,
                   FAIL(UNDEFINED_OBJECT, "collation \"%s\" for encoding \"UTF8\" does not exist",
                        name));
}

static enum status column_type(struct ddl *d, const struct ast_column_def *c, type_id *ret,
                               int32_t *ret_typmod)
{
    struct bind_env env;
    *ret_typmod = -1;
    if (is_serial(c, ret)) {
        if (c->type->array_dims)
            return ddl__at(d, c->type->node.location,
                           FAIL(FEATURE_NOT_SUPPORTED, "array of serial is not implemented"));
        return OK;
    }
    session__bind_env(d->s, &env, d->a, d->text);
    TRY(bind_type(&env, c->type, ret, ret_typmod));
    const struct type_info *info = type_get(*ret);
    if (info && (info->category == 'P' || *ret == TYPE_UNKNOWN))
        return FAIL(INVALID_TABLE_DEFINITION, "column \"%s\" has pseudo-type %s", c->name, info->sql_name);
    return check_collation(d, c, *ret);
}

/* --- the first step ------------------------------------------------------------------------- */

static bool is_system_column(const char *name)
{
    static const char *const names[] = {"tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static enum status twice(struct ddl *d, const struct ast_constraint *k, const char *what,
                         const struct column_def *c, const char *table)
{
    return ddl__at(d, k->node.location,
                   FAIL(SYNTAX_ERROR, "%s specified for column \"%s\" of table \"%s\"", what,
                        c->name, table));
}

static enum status set_identity(struct ddl *d, const struct ast_constraint *k,
                                struct column_def *c, const char *table)
{
    if (c->identity) return twice(d, k, "multiple identity specifications", c, table);
    if (c->type != TYPE_INT2 && c->type != TYPE_INT4 && c->type != TYPE_INT8)
        return FAIL(INVALID_PARAMETER_VALUE,
                    "identity column type must be smallint, integer, or bigint");
    c->identity = k->generated_when;
    return OK;
}

/* What constraints say of the column by their mere presence. */
static enum status mark_column(struct ddl *d, const struct ast_column_def *def,
                               struct column_def *c, const char *table)
{
    bool is_null = false, is_default = def->type && is_serial(def, &c->type);
    c->not_null = is_default;
    for (uint32_t i = 0; i < def->constraints.count; i++) {
        const struct ast_constraint *k = AST(def->constraints.items[i], ast_constraint);
        switch (k->type) {
        case CON_NULL: is_null = true; break;
        case CON_NOT_NULL:
        case CON_PRIMARY: c->not_null = true; break;
        case CON_DEFAULT:
            if (is_default) return twice(d, k, "multiple default values", c, table);
            is_default = true;
            break;
        case CON_IDENTITY: TRY(set_identity(d, k, c, table)); break;
        case CON_GENERATED:
            if (k->generated_when != 'a')
                return FAIL(SYNTAX_ERROR, "for a generated column, GENERATED ALWAYS must be "
                                          "specified");
            if (c->generated) return twice(d, k, "multiple generation clauses", c, table);
            c->generated = 's';
            break;
        default: TRY(ddl__refuse_constraint(d, k)); break;
        }
        if (is_null && (c->not_null || c->identity))
            return ddl__at(d, k->node.location,
                           FAIL(SYNTAX_ERROR, "conflicting NULL/NOT NULL declarations for column "
                                              "\"%s\" of table \"%s\"", c->name, table));
        if (is_default && c->identity)
            return twice(d, k, "both default and identity", c, table);
        if (is_default && c->generated)
            return twice(d, k, "both default and generation expression", c, table);
        if (c->identity && c->generated)
            return twice(d, k, "both identity and generation expression", c, table);
    }
    if (c->identity) c->not_null = true;
    return OK;
}

enum status ddl__add_column(struct ddl *d, struct table_edit *e, const struct ast_column_def *def)
{
    struct column_def c = {.name = def->name, .statistics_target = -1};
    if (e->columns.count >= TABLE_COLUMNS_MAX)
        return FAIL(TOO_MANY_COLUMNS, "tables can have at most %d columns", TABLE_COLUMNS_MAX);
    if (is_system_column(def->name))
        return FAIL(DUPLICATE_COLUMN, "column name \"%s\" conflicts with a system column name",
                    def->name);
    if (!def->type) return FAIL(SYNTAX_ERROR, "column \"%s\" has no type", def->name);
    TRY(column_type(d, def, &c.type, &c.typmod));
    if (type_row_relation(c.type) && type_row_relation(c.type) == e->def.oid)
        return FAIL(INVALID_TABLE_DEFINITION,
                    "composite type %s cannot be made a member of itself", e->def.name);
    TRY(mark_column(d, def, &c, e->def.name));
    c.number = (int16_t)(e->columns.count + 1);
    ARENA_PUSH(d->a, &e->columns, c);
    return OK;
}

/* --- the second step ------------------------------------------------------------------------ */

static enum status serial_default(struct ddl *d, struct table_edit *e, struct column_def *c)
{
    oid_t sequence;
    struct sequence_owner owner = {&e->def, c->number, 'a'};
    const char *name = ddl__choose_name(d, e->def.schema, e->def.name, c->name, "seq", NULL, NULL);
    TRY(ddl__make_sequence(d, e->def.schema, name, c->type, NULL, &owner, &sequence));
    c->default_sql = arena_printf(d->a, "pg_catalog.nextval('%u'::pg_catalog.regclass)", sequence);
    return OK;
}

static enum status identity_sequence(struct ddl *d, struct table_edit *e,
                                     const struct column_def *c, const struct ast_constraint *k)
{
    oid_t sequence;
    struct sequence_owner owner = {&e->def, c->number, 'i'};
    const char *name = ddl__choose_name(d, e->def.schema, e->def.name, c->name, "seq", NULL, NULL);
    return ddl__make_sequence(d, e->def.schema, name, c->type, &k->options, &owner, &sequence);
}

/* A column's constraint as the table's. */
static struct ast_constraint *of_column(struct ddl *d, const struct ast_constraint *k,
                                        const char *const *column)
{
    struct ast_constraint *copy = arena_memdup(d->a, k, sizeof *k);
    copy->columns = (struct name_list){(const char **)column, 1};
    return copy;
}

static enum status column_rule(struct ddl *d, struct table_edit *e,
                               const struct ast_column_def *def, const struct ast_constraint *k)
{
    struct column_def *c = ddl__edit_column(e, def->name);
    switch (k->type) {
    case CON_DEFAULT: return ddl__store_default(d, c, k->expr, &c->default_sql, NULL);
    case CON_GENERATED:
        return ddl__store_generated(d, ddl__edit_def(e), c, k->expr, &c->default_sql);
    case CON_IDENTITY: return identity_sequence(d, e, c, k);
    case CON_CHECK: return ddl__add_check(d, e, k, NULL);
    case CON_PRIMARY:
    case CON_UNIQUE: {
        const char **name = ARENA_ARRAY(d->a, const char *, 1);
        name[0] = def->name;
        return ddl__add_key(d, e, of_column(d, k, name), NULL);
    }
    default: return OK;
    }
}

enum status ddl__column_rules(struct ddl *d, struct table_edit *e, const struct ast_column_def *def)
{
    type_id type;
    struct column_def *c = ddl__edit_column(e, def->name);
    if (def->type && is_serial(def, &type)) TRY(serial_default(d, e, c));
    for (uint32_t i = 0; i < def->constraints.count; i++)
        TRY(column_rule(d, e, def, AST(def->constraints.items[i], ast_constraint)));
    return OK;
}

enum status ddl__column_foreign(struct ddl *d, oid_t table, const struct ast_column_def *def,
                                bool has_rows)
{
    const char **name = ARENA_ARRAY(d->a, const char *, 1);
    name[0] = def->name;
    for (uint32_t i = 0; i < def->constraints.count; i++) {
        const struct ast_constraint *k = AST(def->constraints.items[i], ast_constraint);
        if (k->type == CON_FOREIGN)
            TRY(ddl__add_foreign(d, table, of_column(d, k, name), has_rows));
    }
    return OK;
}

/* --- storage parameters --------------------------------------------------------------------- */

static bool is_known_option(const char *name)
{
    static const char *const names[] = {
        "fillfactor",           "toast_tuple_target", "parallel_workers", "user_catalog_table",
        "vacuum_index_cleanup", "vacuum_truncate",    "deduplicate_items", "security_barrier",
        "security_invoker",     "check_option",       "log_autovacuum_min_duration"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return strncmp(name, "autovacuum_", 11) == 0;
}

/* Is it "helios.…"? Quoted in one, as pg_dump writes it, or with its name space. */
static bool is_ours(const struct ast_def_elem *o, const char *name)
{
    const char *own = name + sizeof "helios." - 1;
    return o->name_space ? strcmp(o->name_space, "helios") == 0 && strcmp(o->name, own) == 0
                         : strcmp(o->name, name) == 0;
}

static enum status add_option(struct ddl *d, const struct ast_def_elem *o, struct strbuf *b)
{
    const char *text = ddl__option_text(o);
    if (strcmp(o->name, "oids") == 0) {
        bool on;
        TRY(ddl__option_bool(o, &on));
        if (on)
            return UNSUPPORTED("tables declared WITH OIDS are not supported");
        return OK;
    }
    if (is_ours(o, STORAGE_OPTION)) {
        enum table_storage storage;
        TRY(storage_check_option(text, &storage));
        bool chosen = text && strncasecmp(text, "auto", 4) == 0;
        strbuf_addf(b, "%s%s=%s", b->len ? "," : "", STORAGE_OPTION, chosen ? "auto" : table_storage_name(storage));
        if (chosen && storage != STORAGE_ROW) strbuf_addf(b, ":%s", table_storage_name(storage));
        return OK;
    }
    if (is_ours(o, PAST_RETENTION_OPTION)) {
        int64_t us;
        if (!text || !past_read_retention(text, &us))
            return FAIL(INVALID_PARAMETER_VALUE, "invalid value for parameter \"%s\": \"%s\"",
                        PAST_RETENTION_OPTION, text ? text : "");
        strbuf_addf(b, "%s%s=%s", b->len ? "," : "", PAST_RETENTION_OPTION, text);
        return OK;
    }
    if (o->name_space && strcmp(o->name_space, "toast") != 0)
        return FAIL(INVALID_PARAMETER_VALUE, "unrecognized parameter namespace \"%s\"",
                    o->name_space);
    if (!is_known_option(o->name))
        return FAIL(INVALID_PARAMETER_VALUE, "unrecognized parameter \"%s\"", o->name);
    if (o->name_space) return OK; /* there is no TOAST table that could have it */
    if (!text && o->arg && o->arg->kind == AST_CONST)
        text = arena_printf(d->a, "%lld", (long long)AST(o->arg, ast_const)->ival);
    strbuf_addf(b, "%s%s=%s", b->len ? "," : "", o->name, text ? text : "true");
    return OK;
}

enum status ddl__options(struct ddl *d, const struct ast_list *options, const char **ret)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    for (uint32_t i = 0; i < options->count; i++)
        TRY(add_option(d, AST(options->items[i], ast_def_elem), &b));
    *ret = b.len ? b.data : NULL;
    return OK;
}

enum status ddl__add_result_column(struct ddl *d, struct table_edit *e, const struct target *t,
                                   const char *name, bool view)
{
    struct column_def c = {.name = name, .type = t->expr->type, .typmod = t->expr->typmod,
                           .number = (int16_t)(e->columns.count + 1), .statistics_target = -1};
    const struct type_info *info = type_get(c.type);
    if (e->columns.count >= TABLE_COLUMNS_MAX)
        return FAIL(TOO_MANY_COLUMNS, "%s can have at most %d %s", view ? "target lists" : "tables",
                    TABLE_COLUMNS_MAX, view ? "entries" : "columns");
    if (c.type == TYPE_UNKNOWN) c.type = TYPE_TEXT;
    else if (!info || info->category == 'P')
        return FAIL(INVALID_TABLE_DEFINITION, "column \"%s\" has pseudo-type %s", name,
                    info ? info->sql_name : "unknown");
    if (ddl__edit_column(e, name))
        return FAIL(DUPLICATE_COLUMN, "column \"%s\" specified more than once", name);
    ARENA_PUSH(d->a, &e->columns, c);
    return OK;
}
