/* Which function a text like "app.add(integer, text[])" names, as has_function_privilege takes
 * it. */
#include "db/system_function_priv.h"

enum { NAME_PARTS_MAX = 3 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where the first of these characters stands outside of quotes and brackets; or the end. */
static size_t find_outside(const char *text, char what)
{
    int depth = 0;
    bool quoted = false;
    size_t i = 0;
    for (; text[i]; i++) {
        if (text[i] == '"') quoted = !quoted;
        if (quoted) continue;
        if (text[i] == what && depth == 0) break;
        if (text[i] == '(' || text[i] == '[') depth++;
        if (text[i] == ')' || text[i] == ']') depth--;
    }
    return i;
}

/* One part of the name: folded, or as it is within quotes. */
static const char *fold(struct arena *a, struct slice part)
{
    struct strbuf b;
    bool quoted = false;
    while (part.len && is_blank(part.data[0])) part.data++, part.len--;
    while (part.len && is_blank(part.data[part.len - 1])) part.len--;
    strbuf_init(&b, a);
    strbuf_reserve(&b, part.len + 1);
    for (size_t i = 0; i < part.len; i++) {
        char c = part.data[i];
        bool twice = c == '"' && quoted && i + 1 < part.len && part.data[i + 1] == '"';
        if (c == '"' && !twice) {
            quoted = !quoted;
            continue;
        }
        i += twice;
        strbuf_addc(&b, !quoted && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    return b.len ? b.data : "";
}

static enum status argument_types(struct session *s, char *list, struct arena *a, type_id *types,
                                  uint32_t *ret_count)
{
    struct bind_env env;
    uint32_t n = 0;
    while (is_blank(*list)) list++;
    while (*list) {
        size_t len = find_outside(list, ',');
        bool more = list[len] == ',';
        if (n == FUNCTION_ARGS_MAX) return FAIL(TOO_MANY_ARGUMENTS, "too many arguments");
        const char *one = fold(a, slice_make(list, len));
        session__bind_env(s, &env, a, slice_of(one));
        TRY(bind_reg_name(&env, TYPE_REGTYPE, slice_of(one), &types[n++]));
        list += len + more;
    }
    *ret_count = n;
    return OK;
}

static bool takes(const struct proc_def *p, const type_id *types, uint32_t count)
{
    return p->arg_count == count && (!count || memcmp(p->args, types, count * sizeof *types) == 0);
}

static oid_t find_in(struct session *s, oid_t schema, const char *name, const type_id *types,
                     uint32_t count)
{
    const struct function_def *const *own;
    const struct proc_def *const *built_in;
    uint32_t n = catalog_functions(s->catalog, schema, slice_of(name), &own);
    for (uint32_t i = 0; i < n; i++)
        if (takes(&own[i]->proc, types, count)) return own[i]->proc.oid;
    n = schema == OID_SCHEMA_PG_CATALOG ? proc_by_name(slice_of(name), &built_in) : 0;
    for (uint32_t i = 0; i < n; i++)
        if (takes(built_in[i], types, count)) return built_in[i]->oid;
    return 0;
}

enum status sys_find_procedure(struct session *s, const char *text, struct arena *a, oid_t *ret)
{
    const char *parts[NAME_PARTS_MAX];
    type_id types[FUNCTION_ARGS_MAX];
    uint32_t n = 0, count;
    size_t open = find_outside(text, '('), end = strlen(text);
    while (end && is_blank(text[end - 1])) end--;
    if (!text[open]) return FAIL(INVALID_TEXT_REPRESENTATION, "expected a left parenthesis");
    if (text[end - 1] != ')')
        return FAIL(INVALID_TEXT_REPRESENTATION, "expected a right parenthesis");
    const char *name = arena_strndup(a, text, open);
    for (size_t at = 0; at <= open;) {
        size_t len = find_outside(name + at, '.');
        if (n == NAME_PARTS_MAX) return FAIL(INVALID_NAME, "invalid name syntax");
        parts[n++] = fold(a, slice_make(name + at, len));
        at += len + 1;
    }
    if (end <= open + 1) return FAIL(INVALID_NAME, "invalid name syntax");
    TRY(argument_types(s, arena_strndup(a, text + open + 1, end - open - 2), a, types, &count));
    const struct search_path *path = session__path(s);
    *ret = 0;
    if (n > 1) {
        const struct schema_def *d =
            catalog_schema(s->catalog, s->database_oid, slice_of(parts[n - 2]));
        if (d) *ret = find_in(s, d->oid, parts[n - 1], types, count);
    } else {
        *ret = find_in(s, OID_SCHEMA_PG_CATALOG, parts[0], types, count);
        for (uint32_t i = 0; !*ret && i < path->count; i++)
            *ret = find_in(s, path->schemas[i], parts[0], types, count);
    }
    if (!*ret) return FAIL(UNDEFINED_FUNCTION, "function \"%s\" does not exist", text);
    return OK;
}
