/* Names, owners and schemas of what there is: ALTER … RENAME, OWNER TO, SET SCHEMA.
 *
 * Stored expressions hold column names and are written anew with the new one; so are the texts of
 * views. */
#include "db/ddl_priv.h"
#include "db/rights.h"

/* --- relations ------------------------------------------------------------------------------ */

static enum status rename_index(struct ddl *d, const struct index_def *x, const char *name)
{
    const struct table_def *t = ddl__table(d, x->table);
    struct table_edit e;
    TRY(ddl__own_table(d, t));
    TRY(ddl__check_free(d, t->schema, name));
    ddl__edit(d, t, &e);
    for (size_t i = 0; i < e.indexes.count; i++) {
        if (e.indexes.data[i]->oid != x->oid) continue;
        struct index_def *copy = arena_memdup(d->a, x, sizeof *x);
        copy->name = name;
        e.indexes.data[i] = copy;
    }
    for (size_t i = 0; i < e.constraints.count; i++) {
        if (!x->constraint || e.constraints.data[i]->oid != x->constraint) continue;
        struct constraint_def *copy =
            arena_memdup(d->a, e.constraints.data[i], sizeof(struct constraint_def));
        copy->name = name;
        e.constraints.data[i] = copy;
    }
    TRY(ddl__lock(d, t->oid, LOCK_SHARE_UPDATE_EXCLUSIVE));
    return ddl__edit_put(d, &e, NULL);
}

static enum status rename_relation(struct ddl *d, const struct ast_rename *n)
{
    const struct table_def *t;
    const struct search_path *path = session__path(d->s);
    const char *schema = n->relation->schema, *name = n->relation->name;
    const struct index_def *x = catalog_lookup_index(d->s->catalog, path, schema, name);
    if (x && (n->object == OBJECT_INDEX || n->object == OBJECT_TABLE))
        return rename_index(d, x, n->new_name);
    if (n->missing_ok && !catalog_lookup(d->s->catalog, path, schema, name))
        return ddl__notice(d, "relation \"%s\" does not exist, skipping", name);
    char kind = ddl__kind_of(n->object, 0);
    if (n->object == OBJECT_INDEX && !catalog_lookup(d->s->catalog, path, schema, name))
        return ddl__find(d, n->relation, 0, false, &t);
    if (n->object == OBJECT_INDEX) return ddl__find_index(d, n->relation, false, &x);
    if (n->object == OBJECT_ROW_TYPE) TRY(ddl__row_type(d, n->relation, &t));
    else TRY(ddl__find(d, n->relation, kind, false, &t));
    TRY(ddl__own_table(d, t));
    TRY(ddl__check_free(d, t->schema, n->new_name));
    TRY(ddl__lock(d, t->oid, LOCK_ACCESS_EXCLUSIVE));
    struct table_def renamed = *t;
    struct noted_views views;
    TRY(ddl__note_views(d, t->oid, 0, &views));
    renamed.name = n->new_name;
    TRY(ddl__put_table(d, &renamed));
    return ddl__restate_views(d, &views);
}

/* --- parts of a table ----------------------------------------------------------------------- */

static enum status restate(struct ddl *d, const struct table_def *t, struct table_edit *e,
                           const char *old, const char *name)
{
    for (size_t i = 0; i < e->columns.count; i++) {
        struct column_def *c = &e->columns.data[i];
        if (!c->dropped && c->generated && c->default_sql)
            TRY(ddl__rename_in(d, t, c->default_sql, old, name, &c->default_sql));
    }
    for (size_t i = 0; i < e->constraints.count; i++) {
        const struct constraint_def *k = e->constraints.data[i];
        if (k->kind != 'c') continue;
        struct constraint_def *copy = arena_memdup(d->a, k, sizeof *k);
        TRY(ddl__rename_in(d, t, k->check_sql, old, name, &copy->check_sql));
        e->constraints.data[i] = copy;
    }
    TRY(ddl__rename_in_triggers(d, t, e, old, name));
    return ddl__rename_in_indexes(d, t, e, old, name);
}

/* The text of a view names an attribute as its author did. */
static enum status check_named(struct ddl *d, const struct table_def *t, const struct column_def *c)
{
    const struct table_def **views;
    uint32_t n;
    TRY(ddl__views_over(d, t, c->number, &views, &n));
    if (n == 0) return OK;
    FAIL(FEATURE_NOT_SUPPORTED, "cannot rename an attribute that a view names");
    return error_detail("view %s names attribute \"%s\" of type %s", views[0]->name, c->name, t->name);
}

static enum status rename_column(struct ddl *d, const struct ast_rename *n)
{
    const struct table_def *t;
    struct table_edit e;
    TRY(ddl__find(d, n->relation, 0, n->missing_ok, &t));
    if (!t) return OK;
    TRY(ddl__own_table(d, t));
    ddl__edit(d, t, &e);
    struct column_def *c = ddl__edit_column(&e, n->old_name);
    if (!c) return FAIL(UNDEFINED_COLUMN, "column \"%s\" does not exist", n->old_name);
    if (ddl__edit_column(&e, n->new_name))
        return FAIL(DUPLICATE_COLUMN, "column \"%s\" of relation \"%s\" already exists",
                    n->new_name, t->name);
    struct noted_views views;
    TRY(ddl__lock(d, t->oid, LOCK_ACCESS_EXCLUSIVE));
    if (t->kind == 'c') TRY(check_named(d, t, c));
    TRY(ddl__note_views(d, t->oid, 0, &views));
    TRY(restate(d, t, &e, n->old_name, n->new_name));
    c->name = n->new_name;
    TRY(ddl__edit_put(d, &e, NULL));
    return ddl__restate_views(d, &views);
}

static enum status rename_constraint(struct ddl *d, const struct ast_rename *n)
{
    const struct table_def *t;
    struct table_edit e;
    TRY(ddl__find(d, n->relation, 'r', n->missing_ok, &t));
    if (!t) return OK;
    TRY(ddl__own_table(d, t));
    const struct constraint_def *k = table_constraint(t, slice_of(n->old_name));
    if (!k)
        return FAIL(UNDEFINED_OBJECT, "constraint \"%s\" for table \"%s\" does not exist",
                    n->old_name, t->name);
    ddl__edit(d, t, &e);
    TRY(ddl__constraint_free(d, &e, n->new_name));
    if (k->index && k->kind != 'f')
        return rename_index(d, catalog_index_by_oid(d->s->catalog, k->index), n->new_name);
    TRY(ddl__lock(d, t->oid, LOCK_ACCESS_EXCLUSIVE));
    for (size_t i = 0; i < e.constraints.count; i++) {
        if (e.constraints.data[i] != k) continue;
        struct constraint_def *copy = arena_memdup(d->a, k, sizeof *k);
        copy->name = n->new_name;
        e.constraints.data[i] = copy;
    }
    return ddl__edit_put(d, &e, NULL);
}

/* --- what is no relation -------------------------------------------------------------------- */

static enum status rename_schema(struct ddl *d, const struct ast_rename *n)
{
    const struct schema_def *s;
    TRY(ddl__schema(d, n->old_name, &s));
    TRY(ddl__own_schema(d, s));
    if (catalog_schema(d->s->catalog, d->s->database_oid, slice_of(n->new_name)))
        return FAIL(DUPLICATE_SCHEMA, "schema \"%s\" already exists", n->new_name);
    if (strncmp(n->new_name, "pg_", 3) == 0 || s->database == 0) {
        FAIL(RESERVED_NAME, "unacceptable schema name \"%s\"", n->new_name);
        return error_detail("The prefix \"pg_\" is reserved for system schemas.");
    }
    struct schema_def renamed = *s;
    struct noted_views views;
    TRY(ddl__note_views(d, 0, s->oid, &views));
    renamed.name = n->new_name;
    TRY(ddl__put_schema(d, &renamed));
    return ddl__restate_views(d, &views);
}

static enum status rename_database(struct ddl *d, const struct ast_rename *n)
{
    const struct database_def *db = catalog_database(d->s->catalog, slice_of(n->old_name));
    if (!db) return FAIL(INVALID_CATALOG_NAME, "database \"%s\" does not exist", n->old_name);
    if (!ddl__is_owner(d->s, db->owner))
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of database %s", n->old_name);
    if (catalog_database(d->s->catalog, slice_of(n->new_name)))
        return FAIL(DUPLICATE_DATABASE, "database \"%s\" already exists", n->new_name);
    if (db->oid == d->s->database_oid)
        return FAIL(FEATURE_NOT_SUPPORTED, "current database cannot be renamed");
    struct database_def renamed = *db;
    renamed.name = n->new_name;
    return ddl__put_database(d, &renamed);
}

/* ACLs name roles. */
static enum status rename_in_acls(struct ddl *d, const char *from, const char *to)
{
    struct catalog *all = catalog_ref(d->s->catalog); /* walked while the catalog moves on */
    const struct table_def *t;
    const struct schema_def *n;
    enum status s = OK;
    size_t pos = 0;
    while (s == OK && catalog_next_table(all, &pos, &t)) {
        struct table_def changed = *t;
        changed.acl = rights_renamed(d->a, t->acl, from, to);
        if (t->acl && strcmp(t->acl, changed.acl) != 0) s = ddl__put_table(d, &changed);
    }
    for (pos = 0; s == OK && catalog_next_schema(all, &pos, &n);) {
        struct schema_def changed = *n;
        changed.acl = rights_renamed(d->a, n->acl, from, to);
        if (n->acl && strcmp(n->acl, changed.acl) != 0) s = ddl__put_schema(d, &changed);
    }
    catalog_unref(all);
    return s;
}

static enum status rename_role(struct ddl *d, const struct ast_rename *n)
{
    const struct role_def *r = catalog_role(d->s->catalog, slice_of(n->old_name));
    if (!r) return FAIL(UNDEFINED_OBJECT, "role \"%s\" does not exist", n->old_name);
    if (r->oid == d->s->user_oid)
        return FAIL(FEATURE_NOT_SUPPORTED, "session user cannot be renamed");
    if (catalog_role(d->s->catalog, slice_of(n->new_name)))
        return FAIL(DUPLICATE_OBJECT, "role \"%s\" already exists", n->new_name);
    if (!d->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to rename role");
    struct role_def renamed = *r;
    renamed.name = n->new_name;
    TRY(ddl__put_role(d, &renamed));
    return rename_in_acls(d, n->old_name, n->new_name);
}

enum status ddl__rename(struct ddl *d, const struct ast_rename *n)
{
    switch (n->object) {
    case OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_MATERIALIZED_VIEW:
    case OBJECT_SEQUENCE:
    case OBJECT_ROW_TYPE:
    case OBJECT_INDEX: return rename_relation(d, n);
    case OBJECT_COLUMN: return rename_column(d, n);
    case OBJECT_CONSTRAINT: return rename_constraint(d, n);
    case OBJECT_SCHEMA: return rename_schema(d, n);
    case OBJECT_DATABASE: return rename_database(d, n);
    case OBJECT_ROLE: return rename_role(d, n);
    default:
        return UNSUPPORTED("renaming this kind of object is not supported yet");
    }
}

/* --- owners --------------------------------------------------------------------------------- */

static enum status new_owner(struct ddl *d, const char *role, oid_t *ret)
{
    TRY(ddl__role(d, role, ret));
    if (ddl__is_owner(d->s, *ret)) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "must be member of role \"%s\"", role);
}

static const char *acl_of_new_owner(struct ddl *d, const char *acl, oid_t from, oid_t to)
{
    const struct role_def *old = catalog_role_by_oid(d->s->catalog, from);
    const struct role_def *new = catalog_role_by_oid(d->s->catalog, to);
    return old && new && old != new ? rights_renamed(d->a, acl, old->name, new->name) : acl;
}

/* Tables and sequences that belong to `table`, changed alike. */
static enum status each_owned(struct ddl *d, oid_t table,
                              enum status (*change)(struct ddl *d, struct table_def *t, oid_t to),
                              oid_t to)
{
    ARRAY(const struct table_def *) found = {0};
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(d->s->catalog, &pos, &t))
        if (t->oid == table || (t->kind == 'S' && t->sequence->owner_table == table))
            ARENA_PUSH(d->a, &found, t);
    for (size_t i = 0; i < found.count; i++) {
        struct table_def copy = *found.data[i];
        TRY(change(d, &copy, to));
        TRY(ddl__put_table(d, &copy));
    }
    return OK;
}

static enum status change_owner(struct ddl *d, struct table_def *t, oid_t to)
{
    t->acl = acl_of_new_owner(d, t->acl, t->owner, to);
    t->owner = to;
    return OK;
}

enum status ddl__set_owner(struct ddl *d, const struct table_def *t, const char *role)
{
    oid_t owner;
    TRY(new_owner(d, role, &owner));
    return each_owned(d, t->oid, change_owner, owner);
}

enum status ddl__alter_owner(struct ddl *d, const struct ast_alter_object *n)
{
    oid_t owner;
    if (n->object == OBJECT_SCHEMA) {
        const struct schema_def *s;
        TRY(ddl__schema(d, n->name, &s));
        TRY(ddl__own_schema(d, s));
        TRY(new_owner(d, n->new_value, &owner));
        struct schema_def changed = *s;
        changed.acl = acl_of_new_owner(d, s->acl, s->owner, owner);
        changed.owner = owner;
        return ddl__put_schema(d, &changed);
    }
    if (n->object == OBJECT_DATABASE) {
        const struct database_def *db = catalog_database(d->s->catalog, slice_of(n->name));
        if (!db) return FAIL(INVALID_CATALOG_NAME, "database \"%s\" does not exist", n->name);
        if (!ddl__is_owner(d->s, db->owner))
            return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of database %s", n->name);
        TRY(new_owner(d, n->new_value, &owner));
        struct database_def changed = *db;
        changed.owner = owner;
        return ddl__put_database(d, &changed);
    }
    const struct table_def *t;
    if (!n->relation)
        return UNSUPPORTED("the owner of this kind of object cannot be changed yet");
    if (n->object == OBJECT_ROW_TYPE) TRY(ddl__row_type(d, n->relation, &t));
    else TRY(ddl__find(d, n->relation, 0, n->missing_ok, &t));
    if (!t) return OK;
    TRY(ddl__own_table(d, t));
    return ddl__set_owner(d, t, n->new_value);
}

/* --- SET SCHEMA ----------------------------------------------------------------------------- */

static enum status change_schema(struct ddl *d, struct table_def *t, oid_t to)
{
    const struct schema_def *n = catalog_schema_by_oid(d->s->catalog, to);
    bool taken = ddl__relation_exists(d, to, t->name);
    const char *name = t->name;
    for (uint16_t i = 0; i < t->index_count && !taken; i++)
        if (ddl__relation_exists(d, to, t->indexes[i]->name))
            taken = true, name = t->indexes[i]->name;
    if (taken)
        return FAIL(DUPLICATE_TABLE, "relation \"%s\" already exists in schema \"%s\"", name,
                    n->name);
    t->schema = to;
    return OK;
}

enum status ddl__alter_schema(struct ddl *d, const struct ast_alter_object *n)
{
    const struct table_def *t;
    const struct schema_def *s;
    char kind = ddl__kind_of(n->object, 0);
    if (!n->relation)
        return UNSUPPORTED("this kind of object cannot be moved yet");
    if (n->object == OBJECT_ROW_TYPE) TRY(ddl__row_type(d, n->relation, &t));
    else TRY(ddl__find(d, n->relation, kind, n->missing_ok, &t));
    if (!t) return OK;
    TRY(ddl__own_table(d, t));
    TRY(ddl__schema(d, n->new_value, &s));
    if (s->oid == t->schema) return OK;
    struct ast_range_var to = {.schema = s->name, .name = t->name};
    TRY(ddl__creation_schema(d, &to, &s));
    if (t->kind == 'S' && t->sequence->owner_table) {
        FAIL(FEATURE_NOT_SUPPORTED, "cannot move an owned sequence into another schema");
        return error_detail("Sequence \"%s\" is linked to table \"%s\".", t->name,
                            ddl__table(d, t->sequence->owner_table)->name);
    }
    struct noted_views views;
    TRY(ddl__lock(d, t->oid, LOCK_ACCESS_EXCLUSIVE));
    TRY(ddl__note_views(d, t->oid, 0, &views));
    TRY(each_owned(d, t->oid, change_schema, s->oid));
    return ddl__restate_views(d, &views);
}
