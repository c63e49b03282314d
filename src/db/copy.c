/* COPY: which relation, which columns, which way. Options are read in copy_options.c; the rows go
 * through copy_in.c or copy_out.c. */
#include "db/copy_priv.h"
#include "db/rights.h"

/* --- the relation --------------------------------------------------------------------------- */

static enum status refuse_relation(const struct table_def *t, bool from)
{
    if (t->kind == 'S' && from)
        return FAIL(WRONG_OBJECT_TYPE, "cannot copy to sequence \"%s\"", t->name);
    if (t->kind == 'S')
        return FAIL(WRONG_OBJECT_TYPE, "cannot copy from sequence \"%s\"", t->name);
    if (t->kind == 'm' && from)
        return FAIL(WRONG_OBJECT_TYPE, "cannot copy to materialized view \"%s\"", t->name);
    if (t->kind == 'v' && from)
        return FAIL(WRONG_OBJECT_TYPE, "cannot copy to view \"%s\"", t->name),
               error_hint("To enable copying to a view, provide an INSTEAD OF INSERT trigger.");
    if (t->kind == 'v')
        return FAIL(WRONG_OBJECT_TYPE, "cannot copy from view \"%s\"", t->name),
               error_hint("Try the COPY (SELECT ...) TO variant.");
    if (t->kind == 'c')
        return FAIL(WRONG_OBJECT_TYPE, "cannot copy %s non-table relation \"%s\"",
                    from ? "to" : "from", t->name);
    if (t->virtual_id >= 0 && from)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied: \"%s\" is a system catalog",
                    t->name);
    return OK;
}

static enum status find_table(struct copy *c)
{
    const struct ast_range_var *v = c->ast->table;
    struct session *s = c->s;
    const struct table_def *t = catalog_lookup(s->catalog, session__path(s), v->schema, v->name);
    if (!t && v->schema && !catalog_schema(s->catalog, s->database_oid, slice_of(v->schema)))
        return FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", v->schema);
    if (!t && v->schema)
        return FAIL(UNDEFINED_TABLE, "relation \"%s.%s\" does not exist", v->schema, v->name);
    if (!t) return FAIL(UNDEFINED_TABLE, "relation \"%s\" does not exist", v->name);
    const struct schema_def *schema = catalog_schema_by_oid(s->catalog, t->schema);
    ASSERT(schema);
    c->table = t;
    c->schema = schema->name;
    if (v->schema && !rights_schema(s, schema))
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", schema->name);
    return rights_check_table(s, t, c->ast->from ? "a" : "r");
}

static void add_column(struct copy *c, const struct column_def *d)
{
    c->columns[c->column_count++] =
        (struct copy_column){.name = d->name, .type = d->type, .typmod = d->typmod};
}

static enum status list_columns(struct copy *c)
{
    const struct table_def *t = c->table;
    const struct name_list *names = &c->ast->columns;
    uint32_t max = names->count > t->column_count ? names->count : t->column_count;
    c->columns = ARENA_ARRAY(&c->s->arena, struct copy_column, max + 1);
    for (uint32_t i = 0; names->count == 0 && i < t->column_count; i++)
        if (!t->columns[i].dropped && !t->columns[i].generated) add_column(c, &t->columns[i]);
    for (uint32_t i = 0; i < names->count; i++) {
        const struct column_def *d = table_column(t, slice_of(names->items[i]));
        if (!d)
            return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist",
                        names->items[i], t->name);
        if (d->generated)
            return FAIL(INVALID_COLUMN_REFERENCE, "column \"%s\" is a generated column", d->name),
                   error_detail("Generated columns cannot be used in COPY.");
        for (uint32_t k = 0; k < c->column_count; k++)
            if (strcmp(c->columns[k].name, d->name) == 0)
                return FAIL(DUPLICATE_COLUMN, "column \"%s\" specified more than once", d->name);
        add_column(c, d);
    }
    return OK;
}

/* --- where to and from ---------------------------------------------------------------------- */

static enum status check_place(const struct copy *c)
{
    const struct ast_copy *a = c->ast;
    if (a->program)
        return UNSUPPORTED("COPY %s PROGRAM is not supported",
                    a->from ? "FROM" : "TO"),
               error_hint("Use COPY with STDIN or STDOUT and a pipe.");
    return a->filename ? copy__check_file(c) : OK;
}

static enum status check_query(const struct ast *q)
{
    if (q->kind == AST_SELECT && AST(q, ast_select)->into)
        return UNSUPPORTED("COPY (SELECT INTO) is not supported");
    if (q->kind == AST_SELECT) return OK;
    const struct ast_list *returning = q->kind == AST_INSERT   ? &AST(q, ast_insert)->returning
                                       : q->kind == AST_UPDATE ? &AST(q, ast_update)->returning
                                       : q->kind == AST_DELETE ? &AST(q, ast_delete)->returning
                                                               : NULL;
    if (!returning)
        return UNSUPPORTED("COPY of this statement is not supported");
    if (returning->count == 0)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause");
    return OK;
}

static enum status check_sink(const struct copy *c)
{
    if (c->ast->filename) return OK;
    bool able = c->ast->from ? c->sink->copy_in && c->sink->copy_read
                             : c->sink->copy_out && c->sink->copy_write && c->sink->copy_done;
    if (!able)
        return UNSUPPORTED("COPY %s is not supported here",
                    c->ast->from ? "FROM STDIN" : "TO STDOUT");
    return OK;
}

static enum status prepare_table(struct copy *c)
{
    TRY(find_table(c));
    TRY(copy__options(c->ast, c->text, &c->o));
    if (c->ast->from && session__is_read_only(c->s) && c->table->persistence != 't')
        return FAIL(READ_ONLY_SQL_TRANSACTION,
                    "cannot execute COPY FROM in a read-only transaction");
    TRY(list_columns(c));
    TRY(copy__force_columns(c));
    TRY(refuse_relation(c->table, c->ast->from));
    return OK;
}

enum status copy_execute(struct session *s, const struct ast_copy *c, const struct statement *st,
                         struct slice text, const struct result_sink *sink, char tag[64])
{
    struct copy copy = {.s = s, .sink = sink, .ast = c, .statement = st, .text = text};
    TRY(check_place(&copy));
    TRY(check_sink(&copy));
    if (c->query) {
        TRY(copy__options(c, text, &copy.o));
        TRY(check_query(c->query));
    } else {
        TRY(prepare_table(&copy));
    }
    return c->from ? copy__in(&copy, tag) : copy__out(&copy, tag);
}
