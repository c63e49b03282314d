/* Names in DDL: looking up what a statement means, rights on it, and choosing names for what it
 * makes without being told (t_pkey, t_a_seq …), by PostgreSQL's rules for cutting and numbering
 * them. */
#include "db/temporary.h"

char ddl__kind_of(enum object_kind k, char any)
{
    return k == OBJECT_VIEW                ? 'v'
           : k == OBJECT_MATERIALIZED_VIEW ? 'm'
           : k == OBJECT_SEQUENCE          ? 'S'
                                           : any;
}

const char *ddl__kind_word(const struct table_def *t)
{
    return t->kind == 'v'   ? "view"
           : t->kind == 'm' ? "materialized view"
           : t->kind == 'S' ? "sequence"
           : t->kind == 'c' ? "composite type"
                            : "table";
}

/* --- finding -------------------------------------------------------------------------------- */

static enum status check_catalog(struct ddl *d, const struct ast_range_var *v)
{
    if (!v->catalog || strcmp(v->catalog, d->s->database) == 0) return OK;
    return FAIL(FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: \"%s.%s.%s\"", v->catalog,
                v->schema ? v->schema : "", v->name);
}

static const char *qualified(struct ddl *d, const struct ast_range_var *v)
{
    return v->schema ? arena_printf(d->a, "%s.%s", v->schema, v->name) : v->name;
}

struct ast_range_var ddl__range_of(const struct name_list *n)
{
    struct ast_range_var v = {.node = {AST_RANGE_VAR, -1}, .persistence = 'p'};
    ASSERT(n->count > 0);
    v.name = n->items[n->count - 1];
    if (n->count > 1) v.schema = n->items[n->count - 2];
    if (n->count > 2) v.catalog = n->items[n->count - 3];
    return v;
}

static const char *kind_of_letter(char kind)
{
    return kind == 'v'   ? "view"
           : kind == 'm' ? "materialized view"
           : kind == 'S' ? "sequence"
           : kind == 'r' ? "table"
                         : "relation";
}

bool ddl__lacks_schema(struct ddl *d, const struct ast_range_var *v)
{
    if (v->schema && strcmp(v->schema, "pg_temp") == 0) return !session__path(d->s)->temporary;
    return v->schema && !catalog_schema(d->s->catalog, d->s->database_oid, slice_of(v->schema));
}

static enum status absent(struct ddl *d, const struct ast_range_var *v, const char *word,
                          bool missing_ok)
{
    if (ddl__lacks_schema(d, v)) {
        if (missing_ok)
            return ddl__notice(d, "schema \"%s\" does not exist, skipping", v->schema);
        return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", v->schema);
    }
    if (missing_ok) return ddl__notice(d, "%s \"%s\" does not exist, skipping", word, v->name);
    return FAIL(UNDEFINED_TABLE, "%s \"%s\" does not exist", word, qualified(d, v));
}

enum status ddl__find(struct ddl *d, const struct ast_range_var *v, char kind, bool missing_ok,
                      const struct table_def **ret)
{
    *ret = NULL;
    TRY(check_catalog(d, v));
    const struct table_def *t =
        catalog_lookup(d->s->catalog, session__path(d->s), v->schema, v->name);
    const char *word = kind_of_letter(kind);
    if (!t) {
        const struct index_def *x =
            catalog_lookup_index(d->s->catalog, session__path(d->s), v->schema, v->name);
        if (x) return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a %s", v->name, word);
        return absent(d, v, "relation", missing_ok);
    }
    if (kind && t->kind != kind)
        return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a %s", t->name, word);
    if (t->virtual_id >= 0 || t->schema == OID_SCHEMA_PG_CATALOG)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied: \"%s\" is a system catalog",
                    t->name);
    *ret = t;
    return OK;
}

enum status ddl__find_index(struct ddl *d, const struct ast_range_var *v, bool missing_ok,
                            const struct index_def **ret)
{
    *ret = NULL;
    TRY(check_catalog(d, v));
    *ret = catalog_lookup_index(d->s->catalog, session__path(d->s), v->schema, v->name);
    if (*ret) return OK;
    if (catalog_lookup(d->s->catalog, session__path(d->s), v->schema, v->name))
        return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not an index", v->name);
    if (!missing_ok && !v->schema)
        return FAIL(UNDEFINED_OBJECT, "index \"%s\" does not exist", v->name);
    enum status s = absent(d, v, "index", missing_ok);
    return s;
}

enum status ddl__schema(struct ddl *d, const char *name, const struct schema_def **ret)
{
    *ret = catalog_schema(d->s->catalog, d->s->database_oid, slice_of(name));
    if (!*ret) return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", name);
    return OK;
}

/* --- rights --------------------------------------------------------------------------------- */

bool ddl__is_owner(const struct session *s, oid_t owner)
{
    if (s->superuser || owner == s->user_oid) return true;
    if (owner == OID_ROLE_DATABASE_OWNER) {
        const struct database_def *db = catalog_database_by_oid(s->catalog, s->database_oid);
        return db && db->owner != owner && ddl__is_owner(s, db->owner);
    }
    const struct role_def *r = catalog_role_by_oid(s->catalog, s->user_oid);
    for (uint32_t i = 0; r && r->inherit && i < r->member_of_count; i++)
        if (r->member_of[i] == owner) return true;
    return false;
}

enum status ddl__own_table(struct ddl *d, const struct table_def *t)
{
    if (ddl__is_owner(d->s, t->owner)) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of %s %s", ddl__kind_word(t), t->name);
}

enum status ddl__own_schema(struct ddl *d, const struct schema_def *n)
{
    if (ddl__is_owner(d->s, n->owner)) return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of schema %s", n->name);
}

bool ddl__acl_allows(const char *acl, const char *user, char privilege)
{
    size_t user_len = strlen(user);
    if (!acl) return false;
    if (*acl == '{') acl++;
    while (*acl && *acl != '}') {
        bool ours = *acl == '=', quoted = *acl == '"';
        if (quoted) {
            const char *name = user;
            for (acl++; *acl && (*acl != '"' || acl[1] == '"'); acl++) {
                if (*acl == '"') acl++;
                if (name && *name == *acl) name++;
                else name = NULL;
            }
            ours = name && !*name;
            if (*acl) acl++;
        }
        const char *equals = strchr(acl, '=');
        if (!equals) return false;
        size_t len = (size_t)(equals - acl);
        ours |= !quoted && len == user_len && memcmp(acl, user, len) == 0;
        for (acl = equals + 1; *acl && *acl != '/'; acl++)
            if (ours && *acl == privilege) return true;
        while (*acl && *acl != ',') acl++;
        if (*acl) acl++;
    }
    return false;
}

static enum status may_create_in(struct ddl *d, const struct schema_def *n, const char *name)
{
    if (n->oid == OID_SCHEMA_PG_CATALOG || n->oid == OID_SCHEMA_INFORMATION_SCHEMA) {
        FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to create \"%s.%s\"", n->name, name);
        return error_detail("System catalog modifications are currently disallowed.");
    }
    if (ddl__is_owner(d->s, n->owner) || ddl__acl_allows(n->acl, session__user(d->s), 'C'))
        return OK;
    return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", n->name);
}

enum status ddl__creation_schema(struct ddl *d, const struct ast_range_var *v,
                                 const struct schema_def **ret)
{
    TRY(check_catalog(d, v));
    const struct search_path *p = session__path(d->s);
    if (v->schema && strcmp(v->schema, "pg_temp") == 0) return temporary_make_schema(d, ret);
    if (v->schema) {
        *ret = catalog_schema(d->s->catalog, d->s->database_oid, slice_of(v->schema));
        if (!*ret)
            return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", v->schema);
        if ((*ret)->oid == p->temporary) return temporary_make_schema(d, ret);
        if (v->persistence == 't')
            return FAIL(INVALID_TABLE_DEFINITION,
                        "cannot create temporary relation in non-temporary schema");
        if (temporary_is_schema((*ret)->name))
            return FAIL(INVALID_TABLE_DEFINITION,
                        "cannot create relations in temporary schemas of other sessions");
        return may_create_in(d, *ret, v->name);
    }
    if (v->persistence == 't') return temporary_make_schema(d, ret);
    if (p->count == 0)
        return FAIL(INVALID_SCHEMA_NAME, "no schema has been selected to create in");
    *ret = catalog_schema_by_oid(d->s->catalog, p->schemas[0]);
    ASSERT(*ret);
    if ((*ret)->oid == p->temporary) return temporary_make_schema(d, ret);
    return may_create_in(d, *ret, v->name);
}

enum status ddl__role(struct ddl *d, const char *name, oid_t *ret)
{
    if (strcmp(name, "current_user") == 0 || strcmp(name, "current_role") == 0 ||
        strcmp(name, "session_user") == 0) {
        *ret = d->s->user_oid;
        return OK;
    }
    const struct role_def *r = catalog_role(d->s->catalog, slice_of(name));
    if (!r) return FAIL(UNDEFINED_OBJECT, "role \"%s\" does not exist", name);
    *ret = r->oid;
    return OK;
}

/* --- new names ------------------------------------------------------------------------------ */

bool ddl__relation_exists(struct ddl *d, oid_t schema, const char *name)
{
    return catalog_table(d->s->catalog, schema, slice_of(name)) ||
           catalog_index(d->s->catalog, schema, slice_of(name));
}

enum status ddl__check_free(struct ddl *d, oid_t schema, const char *name)
{
    if (ddl__relation_exists(d, schema, name))
        return FAIL(DUPLICATE_TABLE, "relation \"%s\" already exists", name);
    return OK;
}

/* Not amid a UTF-8 character. */
static size_t clip(const char *s, size_t len)
{
    while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80) len--;
    return len;
}

static const char *object_name(struct arena *a, const char *name1, const char *name2,
                             const char *label)
{
    size_t len1 = strlen(name1), len2 = name2 ? strlen(name2) : 0;
    size_t rest = NAME_BYTES_MAX - (label ? strlen(label) + 1 : 0) - (name2 ? 1 : 0);
    while (len1 + len2 > rest) {
        if (len1 > len2) len1--;
        else len2--;
    }
    len1 = clip(name1, len1);
    if (name2) len2 = clip(name2, len2);
    return arena_printf(a, "%.*s%s%.*s%s%s", (int)len1, name1, name2 ? "_" : "", (int)len2,
                        name2 ? name2 : "", label ? "_" : "", label ? label : "");
}

const char *ddl__choose_name(struct ddl *d, oid_t schema, const char *name1, const char *name2,
                             const char *label, bool (*taken)(void *ctx, const char *name),
                             void *ctx)
{
    const char *numbered = label;
    for (uint32_t pass = 1;; pass++) {
        const char *name = object_name(d->a, name1, name2, numbered);
        if (!(schema && ddl__relation_exists(d, schema, name)) && !(taken && taken(ctx, name)))
            return name;
        numbered = arena_printf(d->a, "%s%u", label, pass);
    }
}

/* --- words ---------------------------------------------------------------------------------- */

const char *ddl__quote(struct arena *a, const char *name)
{
    static const char *const reserved[] = {"all", "and", "any", "as", "case", "check", "column",
                                           "constraint", "create", "default", "desc", "distinct",
                                           "do", "else", "end", "false", "for", "foreign", "from",
                                           "grant", "group", "having", "in", "limit", "not", "null",
                                           "offset", "on", "or", "order", "primary", "references",
                                           "select", "table", "then", "to", "true", "union",
                                           "unique", "user", "using", "when", "where", "with"};
    bool plain = (*name >= 'a' && *name <= 'z') || *name == '_';
    for (const char *p = name; *p && plain; p++)
        plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_';
    for (size_t i = 0; plain && i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(name, reserved[i]) == 0) plain = false;
    if (plain) return name;
    struct strbuf b;
    strbuf_init(&b, a);
    strbuf_addc(&b, '"');
    for (; *name; name++) {
        if (*name == '"') strbuf_addc(&b, '"');
        strbuf_addc(&b, *name);
    }
    strbuf_addc(&b, '"');
    return b.data;
}

const char *ddl__option_text(const struct ast_def_elem *e)
{
    static const char *const words[] = {"false", "true"};
    if (!e->arg) return NULL;
    if (e->arg->kind == AST_TYPE_NAME) {
        const struct name_list *n = &AST(e->arg, ast_type_name)->names;
        return n->count ? n->items[n->count - 1] : NULL;
    }
    if (e->arg->kind != AST_CONST) return NULL;
    const struct ast_const *c = AST(e->arg, ast_const);
    if (c->type == CONST_BOOL) return words[c->ival != 0];
    return c->text;
}

enum status ddl__option_bool(const struct ast_def_elem *e, bool *ret)
{
    const struct ast_const *c = (const struct ast_const *)e->arg;
    *ret = true;
    if (!e->arg) return OK;
    if (e->arg->kind == AST_CONST && (c->type == CONST_BOOL || c->type == CONST_INT)) {
        *ret = c->ival != 0;
        return OK;
    }
    const char *text = ddl__option_text(e);
    if (text && (str_eq_nocase(text, "true") || str_eq_nocase(text, "on"))) return OK;
    if (text && (str_eq_nocase(text, "false") || str_eq_nocase(text, "off"))) {
        *ret = false;
        return OK;
    }
    return FAIL(SYNTAX_ERROR, "%s requires a Boolean value", e->name);
}

enum status ddl__option_i64(const struct ast_def_elem *e, int64_t *ret)
{
    const struct ast_const *c = (const struct ast_const *)e->arg;
    if (e->arg && e->arg->kind == AST_CONST) {
        if (c->type == CONST_INT) {
            *ret = c->ival;
            return OK;
        }
        if (c->text && str_to_i64(slice_of(c->text), ret)) return OK;
    }
    return FAIL(SYNTAX_ERROR, "%s requires a numeric value", e->name);
}
