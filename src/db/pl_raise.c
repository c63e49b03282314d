/* RAISE, ASSERT, GET DIAGNOSTICS. */
#include "db/pl_priv.h"

/* The status of that SQLSTATE; RAISE_EXCEPTION, which then is told to be another, for those we do not have. */
static enum status status_of(const char *sqlstate)
{
    for (int i = OK + 1; i < STATUS_COUNT; i++)
        if (strcmp(status_sqlstate((enum status)i), sqlstate) == 0) return (enum status)i;
    return RAISE_EXCEPTION;
}

struct raised {
    const char *sqlstate, *message, *detail, *hint, *column, *constraint, *datatype, *table, *schema;
};

static enum status format(struct pl_run *r, const struct pl_stmt *s, const char **ret)
{
    struct strbuf b;
    uint32_t at = 0;
    strbuf_init(&b, &r->temp);
    strbuf_adds(&b, "");
    for (const char *c = s->raise.message; *c; c++) {
        if (*c != '%' || c[1] == '%') {
            strbuf_addc(&b, *c);
            c += *c == '%';
            continue;
        }
        struct datum d;
        type_id type;
        int32_t typmod;
        TRY(pl__eval(r, s->args[at++], &d, &type, &typmod));
        strbuf_adds(&b, d.null ? "<NULL>" : pl__text(r, &d, type));
    }
    *ret = b.data ? b.data : "";
    return OK;
}

static enum status set_once(const char **to, const char *name, const char *value)
{
    if (*to) return FAIL(SYNTAX_ERROR, "RAISE option already specified: %s", name);
    *to = value;
    return OK;
}

static enum status option(struct pl_run *r, const struct pl_option *o, struct raised *x)
{
    static const struct {
        const char *name, *upper;
        size_t at;
    } names[] = {{"message", "MESSAGE", offsetof(struct raised, message)},
                 {"detail", "DETAIL", offsetof(struct raised, detail)},
                 {"hint", "HINT", offsetof(struct raised, hint)},
                 {"column", "COLUMN", offsetof(struct raised, column)},
                 {"constraint", "CONSTRAINT", offsetof(struct raised, constraint)},
                 {"datatype", "DATATYPE", offsetof(struct raised, datatype)},
                 {"table", "TABLE", offsetof(struct raised, table)},
                 {"schema", "SCHEMA", offsetof(struct raised, schema)}};
    struct datum d;
    type_id type;
    int32_t typmod;
    TRY(pl__eval(r, o->value, &d, &type, &typmod));
    if (d.null) return FAIL(NULL_VALUE_NOT_ALLOWED, "RAISE statement option cannot be null");
    const char *text = pl__text(r, &d, type);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, o->name) == 0)
            return set_once((const char **)((char *)x + names[i].at), names[i].upper, text);
    if (x->sqlstate) return FAIL(SYNTAX_ERROR, "RAISE option already specified: ERRCODE");
    x->sqlstate = plpgsql_condition(text, 0);
    bool five = strlen(text) == 5 &&
                strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5;
    if (five) x->sqlstate = text;
    if (!x->sqlstate) return FAIL(UNDEFINED_OBJECT, "unrecognized exception condition \"%s\"", text);
    if (!x->message) x->message = five ? NULL : text;
    return OK;
}

static void put(char *to, size_t size, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= size) n = size - 1;
    if (n) memcpy(to, text, n);
    to[n] = '\0';
}

static void fill(struct error *e, const struct raised *x)
{
    put(e->detail, sizeof e->detail, x->detail);
    put(e->hint, sizeof e->hint, x->hint);
    put(e->column, sizeof e->column, x->column);
    put(e->constraint, sizeof e->constraint, x->constraint);
    put(e->datatype, sizeof e->datatype, x->datatype);
    put(e->table, sizeof e->table, x->table);
    put(e->schema, sizeof e->schema, x->schema);
}

static enum status notice(struct pl_run *r, const struct pl_stmt *s, const struct raised *x)
{
    static const char *const levels[] = {[PL_DEBUG] = "DEBUG", [PL_LOG] = "LOG", [PL_INFO] = "INFO",
                                         [PL_NOTICE] = "NOTICE", [PL_WARNING] = "WARNING"};
    const struct result_sink *sink = r->s->sink;
    if (!sink || !sink->notice) return OK;
    struct error *e = mem_alloc(MEM_SESSION, sizeof *e), *kept = error_current();
    put(e->message, sizeof e->message, x->message);
    fill(e, x);
    put(e->sqlstate, sizeof e->sqlstate,
        x->sqlstate ? x->sqlstate : s->raise.level == PL_WARNING ? "01000" : "00000");
    (void)kept;
    const char *where = arena_printf(&r->temp, "PL/pgSQL function %s line %d at RAISE",
                                     r->code->signature, s->line);
    put(e->where, sizeof e->where, where);
    enum status st = sink->notice(sink->ctx, levels[s->raise.level], e);
    mem_free(MEM_SESSION, e);
    return st;
}

static enum status again(const struct pl_run *r)
{
    if (!r->handled)
        return FAIL(STACKED_DIAGNOSTICS_WITHOUT_HANDLER,
                    "RAISE without parameters cannot be used outside an exception handler");
    *error_current() = *r->handled;
    return r->handled->code;
}

enum status pl__raise(struct pl_run *r, const struct pl_stmt *s)
{
    struct raised x = {0};
    const char *condition = s->raise.condition;
    if (s->raise.again) return again(r);
    if (condition) {
        x.sqlstate = *condition == '!' ? condition + 1 : plpgsql_condition(condition, 0);
        x.message = *condition == '!' ? condition + 1 : condition;
    }
    if (s->raise.message) TRY(format(r, s, &x.message));
    const char *shown = condition ? x.message : NULL;
    if (condition) x.message = NULL;
    for (uint32_t i = 0; i < s->raise.option_count; i++)
        TRY(option(r, &s->raise.options[i], &x));
    if (!x.message) x.message = shown;
    if (!x.message) x.message = x.sqlstate ? x.sqlstate : "unnamed exception";
    if (s->raise.level != PL_EXCEPTION) return notice(r, s, &x);
    if (!x.sqlstate) x.sqlstate = "P0001";
    enum status code = status_of(x.sqlstate);
    FAIL(code, "%s", x.message);
    struct error *e = error_current();
    put(e->message, sizeof e->message, x.message);
    put(e->sqlstate, sizeof e->sqlstate, x.sqlstate);
    fill(e, &x);
    return code;
}

enum status pl__assert(struct pl_run *r, const struct pl_stmt *s)
{
    bool holds;
    struct datum d;
    type_id type;
    int32_t typmod;
    TRY(pl__eval_bool(r, s->sql, &holds));
    if (holds) return OK;
    if (!s->arg_count) return FAIL(ASSERT_FAILURE, "assertion failed");
    TRY(pl__eval(r, s->args[0], &d, &type, &typmod));
    if (d.null) return FAIL(ASSERT_FAILURE, "assertion failed");
    return FAIL(ASSERT_FAILURE, "%s", pl__text(r, &d, type));
}

/* --- GET DIAGNOSTICS ------------------------------------------------------------------------ */

static const char *stacked_item(const struct error *e, const char *item)
{
    if (strcmp(item, "returned_sqlstate") == 0) return error_sqlstate(e);
    if (strcmp(item, "message_text") == 0) return e->message;
    if (strcmp(item, "pg_exception_detail") == 0) return e->detail;
    if (strcmp(item, "pg_exception_hint") == 0) return e->hint;
    if (strcmp(item, "pg_exception_context") == 0) return e->where;
    if (strcmp(item, "column_name") == 0) return e->column;
    if (strcmp(item, "constraint_name") == 0) return e->constraint;
    if (strcmp(item, "pg_datatype_name") == 0) return e->datatype;
    if (strcmp(item, "table_name") == 0) return e->table;
    return e->schema;
}

enum status pl__diagnostics(struct pl_run *r, const struct pl_stmt *s)
{
    if (s->diagnostics.stacked && !r->handled)
        return FAIL(STACKED_DIAGNOSTICS_WITHOUT_HANDLER,
                    "GET STACKED DIAGNOSTICS cannot be used outside an exception handler");
    for (uint32_t i = 0; i < s->diagnostics.count; i++) {
        const struct pl_diagnostic *g = &s->diagnostics.items[i];
        struct datum d = {0};
        if (strcmp(g->item, "row_count") == 0) {
            d.v.i64 = (int64_t)r->row_count;
            TRY(pl__assign(r, &g->target, &d, TYPE_INT8, -1));
            continue;
        }
        const char *text = s->diagnostics.stacked
                               ? stacked_item(r->handled, g->item)
                               : arena_printf(&r->temp, "PL/pgSQL function %s line %d at GET "
                                                        "DIAGNOSTICS",
                                              r->code->signature, s->line);
        d.v.bytes = bytes_ref(text, (uint32_t)strlen(text));
        TRY(pl__assign(r, &g->target, &d, TYPE_TEXT, -1));
    }
    return OK;
}
