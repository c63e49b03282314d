/* CREATE SCHEMA with what it contains, CREATE and DROP DATABASE. Schemas and databases are but
 * names: all databases live in one store. */
#include "db/ddl_priv.h"

enum { LEAVING_US = 5000000, LOOK_US = 20000 }; /* how long DROP DATABASE waits for sessions to leave */

/* --- schemas -------------------------------------------------------------------------------- */

/* Statements in CREATE SCHEMA make their objects in it. */
static enum status element_in(struct ddl *d, const struct ast *element, const char *schema)
{
    struct ast_range_var **v = NULL;
    struct ast *copy = NULL;
    char tag[64] = "";
    switch (element->kind) {
    case AST_CREATE_TABLE:
        copy = arena_memdup(d->a, element, sizeof(struct ast_create_table));
        v = &AST(copy, ast_create_table)->table;
        break;
    case AST_CREATE_INDEX:
        copy = arena_memdup(d->a, element, sizeof(struct ast_create_index));
        v = &AST(copy, ast_create_index)->table;
        break;
    case AST_CREATE_VIEW:
        copy = arena_memdup(d->a, element, sizeof(struct ast_create_view));
        v = &AST(copy, ast_create_view)->name;
        break;
    case AST_CREATE_SEQUENCE:
        copy = arena_memdup(d->a, element, sizeof(struct ast_sequence));
        v = &AST(copy, ast_sequence)->name;
        break;
    default:
        return UNSUPPORTED("this statement within CREATE SCHEMA is not supported yet");
    }
    struct ast_range_var *named = arena_memdup(d->a, *v, sizeof **v);
    if (named->schema && strcmp(named->schema, schema) != 0)
        return FAIL(INVALID_SCHEMA_DEFINITION,
                    "CREATE specifies a schema (%s) different from the one being created (%s)",
                    named->schema, schema);
    named->schema = schema;
    *v = named;
    return ddl__statement(d, copy, tag);
}

static enum status may_create(struct ddl *d)
{
    const struct database_def *db = catalog_database_by_oid(d->s->catalog, d->s->database_oid);
    if (!db || ddl__is_owner(d->s, db->owner)) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for database %s", d->s->database);
}

enum status ddl__create_schema(struct ddl *d, const struct ast_create_schema *n)
{
    struct schema_def def = {.database = d->s->database_oid, .owner = d->s->user_oid};
    if (n->owner) TRY(ddl__role(d, n->owner, &def.owner));
    def.name = n->name;
    if (!def.name) {
        const struct role_def *r = catalog_role_by_oid(d->s->catalog, def.owner);
        ASSERT(r);
        def.name = r->name;
    }
    TRY(may_create(d));
    if (strncmp(def.name, "pg_", 3) == 0) {
        FAIL(RESERVED_NAME, "unacceptable schema name \"%s\"", def.name);
        return error_detail("The prefix \"pg_\" is reserved for system schemas.");
    }
    if (catalog_schema(d->s->catalog, d->s->database_oid, slice_of(def.name))) {
        if (n->if_not_exists)
            return session__notice(d->sink, "NOTICE", DUPLICATE_SCHEMA, NULL,
                                   "schema \"%s\" already exists, skipping", def.name);
        return FAIL(DUPLICATE_SCHEMA, "schema \"%s\" already exists", def.name);
    }
    TRY(ddl__new_oid(d, &def.oid));
    TRY(ddl__put_schema(d, &def));
    enum status s = OK;
    session__path_front(d->s, def.oid); /* elements find each other */
    for (uint32_t i = 0; i < n->elements.count && s == OK; i++)
        s = element_in(d, n->elements.items[i], def.name);
    session__path_front(d->s, 0);
    return s;
}

/* --- databases ------------------------------------------------------------------------------ */

static enum status may_create_databases(struct ddl *d, const char *what)
{
    const struct role_def *r = catalog_role_by_oid(d->s->catalog, d->s->user_oid);
    if (d->s->superuser || (r && r->create_db)) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to %s database", what);
}

/* Encodings and locales that are ours anyway are taken; others are refused. */
static enum status database_option(struct ddl *d, const struct ast_def_elem *o,
                                   struct database_def *def)
{
    static const char *const ignored[] = {"template", "tablespace", "allow_connections",
                                          "connection_limit", "is_template", "strategy", "oid",
                                          "collation_version", "locale_provider"};
    static const char *const ours[] = {"C", "POSIX", "C.UTF-8", "C.utf8", "en_US.UTF-8",
                                       "en_US.utf8"};
    const char *text = ddl__option_text(o);
    if (strcmp(o->name, "owner") == 0) return text ? ddl__role(d, text, &def->owner) : OK;
    if (strcmp(o->name, "encoding") == 0) {
        if (!text || str_eq_nocase(text, "utf8") || str_eq_nocase(text, "utf-8") ||
            str_eq_nocase(text, "unicode"))
            return OK;
        return UNSUPPORTED("encoding \"%s\" is not supported", text);
    }
    if (strcmp(o->name, "lc_collate") == 0 || strcmp(o->name, "lc_ctype") == 0 ||
        strcmp(o->name, "locale") == 0) {
        for (size_t i = 0; text && i < sizeof ours / sizeof ours[0]; i++)
            if (strcmp(text, ours[i]) == 0) return OK;
        if (!text) return OK;
        return FAIL(WRONG_OBJECT_TYPE, "invalid locale name: \"%s\"", text);
    }
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (strcmp(o->name, ignored[i]) == 0) return OK;
    return ddl__at(d, o->node.location,
                   FAIL(SYNTAX_ERROR, "option \"%s\" not recognized", o->name));
}

enum status ddl__create_database(struct ddl *d, const struct ast_database *n)
{
    struct database_def def = {.name = n->name, .owner = d->s->user_oid};
    oid_t oids;
    TRY(may_create_databases(d, "create"));
    for (uint32_t i = 0; i < n->options.count; i++)
        TRY(database_option(d, AST(n->options.items[i], ast_def_elem), &def));
    if (catalog_database(d->s->catalog, slice_of(n->name)))
        return FAIL(DUPLICATE_DATABASE, "database \"%s\" already exists", n->name);
    TRY(catalog_new_oids(d->s->txn, 2, &oids));
    def.oid = oids;
    TRY(ddl__put_database(d, &def));
    struct schema_def public = {.oid = oids + 1, .database = oids, .name = "public",
                                .owner = OID_ROLE_DATABASE_OWNER, .comment = "standard public schema",
                                .acl = "{pg_database_owner=UC/pg_database_owner,"
                                       "=U/pg_database_owner}"};
    return ddl__put_schema(d, &public);
}

/* How many other sessions there are in the database; with terminate they are asked to end. */
static uint32_t others_in(struct session *self, oid_t database, bool terminate)
{
    struct db *db = self->db;
    uint32_t n = 0;
    fmutex_lock(&db->sessions_mutex);
    for (struct session *s = db->sessions; s; s = s->next) {
        if (s == self || s->database_oid != database) continue;
        n++;
        if (terminate) db__interrupt(s, true);
    }
    fmutex_unlock(&db->sessions_mutex);
    return n;
}

static enum status drop_option(const struct ast_database *n, bool *ret_force)
{
    *ret_force = false;
    for (uint32_t i = 0; i < n->options.count; i++) {
        const struct ast_def_elem *o = AST(n->options.items[i], ast_def_elem);
        if (strcmp(o->name, "force") != 0)
            return FAIL(SYNTAX_ERROR, "unrecognized DROP DATABASE option \"%s\"", o->name);
        *ret_force = true;
    }
    return OK;
}

/* A client that has just gone may not be gone here yet: as in PostgreSQL we wait for those who are about to end. This is
   done before the lock on definitions is taken, since a session that ends may need it to drop its temporary tables. */
enum status ddl__await_unused_database(struct session *s, const struct ast_database *n)
{
    bool force;
    TRY(drop_option(n, &force));
    const struct database_def *def = catalog_database(s->catalog, slice_of(n->name));
    if (!def || def->oid == s->database_oid || !ddl__is_owner(s, def->owner)) return OK;
    oid_t oid = def->oid;
    int64_t until = monotonic_us() + LEAVING_US;
    while (others_in(s, oid, force) && monotonic_us() < until) {
        (void)fiber_sleep_us(LOOK_US);
        TRY(session__check_interrupts(s));
    }
    return OK;
}

enum status ddl__drop_database(struct ddl *d, const struct ast_database *n)
{
    const struct database_def *def = catalog_database(d->s->catalog, slice_of(n->name));
    if (!def && n->if_exists)
        return ddl__notice(d, "database \"%s\" does not exist, skipping", n->name);
    if (!def) return FAIL(INVALID_CATALOG_NAME, "database \"%s\" does not exist", n->name);
    if (!ddl__is_owner(d->s, def->owner))
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of database %s", n->name);
    if (def->oid == d->s->database_oid)
        return FAIL(OBJECT_IN_USE, "cannot drop the currently open database");
    uint32_t others = others_in(d->s, def->oid, false);
    if (others) {
        FAIL(OBJECT_IN_USE, "database \"%s\" is being accessed by other users", n->name);
        return error_detail(others == 1 ? "There is %u other session using the database."
                                        : "There are %u other sessions using the database.",
                            others);
    }
    struct catalog *all = catalog_ref(d->s->catalog); /* walked while the catalog moves on */
    enum status s = OK;
    const struct table_def *t;
    const struct schema_def *schema;
    const struct function_def *f;
    size_t pos = 0;
    while (s == OK && catalog_next_table(all, &pos, &t))
        if (t->database == def->oid && t->virtual_id < 0) s = ddl__drop_relation(d, t);
    pos = 0;
    while (s == OK && catalog_next_function(all, &pos, &f)) {
        schema = catalog_schema_by_oid(all, f->schema);
        if (schema && schema->database == def->oid) s = ddl__remove(d, f->proc.oid);
    }
    pos = 0;
    while (s == OK && catalog_next_schema(all, &pos, &schema))
        if (schema->database == def->oid) s = ddl__remove(d, schema->oid);
    if (s == OK) s = ddl__remove(d, def->oid);
    catalog_unref(all);
    return s;
}
