/* jsonb_path_exists, jsonb_path_match, jsonb_path_query and their kin, and the operators @? and @@. A path is
 * parsed once for a call site, as long as it is the same. */
#include "exec/functions/jsonpath_priv.h"

#include "exec/functions/json_sets_priv.h"

/* The path of the call before, in `keep`. */
struct known_path {
    struct slice text;
    struct jsonpath path;
};

static enum status find_path(struct call_ctx *c, struct slice text, bool keeps,
                             const struct jsonpath **ret)
{
    struct known_path *k = keeps ? c->state : NULL;
    if (k && slice_eq(k->text, text)) {
        *ret = &k->path;
        return OK;
    }
    struct arena *a = keeps && !k ? c->keep : c->arena; /* another path each time is not kept */
    k = ARENA_NEW(a, struct known_path);
    k->text = slice_dup(a, text);
    TRY(jsonpath_parse(k->text, a, &k->path));
    if (a == c->keep) c->state = k;
    *ret = &k->path;
    return OK;
}

/* Operators have two arguments and are silent. */
static enum status run_path(struct call_ctx *c, const struct datum *args, uint32_t n, bool keeps,
                            struct path_list *found, enum path_outcome *ret)
{
    const struct jsonpath *p;
    bool silent = n < 4 || args[3].v.b;
    struct path_run r = {.a = c->arena, .root = arg_jsonb(args, 0), .array_size = -1};
    TRY(find_path(c, arg_slice(args, 1), keeps, &p));
    r.next_id = 1;
    if (n > 2) {
        r.vars = arg_jsonb(args, 2);
        r.next_id = 2;
        if (r.vars.kind != JSON_OBJECT) {
            (void)FAIL(INVALID_PARAMETER_VALUE, "\"vars\" argument is not an object");
            return error_detail(
                "Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.");
        }
    }
    r.current = r.root;
    r.lax = r.ignore = p->lax;
    r.throws = !silent;
    struct path_list all = {0};
    if (p->lax || found) return path__item(&r, p->root, &r.root, p->lax, found, ret);
    TRY(path__item(&r, p->root, &r.root, p->lax, &all, ret));
    if (*ret != PATH_ERROR) *ret = all.count ? PATH_FOUND : PATH_NOTHING;
    return OK;
}

static SCALAR(path_exists)
{
    enum path_outcome o;
    TRY(run_path(c, args, n, true, NULL, &o));
    return o == PATH_ERROR ? ret_null(ret) : ret_bool(ret, o == PATH_FOUND);
}

static SCALAR(path_match)
{
    struct path_list found = {0};
    enum path_outcome o;
    TRY(run_path(c, args, n, true, &found, &o));
    if (found.count == 1 && jsonb_is_true_false(&found.items[0]))
        return ret_bool(ret, found.items[0].kind == JSON_TRUE);
    bool silent = n < 4 || args[3].v.b;
    if (silent || (found.count == 1 && found.items[0].kind == JSON_NULL)) return ret_null(ret);
    return FAIL(SINGLETON_JSON_ITEM_REQUIRED, "single boolean result is expected");
}

static SCALAR(path_query_array)
{
    struct path_list found = {0};
    enum path_outcome o;
    TRY(run_path(c, args, n, true, &found, &o));
    struct json_value v = {.kind = JSON_ARRAY, .count = found.count, .items = found.items};
    return ret_jsonb(c, &v, ret);
}

static SCALAR(path_query_first)
{
    struct path_list found = {0};
    enum path_outcome o;
    TRY(run_path(c, args, n, true, &found, &o));
    return found.count ? ret_jsonb(c, &found.items[0], ret) : ret_null(ret);
}

struct path_set {
    struct datum args[4]; /* copies: short documents lie in them */
    struct path_list found;
    uint32_t next;
};

SET(jsonb_set__path)
{
    struct path_set *s = c->state;
    enum path_outcome o;
    if (!s) {
        s = ARENA_NEW(c->arena, struct path_set);
        ASSERT(n <= 4);
        memcpy(s->args, args, n * sizeof *args);
        TRY(run_path(c, s->args, n, false, &s->found, &o));
        c->state = s;
    }
    *ret_done = s->next >= s->found.count;
    if (*ret_done) return OK;
    ret->null = false;
    return ret_jsonb(c, &s->found.items[s->next++], ret);
}

#define F(symbol, fn) {symbol, fn, NULL}, {symbol "_tz", fn, NULL}

const struct proc_binding exec__jsonpath_functions[] = {
    F("jsonb_path_exists", path_exists), F("jsonb_path_match", path_match),
    F("jsonb_path_query_array", path_query_array), F("jsonb_path_query_first", path_query_first),
    {"jsonb_path_exists_opr", path_exists, NULL}, {"jsonb_path_match_opr", path_match, NULL},
};
BINDING_COUNT(jsonpath)
