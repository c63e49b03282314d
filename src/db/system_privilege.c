/* has_…_privilege, pg_has_role, acldefault. Owners and superusers may do everything; others what
 * an ACL, or PostgreSQL's default for that kind of object, gives to them, to their roles or to
 * all. */
#include <strings.h>

#include "db/ddl_priv.h"
#include "db/rights.h"
#include "db/system_function_priv.h"

static const struct privilege_name {
    const char *name;
    char letter;
} names[] = {{"SELECT", 'r'},  {"INSERT", 'a'},     {"UPDATE", 'w'},  {"DELETE", 'd'},
             {"TRUNCATE", 'D'}, {"REFERENCES", 'x'}, {"TRIGGER", 't'}, {"USAGE", 'U'},
             {"CREATE", 'C'},  {"CONNECT", 'c'},    {"TEMPORARY", 'T'}, {"TEMP", 'T'},
             {"EXECUTE", 'X'}};

/* What is asked about. */
struct object {
    bool exists;
    oid_t owner;
    const char *acl;     /* NULL: default */
    const char *everyone; /* letters that all have by default */
};

/* --- roles ----------------------------------------------------------------------------------- */

/* An argument that is a role's name or number; *ret NULL for a number that no role has. */
static enum status role_arg(const struct sys_call *c, uint32_t i, const struct role_def **ret)
{
    if (c->proc->args[i] == TYPE_OID) {
        *ret = catalog_role_by_oid(c->s->catalog, sys_arg_oid(c, i));
        return OK;
    }
    const char *name = sys_arg_text(c, i);
    *ret = catalog_role(c->s->catalog, slice_of(name));
    if (!*ret) return FAIL(UNDEFINED_OBJECT, "role \"%s\" does not exist", name);
    return OK;
}

enum status sys_has_role(struct sys_call *c)
{
    const struct role_def *user = catalog_role_by_oid(c->s->catalog, c->s->user_oid), *role;
    uint32_t at = c->n - 2;
    if (at == 1) TRY(role_arg(c, 0, &user));
    TRY(role_arg(c, at, &role));
    const char *what = sys_arg_text(c, c->n - 1);
    if (!str_eq_nocase(what, "USAGE") && !str_eq_nocase(what, "MEMBER") &&
        !str_eq_nocase(what, "USAGE WITH GRANT OPTION") &&
        !str_eq_nocase(what, "USAGE WITH ADMIN OPTION") &&
        !str_eq_nocase(what, "MEMBER WITH GRANT OPTION") &&
        !str_eq_nocase(what, "MEMBER WITH ADMIN OPTION"))
        return FAIL(INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"%s\"", what);
    if (!user || !role) return sys_ret_bool(c, user && user->superuser);
    bool usage = strncasecmp(what, "USAGE", 5) == 0;
    return sys_ret_bool(c, user->superuser || (usage ? rights_has_role(c->s, user, role->oid)
                                                     : rights_is_member(c->s, user, role->oid)));
}

/* --- objects --------------------------------------------------------------------------------- */

/* Which kind of object the function asks about, and the letters that make sense for it. */
static const struct kind {
    const char *prefix; /* of the symbol */
    const char *letters;
    char kind;
} kinds[] = {{"has_table_", "rawdDxt", 'r'},      {"has_any_column_", "rawx", 'r'},
             {"has_column_", "rawx", 'r'},        {"has_sequence_", "Urw", 'r'},
             {"has_schema_", "CU", 'n'},          {"has_database_", "CcT", 'd'},
             {"has_function_", "X", 'f'},         {"has_type_", "U", 'T'}};

static enum status table_object(const struct sys_call *c, uint32_t i, struct object *ret)
{
    const struct table_def *t;
    if (c->proc->args[i] == TYPE_OID) {
        t = catalog_table_by_oid(c->s->catalog, sys_arg_oid(c, i));
    } else {
        struct sys_relation_ref r;
        TRY(sys_find_relation(c->s, sys_arg_text(c, i), c->a, &r));
        t = r.table;
        if (!t) return sys_no_relation(&r);
    }
    *ret = (struct object){.everyone = ""};
    if (!t) return OK;
    bool secret = strcmp(t->name, "pg_authid") == 0 || strcmp(t->name, "pg_shadow") == 0;
    *ret = (struct object){true, t->owner, t->acl, sys_is_system(t) && !secret ? "r" : ""};
    return OK;
}

static enum status schema_object(const struct sys_call *c, uint32_t i, struct object *ret)
{
    const struct schema_def *d;
    if (c->proc->args[i] == TYPE_OID) {
        d = catalog_schema_by_oid(c->s->catalog, sys_arg_oid(c, i));
    } else {
        const char *name = sys_arg_text(c, i);
        d = catalog_schema(c->s->catalog, c->s->database_oid, slice_of(name));
        if (!d) return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", name);
    }
    *ret = (struct object){.everyone = ""};
    if (!d) return OK;
    bool open = d->database == 0 || d->oid == OID_SCHEMA_PUBLIC || strcmp(d->name, "public") == 0;
    *ret = (struct object){true, d->owner, d->acl, open ? "U" : ""};
    return OK;
}

static enum status database_object(const struct sys_call *c, uint32_t i, struct object *ret)
{
    const struct database_def *d;
    if (c->proc->args[i] == TYPE_OID) {
        d = catalog_database_by_oid(c->s->catalog, sys_arg_oid(c, i));
    } else {
        const char *name = sys_arg_text(c, i);
        d = catalog_database(c->s->catalog, slice_of(name));
        if (!d) return FAIL(INVALID_CATALOG_NAME, "database \"%s\" does not exist", name);
    }
    *ret = (struct object){d != NULL, d ? d->owner : 0, NULL, "cT"};
    return OK;
}

static enum status function_object(const struct sys_call *c, uint32_t i, struct object *ret)
{
    oid_t oid;
    if (c->proc->args[i] == TYPE_OID) oid = sys_arg_oid(c, i);
    else TRY(sys_find_procedure(c->s, sys_arg_text(c, i), c->a, &oid));
    const struct function_def *f = catalog_function_by_oid(c->s->catalog, oid);
    *ret = f ? (struct object){true, f->owner, f->acl, "X"}
             : (struct object){proc_by_oid(oid) != NULL, OID_ROLE_BOOTSTRAP, NULL, "X"};
    return OK;
}

/* Types are everybody's. */
static enum status type_object(const struct sys_call *c, uint32_t i, struct object *ret)
{
    bool exists = true;
    if (c->proc->args[i] == TYPE_OID) exists = type_get(sys_arg_oid(c, i)) != NULL;
    *ret = (struct object){exists, OID_ROLE_BOOTSTRAP, NULL, "U"};
    return OK;
}

/* --- privileges ------------------------------------------------------------------------------ */

static bool allows(const struct sys_call *c, const struct role_def *user, const struct object *o,
                   char letter)
{
    if (user && (user->superuser || rights_allow(c->s, user, o->owner, o->acl, letter))) return true;
    if (o->acl) return !user && ddl__acl_allows(o->acl, "", letter);
    return strchr(o->everyone, letter) != NULL;
}

static struct slice trim(struct slice s)
{
    while (s.len && s.data[0] == ' ') s.data++, s.len--;
    while (s.len && s.data[s.len - 1] == ' ') s.len--;
    return s;
}

static enum status find_letter(const struct kind *k, struct slice word, char *ret)
{
    struct slice option = SLICE(" WITH GRANT OPTION"), name = trim(word);
    if (name.len > option.len &&
        slice_eq_nocase(slice_make(name.data + name.len - option.len, option.len), option))
        name = trim(slice_make(name.data, name.len - option.len));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *ret = names[i].letter;
        if (slice_eq_nocase(name, slice_of(names[i].name)) && strchr(k->letters, *ret)) return OK;
    }
    name = trim(word);
    return FAIL(INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"%.*s\"", (int)name.len,
                name.data);
}

/* A list of privileges asks for any of them. */
static enum status check_list(struct sys_call *c, const struct kind *k, const struct role_def *user,
                              const struct object *o)
{
    struct slice rest = slice_of(sys_arg_text(c, c->n - 1));
    bool any = false;
    for (;;) {
        const char *comma = rest.len ? memchr(rest.data, ',', rest.len) : NULL;
        size_t len = comma ? (size_t)(comma - rest.data) : rest.len;
        char letter;
        TRY(find_letter(k, slice_make(rest.data, len), &letter));
        any |= o->exists && allows(c, user, o, letter);
        if (!comma) break;
        rest = slice_make(comma + 1, rest.len - len - 1);
    }
    return o->exists ? sys_ret_bool(c, any) : sys_ret_null(c);
}

enum status sys_has_privilege(struct sys_call *c)
{
    const struct kind *k = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !k; i++)
        if (slice_starts(slice_of(c->proc->symbol), slice_of(kinds[i].prefix))) k = &kinds[i];
    if (!k) return UNSUPPORTED("function %s is not supported", c->proc->name);
    uint32_t extra = strcmp(k->prefix, "has_column_") == 0 ? 3 : 2; /* object … privilege */
    uint32_t at = c->n - extra;
    const struct role_def *user = catalog_role_by_oid(c->s->catalog, c->s->user_oid);
    struct object o;
    if (at == 1) TRY(role_arg(c, 0, &user));
    switch (k->kind) {
    case 'r': TRY(table_object(c, at, &o)); break;
    case 'n': TRY(schema_object(c, at, &o)); break;
    case 'd': TRY(database_object(c, at, &o)); break;
    case 'f': TRY(function_object(c, at, &o)); break;
    default: TRY(type_object(c, at, &o)); break;
    }
    return check_list(c, k, user, &o);
}

/* --- acldefault ------------------------------------------------------------------------------ */

static const struct {
    char kind;
    const char *owner, *everyone; /* letters; NULL: no entry */
} defaults[] = {{'c', NULL, NULL}, {'r', "arwdDxt", NULL}, {'s', "rwU", NULL},
                {'d', "CTc", "Tc"}, {'f', "X", "X"},       {'l', "U", "U"},
                {'L', "rw", NULL},  {'n', "UC", NULL},     {'p', "sA", NULL},
                {'t', "C", NULL},   {'F', "U", NULL},      {'S', "U", NULL},
                {'T', "U", "U"}};

enum status sys_acldefault(struct sys_call *c)
{
    struct slice kind = bytes_slice(&c->args[0].v.bytes);
    const struct role_def *r = catalog_role_by_oid(c->s->catalog, sys_arg_oid(c, 1));
    const char *owner = r ? r->name : arena_printf(c->a, "%u", sys_arg_oid(c, 1));
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        const char *items[2];
        uint32_t n = 0;
        if (kind.len == 0 || kind.data[0] != defaults[i].kind) continue;
        if (defaults[i].everyone)
            items[n++] = arena_printf(c->a, "=%s/%s", defaults[i].everyone, owner);
        if (defaults[i].owner)
            items[n++] = arena_printf(c->a, "%s=%s/%s", owner, defaults[i].owner, owner);
        *c->ret = (struct datum){.v.bytes = sys_array_text(c->a, TYPE_ACLITEM, items, n)};
        return OK;
    }
    return FAIL(INVALID_PARAMETER_VALUE, "unrecognized object type abbreviation: %c",
                kind.len ? kind.data[0] : ' ');
}
