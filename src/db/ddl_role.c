/* Roles: CREATE, ALTER and DROP ROLE, USER and GROUP. A password is kept as its SCRAM-SHA-256
 * verifier; a text that is one already is kept as it is, as dumps need it. */
#include "db/ddl_priv.h"
#include "db/pl_priv.h"

enum { ROLE_DEPTH_MAX = 32 };

static enum status may_manage(struct ddl *d, const char *what)
{
    const struct role_def *r = catalog_role_by_oid(d->s->catalog, d->s->user_oid);
    if (d->s->superuser || (r && r->create_role)) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to %s role", what);
}

static enum status set_password(struct ddl *d, const char *text, struct role_def *r)
{
    char verifier[256];
    r->password = NULL;
    if (!text) return OK;
    if (!*text)
        return ddl__notice(d, "empty string is not a valid password, clearing password");
    if (strncmp(text, "SCRAM-SHA-256$", 14) == 0) {
        if (strlen(text) >= sizeof verifier)
            return FAIL(INVALID_PARAMETER_VALUE, "the password verifier is too long");
        r->password = text;
        return OK;
    }
    if (strlen(text) == 35 && strncmp(text, "md5", 3) == 0)
        return UNSUPPORTED("MD5 passwords are not supported");
    TRY(db_password_verifier(d->s->db, text, verifier));
    r->password = arena_strdup(d->a, verifier);
    return OK;
}

/* --- membership ----------------------------------------------------------------------------- */

static bool is_member(const struct role_def *r, oid_t of)
{
    for (uint32_t i = 0; i < r->member_of_count; i++)
        if (r->member_of[i] == of) return true;
    return false;
}

static void add_membership(struct ddl *d, struct role_def *r, oid_t of)
{
    if (is_member(r, of) || r->oid == of) return;
    oid_t *all = ARENA_ARRAY(d->a, oid_t, r->member_of_count + 1);
    if (r->member_of_count) memcpy(all, r->member_of, r->member_of_count * sizeof *all);
    all[r->member_of_count++] = of;
    r->member_of = all;
}

static const struct ast_list *role_names(const struct ast_def_elem *o)
{
    static const struct ast_list none;
    return o->arg && o->arg->kind == AST_LIST ? &AST(o->arg, ast_list_node)->items : &none;
}

/* Who may manage roles makes nobody a superuser by it. */
static enum status may_give(struct ddl *d, oid_t role)
{
    const struct role_def *r = catalog_role_by_oid(d->s->catalog, role);
    if (r->superuser && !d->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be superuser to alter superusers");
    const struct role_def *self = catalog_role_by_oid(d->s->catalog, d->s->user_oid);
    if (d->s->superuser || (self && self->create_role && !role_is_predefined(role))) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "must have admin option on role \"%s\"", r->name);
}

/* Through other roles, too. */
static bool is_below(const struct catalog *c, const struct role_def *r, oid_t of, int depth)
{
    if (is_member(r, of)) return true;
    for (uint32_t i = 0; i < r->member_of_count && depth < ROLE_DEPTH_MAX; i++) {
        const struct role_def *up = catalog_role_by_oid(c, r->member_of[i]);
        if (up && is_below(c, up, of, depth + 1)) return true;
    }
    return false;
}

static void remove_membership(struct ddl *d, struct role_def *r, oid_t of)
{
    oid_t *rest = ARENA_ARRAY(d->a, oid_t, r->member_of_count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->member_of_count; i++)
        if (r->member_of[i] != of) rest[n++] = r->member_of[i];
    r->member_of = rest;
    r->member_of_count = n;
}

/* One role, one member. */
static enum status change_member(struct ddl *d, bool add, oid_t role, oid_t member)
{
    const struct catalog *c = d->s->catalog;
    const struct role_def *of = catalog_role_by_oid(c, role), *m = catalog_role_by_oid(c, member);
    struct role_def changed = *m;
    if (add && (role == member || is_below(c, of, member, 0)))
        return FAIL(INVALID_GRANT_OPERATION, "role \"%s\" is a member of role \"%s\"", of->name, m->name);
    if (add && is_member(m, role))
        return ddl__notice(d, "role \"%s\" is already a member of role \"%s\"", m->name, of->name);
    if (!add && !is_member(m, role))
        return session__notice(d->sink, "WARNING", WARNING, NULL,
                               "role \"%s\" is not a member of role \"%s\"", m->name, of->name);
    if (add) add_membership(d, &changed, role);
    else remove_membership(d, &changed, role);
    return ddl__put_role(d, &changed);
}

enum status ddl__grant_role(struct ddl *d, const struct ast_grant_role *n)
{
    if (n->admin_option)
        return UNSUPPORTED("%s is not supported yet",
                    n->is_grant ? "GRANT ... WITH ADMIN OPTION" : "REVOKE ADMIN OPTION FOR");
    for (uint32_t i = 0; i < n->roles.count; i++) {
        oid_t role, member;
        TRY(ddl__role(d, n->roles.items[i], &role));
        TRY(may_give(d, role));
        for (uint32_t k = 0; k < n->members.count; k++) {
            TRY(ddl__role(d, n->members.items[k], &member));
            TRY(change_member(d, n->is_grant, role, member));
        }
    }
    return OK;
}

/* IN ROLE a, b: before the role is put. */
static enum status join_roles(struct ddl *d, const struct ast_def_elem *o, struct role_def *r)
{
    const struct ast_list *names = role_names(o);
    for (uint32_t i = 0; i < names->count; i++) {
        oid_t of;
        TRY(ddl__role(d, AST(names->items[i], ast_const)->text, &of));
        TRY(may_give(d, of));
        add_membership(d, r, of);
    }
    return OK;
}

/* ROLE a, b: these become members, once the role is there. */
static enum status add_members(struct ddl *d, const struct ast_def_elem *o, oid_t role)
{
    const struct ast_list *names = role_names(o);
    for (uint32_t i = 0; i < names->count; i++) {
        oid_t member;
        TRY(ddl__role(d, AST(names->items[i], ast_const)->text, &member));
        struct role_def r = *catalog_role_by_oid(d->s->catalog, member);
        add_membership(d, &r, role);
        TRY(ddl__put_role(d, &r));
    }
    return OK;
}

/* --- options -------------------------------------------------------------------------------- */

static bool *flag_of(struct role_def *r, const char *name)
{
    if (strcmp(name, "superuser") == 0) return &r->superuser;
    if (strcmp(name, "inherit") == 0) return &r->inherit;
    if (strcmp(name, "createrole") == 0) return &r->create_role;
    if (strcmp(name, "createdb") == 0) return &r->create_db;
    if (strcmp(name, "canlogin") == 0) return &r->can_login;
    if (strcmp(name, "isreplication") == 0) return &r->replication;
    if (strcmp(name, "bypassrls") == 0) return &r->bypass_rls;
    return NULL;
}

static enum status role_option(struct ddl *d, const struct ast_def_elem *o, struct role_def *r)
{
    bool *flag = flag_of(r, o->name);
    if (flag) {
        bool before = *flag;
        TRY(ddl__option_bool(o, flag));
        bool strong = flag == &r->superuser || flag == &r->replication || flag == &r->bypass_rls;
        if (strong && *flag != before && !d->s->superuser)
            return FAIL(INSUFFICIENT_PRIVILEGE, "must be superuser to alter %s attribute", o->name);
        return OK;
    }
    if (strcmp(o->name, "password") == 0) return set_password(d, ddl__option_text(o), r);
    if (strcmp(o->name, "connectionlimit") == 0) {
        int64_t n;
        TRY(ddl__option_i64(o, &n));
        if (n < -1 || n > INT32_MAX)
            return FAIL(INVALID_PARAMETER_VALUE, "invalid connection limit: %lld", (long long)n);
        r->connection_limit = (int32_t)n;
        return OK;
    }
    if (strcmp(o->name, "addroleto") == 0) return join_roles(d, o, r);
    if (strcmp(o->name, "rolemembers") == 0 || strcmp(o->name, "adminmembers") == 0) return OK;
    if (strcmp(o->name, "sysid") == 0) return ddl__notice(d, "SYSID can no longer be specified");
    if (strcmp(o->name, "validUntil") == 0) {
        const char *text = ddl__option_text(o);
        if (text && strcmp(text, "infinity") == 0) return OK;
        return UNSUPPORTED("VALID UNTIL is not supported yet");
    }
    return FAIL(SYNTAX_ERROR, "unrecognized role option \"%s\"", o->name);
}

static enum status put_role(struct ddl *d, const struct ast_role *n, struct role_def *r)
{
    for (uint32_t i = 0; i < n->options.count; i++)
        TRY(role_option(d, AST(n->options.items[i], ast_def_elem), r));
    TRY(ddl__put_role(d, r));
    for (uint32_t i = 0; i < n->options.count; i++) {
        const struct ast_def_elem *o = AST(n->options.items[i], ast_def_elem);
        if (strcmp(o->name, "rolemembers") == 0 || strcmp(o->name, "adminmembers") == 0)
            TRY(add_members(d, o, r->oid));
    }
    return OK;
}

/* --- statements ----------------------------------------------------------------------------- */

enum status ddl__create_role(struct ddl *d, const struct ast_role *n)
{
    struct role_def r = {.name = n->names.items[0], .inherit = true, .can_login = n->kind == 'u',
                         .connection_limit = -1};
    TRY(may_manage(d, "create"));
    if (strncmp(r.name, "pg_", 3) == 0) {
        FAIL(RESERVED_NAME, "role name \"%s\" is reserved", r.name);
        return error_detail("Role names starting with \"pg_\" are reserved.");
    }
    if (strcmp(r.name, "public") == 0 || strcmp(r.name, "none") == 0)
        return FAIL(RESERVED_NAME, "role name \"%s\" is reserved", r.name);
    if (catalog_role(d->s->catalog, slice_of(r.name)))
        return FAIL(DUPLICATE_OBJECT, "role \"%s\" already exists", r.name);
    TRY(ddl__new_oid(d, &r.oid));
    return put_role(d, n, &r);
}

enum status ddl__alter_role(struct ddl *d, const struct ast_role *n)
{
    oid_t oid;
    TRY(ddl__role(d, n->names.items[0], &oid));
    struct role_def r = *catalog_role_by_oid(d->s->catalog, oid);
    bool own_password = oid == d->s->user_oid && n->options.count == 1 &&
                        strcmp(AST(n->options.items[0], ast_def_elem)->name, "password") == 0;
    if (!own_password) TRY(may_manage(d, "alter"));
    if (r.superuser && !d->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be superuser to alter superuser roles or change "
                                            "superuser attribute");
    return put_role(d, n, &r);
}

static bool acl_names(const char *acl, const char *role)
{
    size_t len = strlen(role);
    for (const char *p = acl; p && *p; p++)
        if ((*p == '{' || *p == ',') && strncmp(p + 1, role, len) == 0 && p[len + 1] == '=')
            return true;
    return false;
}

/* Whatever the role owns, or has rights on, keeps it. */
static enum status check_unused(struct ddl *d, const struct role_def *r)
{
    const struct catalog *c = d->s->catalog;
    const struct database_def *db;
    const struct function_def *f;
    const struct schema_def *s;
    const struct table_def *t;
    const char *what = NULL;
    size_t pos = 0;
    while (!what && catalog_next_table(c, &pos, &t))
        if (t->owner == r->oid) what = arena_printf(d->a, "owner of %s", ddl__words(d, t));
    for (pos = 0; !what && catalog_next_table(c, &pos, &t);)
        if (acl_names(t->acl, r->name))
            what = arena_printf(d->a, "privileges for %s", ddl__words(d, t));
    for (pos = 0; !what && catalog_next_schema(c, &pos, &s);)
        if (acl_names(s->acl, r->name))
            what = arena_printf(d->a, "privileges for schema %s", s->name);
    for (pos = 0; !what && catalog_next_schema(c, &pos, &s);)
        if (s->owner == r->oid) what = arena_printf(d->a, "owner of schema %s", s->name);
    for (pos = 0; !what && catalog_next_database(c, &pos, &db);)
        if (db->owner == r->oid) what = arena_printf(d->a, "owner of database %s", db->name);
    for (pos = 0; !what && catalog_next_function(c, &pos, &f);)
        if (f->owner == r->oid)
            what = arena_printf(d->a, "owner of function %s", pl__signature(d->s, f, d->a));
    if (!what && r->oid != OID_ROLE_BOOTSTRAP) return OK;
    FAIL(DEPENDENT_OBJECTS_STILL_EXIST,
         "role \"%s\" cannot be dropped because some objects depend on it", r->name);
    return what ? error_detail("%s", what) : DEPENDENT_OBJECTS_STILL_EXIST;
}

/* No role stays member of one that is gone. */
static enum status leave_role(struct ddl *d, oid_t gone)
{
    struct catalog *all = catalog_ref(d->s->catalog); /* walked while the catalog moves on */
    const struct role_def *r;
    enum status s = OK;
    size_t pos = 0;
    while (s == OK && catalog_next_role(all, &pos, &r)) {
        struct role_def left = *r;
        if (!is_member(r, gone)) continue;
        remove_membership(d, &left, gone);
        s = ddl__put_role(d, &left);
    }
    catalog_unref(all);
    return s;
}

enum status ddl__drop_role(struct ddl *d, const struct ast_role *n)
{
    TRY(may_manage(d, "drop"));
    for (uint32_t i = 0; i < n->names.count; i++) {
        const char *name = n->names.items[i];
        const struct role_def *r = catalog_role(d->s->catalog, slice_of(name));
        if (!r && n->if_exists) {
            TRY(ddl__notice(d, "role \"%s\" does not exist, skipping", name));
            continue;
        }
        if (!r) return FAIL(UNDEFINED_OBJECT, "role \"%s\" does not exist", name);
        if (r->oid == d->s->user_oid)
            return FAIL(OBJECT_IN_USE, "current user cannot be dropped");
        if (r->superuser && !d->s->superuser)
            return FAIL(INSUFFICIENT_PRIVILEGE, "must be superuser to drop superusers");
        if (role_is_predefined(r->oid))
            return FAIL(DEPENDENT_OBJECTS_STILL_EXIST,
                        "cannot drop role %s because it is required by the database system", name);
        TRY(check_unused(d, r));
        oid_t oid = r->oid;
        TRY(leave_role(d, oid));
        TRY(ddl__remove(d, oid));
    }
    return OK;
}
