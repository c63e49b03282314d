/* COPY TO: a query, or SELECT columns FROM the table, runs as any other; a sink of our own
 * turns its rows into bytes. For the client each row is a message of its own, for a file they
 * are gathered. */
#include "db/copy_priv.h"

#include "db/plan_cache.h"

/* --- output --------------------------------------------------------------------------------- */

enum status copy__push(struct copy_out *out)
{
    const struct result_sink *sink = out->c->sink;
    if (out->row.len == 0) return OK;
    if (out->file) {
        TRY(file_write(out->file, out->row.data, out->row.len, out->file_pos));
        out->file_pos += out->row.len;
    } else {
        TRY(sink->copy_write(sink->ctx, strbuf_slice(&out->row)));
    }
    strbuf_clear(&out->row);
    return OK;
}

static enum status take_row(void *ctx, const struct datum *values, uint32_t count)
{
    struct copy_out *out = ctx;
    ASSERT(count == out->c->column_count);
    TRY(out->write_row(out, values));
    out->rows++;
    if (out->file && out->row.len < COPY_PIECE_BYTES) return OK;
    return copy__push(out);
}

static enum status take_batch(void *ctx, const struct batch *b)
{
    struct copy_out *out = ctx;
    uint32_t count = out->c->column_count;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t row = b->sel ? b->sel[i] : i;
        for (uint32_t k = 0; k < count; k++) out->values[k] = vec_get(&b->columns[k], row);
        TRY(take_row(out, out->values, count));
    }
    return OK;
}

/* The gateway has nothing to describe: CopyOutResponse has told all. */
static enum status take_columns(void *ctx, const struct result_column *columns, uint32_t count)
{
    (void)ctx, (void)columns, (void)count;
    return OK;
}

/* --- the plan ------------------------------------------------------------------------------- */

static struct ast *select_ast(const struct copy *c)
{
    struct arena *a = &c->s->arena;
    struct ast_select *select = COPY_AST(a, ast_select, AST_SELECT);
    struct ast_range_var *table = COPY_AST(a, ast_range_var, AST_RANGE_VAR);
    table->schema = c->schema;
    table->name = c->table->name;
    table->only = true;
    table->persistence = c->table->persistence;
    select->from = (struct ast_list){ARENA_ARRAY(a, struct ast *, 1), 1};
    select->from.items[0] = &table->node;
    select->targets.count = c->column_count;
    select->targets.items = ARENA_ARRAY(a, struct ast *, c->column_count);
    for (uint32_t i = 0; i < c->column_count; i++) {
        struct ast_target *target = COPY_AST(a, ast_target, AST_TARGET);
        struct ast_column_ref *column = COPY_AST(a, ast_column_ref, AST_COLUMN_REF);
        column->names = (struct name_list){ARENA_ARRAY(a, const char *, 1), 1};
        column->names.items[0] = c->columns[i].name;
        target->value = &column->node;
        select->targets.items[i] = &target->node;
    }
    return &select->node;
}

static enum status make_plan(struct copy *c, struct cached_plan **ret)
{
    struct statement st = *c->statement;
    type_id none = TYPE_NONE;
    uint32_t param_count = 0;
    enum status result;
    st.ast = c->table ? select_ast(c) : c->ast->query;
    st.param_count = 0;
    *ret = session__plan(c->s, &st, c->table ? SLICE("") : c->text, &none, &param_count, false,
                         &result);
    return result;
}

/* Columns of a query are known once it is planned. */
static enum status name_columns(struct copy *c, const struct plan *p)
{
    if (c->table) return OK;
    c->columns = ARENA_ARRAY(&c->s->arena, struct copy_column, p->output_count + 1);
    c->column_count = p->output_count;
    for (uint32_t i = 0; i < p->output_count; i++)
        c->columns[i] = (struct copy_column){
            .name = p->output[i].name, .type = p->output[i].type, .typmod = p->output[i].typmod};
    return copy__force_columns(c);
}

/* --- running -------------------------------------------------------------------------------- */

static void begin_format(struct copy_out *out)
{
    switch (out->c->o.format) {
    case COPY_TEXT:
        out->write_row = copy__write_text_row;
        copy__begin_text(out);
        break;
    case COPY_CSV:
        out->write_row = copy__write_csv_row;
        copy__begin_csv(out);
        break;
    case COPY_BINARY:
        out->write_row = copy__write_binary_row;
        copy__begin_binary(out);
        break;
    case COPY_JSON:
        out->write_row = copy__write_json_row;
        copy__begin_json(out);
        break;
    case COPY_PARQUET:
        out->write_row = copy__write_parquet_row;
        copy__begin_parquet(out);
        break;
    }
}

static enum status unload(struct copy_out *out, struct cached_plan *p)
{
    struct copy *c = out->c;
    const struct result_sink *sink = c->sink;
    struct result_sink ours = *sink;
    struct exec_params none = {0};
    struct run_options o = {.params = &none};
    char ignored[64];
    if (c->ast->filename) TRY(copy__open_file(c, &out->file));
    if (!out->file)
        TRY(sink->copy_out(sink->ctx, copy__is_binary(&c->o), c->column_count));
    begin_format(out);
    if (!out->file) TRY(copy__push(out));
    ours.columns = take_columns;
    ours.rows = take_batch;
    ours.row = take_row;
    ours.notice = NULL; /* its context would be ours */
    ours.parameter = NULL;
    ours.ctx = out;
    TRY(session__run_plan(c->s, p, &o, &ours, ignored));
    if (c->o.format == COPY_BINARY) copy__end_binary(out);
    if (out->parquet) TRY(copy__end_parquet(out));
    TRY(copy__push(out));
    return out->file ? OK : sink->copy_done(sink->ctx);
}

enum status copy__out(struct copy *c, char tag[64])
{
    struct cached_plan *p;
    struct copy_out out = {.c = c};
    TRY(make_plan(c, &p));
    enum status result = name_columns(c, p->plan);
    if (result == OK) {
        out.values = ARENA_ARRAY(&c->s->arena, struct datum, c->column_count);
        strbuf_init(&out.row, NULL);
        strbuf_init(&out.scratch, NULL);
        result = unload(&out, p);
        copy__free_parquet(&out);
        if (out.file) file_close(out.file);
        strbuf_release(&out.row);
        strbuf_release(&out.scratch);
    }
    cached_plan_unref(p);
    if (result != OK) return result;
    char *text = arena_printf(&c->s->arena, "COPY %llu", (unsigned long long)out.rows);
    memcpy(tag, text, strlen(text) + 1);
    return OK;
}
