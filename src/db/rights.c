/* May the role do it? Owners and superusers may; others what an ACL grants to them, to roles that they inherit from, or
 * to everybody. Plans say what they need (sql/query.h), each run of one asks here. */
#include "db/rights.h"

#include "db/ddl_priv.h"

enum { ROLE_DEPTH_MAX = 32 };

/* Whoever owns the database at hand is pg_database_owner. */
static oid_t database_owner(const struct session *s)
{
    const struct database_def *db = catalog_database_by_oid(s->catalog, s->database_oid);
    return db ? db->owner : 0;
}

static oid_t role_meant(const struct session *s, oid_t role)
{
    return role == OID_ROLE_DATABASE_OWNER ? database_owner(s) : role;
}

/* `inherited`: through roles alone that inherit. */
static bool reaches(const struct catalog *c, const struct role_def *r, oid_t of, bool inherited, int depth)
{
    if (r->oid == of) return true;
    bool up = (r->inherit || !inherited) && depth < ROLE_DEPTH_MAX;
    for (uint32_t i = 0; up && i < r->member_of_count; i++) {
        const struct role_def *next = catalog_role_by_oid(c, r->member_of[i]);
        if (next && reaches(c, next, of, inherited, depth + 1)) return true;
    }
    return false;
}

bool rights_has_role(const struct session *s, const struct role_def *r, oid_t of)
{
    return reaches(s->catalog, r, role_meant(s, of), true, 0);
}

bool rights_is_member(const struct session *s, const struct role_def *r, oid_t of)
{
    return r->oid == of || reaches(s->catalog, r, role_meant(s, of), false, 0);
}

static bool acl_gives(const struct session *s, const struct role_def *r, const char *acl, char letter,
                      int depth)
{
    if (ddl__acl_allows(acl, r->name, letter)) return true;
    if (r->oid == database_owner(s) && ddl__acl_allows(acl, "pg_database_owner", letter)) return true;
    for (uint32_t i = 0; r->inherit && i < r->member_of_count && depth < ROLE_DEPTH_MAX; i++) {
        const struct role_def *up = catalog_role_by_oid(s->catalog, r->member_of[i]);
        if (up && acl_gives(s, up, acl, letter, depth + 1)) return true;
    }
    return false;
}

bool rights_allow(const struct session *s, const struct role_def *r, oid_t owner, const char *acl,
                  char letter)
{
    return acl ? acl_gives(s, r, acl, letter, 0) : rights_has_role(s, r, owner);
}

static enum status denied(const struct table_def *t)
{
    const char *what = t->kind == 'v'   ? "view"
                       : t->kind == 'm' ? "materialized view"
                       : t->kind == 'S' ? "sequence"
                                        : "table";
    return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for %s %s", what, t->name);
}

/* A superuser by the role itself; `as` 0: whom the session acts as. NULL: may do all. */
static const struct role_def *limited(const struct session *s, oid_t as)
{
    const struct role_def *r = catalog_role_by_oid(s->catalog, as ? as : s->user_oid);
    if (as ? r && r->superuser : s->superuser) return NULL;
    return r;
}

bool rights_table(const struct session *s, oid_t as, const struct table_def *t, const char *any_of)
{
    const struct role_def *r = limited(s, as);
    if (!r) return as == 0 ? s->superuser : catalog_role_by_oid(s->catalog, as) != NULL;
    for (const char *letter = any_of; *letter; letter++)
        if (rights_allow(s, r, t->owner, t->acl, *letter)) return true;
    return false;
}

enum status rights_check_table(const struct session *s, const struct table_def *t, const char *any_of)
{
    return t->virtual_id >= 0 || rights_table(s, 0, t, any_of) ? OK : denied(t);
}

bool rights_schema(const struct session *s, const struct schema_def *d)
{
    const struct role_def *r = limited(s, 0);
    if (s->superuser || d->database == 0) return true;
    return r && rights_allow(s, r, d->owner, d->acl, 'U');
}

static enum status check_one(const struct session *s, const struct needed_right *n)
{
    static const struct { uint32_t bit; const char letter[2]; } letters[] = {
        {RIGHT_SELECT, "r"}, {RIGHT_INSERT, "a"}, {RIGHT_UPDATE, "w"}, {RIGHT_DELETE, "d"},
    };
    if (!n->table) {
        const struct schema_def *d = catalog_schema_by_oid(s->catalog, n->object);
        return !d || rights_schema(s, d)
                   ? OK
                   : FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", d->name);
    }
    /* A table of the past has the rights of today, if it is still there. */
    const struct table_def *t = catalog_table_by_oid(s->catalog, n->object);
    if (!t) t = n->table;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if ((n->rights & letters[i].bit) && !rights_table(s, n->as, t, letters[i].letter))
            return denied(t);
    return OK;
}

enum status rights_check_plan(const struct session *s, const struct plan *p)
{
    for (int schemas = 1; schemas >= 0; schemas--)
        for (uint32_t i = 0; i < p->right_count; i++) {
            const struct needed_right *n = &p->rights[i];
            if ((n->table == NULL) != (schemas == 1) || (s->superuser && !n->as)) continue;
            TRY(check_one(s, n));
        }
    return OK;
}

/* --- names in ACLs --------------------------------------------------------------------------- */

/* The length of a role's name at p, which ends before `end`. */
static size_t name_length(const char *p, char end)
{
    size_t n = 0;
    bool quoted = false;
    for (; p[n] && (quoted || (p[n] != end && p[n] != ',' && p[n] != '}')); n++) quoted ^= p[n] == '"';
    return n;
}

const char *rights_renamed(struct arena *a, const char *acl, const char *from, const char *to)
{
    struct strbuf b;
    size_t old = strlen(from);
    if (!acl || *acl != '{') return acl;
    strbuf_init(&b, a);
    strbuf_addc(&b, '{');
    for (const char *p = acl + 1; *p && *p != '}';) {
        size_t grantee = name_length(p, '=');
        if (p[grantee] != '=') return acl;
        const char *letters = p + grantee + 1, *grantor = strchr(letters, '/');
        if (!grantor) return acl;
        size_t by = name_length(grantor + 1, ',');
        bool mine = grantee == old && memcmp(p, from, old) == 0;
        bool given = by == old && memcmp(grantor + 1, from, old) == 0;
        bool twice = grantee == strlen(to) && memcmp(p, to, grantee) == 0; /* what it had is what it gets */
        if (!twice) {
            if (b.len > 1) strbuf_addc(&b, ',');
            strbuf_addf(&b, "%.*s=%.*s/%.*s", (int)(mine ? strlen(to) : grantee), mine ? to : p,
                        (int)(grantor - letters), letters, (int)(given ? strlen(to) : by),
                        given ? to : grantor + 1);
        }
        p = grantor + 1 + by;
        if (*p == ',') p++;
    }
    strbuf_addc(&b, '}');
    return b.data;
}
