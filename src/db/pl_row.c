/* Composite values and records: a record variable as a value, a value's fields in a record, and what a
 * function that gives rows is worth where a value is wanted. */
#include "db/pl_priv.h"

#include "sql/type_name.h"
#include "types/record.h"

/* Names of the catalog for a row type; else those that are told, else f1, f2 … */
enum status pl__open_row(struct pl_run *r, const struct datum *d, const char *const *names,
                         struct arena *a, struct pl_row *ret)
{
    struct record_view v;
    struct row_columns of = {0};
    TRY(record_open(&d->v.bytes, a, &v));
    uint32_t known = type_row_columns(r->s->catalog, v.type, a, &of);
    const char **made = ARENA_ARRAY(a, const char *, v.count + 1);
    int32_t *typmods = ARENA_ARRAY(a, int32_t, v.count + 1);
    for (uint32_t i = 0; i < v.count; i++) {
        typmods[i] = i < known ? of.typmods[i] : -1;
        made[i] = i < known ? of.names[i]
                  : names   ? arena_strdup(a, names[i])
                            : arena_printf(a, "f%u", i + 1);
    }
    ret->type = v.type;
    ret->columns = (struct pl_columns){v.count, made, v.types, typmods};
    ret->values = v.fields;
    return OK;
}

enum status pl__variable(struct pl_run *r, uint32_t var, struct arena *a, struct datum *ret)
{
    *ret = r->vars[var];
    if (!r->code->tree || !r->code->types[var].is_record) return OK;
    const struct pl_record *rec = &r->records[var];
    *ret = (struct datum){.null = rec->is_null || !rec->shape};
    if (ret->null) return OK;
    return record_make(a, rec->type, rec->types, rec->values, rec->count, &ret->v.bytes);
}

/* Its own columns, when a relation's are wanted, are converted by position. */
enum status pl__assign_composite(struct pl_run *r, uint32_t var, const struct datum *d, type_id type)
{
    struct pl_record *rec = &r->records[var];
    struct pl_row row;
    if (d->null) {
        pl__record_null(rec);
        return OK;
    }
    struct datum value = *d;
    if (!type_is_composite(type) && !r->code->types[var].table)
        return FAIL(DATATYPE_MISMATCH, "cannot assign non-composite value to a record variable");
    if (!type_is_composite(type))
        TRY(pl__cast(r->s, &value, type, -1, r->code->types[var].type, -1, &r->temp));
    TRY(pl__open_row(r, &value, r->value_names, &r->temp, &row));
    if (r->code->types[var].table) {
        const struct pl_target to = {.var = var};
        const struct pl_targets one = {.items = (struct pl_target *)(uintptr_t)&to, .count = 1};
        return pl__assign_row(r, &one, &row.columns, row.values);
    }
    pl__record_shape(rec, row.type, row.columns.count, row.columns.names, row.columns.types,
                     row.columns.typmods);
    pl__record_store(rec, row.values);
    return OK;
}

/* What RETURN with a composite expression gives: a record of nobody's, as long as the run. */
enum status pl__row_result(struct pl_run *r, const struct datum *d, type_id type,
                           struct pl_record **ret)
{
    struct pl_row row;
    *ret = NULL;
    if (d->null) return OK;
    if (!type_is_composite(type))
        return FAIL(DATATYPE_MISMATCH,
                    "cannot return non-composite value from function returning composite type");
    const struct datum kept = datum_copy(&r->keep, type, *d);
    TRY(pl__open_row(r, &kept, r->value_names, &r->keep, &row));
    struct pl_record *rec = ARENA_NEW(&r->keep, struct pl_record);
    rec->shape = 1;
    rec->type = row.type;
    rec->count = row.columns.count;
    rec->names = row.columns.names;
    rec->types = row.columns.types;
    rec->typmods = row.columns.typmods;
    rec->values = (struct datum *)(uintptr_t)row.values; /* only read */
    *ret = rec;
    return OK;
}

/* --- functions that give rows, as values ------------------------------------------------------ */

struct composing {
    struct pl_run *run;
    struct arena *arena;
    type_id type;
    struct datum *out;
};

static enum status compose(void *ctx, const struct datum *row)
{
    struct composing *c = ctx;
    c->out->null = c->run->null_row;
    if (c->out->null) return OK;
    return record_make(c->arena, c->type, c->run->types, row, c->run->type_count,
                       &c->out->v.bytes);
}

/* The columns of what it gives; none: it does not say. */
static void describe(struct pl_run *r, const struct function_def *f)
{
    struct function_column *c = ARENA_ARRAY(&r->keep, struct function_column, TABLE_COLUMNS_MAX);
    r->type_count = catalog_function_columns(r->s->catalog, f, c, TABLE_COLUMNS_MAX);
    type_id *types = ARENA_ARRAY(&r->keep, type_id, r->type_count + 1);
    for (uint32_t i = 0; i < r->type_count; i++) types[i] = c[i].type;
    r->types = types;
    r->any_row = r->type_count == 0;
}

enum status pl__row_value(struct pl_run *r, const struct function_def *f, struct arena *a,
                          struct datum *ret)
{
    struct composing c = {r, a, f->result_table ? type_row(f->result_table) : (type_id)TYPE_RECORD,
                          ret};
    *ret = (struct datum){.null = true};
    describe(r, f);
    r->emit = compose;
    r->emit_ctx = &c;
    TRY(pl__run_code(r));
    if (r->code->language == 's') return OK;
    struct pl_record *row = pl__returned_row(r);
    if (!row && !(r->code->out_count && !r->code->result.table)) return OK;
    if (!r->any_row) return pl__give_row(r);
    r->types = row->types;
    r->type_count = row->count;
    return compose(&c, row->values);
}
