/* COPY FROM: bytes come from the client or a file into one buffer, a format reads rows from it
 * into a batch, and the executor's INSERT pulls batches until there are no more.
 *
 * The plan is that of INSERT INTO t (columns) VALUES ($1, …), with the parameters typed as
 * their columns; the batches stand for its VALUES. So defaults, generated columns, checks and
 * indexes are what they are for INSERT. The input buffer may move whenever more is read: what
 * outlives a row is copied into the batch's arena. */
#include "db/copy_priv.h"

#include "core/txn.h"
#include "db/plan_cache.h"

/* --- input ---------------------------------------------------------------------------------- */

static enum status make_room(struct copy_in *in, size_t more)
{
    size_t held = in->end - in->pos;
    if (held + more > COPY_LINE_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a row of COPY data exceeds %d bytes",
                    COPY_LINE_BYTES_MAX);
    if (in->pos > 0 && held > 0) memmove(in->data, in->data + in->pos, held);
    in->pos = 0;
    in->end = held;
    if (held + more <= in->cap) return OK;
    size_t cap = in->cap ? in->cap * 2 : COPY_PIECE_BYTES;
    while (cap < held + more) cap *= 2;
    in->data = mem_realloc(MEM_QUERY, in->data, cap);
    in->cap = cap;
    return OK;
}

static enum status more_of_file(struct copy_in *in)
{
    uint64_t left = in->file_bytes - in->file_pos;
    size_t n = left < COPY_PIECE_BYTES ? (size_t)left : COPY_PIECE_BYTES;
    if (n == 0) {
        in->exhausted = true;
        return END_OF_DATA;
    }
    TRY(make_room(in, n));
    TRY(file_read(in->file, in->data + in->end, n, in->file_pos));
    in->file_pos += n;
    in->end += n;
    return OK;
}

enum status copy__more(struct copy_in *in)
{
    const struct result_sink *sink = in->c->sink;
    struct slice piece = {0};
    if (in->exhausted) return END_OF_DATA;
    if (in->file) return more_of_file(in);
    while (piece.len == 0) {
        enum status result = sink->copy_read(sink->ctx, &piece);
        if (result == END_OF_DATA) in->exhausted = true;
        if (result != OK) return result;
    }
    TRY(make_room(in, piece.len));
    memcpy(in->data + in->end, piece.data, piece.len);
    in->end += piece.len;
    return OK;
}

enum status copy__finish(struct copy_in *in)
{
    while (!in->file && !in->exhausted) {
        in->pos = in->end = 0;
        enum status result = copy__more(in);
        if (result != OK && result != END_OF_DATA) return result;
    }
    return OK;
}

static enum status open_file(struct copy_in *in)
{
    if (!in->c->ast->filename) return OK;
    TRY(copy__open_file(in->c, &in->file));
    return file_size(in->file, &in->file_bytes);
}

/* --- batches -------------------------------------------------------------------------------- */

/* A byte more than is shown tells that there was more. */
static void note_line(struct copy_in *in, uint32_t row)
{
    struct slice text = in->line_text;
    struct copy_line *l = &in->lines[row];
    if (text.len > COPY_SHOWN_BYTES + 1) text.len = COPY_SHOWN_BYTES + 1;
    l->number = in->line;
    l->text = (struct slice){0};
    if (text.data) l->text = slice_dup(&in->values, text);
}

/* Rows that came before a bad one are inserted first: an error of theirs is the first one. */
static void put_off(struct copy_in *in)
{
    in->late = ARENA_NEW(&in->c->s->arena, struct error);
    *in->late = *error_current();
}

static enum status raise_late(const struct copy_in *in)
{
    *error_current() = *in->late;
    return in->late->code;
}

/* The row that could not be read, if its end is known and it may be rejected. */
static bool pass_over(struct copy_in *in, uint32_t row, enum status *result)
{
    if (!in->rejects || in->row_next == 0) return false;
    *result = copy__reject(in, slice_make(in->data + in->pos, in->row_next));
    if (*result != OK) return false;
    in->pos += in->row_next;
    for (uint32_t i = 0; i < in->c->column_count; i++)
        nulls_clear(in->batch.columns[i].nulls, row);
    return true;
}

static enum status next_batch(void *ctx, struct batch *ret)
{
    struct copy_in *in = ctx;
    uint32_t rows = 0;
    TRY(session__check_interrupts(in->c->s));
    if (in->late) return raise_late(in);
    in->rows_before += in->batch.rows;
    arena_clear(&in->values);
    for (uint32_t i = 0; i < in->c->column_count; i++)
        memset(in->batch.columns[i].nulls, 0, NULL_WORDS * sizeof(uint64_t));
    while (rows < BATCH_ROWS && arena_bytes(&in->values) < COPY_BATCH_BYTES_MAX) {
        in->row_next = 0;
        in->bad_column = NULL;
        enum status result = in->read_row(in, rows);
        if (result == END_OF_DATA) {
            in->line--;
            in->finished = true;
            break;
        }
        if (result != OK && pass_over(in, rows, &result)) continue;
        if (result != OK && rows > 0) {
            put_off(in);
            break;
        }
        TRY(result);
        note_line(in, rows++);
    }
    if (rows == 0) return END_OF_DATA;
    in->batch.rows = in->batch.count = rows;
    in->batch.sel = NULL;
    *ret = in->batch;
    return OK;
}

static uint64_t line_of(void *ctx, uint32_t row)
{
    const struct copy_in *in = ctx;
    return in->lines[row].number;
}

/* --- the plan ------------------------------------------------------------------------------- */

/* COPY always takes the values that it is given, for identity columns too. */
struct ast *copy__insert_ast(struct arena *a, const char *schema, const struct table_def *table,
                             const char *const *names, uint32_t n)
{
    struct ast_insert *insert = COPY_AST(a, ast_insert, AST_INSERT);
    insert->table = COPY_AST(a, ast_range_var, AST_RANGE_VAR);
    insert->table->schema = schema;
    insert->table->name = table->name;
    insert->table->persistence = table->persistence;
    insert->overriding = 's';
    insert->columns = (struct ast_list){ARENA_ARRAY(a, struct ast *, n), n};
    insert->select = COPY_AST(a, ast_select, AST_SELECT);
    insert->select->values = ARENA_NEW(a, struct ast_list);
    insert->select->value_row_count = 1;
    *insert->select->values = (struct ast_list){ARENA_ARRAY(a, struct ast *, n), n};
    for (uint32_t i = 0; i < n; i++) {
        struct ast_target *target = COPY_AST(a, ast_target, AST_TARGET);
        struct ast_param *param = COPY_AST(a, ast_param, AST_PARAM);
        target->name = names[i];
        param->number = (int)i + 1;
        insert->columns.items[i] = &target->node;
        insert->select->values->items[i] = &param->node;
    }
    return &insert->node;
}

static struct ast *insert_ast(const struct copy *c)
{
    struct arena *a = &c->s->arena;
    const char **names = ARENA_ARRAY(a, const char *, c->column_count);
    for (uint32_t i = 0; i < c->column_count; i++) names[i] = c->columns[i].name;
    struct ast *insert = copy__insert_ast(a, c->schema, c->table, names, c->column_count);
    ((struct ast_insert *)insert)->row_where = c->ast->where;
    return insert;
}

static enum status make_plan(const struct copy *c, struct cached_plan **ret)
{
    struct statement st = {.ast = insert_ast(c), .param_count = (int)c->column_count};
    type_id *types = ARENA_ARRAY(&c->s->arena, type_id, c->column_count);
    uint32_t count = c->column_count;
    enum status result;
    for (uint32_t i = 0; i < count; i++) types[i] = c->columns[i].type;
    if (c->ast->where && c->statement->param_count > 0)
        return FAIL(UNDEFINED_PARAMETER, "there is no parameter $1");
    *ret = session__plan(c->s, &st, c->text, types, &count, false, &result);
    return result;
}

/* --- running -------------------------------------------------------------------------------- */

/* The executor sees batches; how many rows it did tells which line an error of its own is about.
 * As in PostgreSQL, which fills its indexes a batch later than it checks rows, a duplicate key does
 * not come before a bad line, and shows no text; what is checked after the last line is about none. */
static enum status add_where(struct copy_in *in, const struct exec_result *done,
                             enum status result)
{
    const struct error *e = error_current();
    if (e->code != result || e->where[0] != '\0' || done->at_end) return result;
    if (result == UNIQUE_VIOLATION && in->late) return raise_late(in);
    uint64_t row = done->rows_read - in->rows_before;
    if (done->place) {
        in->line = done->place;
    } else if (row < in->batch.rows) {
        in->line = in->lines[row].number;
        in->line_text = in->lines[row].text;
    }
    if (result == UNIQUE_VIOLATION) in->line_text = (struct slice){0};
    return copy__where(in, NULL, (struct slice){0});
}

static enum status begin_format(struct copy_in *in)
{
    const struct copy_options *o = &in->c->o;
    switch (o->format) {
    case COPY_TEXT:
        in->read_row = copy__read_text_row;
        return o->header == COPY_HEADER_NONE ? OK : copy__read_text_header(in);
    case COPY_CSV:
        in->read_row = copy__read_csv_row;
        return o->header == COPY_HEADER_NONE ? OK : copy__read_csv_header(in);
    case COPY_BINARY:
        in->read_row = copy__read_binary_row;
        return copy__read_binary_header(in);
    case COPY_JSON:
        in->read_row = copy__read_json_row;
        return copy__begin_json_in(in), OK;
    case COPY_PARQUET: return copy__begin_parquet_in(in);
    }
    UNREACHABLE();
}

static enum status load(struct copy_in *in, const struct plan *p, uint64_t *ret_rows)
{
    struct session *s = in->c->s;
    const struct result_sink *sink = in->c->sink;
    struct exec_result done = {0};
    TRY(open_file(in));
    TRY(make_room(in, 1)); /* so that a reader of nothing has an address to begin from */
    if (!in->file)
        TRY(sink->copy_in(sink->ctx, copy__is_binary(&in->c->o), in->c->column_count));
    TRY(begin_format(in));
    const struct exec_stream stream = {in->parquet ? copy__next_parquet : next_batch, line_of, in};
    enum status result = exec_insert_stream(p, s->txn, &s->exec, &s->arena, &stream, &done);
    if (result != OK) return add_where(in, &done, result);
    TRY(copy__finish(in));
    TRY(copy__insert_rejects(in));
    *ret_rows = done.rows_processed;
    return copy__tell_rejects(in);
}

static enum status load_in_statement(struct copy *c, const struct plan *p, uint64_t *ret_rows)
{
    struct copy_in in = {.c = c};
    struct arena *a = &c->s->arena;
    type_id *types = ARENA_ARRAY(a, type_id, c->column_count);
    for (uint32_t i = 0; i < c->column_count; i++) types[i] = c->columns[i].type;
    batch_init(&in.batch, (uint16_t)c->column_count, types, a);
    in.lines = ARENA_ARRAY(a, struct copy_line, BATCH_ROWS);
    in.fields = ARENA_ARRAY(a, struct slice, c->column_count + 1);
    strbuf_init(&in.scratch, NULL);
    arena_init(&in.values, MEM_QUERY);
    enum status result = copy__begin_rejects(&in);
    if (result == OK) {
        txn_statement_begin(c->s->txn);
        c->s->txn_began_statement = true;
        result = load(&in, p, ret_rows);
        txn_statement_end(c->s->txn);
    }
    copy__release_rejects(&in);
    copy__end_parquet_in(&in);
    if (in.file) file_close(in.file);
    arena_release(&in.values);
    strbuf_release(&in.scratch);
    mem_free(MEM_QUERY, in.data);
    return result;
}

enum status copy__in(struct copy *c, char tag[64])
{
    struct cached_plan *p;
    uint64_t rows = 0;
    TRY(make_plan(c, &p));
    enum status result = session__lock_plan(c->s, p);
    if (result == OK) result = load_in_statement(c, p->plan, &rows);
    cached_plan_unref(p);
    if (result != OK) return result;
    char *text = arena_printf(&c->s->arena, "COPY %llu", (unsigned long long)rows);
    memcpy(tag, text, strlen(text) + 1);
    return OK;
}
