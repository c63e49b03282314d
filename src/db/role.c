/* SET ROLE: whose rights the session uses. The user who logged in stays the session user and may
 * always come back; a role that was dropped meanwhile counts as none. */
#include "db/session_priv.h"

enum { MEMBERSHIP_DEPTH_MAX = 64 };

static bool is_member(const struct catalog *c, const struct role_def *r, oid_t of, int depth)
{
    if (r->oid == of) return true;
    for (uint32_t i = 0; i < r->member_of_count && depth < MEMBERSHIP_DEPTH_MAX; i++) {
        const struct role_def *up = catalog_role_by_oid(c, r->member_of[i]);
        if (up && is_member(c, up, of, depth + 1)) return true;
    }
    return false;
}

/* "$user" in search_path means another schema then. */
static void forget_path(struct session *s)
{
    mem_free(MEM_SESSION, s->path_schemas);
    s->path_schemas = NULL;
    s->exec.user = session__user(s);
    s->exec.path = session__path(s);
}

void session__enter_role(struct session *s, oid_t role, struct session_role *ret)
{
    const struct role_def *r = role ? catalog_role_by_oid(s->catalog, role) : NULL;
    *ret = (struct session_role){.entered = r != NULL, .role = s->role, .user_oid = s->user_oid,
                                 .superuser = s->superuser};
    if (!r) return;
    size_t bytes = strlen(r->name) + 1;
    s->role = mem_alloc(MEM_SESSION, bytes);
    memcpy(s->role, r->name, bytes);
    s->user_oid = r->oid;
    s->superuser = r->superuser;
    s->definers++;
    forget_path(s);
}

void session__leave_role(struct session *s, struct session_role *was)
{
    if (!was->entered) return;
    mem_free(MEM_SESSION, s->role);
    s->role = was->role;
    s->user_oid = was->user_oid;
    s->superuser = was->superuser;
    s->definers--;
    forget_path(s);
}

enum status session__check_role(struct session *s, const char *name)
{
    if (s->definers)
        return FAIL(INSUFFICIENT_PRIVILEGE,
                    "cannot set parameter \"role\" within security-definer function");
    if (strcmp(name, "none") == 0) return OK;
    const struct catalog *c = session__catalog(s);
    const struct role_def *r = catalog_role(c, slice_of(name));
    const struct role_def *login = catalog_role_by_oid(c, s->login_oid);
    if (!r) return FAIL(INVALID_PARAMETER_VALUE, "role \"%s\" does not exist", name);
    if (s->login_superuser || (login && is_member(c, login, r->oid, 0))) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to set role \"%s\"", name);
}

void session__use_role(struct session *s, const char *name)
{
    const struct role_def *r = NULL;
    if (strcmp(name, "none") != 0 && s->catalog) r = catalog_role(s->catalog, slice_of(name));
    mem_free(MEM_SESSION, s->role);
    s->role = NULL;
    if (r) {
        size_t bytes = strlen(name) + 1;
        s->role = mem_alloc(MEM_SESSION, bytes);
        memcpy(s->role, name, bytes);
    }
    s->user_oid = r ? r->oid : s->login_oid;
    s->superuser = r ? r->superuser : s->login_superuser;
    s->exec.user = session__user(s);
}
