/* Rows of COPY FROM that cannot be read: with ON_ERROR ignore they are passed over, up to
 * REJECT_LIMIT of them, and REJECT_TABLE keeps where each was and why. They are held until the
 * others are in, then inserted within the same statement: both are there, or neither. */
#include "db/copy_priv.h"

#include "core/txn.h"
#include "db/plan_cache.h"

enum {
    HELD_BYTES_MAX = 64 << 20,
    ROW_BYTES_MAX = 8 << 10, /* of a row's text are kept */
    FIELDS = 7,
};

/* The columns that a table of rejects may have, and what they get. */
enum field {
    FIELD_TABLE,
    FIELD_SOURCE,
    FIELD_LINE,
    FIELD_COLUMN,
    FIELD_SQLSTATE,
    FIELD_REASON,
    FIELD_ROW
};
static const char *const field_names[FIELDS] = {"table_name", "source", "line", "column_name",
                                                "sqlstate", "reason", "row"};

struct reject {
    struct reject *next;
    uint64_t line;
    const char *column; /* NULL: the row as a whole */
    char sqlstate[6];
    struct slice reason, row; /* row.data NULL: no text */
};

struct copy_rejects {
    struct arena arena;
    struct reject *first, **last;
    uint64_t count;
    /* Of the table; plan NULL: there is none. */
    struct cached_plan *plan;
    const char *name;
    enum field fields[FIELDS];
    type_id types[FIELDS];
    uint32_t field_count;
    const struct reject *next; /* to be inserted */
    struct batch batch;
    struct strbuf text;
};

/* --- the table ------------------------------------------------------------------------------ */

static enum status no_table(const char *name)
{
    FAIL(UNDEFINED_TABLE, "relation \"%s\" does not exist", name);
    return error_hint(
        "CREATE TABLE %s (table_name text, source text, line bigint, column_name text, "
        "sqlstate text, reason text, \"row\" text)",
        name);
}

static enum status find_columns(struct copy_rejects *r, const struct table_def *t)
{
    for (int f = 0; f < FIELDS; f++) {
        const struct column_def *d = table_column(t, slice_of(field_names[f]));
        if (!d || d->generated) continue;
        if (d->type != TYPE_TEXT && d->type != TYPE_INT8)
            return FAIL(DATATYPE_MISMATCH, "column \"%s\" of the reject table must be %s", d->name,
                        f == FIELD_LINE ? "bigint" : "text");
        if ((d->type == TYPE_INT8) != (f == FIELD_LINE))
            return FAIL(DATATYPE_MISMATCH, "column \"%s\" of the reject table must be %s", d->name,
                        f == FIELD_LINE ? "bigint" : "text");
        r->types[r->field_count] = d->type;
        r->fields[r->field_count++] = (enum field)f;
    }
    if (r->field_count == 0)
        return FAIL(UNDEFINED_COLUMN,
                    "the reject table \"%s\" has none of the columns that it needs", t->name),
               error_hint("They are line and reason, and perhaps table_name, source, column_name, "
                          "sqlstate and row.");
    return OK;
}

static enum status find_table(struct copy *c, struct copy_rejects *r)
{
    struct arena *a = &c->s->arena;
    const char *name = c->o.reject_table, *dot = strchr(name, '.');
    const char *schema = dot ? arena_strndup(a, name, (size_t)(dot - name)) : NULL;
    const char *columns[FIELDS];
    enum status result;
    const struct table_def *t = catalog_lookup(c->s->catalog, session__path(c->s), schema,
                                               dot ? dot + 1 : name);
    if (!t) return no_table(name);
    if (t->kind != 'r' || t->virtual_id >= 0)
        return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is no table that rows can be copied to", name);
    r->name = t->name;
    TRY(find_columns(r, t));
    for (uint32_t i = 0; i < r->field_count; i++) columns[i] = field_names[r->fields[i]];
    schema = catalog_schema_by_oid(c->s->catalog, t->schema)->name;
    struct statement st = {.ast = copy__insert_ast(a, schema, t, columns, r->field_count),
                           .param_count = (int)r->field_count};
    uint32_t count = r->field_count;
    r->plan = session__plan(c->s, &st, c->text, r->types, &count, false, &result);
    TRY(result);
    return session__lock_plan(c->s, r->plan);
}

enum status copy__begin_rejects(struct copy_in *in)
{
    struct copy *c = in->c;
    if (!c->o.ignore_errors) return OK;
    struct copy_rejects *r = ARENA_NEW(&c->s->arena, struct copy_rejects);
    arena_init(&r->arena, MEM_QUERY);
    strbuf_init(&r->text, NULL);
    r->last = &r->first;
    in->rejects = r;
    return c->o.reject_table ? find_table(c, r) : OK;
}

void copy__release_rejects(struct copy_in *in)
{
    struct copy_rejects *r = in->rejects;
    if (!r) return;
    if (r->plan) cached_plan_unref(r->plan);
    strbuf_release(&r->text);
    arena_release(&r->arena);
    in->rejects = NULL;
}

/* --- a bad row ------------------------------------------------------------------------------ */

/* What is wrong is the row: not the machine, the statement or the client. */
static bool is_about_data(const struct error *e)
{
    return strncmp(error_sqlstate(e), "22", 2) == 0;
}

/* As much of a row as is kept; without its end of line. */
static struct slice cut(struct slice s)
{
    while (s.len > 0 && (s.data[s.len - 1] == '\n' || s.data[s.len - 1] == '\r')) s.len--;
    if (s.len <= ROW_BYTES_MAX) return s;
    s.len = ROW_BYTES_MAX;
    while (s.len > 0 && ((unsigned char)s.data[s.len] & 0xc0) == 0x80) s.len--;
    return s;
}

static enum status too_many(int64_t limit)
{
    struct error last = *error_current();
    FAIL(INVALID_TEXT_REPRESENTATION,
         "skipped more than REJECT_LIMIT (%lld) rows due to data type incompatibility",
         (long long)limit);
    error_detail("The last of them: %s", last.message);
    return error_where("%s", last.where);
}

static void hold(struct copy_in *in, struct copy_rejects *r, struct slice row)
{
    const struct error *e = error_current();
    struct reject *j = ARENA_NEW(&r->arena, struct reject);
    j->line = in->line;
    j->column = in->bad_column;
    memcpy(j->sqlstate, error_sqlstate(e), sizeof j->sqlstate);
    const char *reason = e->detail[0] ? arena_printf(&r->arena, "%s: %s", e->message, e->detail)
                                      : arena_strdup(&r->arena, e->message);
    j->reason = slice_of(reason);
    if (row.data && session_check_text(cut(row)) == OK) j->row = slice_dup(&r->arena, cut(row));
    *r->last = j;
    r->last = &j->next;
}

enum status copy__reject(struct copy_in *in, struct slice row)
{
    struct copy_rejects *r = in->rejects;
    enum status code = error_current()->code;
    if (!r || !is_about_data(error_current())) return code;
    int64_t limit = in->c->o.reject_limit;
    if (limit > 0 && r->count >= (uint64_t)limit) return too_many(limit);
    r->count++;
    if (r->plan && arena_bytes(&r->arena) > HELD_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "there are too many bad rows to keep them all: %llu",
                    (unsigned long long)r->count),
               error_hint("Set REJECT_LIMIT, or leave REJECT_TABLE out.");
    if (r->plan) hold(in, r, row);
    return OK;
}

/* --- at the end ----------------------------------------------------------------------------- */

static struct datum value_of(const struct copy_in *in, const struct reject *j, enum field f)
{
    const struct copy *c = in->c;
    struct slice s = {0};
    struct datum d = {.null = false};
    switch (f) {
    case FIELD_LINE: d.v.i64 = (int64_t)j->line; return d;
    case FIELD_TABLE: s = slice_of(c->table->name); break;
    case FIELD_SOURCE: s = c->ast->filename ? slice_of(c->ast->filename) : SLICE("STDIN"); break;
    case FIELD_COLUMN: s = slice_of(j->column); break;
    case FIELD_SQLSTATE: s = slice_make(j->sqlstate, 5); break;
    case FIELD_REASON: s = j->reason; break;
    case FIELD_ROW: s = j->row; break;
    }
    if (s.data) d.v.bytes = bytes_ref(s.data, (uint32_t)s.len);
    else d.null = true;
    return d;
}

static enum status next_rejects(void *ctx, struct batch *ret)
{
    struct copy_in *in = ctx;
    struct copy_rejects *r = in->rejects;
    uint32_t rows = 0;
    TRY(session__check_interrupts(in->c->s));
    for (uint32_t i = 0; i < r->field_count; i++)
        memset(r->batch.columns[i].nulls, 0, NULL_WORDS * sizeof(uint64_t));
    for (; r->next && rows < BATCH_ROWS; r->next = r->next->next, rows++)
        for (uint32_t i = 0; i < r->field_count; i++)
            vec_set(&r->batch.columns[i], rows, value_of(in, r->next, r->fields[i]));
    if (rows == 0) return END_OF_DATA;
    r->batch.rows = r->batch.count = rows;
    *ret = r->batch;
    return OK;
}

static uint64_t place_of(void *ctx, uint32_t row)
{
    (void)ctx;
    return row + 1;
}

enum status copy__insert_rejects(struct copy_in *in)
{
    struct copy_rejects *r = in->rejects;
    struct session *s = in->c->s;
    const struct exec_stream stream = {next_rejects, place_of, in};
    struct exec_result done = {0};
    if (!r || !r->first) return OK;
    r->next = r->first;
    batch_init(&r->batch, (uint16_t)r->field_count, r->types, &s->arena);
    return exec_insert_stream(r->plan->plan, s->txn, &s->exec, &s->arena, &stream, &done);
}

enum status copy__tell_rejects(struct copy_in *in)
{
    const struct copy_rejects *r = in->rejects;
    if (!r || r->count == 0) return OK;
    unsigned long long n = r->count;
    const char *rows = n == 1 ? "row was" : "rows were";
    if (r->plan)
        return session__notice(in->c->sink, "NOTICE", OK, NULL, "%llu %s skipped: see table \"%s\"",
                               n, rows, r->name);
    return session__notice(in->c->sink, "NOTICE", OK, NULL,
                           "%llu %s skipped due to data type incompatibility", n, rows);
}
