/* pg_statistic and pg_stats: what ANALYZE keeps of columns, in PostgreSQL's shape. Lists of values are
 * text arrays here, since there is no array of any type. */
#include "db/ddl_priv.h"
#include "db/system_priv.h"

enum { KIND_MCV = 1, KIND_HISTOGRAM = 2, KIND_CORRELATION = 3, SLOTS = 5 };

static struct sys_cell fractions(struct sys_scan *x, const double *v, uint32_t n)
{
    struct datum *d = ARENA_ARRAY(x->arena, struct datum, n);
    for (uint32_t i = 0; i < n; i++) d[i].v.f32 = (float)v[i];
    return V(array_make(x->arena, TYPE_FLOAT4, d, n));
}

static struct sys_cell texts(struct sys_scan *x, type_id type, const union value *v, uint32_t n)
{
    struct datum *d = ARENA_ARRAY(x->arena, struct datum, n);
    struct strbuf b;
    strbuf_init(&b, NULL);
    for (uint32_t i = 0; i < n; i++) {
        b.len = 0;
        value_to_text(type, &v[i], &x->s->settings.format, &b);
        d[i].v.bytes = bytes_copy(x->arena, b.data, (uint32_t)b.len);
    }
    strbuf_release(&b);
    return V(array_make(x->arena, TYPE_TEXT, d, n));
}

/* Columns of tables with statistics. */
struct walk {
    size_t pos;
    const struct table_def *table;
    uint16_t column;
};

static const struct column_def *next_column(struct sys_scan *x, struct walk *w)
{
    for (;;) {
        while (w->table && w->column < w->table->column_count) {
            const struct column_def *c = &w->table->columns[w->column++];
            if (!c->dropped && c->statistics) return c;
        }
        w->column = 0;
        if (!sys_next_table(x, &w->pos, &w->table)) return NULL;
    }
}

/* As PostgreSQL's view: only of what the user may read. */
static bool may_read(const struct sys_scan *x, const struct table_def *t)
{
    const struct role_def *r = catalog_role_by_oid(x->catalog, x->s->user_oid);
    return x->s->superuser || t->owner == x->s->user_oid ||
           (r && t->acl && ddl__acl_allows(t->acl, r->name, 'r'));
}

enum status sys_pg_stats(struct sys_scan *x)
{
    struct walk w = {0};
    const struct column_def *c;
    while ((c = next_column(x, &w))) {
        const struct column_statistics *s = c->statistics;
        if (!may_read(x, w.table)) continue;
        bool mcv = s->mcv_count > 0, histogram = s->histogram_count > 0;
        TRY(SYS_EMIT(x, T(sys_schema_name(x, w.table->schema)), T(w.table->name), T(c->name), I(0),
                     R(s->null_fraction), I(s->width), R(s->distinct),
                     mcv ? texts(x, c->type, s->mcv, s->mcv_count) : N,
                     mcv ? fractions(x, s->mcv_fraction, s->mcv_count) : N,
                     histogram ? texts(x, c->type, s->histogram, s->histogram_count) : N,
                     s->has_correlation ? R(s->correlation) : N, N, N, N));
    }
    return OK;
}

static oid_t operator_oid(const char *name, type_id type)
{
    const struct operator_def *o = operator_exact(name, type, type);
    return o ? o->oid : 0;
}

enum status sys_pg_statistic(struct sys_scan *x)
{
    struct walk w = {0};
    const struct column_def *c;
    if (!x->s->superuser) return OK;
    while ((c = next_column(x, &w))) {
        const struct column_statistics *s = c->statistics;
        struct sys_cell cells[6 + 5 * SLOTS] = {I(w.table->oid), I(c->number), I(0),
                                                R(s->null_fraction), I(s->width), R(s->distinct)};
        struct sys_cell *kind = cells + 6, *op = kind + SLOTS, *collation = op + SLOTS;
        struct sys_cell *numbers = collation + SLOTS, *values = numbers + SLOTS;
        uint32_t n = 0;
        for (uint32_t i = 0; i < SLOTS; i++) {
            kind[i] = op[i] = collation[i] = I(0);
            numbers[i] = values[i] = N;
        }
        if (s->mcv_count) {
            kind[n] = I(KIND_MCV);
            op[n] = I(operator_oid("=", c->type));
            numbers[n] = fractions(x, s->mcv_fraction, s->mcv_count);
            values[n++] = texts(x, c->type, s->mcv, s->mcv_count);
        }
        if (s->histogram_count) {
            kind[n] = I(KIND_HISTOGRAM);
            op[n] = I(operator_oid("<", c->type));
            values[n++] = texts(x, c->type, s->histogram, s->histogram_count);
        }
        if (s->has_correlation) {
            kind[n] = I(KIND_CORRELATION);
            op[n] = I(operator_oid("<", c->type));
            numbers[n++] = fractions(x, &s->correlation, 1);
        }
        for (uint32_t i = 0; i < n; i++) collation[i] = I(sys_collation(c->type));
        TRY(sys_emit_cells(x, cells, sizeof cells / sizeof cells[0]));
    }
    return OK;
}
