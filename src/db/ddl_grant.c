/* GRANT and REVOKE.
 *
 * Rights are kept as the text of a PostgreSQL ACL, "{owner=arwdDxt/owner,bob=r/owner,=r/owner}":
 * letters are privileges, a star the right to pass the one before it on, no name means
 * everybody. */
#include "db/ddl_routine_priv.h"

static const struct privilege {
    const char *name;
    char letter;
} privileges[] = {{"select", 'r'},  {"insert", 'a'},     {"update", 'w'},  {"delete", 'd'},
                  {"truncate", 'D'}, {"references", 'x'}, {"trigger", 't'}, {"usage", 'U'},
                  {"create", 'C'},  {"connect", 'c'},    {"temporary", 'T'}, {"temp", 'T'},
                  {"execute", 'X'}};

enum { LETTERS = 12 };
static const char letter_order[LETTERS + 1] = "arwdDxtXUCTc";

/* What can be granted on a kind of object, and what of it everybody has without a grant. */
static const struct grantable {
    const char *word, *letters, *everybody;
} on_table = {"table", "arwdDxt", ""}, on_sequence = {"sequence", "rwU", ""},
  on_schema = {"schema", "UC", ""}, on_database = {"database", "CTc", "Tc"},
  on_function = {"function", "X", "X"}, on_procedure = {"procedure", "X", "X"},
  on_routine = {"routine", "X", "X"};

struct acl_item {
    const char *grantee; /* "": everybody */
    bool has[LETTERS], option[LETTERS];
};

struct acl {
    ARRAY(struct acl_item) items;
};

static int place_of(char letter)
{
    const char *p = letter ? strchr(letter_order, letter) : NULL;
    return p ? (int)(p - letter_order) : -1;
}

static struct acl_item *item_for(struct ddl *d, struct acl *l, const char *grantee)
{
    for (size_t i = 0; i < l->items.count; i++)
        if (strcmp(l->items.data[i].grantee, grantee) == 0) return &l->items.data[i];
    ARENA_PUSH(d->a, &l->items, (struct acl_item){.grantee = grantee});
    return &ARRAY_LAST(&l->items);
}

/* --- text ----------------------------------------------------------------------------------- */

static void give_all(struct ddl *d, struct acl *l, const char *grantee, const char *letters)
{
    struct acl_item *x = item_for(d, l, grantee);
    for (; *letters; letters++) x->has[place_of(*letters)] = true;
}

static void read_acl(struct ddl *d, const char *text, const char *owner, const struct grantable *on,
                     struct acl *ret)
{
    *ret = (struct acl){0};
    if (!text) {
        if (*on->everybody) give_all(d, ret, "", on->everybody);
        give_all(d, ret, owner, on->letters);
        return;
    }
    if (*text == '{') text++;
    while (*text && *text != '}') {
        const char *equals = strchr(text, '=');
        if (!equals) return;
        struct acl_item *x = item_for(d, ret, arena_strndup(d->a, text, (size_t)(equals - text)));
        for (text = equals + 1; *text && *text != '/'; text++) {
            int at = place_of(*text);
            if (at < 0) continue;
            x->has[at] = true;
            x->option[at] = text[1] == '*';
        }
        while (*text && *text != ',' && *text != '}') text++;
        if (*text == ',') text++;
    }
}

static const char *write_acl(struct ddl *d, const struct acl *l, const char *owner)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    strbuf_addc(&b, '{');
    for (size_t i = 0; i < l->items.count; i++) {
        const struct acl_item *x = &l->items.data[i];
        bool any = false;
        for (int k = 0; k < LETTERS; k++) any |= x->has[k];
        if (!any) continue;
        strbuf_addf(&b, "%s%s=", b.len > 1 ? "," : "", x->grantee);
        for (int k = 0; k < LETTERS; k++) {
            if (x->has[k]) strbuf_addc(&b, letter_order[k]);
            if (x->has[k] && x->option[k]) strbuf_addc(&b, '*');
        }
        strbuf_addf(&b, "/%s", owner);
    }
    strbuf_addc(&b, '}');
    return b.data;
}

/* --- one object ----------------------------------------------------------------------------- */

static const char *upper(struct ddl *d, const char *word)
{
    char *s = arena_strdup(d->a, word);
    for (char *p = s; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
    return s;
}

static enum status not_grantable(struct ddl *d, const char *privilege, char letter,
                                 const struct grantable *on)
{
    bool of_none = on == &on_table && !strchr(on_sequence.letters, letter);
    return FAIL(INVALID_GRANT_OPERATION, "invalid privilege type %s for %s", upper(d, privilege),
                of_none ? "relation" : on->word);
}

static enum status letters_of(struct ddl *d, const struct ast_grant *n, const struct grantable *on,
                              bool ret[LETTERS])
{
    memset(ret, 0, LETTERS * sizeof *ret);
    for (const char *p = on->letters; *p && n->privileges.count == 0; p++) ret[place_of(*p)] = true;
    for (uint32_t i = 0; i < n->privileges.count; i++) {
        char letter = 0;
        for (size_t j = 0; j < sizeof privileges / sizeof privileges[0]; j++)
            if (strcmp(n->privileges.items[i], privileges[j].name) == 0)
                letter = privileges[j].letter;
        if (!letter)
            return FAIL(SYNTAX_ERROR, "unrecognized privilege type \"%s\"", n->privileges.items[i]);
        if (!strchr(on->letters, letter))
            return not_grantable(d, n->privileges.items[i], letter, on);
        ret[place_of(letter)] = true;
    }
    return OK;
}

static enum status change_acl(struct ddl *d, const struct ast_grant *n, const struct grantable *on,
                              const char *old, oid_t owner, const char **ret)
{
    bool letters[LETTERS];
    struct acl l;
    const struct role_def *o = catalog_role_by_oid(d->s->catalog, owner);
    const char *owner_name = o ? o->name : "postgres";
    TRY(letters_of(d, n, on, letters));
    read_acl(d, old, owner_name, on, &l);
    for (uint32_t i = 0; i < n->grantees.count; i++) {
        const char *grantee = n->grantees.items[i];
        oid_t oid;
        if (strcmp(grantee, "public") == 0) {
            grantee = "";
            if (n->is_grant && n->grant_option)
                return FAIL(INVALID_GRANT_OPERATION, "grant options can only be granted to roles");
        } else {
            TRY(ddl__role(d, grantee, &oid));
            grantee = catalog_role_by_oid(d->s->catalog, oid)->name;
        }
        if (strpbrk(grantee, "=,{}/\"\\"))
            return UNSUPPORTED("granting to role \"%s\" is not supported yet",
                        grantee);
        struct acl_item *x = item_for(d, &l, grantee);
        for (int p = 0; p < LETTERS; p++) {
            if (!letters[p]) continue;
            if (n->is_grant) x->has[p] = true, x->option[p] |= n->grant_option;
            else x->option[p] = false, x->has[p] &= n->grant_option;
        }
    }
    *ret = write_acl(d, &l, owner_name);
    return OK;
}

static enum status grant_table(struct ddl *d, const struct ast_grant *n, const struct table_def *t)
{
    struct table_def changed = *t;
    if (!ddl__is_owner(d->s, t->owner))
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for %s %s", ddl__kind_word(t),
                    t->name);
    TRY(change_acl(d, n, t->kind == 'S' ? &on_sequence : &on_table, t->acl, t->owner,
                   &changed.acl));
    return ddl__put_table(d, &changed);
}

static enum status grant_schema(struct ddl *d, const struct ast_grant *n, const char *name)
{
    const struct schema_def *s;
    TRY(ddl__schema(d, name, &s));
    struct schema_def changed = *s;
    if (!ddl__is_owner(d->s, s->owner))
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", name);
    TRY(change_acl(d, n, &on_schema, s->acl, s->owner, &changed.acl));
    return ddl__put_schema(d, &changed);
}

/* A database has no ACL here: everybody who may log in may connect. Names are checked all the
 * same. */
static enum status grant_database(struct ddl *d, const struct ast_grant *n, const char *name)
{
    const char *unused;
    const struct database_def *db = catalog_database(d->s->catalog, slice_of(name));
    if (!db) return FAIL(INVALID_CATALOG_NAME, "database \"%s\" does not exist", name);
    return change_acl(d, n, &on_database, NULL, db->owner, &unused);
}

static enum status grant_all_in(struct ddl *d, const struct ast_grant *n, const char *name)
{
    const struct schema_def *s;
    const struct table_def *t;
    ARRAY(const struct table_def *) found = {0};
    size_t pos = 0;
    TRY(ddl__schema(d, name, &s));
    while (catalog_next_table(d->s->catalog, &pos, &t))
        if (t->schema == s->oid && (t->kind == 'S') == (n->object == OBJECT_SEQUENCE))
            ARENA_PUSH(d->a, &found, t);
    for (size_t i = 0; i < found.count; i++) TRY(grant_table(d, n, found.data[i]));
    return OK;
}

/* --- functions ------------------------------------------------------------------------------- */

static enum status grant_function(struct ddl *d, const struct ast_grant *n,
                                  const struct function_def *f)
{
    struct function_def changed = *f;
    char kind = n->routine_kind;
    if (!ddl__is_owner(d->s, f->owner))
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for %s %s",
                    f->proc.kind == 'p' ? "procedure" : "function", f->proc.name);
    TRY(change_acl(d, n, kind == 'f' ? &on_function : kind == 'p' ? &on_procedure : &on_routine,
                   f->acl, f->owner, &changed.acl));
    return ddl__put_function(d, &changed);
}

static enum status grant_functions_in(struct ddl *d, const struct ast_grant *n, const char *name)
{
    const struct schema_def *s;
    const struct function_def *f;
    ARRAY(const struct function_def *) found = {0};
    size_t pos = 0;
    TRY(ddl__schema(d, name, &s));
    while (catalog_next_function(d->s->catalog, &pos, &f)) {
        bool procedure = f->proc.kind == 'p';
        if (f->schema != s->oid) continue;
        if (n->routine_kind == 'r' || procedure == (n->routine_kind == 'p'))
            ARENA_PUSH(d->a, &found, f);
    }
    for (size_t i = 0; i < found.count; i++) TRY(grant_function(d, n, found.data[i]));
    return OK;
}

static enum status grant_functions(struct ddl *d, const struct ast_grant *n)
{
    const struct function_def *f;
    for (uint32_t i = 0; i < n->object_count; i++) {
        if (n->on_all_in_schema) {
            const struct name_list *names = &n->objects[i];
            TRY(grant_functions_in(d, n, names->items[names->count - 1]));
            continue;
        }
        TRY(ddl__find_function(d, &n->routines[i], n->routine_kind, false, &f));
        TRY(grant_function(d, n, f));
    }
    return OK;
}

enum status ddl__grant(struct ddl *d, const struct ast_grant *n)
{
    if (n->routine_kind) return grant_functions(d, n);
    for (uint32_t i = 0; i < n->object_count; i++) {
        const struct name_list *names = &n->objects[i];
        const char *last = names->items[names->count - 1];
        if (n->on_all_in_schema) {
            TRY(grant_all_in(d, n, last));
        } else if (n->object == OBJECT_SCHEMA) {
            TRY(grant_schema(d, n, last));
        } else if (n->object == OBJECT_DATABASE) {
            TRY(grant_database(d, n, last));
        } else {
            struct ast_range_var v = ddl__range_of(names);
            const struct table_def *t;
            TRY(ddl__find(d, &v, n->object == OBJECT_SEQUENCE ? 'S' : 0, false, &t));
            TRY(grant_table(d, n, t));
        }
    }
    return OK;
}
