/* Names as values of the reg types: 'public.t'::regclass is the number of that table. Literals are
 * read while binding, since they mean what the catalog and the search path say then; parameters and
 * texts come here when the session reads them. */
#include "sql/bind/reg_priv.h"
#include "types/record.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One name from `at` on: folded to lower case, or as it is within quotes. */
static bool read_name(struct strbuf *b, struct slice text, size_t *at)
{
    size_t i = *at;
    if (i < text.len && text.data[i] == '"') {
        for (i++; i < text.len; i++) {
            if (text.data[i] == '"' && (i + 1 >= text.len || text.data[i + 1] != '"')) break;
            if (text.data[i] == '"') i++;
            strbuf_addc(b, text.data[i]);
        }
        if (i >= text.len) return false;
        *at = i + 1;
        return true;
    }
    for (; i < text.len && text.data[i] != '.' && !is_blank(text.data[i]); i++) {
        char c = text.data[i];
        strbuf_addc(b, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    bool any = i > *at;
    *at = i;
    return any;
}

enum status bind__reg_split(struct scope *s, struct slice text, struct reg_parts *ret)
{
    size_t at = 0;
    ret->count = 0;
    while (text.len && is_blank(text.data[text.len - 1])) text.len--;
    for (;;) {
        while (at < text.len && is_blank(text.data[at])) at++;
        struct strbuf b;
        strbuf_init(&b, s->env->arena);
        strbuf_reserve(&b, text.len);
        if (ret->count == NAME_PARTS_MAX || !read_name(&b, text, &at) || b.len == 0)
            return FAIL(INVALID_NAME, "invalid name syntax");
        ret->names[ret->count++] = b.data;
        while (at < text.len && is_blank(text.data[at])) at++;
        if (at == text.len) return OK;
        if (text.data[at] != '.') return FAIL(INVALID_NAME, "invalid name syntax");
        at++;
    }
}

static enum status read_class(struct scope *s, struct slice text, const struct reg_parts *p, oid_t *ret)
{
    const struct bind_env *env = s->env;
    const char *schema = p->count > 1 ? p->names[p->count - 2] : NULL;
    const char *name = p->names[p->count - 1];
    const struct database_def *d = catalog_database_by_oid(env->catalog, env->path->database);
    if (p->count > 2 && !(d && strcmp(d->name, p->names[0]) == 0))
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "cross-database references are not implemented: \"%s.%s.%s\"", p->names[0],
                    schema, name);
    const struct table_def *t = catalog_lookup(env->catalog, env->path, schema, name);
    const struct index_def *x =
        t ? NULL : catalog_lookup_index(env->catalog, env->path, schema, name);
    if (t || x) {
        *ret = t ? t->oid : x->oid;
        return OK;
    }
    if (schema && !catalog_schema(env->catalog, env->path->database, slice_of(schema)))
        return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", schema);
    if (schema)
        return FAIL(UNDEFINED_TABLE, "relation \"%s.%s\" does not exist", schema, name);
    return FAIL(UNDEFINED_TABLE, "relation \"%.*s\" does not exist", (int)text.len, text.data);
}

struct slice bind__reg_trim(struct slice s)
{
    while (s.len && is_blank(s.data[0])) s.data++, s.len--;
    while (s.len && is_blank(s.data[s.len - 1])) s.len--;
    return s;
}

/* SQL's spelling or pg_type's. */
static const struct type_info *type_of_words(struct slice name)
{
    static const struct {
        const char *name;
        type_id type;
    } others[] = {{"int", TYPE_INT4}, {"decimal", TYPE_NUMERIC}, {"dec", TYPE_NUMERIC},
                  {"float", TYPE_FLOAT8}, {"char", TYPE_BPCHAR}, {"timestamp", TYPE_TIMESTAMP},
                  {"time", TYPE_TIME}};
    int count;
    const struct type_info *list = type_list(&count);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (slice_eq_nocase(name, slice_of(others[i].name))) return type_get(others[i].type);
    for (int i = 0; i < count; i++)
        if (slice_eq_nocase(name, slice_of(list[i].sql_name)) ||
            slice_eq_nocase(name, slice_of(list[i].name)))
            return &list[i];
    return NULL;
}

/* A name as the catalog has it, with its schema or by the search path: of a built-in type, or of a
 * relation's row. */
static type_id type_of_name(struct scope *s, const struct reg_parts *p)
{
    const struct bind_env *env = s->env;
    const char *schema = p->count > 1 ? p->names[p->count - 2] : NULL;
    const char *name = p->names[p->count - 1];
    int count;
    const struct type_info *list = type_list(&count);
    for (int i = 0; (!schema || strcmp(schema, "pg_catalog") == 0) && i < count; i++)
        if (strcmp(list[i].name, name) == 0) return list[i].id;
    const struct table_def *t = catalog_lookup(env->catalog, env->path, schema, name);
    return t && t->kind != 'S' && t->virtual_id < 0 ? type_row(t->oid) : TYPE_NONE;
}

/* "timestamp (3) with time zone[]": modifiers mean nothing here. */
enum status bind__reg_type(struct scope *s, struct slice text, oid_t *ret)
{
    struct slice name = bind__reg_trim(text);
    struct strbuf b;
    bool array = name.len > 2 && memcmp(name.data + name.len - 2, "[]", 2) == 0;
    if (array) name.len -= 2;
    if (slice_starts(name, SLICE("pg_catalog.")))
        name = slice_make(name.data + sizeof "pg_catalog." - 1,
                          name.len - (sizeof "pg_catalog." - 1));
    const char *open = name.len ? memchr(name.data, '(', name.len) : NULL;
    const char *close = open ? memchr(open, ')', (size_t)(name.data + name.len - open)) : NULL;
    if (close) {
        strbuf_init(&b, s->env->arena);
        struct slice front = bind__reg_trim(slice_make(name.data, (size_t)(open - name.data)));
        strbuf_add(&b, front.data, front.len);
        strbuf_add(&b, close + 1, (size_t)(name.data + name.len - close - 1));
        name = strbuf_slice(&b);
    }
    const struct type_info *found = type_of_words(bind__reg_trim(name));
    struct reg_parts parts;
    if (!found && bind__reg_split(s, bind__reg_trim(name), &parts) == OK)
        found = type_get(type_of_name(s, &parts));
    else if (!found) error_clear();
    if (!found || (array && !found->array))
        return FAIL(UNDEFINED_OBJECT, "type \"%.*s\" does not exist", (int)text.len, text.data);
    *ret = array ? found->array : found->id;
    return OK;
}

/* Of the catalog: how many of that name, in the first schema that has any; *ret the only one. */
static uint32_t find_functions(struct scope *s, const struct reg_parts *p, oid_t *ret)
{
    const struct bind_env *env = s->env;
    const struct function_def *const *found;
    struct slice name = slice_of(p->names[p->count - 1]);
    uint32_t n = 0;
    if (p->count > 1) {
        const struct schema_def *d = catalog_schema(env->catalog, env->path->database,
                                                    slice_of(p->names[p->count - 2]));
        n = d ? catalog_functions(env->catalog, d->oid, name, &found) : 0;
    }
    for (uint32_t i = 0; p->count == 1 && !n && i < env->path->count; i++)
        n = catalog_functions(env->catalog, env->path->schemas[i], name, &found);
    if (n == 1) *ret = found[0]->proc.oid;
    return n;
}

static enum status read_proc(struct scope *s, struct slice text, const struct reg_parts *p,
                             oid_t *ret)
{
    const struct proc_def *const *found;
    uint32_t n = proc_by_name(slice_of(p->names[p->count - 1]), &found);
    if (p->count > 1 && strcmp(p->names[p->count - 2], "pg_catalog") != 0) n = 0;
    *ret = n == 0 && s->env->io_function ? s->env->io_function(p->names[p->count - 1]) : 0;
    if (*ret) return OK;
    if (n == 0) n = find_functions(s, p, ret);
    if (n == 1 && *ret) return OK;
    if (n == 0)
        return FAIL(UNDEFINED_FUNCTION, "function \"%.*s\" does not exist", (int)text.len,
                    text.data);
    if (n > 1)
        return FAIL(AMBIGUOUS_FUNCTION, "more than one function named \"%.*s\"", (int)text.len,
                    text.data);
    *ret = found[0]->oid;
    return OK;
}

static enum status read_schema(struct scope *s, const struct reg_parts *p, oid_t *ret)
{
    const struct bind_env *env = s->env;
    if (p->count != 1) return FAIL(INVALID_NAME, "invalid name syntax");
    const struct schema_def *d =
        catalog_schema(env->catalog, env->path->database, slice_of(p->names[0]));
    if (!d) return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", p->names[0]);
    *ret = d->oid;
    return OK;
}

static enum status read_role(struct scope *s, const struct reg_parts *p, oid_t *ret)
{
    if (p->count != 1) return FAIL(INVALID_NAME, "invalid name syntax");
    const struct role_def *r = catalog_role(s->env->catalog, slice_of(p->names[0]));
    if (!r) return FAIL(UNDEFINED_OBJECT, "role \"%s\" does not exist", p->names[0]);
    *ret = r->oid;
    return OK;
}

enum status bind__read_reg(struct scope *s, type_id type, struct slice text, oid_t *ret)
{
    uint64_t number;
    struct reg_parts p = {0};
    if (slice_eq(text, SLICE("-")) && type != TYPE_REGOPER) {
        *ret = 0;
        return OK;
    }
    if (str_to_u64(text, &number) && number <= UINT32_MAX) {
        *ret = (oid_t)number;
        return OK;
    }
    if (type == TYPE_REGTYPE) return bind__reg_type(s, text, ret);
    if (type == TYPE_REGPROCEDURE) return bind__read_procedure(s, text, ret);
    if (type == TYPE_REGOPERATOR) return bind__read_operator(s, text, ret);
    if (type == TYPE_REGOPER) return bind__read_oper(text, ret);
    TRY(bind__reg_split(s, text, &p));
    switch (type) {
    case TYPE_REGCOLLATION: return bind__read_collation(&p, ret);
    case TYPE_REGCLASS: return read_class(s, text, &p, ret);
    case TYPE_REGPROC: return read_proc(s, text, &p, ret);
    case TYPE_REGNAMESPACE: return read_schema(s, &p, ret);
    case TYPE_REGROLE: return read_role(s, &p, ret);
    default: UNREACHABLE();
    }
}

enum status bind_reg_name(struct bind_env *env, type_id type, struct slice text, oid_t *ret)
{
    struct scope s;
    bind__scope_init(&s, env, NULL);
    return bind__read_reg(&s, type, text, ret);
}
