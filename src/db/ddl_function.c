/* CREATE FUNCTION and PROCEDURE. */
#include "db/ddl_routine_priv.h"

#include "db/pl_priv.h"
#include "types/record.h"

struct making {
    struct ddl *d;
    const struct ast_create_function *ast;
    struct function_def def;
    type_id *args, *all_types;
    char *all_modes;
    const char **all_names, **defaults;
    uint32_t out_count;
    type_id out_type;        /* of the only one */
};

/* --- types ---------------------------------------------------------------------------------- */

/* t.c%TYPE */
static enum status column_type(struct ddl *d, const struct ast_type_name *t, type_id *ret)
{
    struct name_list names = {t->names.items, t->names.count - 1};
    const struct table_def *table;
    const char *column = t->names.items[t->names.count - 1];
    if (t->names.count < 2)
        return FAIL(SYNTAX_ERROR, "improper %%TYPE reference (too few dotted names): %s", column);
    const struct ast_range_var v = ddl__range_of(&names);
    TRY(ddl__find(d, &v, 0, false, &table));
    const struct column_def *c = table_column(table, slice_of(column));
    if (!c)
        return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", column,
                    table->name);
    *ret = c->type;
    return ddl__notice(d, "type reference %s.%s%%TYPE converted to %s", table->name, column,
                       type_get(c->type)->sql_name);
}

static enum status find_type(struct ddl *d, const struct ast_type_name *t, bool result,
                             type_id *ret)
{
    struct bind_env env;
    struct ast_type_name plain = *t;
    int32_t typmod;
    if (t->pct_type) return column_type(d, t, ret);
    plain.setof = false;
    session__bind_env(d->s, &env, d->a, d->text);
    enum status st = bind_type(&env, &plain, ret, &typmod);
    if (st != UNDEFINED_OBJECT) return st;
    if (result) {
        (void)error_at(0);
        return st;
    }
    const struct ast_range_var v = ddl__range_of(&t->names);
    return FAIL(UNDEFINED_OBJECT, "type %s%s%s%s does not exist", v.schema ? v.schema : "",
                v.schema ? "." : "", v.name, t->array_dims ? "[]" : "");
}

static bool is_refused(type_id type)
{
    return type == TYPE_CSTRING || type == TYPE_INTERNAL || type == TYPE_UNKNOWN || type == TYPE_ANY ||
           type == TYPE_TRIGGER || type == TYPE_VOID;
}

/* --- arguments ------------------------------------------------------------------------------ */

static enum status check_names(const struct ast_create_function *n)
{
    for (uint32_t i = 0; i < n->arg_count; i++)
        for (uint32_t k = 0; k < i; k++) {
            const struct ast_function_arg *a = &n->args[i], *b = &n->args[k];
            if (!a->name || !b->name || strcmp(a->name, b->name) != 0) continue;
            bool a_out = a->mode == 'o' || a->mode == 't', b_out = b->mode == 'o' || b->mode == 't';
            if (a_out != b_out && a->mode != 't' && b->mode != 't') continue;
            return FAIL(INVALID_FUNCTION_DEFINITION, "parameter name \"%s\" used more than once",
                        a->name);
        }
    return OK;
}

static enum status store_default(struct making *m, const struct ast_function_arg *a, type_id type)
{
    struct proc_def *p = &m->def.proc;
    const struct column_def c = {.name = a->name ? a->name : "", .type = type, .typmod = -1};
    const char *sql;
    if (!a->initial) {
        if (p->default_count && a->mode != 'o')
            return FAIL(INVALID_FUNCTION_DEFINITION,
                        "input parameters after one with a default value must also have defaults");
        return OK;
    }
    struct expr *e;
    TRY(ddl__store_default(m->d, &c, a->initial, &sql, &e));
    m->defaults[p->default_count++] = sql ? sql : "NULL";
    return OK;
}

static bool is_polymorphic(type_id type)
{
    return type == TYPE_ANYELEMENT || type == TYPE_ANYARRAY || type == TYPE_ANYNONARRAY ||
           type == TYPE_ANYCOMPATIBLE || type == TYPE_ANYCOMPATIBLEARRAY ||
           type == TYPE_ANYRANGE || type == TYPE_ANYMULTIRANGE;
}

/* The type of the arguments that VARIADIC stands for. */
static enum status variadic_of(type_id type, type_id *ret)
{
    *ret = type == TYPE_ANYARRAY             ? (type_id)TYPE_ANYELEMENT
           : type == TYPE_ANYCOMPATIBLEARRAY ? (type_id)TYPE_ANYCOMPATIBLE
           : type_is_array(type)             ? type_get(type)->element
                                             : (type_id)TYPE_NONE;
    if (*ret) return OK;
    return FAIL(INVALID_FUNCTION_DEFINITION, "VARIADIC parameter must be an array");
}

/* What comes back is told by what is given. */
static enum status check_polymorphic(const struct making *m, type_id type)
{
    bool compatible = type == TYPE_ANYCOMPATIBLE || type == TYPE_ANYCOMPATIBLEARRAY, told = false;
    if (!is_polymorphic(type)) return OK;
    for (uint16_t i = 0; i < m->def.all_count; i++) {
        type_id a = m->all_types[i];
        bool of = a == TYPE_ANYCOMPATIBLE || a == TYPE_ANYCOMPATIBLEARRAY;
        bool in = m->all_modes[i] != 'o' && m->all_modes[i] != 't';
        told |= in && is_polymorphic(a) && of == compatible;
    }
    if (told) return OK;
    FAIL(INVALID_FUNCTION_DEFINITION, "cannot determine result data type");
    return error_detail(compatible ? "A result of type %s requires at least one input of type "
                                     "anycompatible, anycompatiblearray, anycompatiblenonarray, "
                                     "anycompatiblerange, or anycompatiblemultirange."
                                   : "A result of type %s requires at least one input of type "
                                     "anyelement, anyarray, anynonarray, anyenum, anyrange, or "
                                     "anymultirange.",
                        type_get(type)->sql_name);
}

static enum status add_argument(struct making *m, const struct ast_function_arg *a)
{
    struct proc_def *p = &m->def.proc;
    char mode = a->mode == 'd' ? 'i' : a->mode;
    type_id type;
    TRY(find_type(m->d, a->type, false, &type));
    if (a->type->setof)
        return FAIL(INVALID_FUNCTION_DEFINITION, "functions cannot accept set arguments");
    if (type == TYPE_RECORD && m->def.language == 's')
        return FAIL(INVALID_FUNCTION_DEFINITION, "SQL functions cannot have arguments of type record");
    if (type == TYPE_RECORD && (mode == 'o' || mode == 't'))
        return UNSUPPORTED("output arguments of type record are not supported");
    if (is_refused(type))
        return FAIL(INVALID_FUNCTION_DEFINITION, "%s functions cannot accept type %s",
                    m->def.language == 's' ? "SQL" : "PL/pgSQL", type_get(type)->sql_name);
    if (is_polymorphic(type) && a->initial)
        return UNSUPPORTED("defaults of arguments of polymorphic types are not supported yet");
    bool takes = mode != 'o' && mode != 't';
    if (takes && p->variadic)
        return FAIL(INVALID_FUNCTION_DEFINITION, "VARIADIC parameter must be the last input parameter");
    if (mode == 'v') TRY(variadic_of(type, &p->variadic));
    uint32_t at = m->def.all_count++;
    m->all_types[at] = type;
    m->all_modes[at] = mode;
    m->all_names[at] = a->name ? a->name : "";
    if (mode != 'i' && mode != 'v') {
        m->out_count++;
        m->out_type = type;
    }
    bool given = mode == 'i' || mode == 'b' || mode == 'v' || (mode == 'o' && m->ast->kind == 'p');
    if (!given) {
        if (a->initial)
            return FAIL(INVALID_FUNCTION_DEFINITION, "only input parameters can have default values");
        return OK;
    }
    m->args[p->arg_count++] = type;
    return store_default(m, a, type);
}

static enum status add_arguments(struct making *m)
{
    const struct ast_create_function *n = m->ast;
    struct arena *a = m->d->a;
    if (n->arg_count > FUNCTION_ARGS_MAX)
        return FAIL(TOO_MANY_ARGUMENTS, "functions cannot have more than %d arguments",
                    FUNCTION_ARGS_MAX);
    m->args = ARENA_ARRAY(a, type_id, n->arg_count + 1);
    m->all_types = ARENA_ARRAY(a, type_id, n->arg_count + 1);
    m->all_modes = ARENA_ARRAY(a, char, n->arg_count + 1);
    m->all_names = ARENA_ARRAY(a, const char *, n->arg_count + 1);
    m->defaults = ARENA_ARRAY(a, const char *, n->arg_count + 1);
    TRY(check_names(n));
    for (uint32_t i = 0; i < n->arg_count; i++) TRY(add_argument(m, &n->args[i]));
    m->def.proc.args = m->args;
    m->def.all_types = m->all_types;
    m->def.all_modes = m->all_modes;
    m->def.all_names = m->all_names;
    m->def.defaults = m->defaults;
    return OK;
}

static enum status result_type(struct making *m)
{
    struct proc_def *p = &m->def.proc;
    const struct ast_type_name *t = m->ast->result;
    type_id implied = m->out_count == 0 ? TYPE_VOID : m->out_count == 1 ? m->out_type : TYPE_RECORD;
    p->result = implied;
    if (m->ast->kind == 'p') {
        p->result = m->out_count ? TYPE_RECORD : TYPE_VOID;
        return OK;
    }
    if (!t) {
        if (m->out_count) return OK;
        return FAIL(INVALID_FUNCTION_DEFINITION, "function result type must be specified");
    }
    /* RETURNS TABLE arrives as SETOF of what its columns imply. */
    p->returns_set = t->setof;
    bool is_table = m->def.all_count && m->all_modes[m->def.all_count - 1] == 't';
    if (is_table) return OK;
    TRY(find_type(m->d, t, true, &p->result));
    if (m->out_count && p->result != implied) {
        struct strbuf b;
        strbuf_init(&b, m->d->a);
        session__type_name(m->d->s, implied, -1, &b);
        return FAIL(INVALID_FUNCTION_DEFINITION,
                    "function result type must be %s because of OUT parameters", b.data);
    }
    const struct type_info *info = type_get(p->result);
    bool pseudo = p->result != TYPE_RECORD && p->result != TYPE_VOID && p->result != TYPE_TRIGGER;
    if (pseudo && info && info->category == 'P' && !is_polymorphic(p->result))
        return UNSUPPORTED("results of type %s are not supported yet",
                    info->sql_name);
    if (p->result == TYPE_TRIGGER && m->def.language == 's')
        return FAIL(INVALID_FUNCTION_DEFINITION, "SQL functions cannot return type trigger");
    if (p->result == TYPE_TRIGGER && p->arg_count) {
        FAIL(INVALID_FUNCTION_DEFINITION, "trigger functions cannot have declared arguments");
        return error_hint("The arguments of the trigger can be accessed through TG_NARGS and TG_ARGV "
                          "instead.");
    }
    return OK;
}

/* Rows of a relation are kept as records that know the relation. */
static enum status find_result(struct making *m)
{
    TRY(result_type(m));
    TRY(check_polymorphic(m, m->def.proc.result));
    for (uint16_t i = 0; i < m->def.all_count; i++)
        if (m->all_modes[i] == 'o' || m->all_modes[i] == 't') TRY(check_polymorphic(m, m->all_types[i]));
    if (!type_is_row(m->def.proc.result)) return OK;
    m->def.result_table = type_row_relation(m->def.proc.result);
    m->def.proc.result = TYPE_RECORD;
    return OK;
}

/* --- options -------------------------------------------------------------------------------- */

static enum status number(const struct ast_def_elem *e, float *ret)
{
    const char *text = ddl__option_text(e);
    union value v = {0};
    struct arena a;
    if (text) {
        arena_init(&a, MEM_QUERY);
        enum status st = value_from_text(TYPE_FLOAT4, -1, slice_of(text), &format_default, &a, &v);
        arena_release(&a);
        TRY(st);
    } else if (e->arg && e->arg->kind == AST_CONST) {
        v.f32 = (float)AST(e->arg, ast_const)->ival; /* whole numbers have no text */
    }
    if (!(v.f32 > 0))
        return FAIL(INVALID_PARAMETER_VALUE, "%s must be positive",
                    strcmp(e->name, "cost") == 0 ? "COST" : "ROWS");
    *ret = v.f32;
    return OK;
}

enum status ddl__function_option(struct function_def *f, const struct ast_def_elem *e)
{
    const char *text = ddl__option_text(e);
    bool on;
    if (strcmp(e->name, "volatility") == 0) {
        f->proc.volatility = text[0] == 'i' ? IMMUTABLE : text[0] == 's' ? STABLE : VOLATILE;
        return OK;
    }
    if (strcmp(e->name, "cost") == 0) return number(e, &f->cost);
    if (strcmp(e->name, "rows") == 0) {
        if (!f->proc.returns_set)
            return FAIL(INVALID_PARAMETER_VALUE,
                        "ROWS is not applicable when function does not return a set");
        return number(e, &f->rows);
    }
    if (strcmp(e->name, "parallel") == 0) {
        if (strcmp(text, "safe") != 0 && strcmp(text, "unsafe") != 0 &&
            strcmp(text, "restricted") != 0)
            return FAIL(SYNTAX_ERROR,
                        "parameter \"parallel\" must be SAFE, RESTRICTED, or UNSAFE");
        f->parallel = text[0];
        return OK;
    }
    TRY(ddl__option_bool(e, &on));
    if (strcmp(e->name, "strict") == 0) f->proc.strict = on;
    else if (strcmp(e->name, "leakproof") == 0) f->leakproof = on;
    else if (strcmp(e->name, "window") == 0)
        return UNSUPPORTED("WINDOW functions of your own are not supported");
    else if (strcmp(e->name, "security") == 0) f->security_definer = on;
    else
        return UNSUPPORTED("option \"%s\" of functions is not supported", e->name);
    return OK;
}

static enum status find_language(struct making *m)
{
    const char *name = NULL;
    for (uint32_t i = 0; i < m->ast->options.count; i++) {
        const struct ast_def_elem *e = AST(m->ast->options.items[i], ast_def_elem);
        if (strcmp(e->name, "language") == 0) name = ddl__option_text(e);
    }
    if (m->ast->sql_body && !name) name = "sql";
    if (m->ast->sql_body && strcmp(name, "sql") != 0)
        return FAIL(INVALID_FUNCTION_DEFINITION, "inline SQL function body only valid for language SQL");
    if (!name) return FAIL(INVALID_FUNCTION_DEFINITION, "no language specified");
    if (strcmp(name, "sql") == 0) m->def.language = 's';
    else if (strcmp(name, "plpgsql") == 0) m->def.language = 'p';
    else if (strcmp(name, "c") == 0 || strcmp(name, "internal") == 0)
        return UNSUPPORTED("functions in language \"%s\" are not supported", name);
    else return FAIL(UNDEFINED_OBJECT, "language \"%s\" does not exist", name);
    if (!m->ast->body) return FAIL(INVALID_FUNCTION_DEFINITION, "no function body specified");
    if (m->ast->link)
        return FAIL(INVALID_FUNCTION_DEFINITION, "only one AS item needed for language \"%s\"", name);
    return OK;
}

static enum status read_options(struct making *m)
{
    m->def.cost = 100;
    m->def.rows = m->def.proc.returns_set ? 1000 : 0;
    m->def.parallel = 'u';
    m->def.proc.volatility = VOLATILE;
    for (uint32_t i = 0; i < m->ast->options.count; i++) {
        const struct ast_def_elem *e = AST(m->ast->options.items[i], ast_def_elem);
        if (strcmp(e->name, "language") != 0) TRY(ddl__function_option(&m->def, e));
    }
    return OK;
}

/* --- replacing ------------------------------------------------------------------------------ */

static enum status check_replaced(struct making *m, const struct function_def *old)
{
    const struct function_def *f = &m->def;
    const char *words = old->proc.kind == 'p' ? "procedure" : "function";
    if (!m->ast->replace)
        return FAIL(DUPLICATE_FUNCTION,
                    "function \"%s\" already exists with same argument types", f->proc.name);
    if (!ddl__is_owner(m->d->s, old->owner))
        return FAIL(INSUFFICIENT_PRIVILEGE, "must be owner of function %s", f->proc.name);
    if (old->proc.kind != f->proc.kind) {
        FAIL(WRONG_OBJECT_TYPE, "cannot change routine kind");
        return error_detail("\"%s\" is a %s.", old->proc.name, words);
    }
    const char *drop = arena_printf(m->d->a, "Use DROP %s %s first.",
                                    old->proc.kind == 'p' ? "PROCEDURE" : "FUNCTION",
                                    pl__signature(m->d->s, old, m->d->a));
    bool same = old->proc.result == f->proc.result && old->proc.returns_set == f->proc.returns_set &&
                old->result_table == f->result_table;
    if (!same) {
        FAIL(INVALID_FUNCTION_DEFINITION, "cannot change return type of existing function");
        return error_hint("%s", drop);
    }
    for (uint16_t i = 0; i < old->all_count && i < f->all_count; i++) {
        if (!*old->all_names[i] || strcmp(old->all_names[i], f->all_names[i]) == 0) continue;
        FAIL(INVALID_FUNCTION_DEFINITION, "cannot change name of input parameter \"%s\"",
             old->all_names[i]);
        return error_hint("%s", drop);
    }
    if (old->proc.default_count > f->proc.default_count) {
        FAIL(INVALID_FUNCTION_DEFINITION, "cannot remove parameter defaults from existing function");
        return error_hint("%s", drop);
    }
    return OK;
}

static enum status check_body(struct making *m)
{
    struct ddl *d = m->d;
    if (strcmp(settings_get(d->s, "check_function_bodies"), "off") == 0) return OK;
    for (uint16_t i = 0; i < m->def.all_count && m->def.language == 's'; i++)
        if (is_polymorphic(m->all_types[i])) return OK; /* its types are told by each call */
    return pl__check(d->s, &m->def, d->text);
}

enum status ddl__create_function(struct ddl *d, const struct ast_create_function *n)
{
    struct making m = {.d = d, .ast = n};
    const struct schema_def *schema;
    struct function_def *f = &m.def;
    const struct ast_range_var v = ddl__range_of(&n->name);
    TRY(ddl__creation_schema(d, &v, &schema));
    TRY(find_language(&m));
    TRY(add_arguments(&m));
    TRY(find_result(&m));
    TRY(read_options(&m));
    f->proc.name = v.name;
    f->proc.kind = n->kind;
    f->proc.symbol = "";
    f->proc.id = PROC_IN_CATALOG;
    f->schema = schema->oid;
    f->owner = d->s->user_oid;
    f->source = n->body;
    if (strlen(v.name) > NAME_BYTES_MAX)
        return FAIL(NAME_TOO_LONG, "name \"%s\" is too long", v.name);
    const struct function_def *old =
        ddl__function_exact(d, schema->oid, v.name, f->proc.args, f->proc.arg_count);
    if (old) {
        TRY(check_replaced(&m, old));
        f->proc.oid = old->proc.oid;
        f->owner = old->owner;
        f->comment = old->comment;
        f->acl = old->acl;
    }
    TRY(check_body(&m));
    if (!old) TRY(ddl__new_oid(d, &f->proc.oid));
    return ddl__put_function(d, f);
}
