/* Functions and operators named with their arguments, as regprocedure and regoperator read them:
 * 'abs(integer)', '-(NONE,integer)'; and operators and collations by name alone. */
#include "sql/bind/reg_priv.h"

#include "sql/type_name.h"

enum { SCHEMA_PREFIX = sizeof "pg_catalog." - 1 };

struct signature {
    const char *name; /* of a function folded, of an operator as it is */
    struct reg_parts parts;
    type_id args[CALL_ARGS_MAX]; /* TYPE_NONE: NONE */
    uint32_t count;
};

/* Only operators take NONE for an argument. */
static enum status read_argument(struct scope *s, struct slice text, bool allow_none, type_id *ret)
{
    oid_t oid;
    *ret = TYPE_NONE;
    if (allow_none && slice_eq_nocase(bind__reg_trim(text), SLICE("none"))) return OK;
    TRY(bind__reg_type(s, text, &oid));
    *ret = oid;
    return OK;
}

/* Where the name ends: at the first bracket that is not within quotes. */
static size_t name_end(struct slice text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"') quoted = !quoted;
        if (text.data[i] == '(' && !quoted) return i;
    }
    return text.len;
}

static enum status read_arguments(struct scope *s, struct slice text, bool allow_none,
                                  struct signature *ret)
{
    size_t from = 0;
    int depth = 0;
    bool quoted = false;
    ret->count = 0;
    if (bind__reg_trim(text).len == 0) return OK;
    for (size_t i = 0; i <= text.len; i++) {
        char c = i < text.len ? text.data[i] : ',';
        if (c == '"') quoted = !quoted;
        if (c == '(' && !quoted) depth++;
        if (c == ')' && !quoted) depth--;
        if (c != ',' || (i < text.len && (quoted || depth))) continue;
        if (ret->count == CALL_ARGS_MAX) return FAIL(TOO_MANY_ARGUMENTS, "too many arguments");
        TRY(read_argument(s, slice_make(text.data + from, i - from), allow_none,
                          &ret->args[ret->count++]));
        from = i + 1;
    }
    return OK;
}

static enum status read_signature(struct scope *s, struct slice text, bool allow_none,
                                  struct slice *ret_name, struct signature *ret)
{
    size_t open = name_end(text), end = text.len;
    *ret_name = bind__reg_trim(slice_make(text.data, open));
    if (open == text.len) return FAIL(INVALID_TEXT_REPRESENTATION, "expected a left parenthesis");
    while (end > open && text.data[end - 1] != ')') end--;
    if (end == open || bind__reg_trim(slice_make(text.data + end, text.len - end)).len)
        return FAIL(INVALID_TEXT_REPRESENTATION, "expected a right parenthesis");
    return read_arguments(s, slice_make(text.data + open + 1, end - open - 2), allow_none, ret);
}

static bool takes(const struct proc_def *p, const struct signature *g)
{
    return p->arg_count == g->count &&
           memcmp(p->args, g->args, g->count * sizeof *g->args) == 0;
}

enum status bind__read_procedure(struct scope *s, struct slice text, oid_t *ret)
{
    const struct bind_env *env = s->env;
    struct signature g;
    struct slice name;
    const struct proc_def *const *built_in;
    const struct function_def *const *found;
    TRY(read_signature(s, text, false, &name, &g));
    TRY(bind__reg_split(s, name, &g.parts));
    const char *last = g.parts.names[g.parts.count - 1];
    const char *schema = g.parts.count > 1 ? g.parts.names[g.parts.count - 2] : NULL;
    uint32_t n = schema && strcmp(schema, "pg_catalog") ? 0 : proc_by_name(slice_of(last), &built_in);
    for (uint32_t i = 0; i < n; i++)
        if (takes(built_in[i], &g)) {
            *ret = built_in[i]->oid;
            return OK;
        }
    for (uint32_t k = 0; k < env->path->count; k++) {
        const struct schema_def *d =
            schema ? catalog_schema(env->catalog, env->path->database, slice_of(schema)) : NULL;
        if (schema && !d)
            return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", schema);
        if (schema && k) break;
        n = catalog_functions(env->catalog, d ? d->oid : env->path->schemas[k], slice_of(last),
                              &found);
        for (uint32_t i = 0; i < n; i++)
            if (takes(&found[i]->proc, &g)) {
                *ret = found[i]->proc.oid;
                return OK;
            }
    }
    return FAIL(UNDEFINED_FUNCTION, "function \"%.*s\" does not exist", (int)text.len, text.data);
}

static struct slice operator_name(struct slice name)
{
    if (!slice_starts(name, SLICE("pg_catalog."))) return name;
    return slice_make(name.data + SCHEMA_PREFIX, name.len - SCHEMA_PREFIX);
}

enum status bind__read_operator(struct scope *s, struct slice text, oid_t *ret)
{
    struct signature g;
    struct slice name;
    const struct operator_def *const *found;
    TRY(read_signature(s, text, true, &name, &g));
    if (g.count == 1) {
        (void)FAIL(UNDEFINED_PARAMETER, "missing argument");
        return error_hint("Use NONE to denote the missing argument of a unary operator.");
    }
    if (g.count != 2) {
        (void)FAIL(TOO_MANY_ARGUMENTS, "too many arguments");
        return error_hint("Provide two argument types for operator.");
    }
    uint32_t n = operator_by_name(operator_name(name), &found);
    for (uint32_t i = 0; i < n; i++)
        if (found[i]->left == g.args[0] && found[i]->right == g.args[1]) {
            *ret = found[i]->oid;
            return OK;
        }
    return FAIL(UNDEFINED_FUNCTION, "operator does not exist: %.*s", (int)text.len, text.data);
}

enum status bind__read_oper(struct slice text, oid_t *ret)
{
    const struct operator_def *const *found;
    uint32_t n = operator_by_name(operator_name(bind__reg_trim(text)), &found);
    if (n == 0)
        return FAIL(UNDEFINED_FUNCTION, "operator does not exist: %.*s", (int)text.len, text.data);
    if (n > 1)
        return FAIL(AMBIGUOUS_FUNCTION, "more than one operator named %.*s", (int)text.len,
                    text.data);
    *ret = found[0]->oid;
    return OK;
}

enum status bind__read_collation(const struct reg_parts *p, oid_t *ret)
{
    static const struct {
        const char *name;
        oid_t oid;
    } known[] = {{"default", 100}, {"C", 950}, {"POSIX", 951}};
    const char *name = p->names[p->count - 1];
    bool ours = p->count == 1 || strcmp(p->names[p->count - 2], "pg_catalog") == 0;
    for (size_t i = 0; ours && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) {
            *ret = known[i].oid;
            return OK;
        }
    return FAIL(UNDEFINED_OBJECT, "collation \"%s\" for encoding \"UTF8\" does not exist", name);
}
