/* Function calls: which function a name and arguments mean (documentation chapter 10.3), with
 * defaults, VARIADIC and named notation; int4(x) as a cast. What is an aggregate or window
 * function goes on to aggregate.c. */
#include "sql/bind/query_priv.h"

#include "catalog/absent.h"
#include "sql/bind/resolve_priv.h"
#include "types/record.h"

struct call {
    struct scope *scope;
    const struct ast_function *ast;
    enum place place;
    const char *name;           /* without schema */
    struct expr **args;         /* WITHIN GROUP: direct ones, then the ordered ones */
    type_id *given;
    uint32_t count, direct_count;
};

/* Which of the arguments that are given. */
static uint32_t function_parameter(const struct function_def *f, const char *name)
{
    uint32_t at = 0;
    for (uint16_t i = 0; i < f->all_count; i++) {
        if (f->all_modes[i] == 'o' || f->all_modes[i] == 't') continue;
        if (strcmp(f->all_names[i], name) == 0) return at;
        at++;
    }
    return UINT32_MAX;
}

static uint32_t parameter_named(const struct proc_def *p, const char *name)
{
    if (proc_function(p)) return function_parameter(proc_function(p), name);
    return proc_parameter(p, name);
}

static const char *signature(const struct call *c)
{
    struct strbuf b;
    strbuf_init(&b, c->scope->env->arena);
    for (uint32_t i = 0; i < c->ast->name.count; i++) {
        if (i) strbuf_addc(&b, '.');
        strbuf_adds(&b, c->ast->name.items[i]);
    }
    strbuf_addc(&b, '(');
    for (uint32_t i = 0; i < c->count; i++) {
        if (i) strbuf_adds(&b, ", ");
        if (c->ast->arg_names && i < c->ast->args.count && c->ast->arg_names[i])
            strbuf_addf(&b, "%s => ", c->ast->arg_names[i]);
        strbuf_adds(&b, bind__type_words(c->scope, c->given[i]));
    }
    strbuf_addc(&b, ')');
    return b.data;
}

/* By CALL. */
static bool is_called(const struct call *c)
{
    return c->place == PLACE_STORED && strcmp(c->scope->what, "CALL") == 0 && !c->scope->parent;
}

static enum status no_function(const struct call *c, bool many)
{
    enum status code = many ? AMBIGUOUS_FUNCTION : UNDEFINED_FUNCTION;
    const char *what = is_called(c) ? "procedure" : "function";
    if (absent_function(c->ast->name.items[c->ast->name.count - 1]) && !many)
        return bind__at(c->scope, c->ast->node.location, UNSUPPORTED("function %s is not supported", signature(c)));
    FAIL(code, many ? "%s %s is not unique" : "%s %s does not exist", what, signature(c));
    if (many)
        error_hint("Could not choose a best candidate function. You might need to add explicit "
                   "type casts.");
    else if (c->ast->order_by.count && !c->ast->within_group)
        error_hint("No aggregate function matches the given name and argument types. Perhaps you "
                   "misplaced ORDER BY; ORDER BY must appear after all regular arguments of the "
                   "aggregate.");
    else
        error_hint("No %s matches the given name and argument types. You might need to add "
                   "explicit type casts.",
                   what);
    return bind__at(c->scope, c->ast->node.location, code);
}

/* --- arguments -------------------------------------------------------------------------------- */

static enum status check_names(const struct call *c)
{
    const char **names = c->ast->arg_names;
    for (uint32_t i = 0; names && i < c->ast->args.count; i++) {
        if (!names[i] && i > 0 && names[i - 1])
            return bind__at(c->scope, c->ast->args.items[i]->location,
                            FAIL(SYNTAX_ERROR, "positional argument cannot follow named argument"));
        for (uint32_t k = 0; names[i] && k < i; k++)
            if (names[k] && strcmp(names[i], names[k]) == 0)
                return bind__at(c->scope, c->ast->args.items[i]->location,
                                FAIL(SYNTAX_ERROR, "argument name \"%s\" used more than once",
                                     names[i]));
    }
    return OK;
}

static enum status bind_arguments(struct call *c)
{
    const struct ast_function *f = c->ast;
    uint32_t ordered = f->within_group ? f->order_by.count : 0;
    uint32_t n = f->args.count + ordered;
    if (n > CALL_ARGS_MAX)
        return bind__at(c->scope, f->node.location,
                        FAIL(TOO_MANY_ARGUMENTS, "cannot pass more than %d arguments to a function",
                             CALL_ARGS_MAX));
    TRY(check_names(c));
    c->args = ARENA_ARRAY(c->scope->env->arena, struct expr *, n + 1);
    c->given = ARENA_ARRAY(c->scope->env->arena, type_id, n + 1);
    c->count = n;
    c->direct_count = ordered ? f->args.count : 0;
    for (uint32_t i = 0; i < n; i++) {
        bool direct = i < f->args.count;
        const struct ast *item =
            direct ? f->args.items[i]
                   : AST(f->order_by.items[i - f->args.count], ast_sort_by)->value;
        TRY(bind__expression(c->scope, item, c->place, &c->args[i]));
        c->given[i] = c->args[i]->type;
    }
    return OK;
}

/* --- candidates ------------------------------------------------------------------------------- */

static bool add_named(const struct call *c, const struct proc_def *p, struct candidate *ret)
{
    uint32_t *order = ARENA_ARRAY(c->scope->env->arena, uint32_t, c->count);
    type_id *args = ARENA_ARRAY(c->scope->env->arena, type_id, c->count);
    bool filled[FUNCTION_ARGS_MAX] = {0};
    if (c->count > p->arg_count) return false;
    for (uint32_t i = 0; i < c->count; i++) {
        const char *name = c->ast->arg_names[i];
        order[i] = name ? parameter_named(p, name) : i;
        if (order[i] == UINT32_MAX || filled[order[i]]) return false;
        filled[order[i]] = true;
        args[i] = p->args[order[i]];
    }
    for (uint32_t k = 0; k + p->default_count < p->arg_count; k++)
        if (!filled[k]) return false;
    *ret = (struct candidate){.def = p, .args = args, .count = c->count, .order = order,
                              .defaulted = p->arg_count - c->count};
    return true;
}

static bool add_candidate(const struct call *c, const struct proc_def *p, struct candidate *ret)
{
    uint32_t n = c->count;
    if (c->ast->arg_names) return add_named(c, p, ret);
    if (c->ast->variadic) {
        if (!p->variadic || p->arg_count != n) return false;
        *ret = (struct candidate){.def = p, .args = p->args, .count = n};
        return true;
    }
    bool spreads = p->variadic && n >= p->arg_count; /* the array itself says VARIADIC */
    if (!spreads && n <= p->arg_count && n + p->default_count >= p->arg_count) {
        *ret = (struct candidate){.def = p, .args = p->args, .count = n,
                                  .defaulted = p->arg_count - n};
        return true;
    }
    if (!p->variadic || n < p->arg_count) return false;
    type_id *args = ARENA_ARRAY(c->scope->env->arena, type_id, n);
    for (uint32_t i = 0; i < n; i++) args[i] = i + 1 < p->arg_count ? p->args[i] : p->variadic;
    *ret = (struct candidate){.def = p, .args = args, .count = n,
                              .variadic = n - p->arg_count + 1};
    return true;
}

typedef ARRAY(struct candidate) candidate_list;

/* One that takes the same hides those of later schemas. */
static bool is_hidden(const candidate_list *list, const struct candidate *c)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct candidate *o = &list->data[i];
        if (o->count == c->count && !o->order && !c->order &&
            memcmp(o->args, c->args, c->count * sizeof *c->args) == 0)
            return true;
    }
    return false;
}

static void add_functions(const struct call *c, oid_t schema, candidate_list *list)
{
    const struct function_def *const *found;
    struct candidate one;
    uint32_t n = catalog_functions(c->scope->env->catalog, schema, slice_of(c->name), &found);
    for (uint32_t i = 0; i < n; i++)
        if (add_candidate(c, &found[i]->proc, &one) && !is_hidden(list, &one))
            ARENA_PUSH(c->scope->env->arena, list, one);
}

/* Those of pg_catalog, then of the schemas of the path. */
static enum status find_candidates(struct call *c, struct candidate **ret, uint32_t *ret_count)
{
    const struct ast_function *f = c->ast;
    const struct bind_env *env = c->scope->env;
    const struct proc_def *const *procs;
    candidate_list list = {0};
    struct candidate one;
    uint32_t n = proc_by_name(slice_of(c->name), &procs);
    const char *schema = f->name.count > 1 ? f->name.items[f->name.count - 2] : NULL;
    if (!schema || strcmp(schema, "pg_catalog") == 0) {
        for (uint32_t i = 0; i < n; i++)
            if (add_candidate(c, procs[i], &one) && !(one.variadic && is_hidden(&list, &one)))
                ARENA_PUSH(env->arena, &list, one);
        for (uint32_t i = 0; !schema && i < env->path->count; i++)
            add_functions(c, env->path->schemas[i], &list);
    } else {
        const struct schema_def *s =
            strcmp(schema, "pg_temp") == 0 && env->path->temporary
                ? catalog_schema_by_oid(env->catalog, env->path->temporary)
                : catalog_schema(env->catalog, env->path->database, slice_of(schema));
        if (!s)
            return bind__at(c->scope, f->node.location,
                            FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", schema));
        add_functions(c, s->oid, &list);
    }
    *ret_count = (uint32_t)list.count;
    ARENA_PUSH(env->arena, &list, (struct candidate){0}); /* never NULL */
    *ret = list.data;
    return OK;
}

/* --- int4(x) ---------------------------------------------------------------------------------- */

static type_id cast_target(const struct call *c)
{
    const struct ast_function *f = c->ast;
    if (c->count != 1 || f->arg_names || f->variadic || f->star || f->distinct || f->filter ||
        f->over || f->order_by.count)
        return TYPE_NONE;
    if (f->name.count > 1 && strcmp(f->name.items[f->name.count - 2], "pg_catalog") != 0)
        return TYPE_NONE;
    const struct type_info *t = type_by_name(slice_of(c->name));
    if (!t || t->category == 'P' || t->id == TYPE_UNKNOWN) return TYPE_NONE;
    return bind__can_coerce(c->given[0], t->id, CAST_EXPLICIT) ? t->id : (type_id)TYPE_NONE;
}

/* Casts without a function of their own, and literals, come before functions that fit less well. */
static bool is_cast_first(const struct call *c, type_id target, const struct candidate *list,
                          uint32_t n)
{
    if (!target) return false;
    for (uint32_t i = 0; i < n; i++)
        if (list[i].args[0] == c->given[0]) return false;
    if (c->given[0] == TYPE_UNKNOWN || c->given[0] == target) return true;
    const struct cast_info *cast = cast_find(c->given[0], target);
    return !cast || cast->binary || !cast->function_oid;
}

/* --- the call --------------------------------------------------------------------------------- */

static enum status default_value(struct scope *s, const struct proc_def *p, uint32_t i,
                                 struct expr **ret)
{
    const struct function_def *f = proc_function(p);
    struct expr *e;
    if (!f) {
        const char *text = proc_default(p, i);
        *ret = bind__new(s, EXPR_CONST, p->args[i], -1, 0);
        if (!text) return OK;
        return value_from_text(p->args[i], -1, slice_of(text), &format_default, s->env->arena,
                               &(*ret)->constant.v);
    }
    uint32_t first = (uint32_t)(p->arg_count - p->default_count);
    TRY(bind__stored(s, f->defaults[i - first], false, "DEFAULT expressions", &e));
    return bind_coerce_assignment(s->env, e, p->args[i], -1, f->all_names[i], ret);
}

/* What VARIADIC stands for becomes an array. */
static void gather_variadic(struct scope *s, const struct proc_def *p, struct call_site *site)
{
    uint32_t first = p->arg_count - 1u, n = site->arg_count - first;
    const struct type_info *element = type_get(site->args[first]->type);
    struct expr *a = bind__new(s, EXPR_ARRAY, element->array, site->args[first]->location, n);
    memcpy(a->args, site->args + first, n * sizeof *a->args);
    site->args[first] = a;
    site->arg_count = p->arg_count;
}

static enum status coerce_arguments(struct call *c, const struct candidate *chosen,
                                    struct call_site *site)
{
    struct scope *s = c->scope;
    const struct proc_def *p = chosen->def;
    struct bind_env *env = c->scope->env;
    if (env->noting && proc_function(p) && c->ast->node.location >= 0)
        ARENA_PUSH(env->arena, &env->uses,
                   ((struct name_use){.location = c->ast->node.location, .function = p->oid}));
    type_id *declared = ARENA_ARRAY(s->env->arena, type_id, c->count + 1);
    uint32_t total = c->count + chosen->defaulted;
    memcpy(declared, chosen->args, c->count * sizeof *declared);
    site->result = p->result;
    TRY(bind__resolve_polymorphic(s, c->given, declared, c->count, &site->result));
    site->args = ARENA_ARRAY(s->env->arena, struct expr *, total + 1);
    site->arg_count = total;
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t at = chosen->order ? chosen->order[i] : i;
        struct expr *e = c->args[i];
        enum status code = bind__coerce(s, e, declared[i], -1, CAST_IMPLICIT, -1, &e);
        bool is_told = c->args[i]->type == TYPE_RECORD && type_is_row(declared[i]);
        if (code == CANNOT_COERCE && !is_told) return no_function(c, false);
        TRY(code);
        /* pg_typeof('x') is the one that tells. */
        if (e->type == TYPE_UNKNOWN && strcmp(p->symbol, "pg_typeof") != 0)
            TRY(bind__resolve_unknown(s, e, &e));
        site->args[at] = e;
    }
    for (uint32_t i = 0; i < total; i++)
        if (!site->args[i]) TRY(default_value(s, p, i, &site->args[i]));
    if (chosen->variadic && p->variadic != TYPE_ANY) gather_variadic(s, p, site);
    type_id last = c->count ? c->given[c->count - 1] : (type_id)TYPE_NONE;
    if (last == TYPE_UNKNOWN) last = declared[c->count - 1];
    if (c->ast->variadic && !type_is_array(last))
        return bind__at(s, c->ast->args.items[c->count - 1]->location,
                        FAIL(DATATYPE_MISMATCH, "VARIADIC argument must be an array"));
    return OK;
}

static enum status plain_only(const struct call *c)
{
    const struct ast_function *f = c->ast;
    const char *what = f->star           ? "(*)"
                       : f->distinct     ? "DISTINCT"
                       : f->within_group ? "WITHIN GROUP"
                       : f->order_by.count ? "ORDER BY"
                       : f->filter       ? "FILTER"
                                         : NULL;
    if (!what && !f->over) return OK;
    if (!what)
        FAIL(WRONG_OBJECT_TYPE,
             "OVER specified, but %s is not a window function nor an aggregate function", c->name);
    else if (f->star)
        FAIL(WRONG_OBJECT_TYPE, "%s(*) specified, but %s is not an aggregate function", c->name,
             c->name);
    else
        FAIL(WRONG_OBJECT_TYPE, "%s specified, but %s is not an aggregate function", what, c->name);
    return bind__at(c->scope, f->node.location, WRONG_OBJECT_TYPE);
}

static enum status check_function(const struct call *c, const struct proc_def *p)
{
    int location = c->ast->node.location;
    if (p->kind == 'p' && !is_called(c)) {
        FAIL(WRONG_OBJECT_TYPE, "%s is a procedure", signature(c));
        error_hint("To call a procedure, use CALL.");
        return bind__at(c->scope, location, WRONG_OBJECT_TYPE);
    }
    return OK;
}

/* What gives rows of a table is a value of its row type, but in FROM, where it stands for columns. */
static type_id result_type(const struct call *c, const struct call_site *site)
{
    const struct function_def *f = proc_function(site->proc);
    bool row = f && f->result_table && c->place != PLACE_FROM &&
               catalog_table_by_oid(c->scope->env->catalog, f->result_table);
    return row ? type_row(f->result_table) : site->result;
}

static enum status plain_call(struct call *c, const struct call_site *site, struct expr **ret)
{
    struct scope *s = c->scope;
    TRY(plain_only(c));
    TRY(check_function(c, site->proc));
    if (site->proc->returns_set)
        TRY(bind__check_set(s, site->args, site->arg_count, c->place, c->ast->node.location));
    struct expr *e = bind__new(s, EXPR_CALL, result_type(c, site), c->ast->node.location, 0);
    e->args = site->args;
    e->arg_count = site->arg_count;
    e->call.proc = site->proc;
    e->call.variadic_array = c->ast->variadic;
    e->call.sql_syntax = c->ast->sql_syntax;
    *ret = e;
    return OK;
}

enum status bind__call_on(struct scope *s, const char *name, struct expr *row, struct expr **ret)
{
    const struct ast_function f = {.node = {AST_FUNCTION, row->location}, .name = {&name, 1},
                                   .args = {.count = 1}};
    struct call c = {.scope = s, .ast = &f, .place = PLACE_OTHER, .name = name, .count = 1};
    struct candidate *list;
    uint32_t n;
    type_id given = row->type;
    *ret = NULL;
    c.args = &row;
    c.given = &given;
    TRY(find_candidates(&c, &list, &n));
    n = bind__choose(list, n, &given, 1);
    if (n != 1 || !proc_function(list[0].def) || ((const struct proc_def *)list[0].def)->kind != 'f')
        return OK;
    struct call_site site = {.ast = &f, .proc = list[0].def, .place = PLACE_OTHER};
    TRY(coerce_arguments(&c, &list[0], &site));
    TRY(bind__variant(s, &site));
    return plain_call(&c, &site, ret);
}

enum status bind__call(struct scope *s, const struct ast_function *f, enum place place,
                       struct expr **ret)
{
    struct call c = {.scope = s, .ast = f, .place = place,
                     .name = f->name.items[f->name.count - 1]};
    struct candidate *list;
    uint32_t n;
    if (bind__is_expand_array(f)) return bind__expand_array(s, f, place, ret);
    TRY(bind_arguments(&c));
    TRY(find_candidates(&c, &list, &n));
    type_id target = cast_target(&c);
    if (is_cast_first(&c, target, list, n))
        return bind__coerce(s, c.args[0], target, -1, CAST_EXPLICIT, f->node.location, ret);
    n = bind__choose(list, n, c.given, c.count);
    if (n == 0 && target)
        return bind__coerce(s, c.args[0], target, -1, CAST_EXPLICIT, f->node.location, ret);
    struct row_columns fields;
    bool may_be_field = n == 0 && c.count == 1 && f->name.count == 1 && !f->arg_names && !f->over &&
                        !f->star && !f->distinct && !f->filter && type_is_composite(c.given[0]);
    if (may_be_field && bind__row_columns(s, c.args[0], &fields))
        for (uint32_t i = 0; i < fields.count; i++)
            if (strcmp(fields.names[i], c.name) == 0) return bind__field(s, c.args[0], c.name, ret);
    if (n != 1) return no_function(&c, n > 1);
    struct call_site site = {.ast = f, .proc = list[0].def, .place = place,
                             .direct_count = c.direct_count};
    TRY(coerce_arguments(&c, &list[0], &site));
    TRY(bind__variant(s, &site));
    if (site.proc->kind == 'f' || site.proc->kind == 'p') return plain_call(&c, &site, ret);
    if (f->over || site.proc->kind == 'w') return bind__window_call(s, &site, ret);
    return bind__aggregate(s, &site, ret);
}
