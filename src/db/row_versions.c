/* helios_versions('t', key): what became of one row, from the oldest version that is kept on. It asks as anybody
 * may, by VERSIONS BETWEEN over the columns of the primary key; the statement is made here. */
#include "core/txn.h"
#include "db/plan_cache.h"
#include "db/system_priv.h"

enum { ABOUT = 5 }; /* columns that tell of the version; then those of the row */

static enum status check_key(const struct table_def *t, uint32_t keys)
{
    if (!t) return FAIL(UNDEFINED_TABLE, "there is no such table");
    if (t->kind != 'r' || sys_is_system(t))
        return FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a table", t->name);
    if (!t->primary)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "table \"%s\" has no primary key", t->name),
               error_hint("Use SELECT … FROM %s VERSIONS BETWEEN MINVALUE AND MAXVALUE.", t->name);
    if (t->primary->key_count == keys) return OK;
    return FAIL(INVALID_PARAMETER_VALUE, "the primary key of table \"%s\" has %u columns, not %u",
                t->name, t->primary->key_count, keys);
}

static void put_literal(struct strbuf *b, const char *text)
{
    strbuf_adds(b, strchr(text, '\\') ? "E'" : "'");
    for (const char *p = text; *p; p++) {
        if (*p == '\'' || *p == '\\') strbuf_addc(b, *p);
        strbuf_addc(b, *p);
    }
    strbuf_addc(b, '\'');
}

static void make_query(struct session *s, const struct table_def *t, const char *const *keys,
                       struct arena *a, struct strbuf *b)
{
    strbuf_init(b, a);
    strbuf_adds(b, "SELECT versions_operation::text, versions_startscn, versions_starttime,"
                   " versions_endscn, versions_endtime");
    for (uint16_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].dropped) strbuf_addf(b, ", %s", sys_quote(a, t->columns[i].name));
    strbuf_addf(b, " FROM %s VERSIONS BETWEEN MINVALUE AND MAXVALUE WHERE ",
                sys_qualified(s, t->schema, t->name, a));
    for (uint16_t i = 0; i < t->primary->key_count; i++) {
        const struct column_def *c = sys_column(t, t->primary->columns[i].column);
        strbuf_addf(b, "%s%s = ", i ? " AND " : "", sys_quote(a, c->name));
        put_literal(b, keys[i]);
    }
    strbuf_adds(b, " ORDER BY versions_startscn NULLS FIRST, versions_endscn NULLS FIRST");
}

struct kept {
    struct arena *arena;
    const struct format_options *format;
    ARRAY(struct row_version) rows;
};

/* As a value of a record prints. */
static void put_field(struct strbuf *b, const struct strbuf *text)
{
    bool quoted = text->len == 0;
    for (size_t i = 0; i < text->len; i++) quoted |= strchr("(),\"\\ \t\n\r\v\f", text->data[i]) != NULL;
    if (quoted) strbuf_addc(b, '"');
    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] == '"' || text->data[i] == '\\') strbuf_addc(b, text->data[i]);
        strbuf_addc(b, text->data[i]);
    }
    if (quoted) strbuf_addc(b, '"');
}

static struct datum record_text(struct kept *k, const struct batch *batch, uint32_t row)
{
    struct strbuf b, field;
    strbuf_init(&b, k->arena);
    strbuf_init(&field, k->arena);
    for (uint32_t c = ABOUT; c < batch->column_count; c++) {
        struct datum d = vec_get(&batch->columns[c], row);
        strbuf_addc(&b, c == ABOUT ? '(' : ',');
        if (d.null) continue;
        strbuf_clear(&field);
        value_to_text(batch->columns[c].type, &d.v, k->format, &field);
        put_field(&b, &field);
    }
    strbuf_addc(&b, ')');
    return (struct datum){.v.bytes = bytes_ref(b.data, (uint32_t)b.len)};
}

static enum status keep(void *ctx, const struct batch *batch)
{
    struct kept *k = ctx;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct row_version v;
        uint32_t row = batch->sel ? batch->sel[i] : i;
        for (uint32_t c = 0; c < ABOUT; c++)
            v.columns[c] = datum_copy(k->arena, batch->columns[c].type,
                                      vec_get(&batch->columns[c], row));
        v.columns[ABOUT] = record_text(k, batch, row);
        ARENA_PUSH(k->arena, &k->rows, v);
    }
    return OK;
}

enum status session__row_versions(void *ctx, oid_t table, const char *const *keys, uint32_t count,
                                  struct arena *a, const struct row_version **ret, uint32_t *ret_count)
{
    struct session *s = ctx;
    struct strbuf text;
    struct statement *st;
    uint32_t statements, params = 0;
    enum status result;
    const struct table_def *t = catalog_table_by_oid(s->catalog, table);
    TRY(check_key(t, count));
    make_query(s, t, keys, a, &text);
    TRY(sql_parse(a, strbuf_slice(&text), &st, &statements));
    struct cached_plan *p = session__plan(s, st, strbuf_slice(&text), NULL, &params, false, &result);
    if (!p) return result;
    struct kept k = {.arena = a, .format = &s->settings.format};
    struct exec_sink sink = {keep, &k};
    struct exec_params none = {.moments = p->made};
    struct exec_result counted;
    result = session__lock_plan(s, p);
    if (result == OK)
        result = exec_run(cached_plan_plan(p), s->txn, &s->exec, &none, a, &sink, &counted);
    cached_plan_unref(p);
    *ret = k.rows.data;
    *ret_count = (uint32_t)k.rows.count;
    return result;
}
