/* What belongs to no relation: databases, roles, schemas, tablespaces and settings. */
#include "db/system_priv.h"

/* --- databases ------------------------------------------------------------------------------- */

static const char *locale_name(struct sys_scan *x)
{
    const char *v = settings_get(x->s, "lc_collate");
    return v ? v : "C";
}

enum status sys_pg_database(struct sys_scan *x)
{
    size_t pos = 0;
    const struct database_def *d;
    const char *locale = locale_name(x);
    while (catalog_next_database(x->catalog, &pos, &d)) {
        bool closed = strcmp(d->name, "template0") == 0;
        bool template = closed || strcmp(d->name, "template1") == 0;
        TRY(SYS_EMIT(x, I(d->oid), T(d->name), I(d->owner), I(ENCODING_UTF8), C('c'), I(template),
                     I(!closed), I(-1), I(3), I(1), I(TABLESPACE_DEFAULT), T(locale), T(locale), N,
                     N, N));
    }
    return OK;
}

enum status sys_pg_tablespace(struct sys_scan *x)
{
    TRY(SYS_EMIT(x, I(TABLESPACE_DEFAULT), T("pg_default"), I(OID_ROLE_BOOTSTRAP), N, N));
    return SYS_EMIT(x, I(TABLESPACE_GLOBAL), T("pg_global"), I(OID_ROLE_BOOTSTRAP), N, N);
}

enum status sys_pg_namespace(struct sys_scan *x)
{
    size_t pos = 0;
    const struct schema_def *d;
    while (sys_next_schema(x, &pos, &d))
        TRY(SYS_EMIT(x, I(d->oid), T(d->name), I(d->owner),
                     sys_array_from_text(x, TYPE_ACLITEM_ARRAY, d->acl)));
    return OK;
}

/* --- roles ----------------------------------------------------------------------------------- */

/* Only superusers see what passwords are kept as. */
enum status sys_pg_authid(struct sys_scan *x)
{
    size_t pos = 0;
    const struct role_def *r;
    if (!x->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for table %s", x->table->name);
    while (catalog_next_role(x->catalog, &pos, &r))
        TRY(SYS_EMIT(x, I(r->oid), T(r->name), I(r->superuser), I(r->inherit), I(r->create_role),
                     I(r->create_db), I(r->can_login), I(r->replication), I(r->bypass_rls),
                     I(r->connection_limit), T(r->password), N));
    return OK;
}

enum status sys_pg_roles(struct sys_scan *x)
{
    size_t pos = 0;
    const struct role_def *r;
    while (catalog_next_role(x->catalog, &pos, &r))
        TRY(SYS_EMIT(x, T(r->name), I(r->superuser), I(r->inherit), I(r->create_role),
                     I(r->create_db), I(r->can_login), I(r->replication), I(r->connection_limit),
                     T("********"), N, I(r->bypass_rls), N, I(r->oid)));
    return OK;
}

enum status sys_pg_user(struct sys_scan *x)
{
    size_t pos = 0;
    const struct role_def *r;
    bool shadow = strcmp(x->table->name, "pg_shadow") == 0;
    if (shadow && !x->s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for view %s", x->table->name);
    while (catalog_next_role(x->catalog, &pos, &r)) {
        if (!r->can_login) continue;
        TRY(SYS_EMIT(x, T(r->name), I(r->oid), I(r->create_db), I(r->superuser), I(r->replication),
                     I(r->bypass_rls), T(shadow ? r->password : "********"), N, N));
    }
    return OK;
}

static bool is_member(const struct role_def *r, oid_t group)
{
    for (uint32_t i = 0; i < r->member_of_count; i++)
        if (r->member_of[i] == group) return true;
    return false;
}

/* Groups are the roles that cannot log in. */
enum status sys_pg_group(struct sys_scan *x)
{
    size_t pos = 0;
    const struct role_def *g, *r;
    while (catalog_next_role(x->catalog, &pos, &g)) {
        ARRAY(oid_t) members = {0};
        size_t at = 0;
        if (g->can_login) continue;
        while (catalog_next_role(x->catalog, &at, &r))
            if (is_member(r, g->oid)) ARENA_PUSH(x->arena, &members, r->oid);
        TRY(SYS_EMIT(x, T(g->name), I(g->oid),
                     V(sys_array_oid(x->arena, members.data, (uint32_t)members.count))));
    }
    return OK;
}

enum status sys_pg_auth_members(struct sys_scan *x)
{
    size_t pos = 0;
    const struct role_def *r;
    while (catalog_next_role(x->catalog, &pos, &r))
        for (uint32_t i = 0; i < r->member_of_count; i++)
            TRY(SYS_EMIT(x, I(r->member_of[i]), I(r->oid), I(OID_ROLE_BOOTSTRAP), I(0)));
    return OK;
}

/* --- settings -------------------------------------------------------------------------------- */

static const struct setting_info {
    const char *name;
    char kind;
    const char *boot_value, *flags, *allowed;
} setting_infos[] = {
#define X(name, kind, value, flags, allowed, help) {name, #kind[0], value, #flags, allowed},
#include "db/settings.def"
#undef X
};

static const struct setting_info *find_setting(const char *name)
{
    for (size_t i = 0; i < sizeof setting_infos / sizeof setting_infos[0]; i++)
        if (strcmp(setting_infos[i].name, name) == 0) return &setting_infos[i];
    return NULL;
}

/* SHOW prints "5s"; here it is the number of milliseconds. */
static const char *in_milliseconds(struct arena *a, const char *value)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t digits = strspn(value, "0123456789");
    int64_t n;
    if (!str_to_i64(slice_make(value, digits), &n)) return value;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(value + digits, units[i].unit) == 0)
            return arena_printf(a, "%lld", (long long)(n * units[i].ms));
    return value;
}

static const char *kind_name(char kind)
{
    switch (kind) {
    case 'B': return "bool";
    case 'I':
    case 'M': return "integer";
    case 'R': return "real";
    case 'E': return "enum";
    default: return "string";
    }
}

static enum status emit_setting(void *ctx, const char *name, const char *value, const char *help)
{
    struct sys_scan *x = ctx;
    const struct setting_info *d = find_setting(name);
    char kind = d ? d->kind : 'S';
    const char *boot = d ? d->boot_value : "";
    bool changed = strcmp(value, boot) != 0, fixed = d && strchr(d->flags, 'F');
    struct sys_cell allowed = N;
    if (kind == 'E')
        allowed = sys_array_from_text(x, TYPE_TEXT_ARRAY,
                                      arena_printf(x->arena, "{%s}", d->allowed));
    if (kind == 'M') value = in_milliseconds(x->arena, value);
    return SYS_EMIT(x, T(name), T(value), T(kind == 'M' ? "ms" : NULL),
                    T(fixed ? "Preset Options" : "Client Connection Defaults / Statement Behavior"),
                    T(help), N, T(fixed ? "internal" : "user"), T(kind_name(kind)),
                    T(changed && !fixed ? "session" : "default"), N, N, allowed, T(boot), T(boot),
                    N, N, I(0));
}

enum status sys_pg_settings(struct sys_scan *x)
{
    return settings_each(x->s, emit_setting, x);
}
