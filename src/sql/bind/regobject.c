/* Literals of the reg types: 'public.t'::regclass is the number of that table. They are read while
 * binding, since they mean what the catalog and the search path say then. */
#include "sql/bind/resolve_priv.h"

enum { NAME_PARTS_MAX = 3 };

struct parts {
    const char *names[NAME_PARTS_MAX];
    uint32_t count;
};

bool bind__is_reg_type(type_id type)
{
    return type == TYPE_REGCLASS || type == TYPE_REGTYPE || type == TYPE_REGPROC ||
           type == TYPE_REGNAMESPACE || type == TYPE_REGROLE;
}

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

static enum status split(struct scope *s, struct slice text, struct parts *ret)
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

static enum status read_class(struct scope *s, struct slice text, const struct parts *p, oid_t *ret)
{
    const struct bind_env *env = s->env;
    const char *schema = p->count > 1 ? p->names[p->count - 2] : NULL;
    const char *name = p->names[p->count - 1];
    if (p->count <= 2) {
        const struct table_def *t = catalog_lookup(env->catalog, env->path, schema, name);
        const struct index_def *x =
            t ? NULL : catalog_lookup_index(env->catalog, env->path, schema, name);
        if (t || x) {
            *ret = t ? t->oid : x->oid;
            return OK;
        }
    }
    if (schema && !catalog_schema(env->catalog, env->path->database, slice_of(schema)))
        return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", schema);
    if (schema)
        return FAIL(UNDEFINED_TABLE, "relation \"%s.%s\" does not exist", schema, name);
    return FAIL(UNDEFINED_TABLE, "relation \"%.*s\" does not exist", (int)text.len, text.data);
}

static enum status read_type(struct slice text, const struct parts *p, oid_t *ret)
{
    int count;
    const struct type_info *list = type_list(&count);
    bool array = text.len > 2 && text.data[text.len - 1] == ']' && text.data[text.len - 2] == '[';
    struct slice name = slice_make(text.data, text.len - (array ? 2 : 0));
    const struct type_info *found = NULL;
    for (int i = 0; i < count && !found; i++)
        if (slice_eq_nocase(name, slice_of(list[i].sql_name)) ||
            slice_eq_nocase(name, slice_of(list[i].name)))
            found = &list[i];
    if (!found && slice_eq_nocase(name, SLICE("int"))) found = type_get(TYPE_INT4);
    if (!found && slice_eq_nocase(name, SLICE("decimal"))) found = type_get(TYPE_NUMERIC);
    if (!found && p->count == 2 && strcmp(p->names[0], "pg_catalog") == 0)
        found = type_by_name(slice_of(p->names[1]));
    if (!found || (array && !found->array))
        return FAIL(UNDEFINED_OBJECT, "type \"%.*s\" does not exist", (int)text.len, text.data);
    *ret = array ? found->array : found->id;
    return OK;
}

static enum status read_proc(struct scope *s, struct slice text, const struct parts *p,
                             oid_t *ret)
{
    const struct proc_def *const *found;
    uint32_t n = proc_by_name(slice_of(p->names[p->count - 1]), &found);
    if (p->count > 1 && strcmp(p->names[p->count - 2], "pg_catalog") != 0) n = 0;
    *ret = n == 0 && s->env->io_function ? s->env->io_function(p->names[p->count - 1]) : 0;
    if (*ret) return OK;
    if (n == 0)
        return FAIL(UNDEFINED_FUNCTION, "function \"%.*s\" does not exist", (int)text.len,
                    text.data);
    if (n > 1)
        return FAIL(AMBIGUOUS_FUNCTION, "more than one function named \"%.*s\"", (int)text.len,
                    text.data);
    *ret = found[0]->oid;
    return OK;
}

static enum status read_schema(struct scope *s, const struct parts *p, oid_t *ret)
{
    const struct bind_env *env = s->env;
    const struct schema_def *d =
        catalog_schema(env->catalog, env->path->database, slice_of(p->names[0]));
    if (!d) return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", p->names[0]);
    *ret = d->oid;
    return OK;
}

static enum status read_role(struct scope *s, const struct parts *p, oid_t *ret)
{
    const struct role_def *r = catalog_role(s->env->catalog, slice_of(p->names[0]));
    if (!r) return FAIL(UNDEFINED_OBJECT, "role \"%s\" does not exist", p->names[0]);
    *ret = r->oid;
    return OK;
}

enum status bind__read_reg(struct scope *s, type_id type, struct slice text, oid_t *ret)
{
    uint64_t number;
    struct parts p = {0};
    if (slice_eq(text, SLICE("-"))) {
        *ret = 0;
        return OK;
    }
    if (str_to_u64(text, &number) && number <= UINT32_MAX) {
        *ret = (oid_t)number;
        return OK;
    }
    if (type != TYPE_REGTYPE) TRY(split(s, text, &p));
    else if (split(s, text, &p) != OK) error_clear(); /* "double precision" is no dotted name */
    switch (type) {
    case TYPE_REGCLASS: return read_class(s, text, &p, ret);
    case TYPE_REGTYPE: return read_type(text, &p, ret);
    case TYPE_REGPROC: return read_proc(s, text, &p, ret);
    case TYPE_REGNAMESPACE: return read_schema(s, &p, ret);
    case TYPE_REGROLE: return read_role(s, &p, ret);
    default: UNREACHABLE();
    }
}
