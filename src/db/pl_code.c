/* Code: a function's body, read and with its variables' types found. It belongs to the session, and is made anew
 * when the function has been replaced; runs that are under way keep what they began with. */
#include "db/pl_priv.h"

#include "db/ddl_priv.h"
#include "types/record.h"

enum { CODES_MAX = 1000 };

struct pl_state *pl__state(struct session *s)
{
    if (s->pl) return s->pl;
    s->pl = mem_alloc(MEM_SESSION, sizeof *s->pl);
    arena_init(&s->pl->arena, MEM_SESSION);
    map_init(&s->pl->codes);
    return s->pl;
}

static void release_piece(const struct pl_sql *q)
{
    struct pl_piece *p = q ? q->run : NULL;
    if (p && p->plan) cached_plan_release(p->plan);
    if (p) p->plan = NULL;
}

static void release_pieces(const struct pl_stmt *s);

static void release_body(const struct pl_body *b)
{
    for (uint32_t i = 0; i < b->count; i++) release_pieces(b->items[i]);
}

static void release_targets(const struct pl_targets *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        for (uint32_t k = 0; k < t->items[i].subscript_count; k++)
            release_piece(t->items[i].subscripts[k]);
}

static void release_pieces(const struct pl_stmt *s)
{
    release_piece(s->sql);
    for (uint32_t i = 0; i < s->arg_count; i++) release_piece(s->args[i]);
    release_targets(&s->into);
    release_body(&s->body);
    if (s->kind == PL_BLOCK)
        for (uint32_t i = 0; i < s->block.handler_count; i++)
            release_body(&s->block.handlers[i].body);
    if (s->kind == PL_IF || s->kind == PL_CASE)
        for (uint32_t i = 0; i < s->branch.branch_count; i++) {
            release_piece(s->branch.branches[i].test);
            release_body(&s->branch.branches[i].body);
        }
    if (s->kind == PL_FETCH) release_piece(s->cursor.count);
    if (s->kind == PL_RAISE)
        for (uint32_t i = 0; i < s->raise.option_count; i++)
            release_piece(s->raise.options[i].value);
}

void pl__code_unref(struct pl_code *c)
{
    if (--c->refs) return;
    if (c->tree) {
        release_pieces(c->tree->body);
        for (uint32_t i = 0; i < c->tree->var_count; i++) {
            release_piece(c->tree->vars[i].initial);
            release_piece(c->tree->vars[i].query);
        }
    }
    for (uint32_t i = 0; i < c->statement_count; i++) release_piece(&c->statements[i]);
    struct arena a = c->arena; /* c lies in it */
    arena_release(&a);
}

void session__free_functions(struct session *s)
{
    size_t pos = 0;
    void *v;
    if (!s->pl) return;
    while (map_next(&s->pl->codes, &pos, NULL, NULL, &v)) pl__code_unref(v);
    map_release(&s->pl->codes);
    ARRAY_RELEASE(&s->pl->casts);
    arena_release(&s->pl->arena);
    mem_free(MEM_SESSION, s->pl);
}

/* --- types ---------------------------------------------------------------------------------- */

static const struct table_def *find_table(struct session *s, const char *schema, const char *name)
{
    return catalog_lookup(s->catalog, session__path(s), schema, name);
}

/* "a.b.c" as written, into its names. */
static uint32_t split(struct arena *a, const char *text, const char **parts, uint32_t max)
{
    uint32_t n = 0;
    while (*text && n < max) {
        struct strbuf b;
        strbuf_init(&b, a);
        strbuf_adds(&b, "");
        while (*text == ' ' || *text == '.' || *text == '\n' || *text == '\t') text++;
        bool quoted = *text == '"';
        if (quoted) text++;
        for (; *text && (quoted ? *text != '"' : *text != '.' && *text != ' '); text++)
            strbuf_addc(&b, quoted || *text < 'A' || *text > 'Z' ? *text : (char)(*text + 32));
        if (quoted && *text) text++;
        parts[n++] = b.data;
        while (*text == ' ') text++;
    }
    return n;
}

static enum status no_relation(const char *const *parts, uint32_t n)
{
    return FAIL(UNDEFINED_TABLE, "relation \"%s%s%s\" does not exist", n > 1 ? parts[0] : "",
                n > 1 ? "." : "", parts[n - 1]);
}

static enum status column_type(struct session *s, const char *const *parts, uint32_t n,
                               struct pl_type *ret)
{
    const struct table_def *t = find_table(s, n > 2 ? parts[n - 3] : NULL, parts[n - 2]);
    if (!t) return no_relation(parts, n - 1);
    const struct column_def *c = table_column(t, slice_of(parts[n - 1]));
    if (!c)
        return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", parts[n - 1],
                    t->name);
    *ret = (struct pl_type){.type = c->type, .typmod = c->typmod};
    return OK;
}

/* x%TYPE, t.c%TYPE: of a variable before it, else of a column. */
static enum status referred_type(struct session *s, struct pl_code *c, uint32_t at,
                                 struct pl_type *ret)
{
    const char *parts[3];
    uint32_t n = split(&c->arena, c->tree->vars[at].type, parts, 3);
    for (uint32_t i = at; n == 1 && i-- > 0;)
        if (strcmp(c->tree->vars[i].name, parts[0]) == 0) return *ret = c->types[i], OK;
    if (n < 2)
        return FAIL(SYNTAX_ERROR, "invalid type name \"%s%%type\"", n ? parts[0] : "");
    return column_type(s, parts, n, ret);
}

static enum status row_type(struct session *s, struct pl_code *c, uint32_t at, struct pl_type *ret)
{
    const char *parts[3];
    uint32_t n = split(&c->arena, c->tree->vars[at].type, parts, 3);
    if (!n) return FAIL(SYNTAX_ERROR, "missing data type declaration");
    const struct table_def *t = find_table(s, n > 1 ? parts[n - 2] : NULL, parts[n - 1]);
    if (!t) return no_relation(parts, n);
    *ret = (struct pl_type){.is_record = true, .type = type_row(t->oid), .typmod = -1,
                            .table = t->oid};
    return OK;
}

static enum status named_type(struct session *s, struct pl_code *c, const char *text,
                              struct pl_type *ret)
{
    struct bind_env env;
    struct ast *ast;
    const char *sql = arena_printf(&c->arena, "NULL::%s", text);
    enum status st = sql_parse_expression(&c->arena, slice_of(sql), &ast);
    if (st != OK || ast->kind != AST_TYPE_CAST) {
        (void)error_at(0);
        return st != OK ? st : FAIL(SYNTAX_ERROR, "invalid type name \"%s\"", text);
    }
    session__bind_env(s, &env, &c->arena, slice_of(sql));
    const struct ast_type_name *name = AST(ast, ast_type_cast)->type;
    *ret = (struct pl_type){.typmod = -1};
    st = bind_type(&env, name, &ret->type, &ret->typmod);
    if (st == OK) {
        ret->is_record = type_is_composite(ret->type);
        ret->table = ret->is_record ? type_row_relation(ret->type) : 0;
        return OK;
    }
    return error_at(0);
}

static enum status declared_type(struct session *s, struct pl_code *c, uint32_t i);

static enum status declared_types(struct session *s, struct pl_code *c, int *ret_line)
{
    struct pl_function *f = c->tree;
    for (uint32_t i = f->given_count; i < f->var_count; i++) {
        *ret_line = f->vars[i].line;
        enum status st = declared_type(s, c, i);
        if (st != OK && f->vars[i].type_at) (void)error_at(f->vars[i].type_at);
        TRY(st);
        if (c->types[i].is_record) f->vars[i].kind = PL_RECORD;
    }
    return OK;
}

static enum status declared_type(struct session *s, struct pl_code *c, uint32_t i)
{
    const struct pl_var *v = &c->tree->vars[i];
    if (!v->type) return c->types[i] = (struct pl_type){.typmod = -1}, OK; /* CASE's, told by its value */
    if (v->kind == PL_CURSOR || strcmp(v->type, "refcursor") == 0) {
        c->types[i] = (struct pl_type){.type = TYPE_TEXT, .typmod = -1};
        return OK;
    }
    if (v->reference == 't') return referred_type(s, c, i, &c->types[i]);
    if (v->reference == 'r') return row_type(s, c, i, &c->types[i]);
    return named_type(s, c, v->type, &c->types[i]);
}

/* --- compiling ------------------------------------------------------------------------------ */

const char *pl__signature(struct session *s, const struct function_def *f, struct arena *a)
{
    struct strbuf b;
    strbuf_init(&b, a);
    const struct function_def *const *found;
    bool on_path = false, hidden = false;
    const struct search_path *p = session__path(s);
    for (uint32_t i = 0; i < p->count && !on_path && !hidden; i++) {
        on_path = p->schemas[i] == f->schema;
        hidden = !on_path && catalog_functions(s->catalog, p->schemas[i], slice_of(f->proc.name), &found);
    }
    const struct schema_def *n = catalog_schema_by_oid(s->catalog, f->schema);
    if (!on_path && n) {
        expr_identifier(n->name, &b);
        strbuf_addc(&b, '.');
    }
    expr_identifier(f->proc.name, &b);
    strbuf_addc(&b, '(');
    for (uint8_t i = 0; i < f->proc.arg_count; i++) {
        if (i) strbuf_addc(&b, ',');
        session__type_name(s, f->proc.args[i], -1, &b);
    }
    strbuf_addc(&b, ')');
    return b.data;
}

static const char *const trigger_names[] = {
    "new", "old", "tg_name", "tg_when", "tg_level", "tg_op", "tg_relid", "tg_relname",
    "tg_table_name", "tg_table_schema", "tg_nargs", "tg_argv"};
static const type_id trigger_types[] = {
    TYPE_RECORD, TYPE_RECORD, TYPE_NAME, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_OID, TYPE_NAME,
    TYPE_NAME, TYPE_NAME, TYPE_INT4, TYPE_TEXT_ARRAY};
enum { TRIGGER_VARS = sizeof trigger_names / sizeof *trigger_names };

static uint32_t given_names(struct pl_code *c, struct pl_given **ret)
{
    uint32_t n = c->is_trigger ? TRIGGER_VARS : c->all_count;
    struct pl_given *g = ARENA_ARRAY(&c->arena, struct pl_given, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        g[i].name = c->is_trigger ? trigger_names[i] : c->all_names[i];
        if (!c->is_trigger) g[i].number = arena_printf(&c->arena, "$%u", i + 1);
        if (g[i].name && !*g[i].name) g[i].name = NULL;
    }
    *ret = g;
    return n;
}

static void given_types(struct pl_code *c)
{
    uint32_t n = c->tree->given_count;
    c->types = ARENA_ARRAY(&c->arena, struct pl_type, c->tree->var_count + 1);
    c->outs = ARENA_ARRAY(&c->arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        type_id type = c->is_trigger ? trigger_types[i] : c->all_types[i];
        c->types[i] = (struct pl_type){.is_record = type_is_composite(type), .type = type, .typmod = -1};
        if (type_is_row(type)) c->types[i].table = type_row_relation(type);
        if (c->types[i].is_record) c->tree->vars[i].kind = PL_RECORD;
        if (!c->is_trigger && c->all_modes[i] != 'i' && c->all_modes[i] != 'v')
            c->outs[c->out_count++] = i;
    }
}

static enum status compile(struct session *s, struct pl_code *c, const char *body)
{
    struct pl_given *given;
    int line = 1;
    uint32_t n = given_names(c, &given);
    enum status st = plpgsql_parse(&c->arena, slice_of(body), c->name, given, n, &c->tree, &line);
    if (st == OK) {
        given_types(c);
        st = declared_types(s, c, &line);
    }
    if (st != OK)
        error_where_more("compilation of PL/pgSQL function \"%s\" near line %d", c->name, line);
    return st;
}

/* A body in SQL: its statements, each planned when it is run. */
static enum status compile_sql(struct pl_code *c, const char *body)
{
    struct statement *st;
    uint32_t n;
    struct slice text = slice_of(arena_strdup(&c->arena, body));
    TRY(sql_parse(&c->arena, text, &st, &n));
    c->statements = ARENA_ARRAY(&c->arena, struct pl_sql, n + 1);
    c->statement_count = n;
    for (uint32_t i = 0; i < n; i++)
        c->statements[i].text = arena_strndup(&c->arena, body + st[i].start, (size_t)st[i].len);
    return OK;
}

static struct pl_code *code_new(void)
{
    struct arena a;
    arena_init(&a, MEM_SESSION);
    struct pl_code *c = ARENA_NEW(&a, struct pl_code);
    c->arena = a;
    c->refs = 1;
    return c;
}

static struct pl_code *code_of(struct session *s, const struct function_def *f)
{
    struct pl_code *c = code_new();
    const struct proc_def *p = &f->proc;
    const char **names = ARENA_ARRAY(&c->arena, const char *, f->all_count + 1u);
    c->stamp = f->stamp;
    c->language = f->language;
    c->volatility = p->volatility == VOLATILE ? 'v' : 's';
    c->name = arena_strdup(&c->arena, p->name);
    const struct function_def *o = f->variant ? catalog_function_by_oid(s->catalog, p->oid) : NULL;
    c->signature = pl__signature(s, o ? o : f, &c->arena);
    c->definer = f->security_definer ? f->owner : 0;
    c->result = (struct pl_type){.is_record = p->result == TYPE_RECORD, .type = p->result,
                                 .typmod = -1, .table = f->result_table};
    c->returns_set = p->returns_set;
    c->returns_void = p->result == TYPE_VOID;
    c->is_trigger = p->result == TYPE_TRIGGER;
    c->is_procedure = p->kind == 'p';
    c->arg_count = p->arg_count;
    c->all_count = f->all_count;
    c->all_types = arena_memdup(&c->arena, f->all_types, f->all_count * sizeof(type_id) + 1);
    c->all_modes = arena_strndup(&c->arena, f->all_modes, f->all_count);
    for (uint16_t i = 0; i < f->all_count; i++) names[i] = arena_strdup(&c->arena, f->all_names[i]);
    c->all_names = names;
    return c;
}

static enum status make(struct session *s, const struct function_def *f, struct pl_code **ret)
{
    struct pl_code *c = code_of(s, f);
    enum status st = f->language == 'p' ? compile(s, c, f->source) : compile_sql(c, f->source);
    if (st == OK) *ret = c;
    else pl__code_unref(c);
    return st;
}

/* Those that nobody runs. */
static void forget_idle(struct pl_state *p)
{
    size_t pos = 0;
    uint64_t key;
    void *v;
    while (map_next(&p->codes, &pos, NULL, &key, &v)) {
        struct pl_code *c = v;
        if (c->refs > 1) continue;
        (void)map_remove_u64(&p->codes, key);
        pl__code_unref(c);
    }
}

enum status pl__code(struct session *s, const struct function_def *f, const struct table_def *t,
                     struct pl_code **ret)
{
    struct pl_state *p = pl__state(s);
    uint64_t key = ((uint64_t)f->proc.oid << 32 | (t ? t->oid : 0)) ^ f->variant;
    struct pl_code *c = map_get_u64(&p->codes, key);
    if (!c || c->stamp != f->stamp) {
        struct pl_code *made;
        TRY(pl__transpose((struct slice){0}, f->source, make(s, f, &made)));
        made->key = key;
        if (c) {
            (void)map_remove_u64(&p->codes, key);
            pl__code_unref(c);
        }
        if (p->codes.count >= CODES_MAX) forget_idle(p);
        map_put_u64(&p->codes, key, made);
        c = made;
    }
    c->refs++;
    *ret = c;
    return OK;
}

/* A place in the body becomes one in the statement that holds it. */
enum status pl__transpose(struct slice text, const char *body, enum status st)
{
    struct error *e = error_current();
    if (st == OK || e->position == 0) return st;
    const char *at = text.data ? strstr(text.data, body) : NULL;
    if (!at || !*body) return error_in_query(body, 0);
    e->position += sql_position(text, (int)(at - text.data)) - 1;
    e->where[0] = '\0';
    return st;
}

enum status pl__inline_code(struct session *s, const char *body, struct slice text,
                            struct pl_code **ret)
{
    struct pl_code *c = code_new();
    c->language = 'p';
    c->volatility = 'v';
    c->name = c->signature = "inline_code_block";
    c->returns_void = true;
    c->result = (struct pl_type){.type = TYPE_VOID, .typmod = -1};
    enum status st = pl__transpose(text, body, compile(s, c, body));
    if (st == OK) *ret = c;
    else pl__code_unref(c);
    return st;
}

enum status pl__check(struct session *s, const struct function_def *f, struct slice text)
{
    struct pl_code *c;
    TRY(pl__transpose(text, f->source, make(s, f, &c)));
    enum status st = f->language == 's' ? pl__check_sql(s, f, c, text) : OK;
    pl__code_unref(c);
    return st;
}
