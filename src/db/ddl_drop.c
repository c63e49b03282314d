/* DROP and TRUNCATE. Both only let go of trees: the store frees them after the commit, when no
 * snapshot needs them any more, so that an abort has nothing to bring back. */
#include "db/ddl_build_priv.h"
#include "db/ddl_routine_priv.h"
#include "db/storage_priv.h"

/* --- finding what is named ------------------------------------------------------------------ */

static const char *lower_word(enum object_kind k)
{
    return k == OBJECT_VIEW                ? "view"
           : k == OBJECT_MATERIALIZED_VIEW ? "materialized view"
           : k == OBJECT_SEQUENCE          ? "sequence"
                                           : "table";
}

static enum status wrong_kind(const char *name, enum object_kind k, const char *is)
{
    FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a %s", name, lower_word(k));
    if (strcmp(is, "view") == 0) return error_hint("Use DROP VIEW to remove a view.");
    if (strcmp(is, "materialized view") == 0)
        return error_hint("Use DROP MATERIALIZED VIEW to remove a materialized view.");
    if (strcmp(is, "sequence") == 0) return error_hint("Use DROP SEQUENCE to remove a sequence.");
    if (strcmp(is, "composite type") == 0) return error_hint("Use DROP TYPE to remove a type.");
    if (strcmp(is, "index") == 0) return error_hint("Use DROP INDEX to remove an index.");
    return error_hint("Use DROP TABLE to remove a table.");
}

static enum status find(struct ddl *d, const struct name_list *names, enum object_kind k,
                        bool if_exists, const struct table_def **ret)
{
    struct ast_range_var v = ddl__range_of(names);
    char kind = ddl__kind_of(k, 'r');
    const struct search_path *path = session__path(d->s);
    const struct table_def *t = catalog_lookup(d->s->catalog, path, v.schema, v.name);
    *ret = NULL;
    if (t && t->kind != kind) return wrong_kind(v.name, k, ddl__kind_word(t));
    if (!t && catalog_lookup_index(d->s->catalog, path, v.schema, v.name))
        return wrong_kind(v.name, k, "index");
    if (t) return ddl__find(d, &v, kind, false, ret);
    if (ddl__lacks_schema(d, &v)) {
        if (if_exists) return ddl__notice(d, "schema \"%s\" does not exist, skipping", v.schema);
        return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", v.schema);
    }
    if (if_exists)
        return ddl__notice(d, "%s \"%s\" does not exist, skipping", lower_word(k), v.name);
    return FAIL(UNDEFINED_TABLE, "%s \"%s\" does not exist", lower_word(k), v.name);
}

/* --- relations ------------------------------------------------------------------------------ */

static enum status check_identity(struct ddl *d, const struct table_def *t)
{
    if (t->kind != 'S' || t->sequence->owner_kind != 'i') return OK;
    const struct table_def *owner = ddl__table(d, t->sequence->owner_table);
    const char *column = owner->columns[t->sequence->owner_column - 1].name;
    FAIL(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop %s because column %s of %s requires it",
         ddl__words(d, t), column, ddl__words(d, owner));
    return error_hint("You can drop column %s of %s instead.", column, ddl__words(d, owner));
}

static enum status drop_relations(struct ddl *d, const struct ast_drop *n)
{
    struct drop_item *items = ARENA_ARRAY(d->a, struct drop_item, n->name_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->name_count; i++) {
        const struct table_def *t;
        TRY(find(d, &n->names[i], n->object, n->if_exists, &t));
        if (!t) continue;
        const struct schema_def *schema = catalog_schema_by_oid(d->s->catalog, t->schema);
        if (!schema || !ddl__is_owner(d->s, schema->owner)) TRY(ddl__own_table(d, t));
        TRY(check_identity(d, t));
        items[count++] = (struct drop_item){t, NULL};
    }
    return count ? ddl__drop_items(d, items, count, n->cascade) : OK;
}

/* --- indexes -------------------------------------------------------------------------------- */

enum status ddl__find_drop_index(struct ddl *d, const struct ast_drop *n, uint32_t i,
                                 const struct index_def **ret)
{
    const struct index_def *x;
    struct ast_range_var v = ddl__range_of(&n->names[i]);
    enum status found = ddl__find_index(d, &v, n->if_exists, &x);
    const struct table_def *other =
        catalog_lookup(d->s->catalog, session__path(d->s), v.schema, v.name);
    *ret = NULL;
    if (found == WRONG_OBJECT_TYPE && other) {
        const char *word = ddl__kind_word(other);
        const char *upper = other->kind == 'v' ? "VIEW"
                            : other->kind == 'm' ? "MATERIALIZED VIEW" : other->kind == 'S' ? "SEQUENCE" : "TABLE";
        return error_hint("Use DROP %s to remove a %s.", upper, word);
    }
    TRY(found);
    if (!x) return OK;
    const struct table_def *t = ddl__table(d, x->table);
    TRY(ddl__own_table(d, t));
    *ret = x;
    if (!x->constraint) return OK;
    const struct constraint_def *k = catalog_constraint_by_oid(d->s->catalog, x->constraint);
    const char *name = ddl__quote(d->a, k ? k->name : x->name);
    FAIL(DEPENDENT_OBJECTS_STILL_EXIST,
         "cannot drop index %s because constraint %s on %s requires it", ddl__quote(d->a, x->name),
         name, ddl__words(d, t));
    return error_hint("You can drop constraint %s on %s instead.", name, ddl__words(d, t));
}

static enum status drop_one_index(struct ddl *d, const struct ast_drop *n, uint32_t i)
{
    const struct index_def *x;
    TRY(ddl__find_drop_index(d, n, i, &x));
    if (!x) return OK;
    const struct table_def *t = ddl__table(d, x->table);
    TRY(ddl__lock(d, t->oid, LOCK_ACCESS_EXCLUSIVE));
    TRY(session__check_unused(d->s, t, "DROP INDEX"));
    const char *what = arena_printf(d->a, "index %s", ddl__quote(d->a, x->name));
    TRY(ddl__drop_references(d, x, what, n->cascade));
    return ddl__drop_index(d, x);
}

/* --- schemas -------------------------------------------------------------------------------- */

struct schema_list {
    const struct schema_def **data;
    size_t count, cap;
};

static enum status find_schema(struct ddl *d, const struct ast_drop *n, uint32_t i,
                               struct schema_list *ret)
{
    const char *name = n->names[i].items[n->names[i].count - 1];
    const struct schema_def *s = catalog_schema(d->s->catalog, d->s->database_oid, slice_of(name));
    if (!s && n->if_exists) return ddl__notice(d, "schema \"%s\" does not exist, skipping", name);
    if (!s) return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", name);
    if (s->database == 0)
        return FAIL(DEPENDENT_OBJECTS_STILL_EXIST,
                    "cannot drop schema %s because it is required by the database system", name);
    TRY(ddl__own_schema(d, s));
    for (size_t k = 0; k < ret->count; k++)
        if (ret->data[k]->oid == s->oid) return OK;
    ARENA_PUSH(d->a, ret, s);
    return OK;
}

static enum status drop_schemas(struct ddl *d, const struct ast_drop *n)
{
    struct schema_list x = {0};
    for (uint32_t i = 0; i < n->name_count; i++) TRY(find_schema(d, n, i, &x));
    TRY(ddl__drop_contents(d, x.data, (uint32_t)x.count, n->cascade));
    for (size_t i = 0; i < x.count; i++) TRY(ddl__drop_schema_functions(d, x.data[i]->oid));
    for (size_t i = 0; i < x.count; i++) TRY(ddl__remove(d, x.data[i]->oid));
    return OK;
}

enum status ddl__drop(struct ddl *d, const struct ast_drop *n)
{
    if (n->object == OBJECT_TABLE || n->object == OBJECT_VIEW || n->object == OBJECT_SEQUENCE ||
        n->object == OBJECT_MATERIALIZED_VIEW)
        return drop_relations(d, n);
    if (n->object == OBJECT_ROW_TYPE) return ddl__drop_types(d, n);
    if (n->object != OBJECT_INDEX && n->object != OBJECT_SCHEMA)
        return UNSUPPORTED("dropping this kind of object is not supported yet");
    if (n->object == OBJECT_SCHEMA) return drop_schemas(d, n);
    for (uint32_t i = 0; i < n->name_count; i++) TRY(drop_one_index(d, n, i));
    return OK;
}

/* --- TRUNCATE ------------------------------------------------------------------------------- */

static enum status restart_owned(struct ddl *d, oid_t table)
{
    ARRAY(const struct table_def *) found = {0};
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(d->s->catalog, &pos, &t))
        if (t->kind == 'S' && t->sequence->owner_table == table) ARENA_PUSH(d->a, &found, t);
    for (size_t i = 0; i < found.count; i++) TRY(ddl__restart_sequence(d, found.data[i]));
    return OK;
}

struct truncation {
    const struct table_def **data;
    size_t count, cap;
};

static bool named_before(const struct table_def *const *tables, uint32_t n,
                         const struct table_def *t)
{
    for (uint32_t i = 0; i < n; i++)
        if (tables[i]->oid == t->oid) return true;
    return false;
}

static enum status add_truncated(struct ddl *d, struct truncation *x, const struct table_def *t)
{
    if (named_before(x->data, (uint32_t)x->count, t)) return OK;
    if (!ddl__is_owner(d->s, t->owner) && !ddl__acl_allows(t->acl, session__user(d->s), 'D'))
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for table %s", t->name);
    TRY(ddl__lock(d, t->oid, LOCK_ACCESS_EXCLUSIVE));
    TRY(session__check_unused(d->s, t, "TRUNCATE"));
    ARENA_PUSH(d->a, x, ddl__table(d, t->oid));
    return OK;
}

/* Tables that refer to those: they go along, or forbid it. */
static enum status truncate_references(struct ddl *d, struct truncation *x, bool cascade)
{
    for (size_t i = 0; i < x->count; i++) {
        uint32_t n;
        const struct constraint_def *const *list =
            catalog_references(d->s->catalog, x->data[i]->oid, &n);
        for (uint32_t k = 0; k < n; k++) {
            const struct table_def *t = ddl__table(d, list[k]->table);
            if (named_before(x->data, (uint32_t)x->count, t)) continue;
            if (!cascade) {
                FAIL(FEATURE_NOT_SUPPORTED,
                     "cannot truncate a table referenced in a foreign key constraint");
                error_detail("Table \"%s\" references \"%s\".", t->name, x->data[i]->name);
                return error_hint("Truncate table \"%s\" at the same time, or use TRUNCATE ... "
                                  "CASCADE.",
                                  t->name);
            }
            TRY(ddl__notice(d, "truncate cascades to table \"%s\"", t->name));
            TRY(add_truncated(d, x, t));
        }
    }
    return OK;
}

enum status ddl__truncate(struct ddl *d, const struct ast_truncate *n)
{
    struct truncation x = {0};
    for (uint32_t i = 0; i < n->tables.count; i++) {
        const struct table_def *t;
        TRY(ddl__find(d, AST(n->tables.items[i], ast_range_var), 'r', false, &t));
        TRY(add_truncated(d, &x, t));
    }
    TRY(truncate_references(d, &x, n->cascade));
    for (size_t i = 0; i < x.count; i++) TRY(ddl__truncate_triggers(d, x.data[i]->oid, true));
    for (size_t i = 0; i < x.count; i++) {
        const struct table_def *made;
        struct table_edit e;
        ddl__edit(d, ddl__table(d, x.data[i]->oid), &e);
        TRY(ddl__new_trees(d, &e));
        TRY(ddl__edit_put(d, &e, &made));
        storage_tell_new(d->s, made);
        if (n->restart_identity) TRY(restart_owned(d, x.data[i]->oid));
    }
    for (size_t i = 0; i < x.count; i++) TRY(ddl__truncate_triggers(d, x.data[i]->oid, false));
    return OK;
}
