/* information_schema: schemas, tables, columns, views, sequences and routines, with the values that
 * PostgreSQL's views of those names compute. Constraints and privileges have their own file,
 * information_constraint.c. */
#include "db/information_priv.h"
#include "types/record.h"

enum {
    CHARACTER_BYTES_MAX = 4,       /* of one character in UTF-8 */
    OCTETS_UNLIMITED = 1073741824, /* what PostgreSQL tells of text */
    TYPMOD_HEADER = 4,
};

/* --- schemas, tables, views ------------------------------------------------------------------ */

enum status sys_is_catalog_name(struct sys_scan *x)
{
    return SYS_EMIT(x, DB(x));
}

enum status sys_is_schemata(struct sys_scan *x)
{
    size_t pos = 0;
    const struct schema_def *d;
    while (sys_next_schema(x, &pos, &d))
        TRY(SYS_EMIT(x, DB(x), T(d->name), T(sys_role_name(x, d->owner, x->arena)), N, N, N, N));
    return OK;
}

enum status sys_is_tables(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        bool table = t->kind == 'r', temporary = t->persistence == 't';
        if (t->kind == 'S' || t->kind == 'c' || t->kind == 'm') continue;
        TRY(SYS_EMIT(x, DB(x), T(sys_schema_name(x, t->schema)), T(t->name),
                     T(temporary ? "LOCAL TEMPORARY" : table ? "BASE TABLE" : "VIEW"), N, N, N, N,
                     N, YES_NO(table || (sys_updatable(x->s, t, 0, false, x->arena) & 8)), T("NO"), N));
    }
    return OK;
}

enum status sys_is_views(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        const char *definition = NULL;
        if (t->kind != 'v') continue;
        TRY(sys_view_definition(x->s, t->oid, false, x->arena, &definition));
        int events = sys_updatable(x->s, t, 0, false, x->arena), by = sys_trigger_updatable(t);
        TRY(SYS_EMIT(x, DB(x), T(sys_schema_name(x, t->schema)), T(t->name), T(definition),
                     T(sys_check_option(t)), YES_NO((events & 20) == 20), YES_NO(events & 8),
                     YES_NO(by & 4), YES_NO(by & 16), YES_NO(by & 8)));
    }
    return OK;
}

enum status sys_is_character_sets(struct sys_scan *x)
{
    return SYS_EMIT(x, N, N, T("UTF8"), T("UCS"), T("UTF8"), DB(x), T("pg_catalog"), T("default"));
}

/* --- types of columns ------------------------------------------------------------------------ */

static struct sys_cell data_type(struct sys_scan *x, type_id type)
{
    struct strbuf b;
    if (type_is_array(type) && type != TYPE_INT2VECTOR && type != TYPE_OIDVECTOR) return T("ARRAY");
    if (type_is_row(type)) return T("USER-DEFINED");
    strbuf_init(&b, x->arena);
    session__type_name(x->s, type, -1, &b);
    return T(b.data);
}

static struct sys_cell character_length(type_id type, int32_t typmod)
{
    if (typmod >= 0 && (type == TYPE_BIT || type == TYPE_VARBIT)) return I(typmod);
    if ((type != TYPE_BPCHAR && type != TYPE_VARCHAR) || typmod < 0) return N;
    return I(typmod - TYPMOD_HEADER);
}

static struct sys_cell octet_length(type_id type, int32_t typmod)
{
    if (type != TYPE_TEXT && type != TYPE_BPCHAR && type != TYPE_VARCHAR) return N;
    if (typmod < 0) return I(OCTETS_UNLIMITED);
    return I((typmod - TYPMOD_HEADER) * CHARACTER_BYTES_MAX);
}

static struct sys_cell numeric_precision(type_id type, int32_t typmod)
{
    switch (type) {
    case TYPE_INT2: return I(16);
    case TYPE_INT4: return I(32);
    case TYPE_INT8: return I(64);
    case TYPE_FLOAT4: return I(24);
    case TYPE_FLOAT8: return I(53);
    case TYPE_NUMERIC: return typmod < 0 ? N : I((typmod - TYPMOD_HEADER) >> 16 & 0xffff);
    default: return N;
    }
}

static struct sys_cell numeric_radix(type_id type)
{
    struct sys_cell p = numeric_precision(type, -1);
    return type == TYPE_NUMERIC ? I(10) : p.kind == SYS_NULL ? N : I(2);
}

static struct sys_cell numeric_scale(type_id type, int32_t typmod)
{
    if (type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8) return I(0);
    return type == TYPE_NUMERIC && typmod >= 0 ? I((typmod - TYPMOD_HEADER) & 0xffff) : N;
}

static struct sys_cell datetime_precision(type_id type, int32_t typmod)
{
    switch (type) {
    case TYPE_DATE: return I(0);
    case TYPE_TIME:
    case TYPE_TIMETZ:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return I(typmod < 0 ? 6 : typmod);
    case TYPE_INTERVAL:
        return I(typmod < 0 || (typmod & 0xffff) == 0xffff ? 6 : typmod & 0xffff);
    default: return N;
    }
}

/* The fields of "interval day to second(3)", in capitals; NULL when it has all. */
static struct sys_cell interval_type(struct sys_scan *x, type_id type, int32_t typmod)
{
    struct strbuf b;
    if (type != TYPE_INTERVAL) return N;
    strbuf_init(&b, x->arena);
    session__type_name(x->s, type, typmod, &b);
    char *space = strchr(b.data, ' ');
    if (!space) return N;
    for (char *p = space; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
    return T(space + 1);
}

/* --- columns --------------------------------------------------------------------------------- */

/* The sequence of an identity column, NULL. */
static const struct sequence_def *identity_of(struct sys_scan *x, const struct table_def *t,
                                              const struct column_def *c)
{
    size_t pos = 0;
    const struct table_def *q;
    if (!c->identity) return NULL;
    while (sys_next_table(x, &pos, &q))
        if (q->sequence && q->sequence->owner_table == t->oid &&
            q->sequence->owner_column == c->number && q->sequence->owner_kind == 'i')
            return q->sequence;
    return NULL;
}

static struct sys_cell number_text(struct sys_scan *x, int64_t n)
{
    return T(arena_printf(x->arena, "%lld", (long long)n));
}

static enum status emit_column(struct sys_scan *x, const struct table_def *t,
                               const struct column_def *c)
{
    const char *sql = NULL;
    if (c->default_sql) TRY(sys_expression(x->s, t->oid, c->default_sql, x->arena, &sql));
    const struct sequence_def *q = identity_of(x, t, c);
    const struct type_info *type = type_get(c->type);
    bool own_collation = c->type == TYPE_NAME;
    struct sys_cell null = N;
    return SYS_EMIT(
        x, DB(x), T(sys_schema_name(x, t->schema)), T(t->name), T(c->name), I(c->number),
        T(c->generated ? NULL : sql), YES_NO(!c->not_null), data_type(x, c->type),
        character_length(c->type, c->typmod), octet_length(c->type, c->typmod),
        numeric_precision(c->type, c->typmod), numeric_radix(c->type),
        numeric_scale(c->type, c->typmod), datetime_precision(c->type, c->typmod),
        interval_type(x, c->type, c->typmod), N, N, N, N, own_collation ? DB(x) : null,
        T(own_collation ? "pg_catalog" : NULL), T(own_collation ? "C" : NULL), N, N, N, DB(x),
        T("pg_catalog"), T(type ? type->name : NULL), N, N, N, N, number_text(x, c->number),
        T("NO"), YES_NO(c->identity != 0),
        T(!c->identity ? NULL : c->identity == 'a' ? "ALWAYS" : "BY DEFAULT"),
        q ? number_text(x, q->start) : null, q ? number_text(x, q->increment) : null,
        q ? number_text(x, q->max) : null, q ? number_text(x, q->min) : null,
        YES_NO(q && q->cycle), T(c->generated ? "ALWAYS" : "NEVER"),
        T(c->generated ? sql : NULL),
        YES_NO(t->kind == 'r' || (sys_updatable(x->s, t, c->number, false, x->arena) & 20) == 20));
}

enum status sys_is_columns(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        if (t->kind == 'S' || t->kind == 'c' || t->kind == 'm') continue;
        for (uint16_t i = 0; i < t->column_count; i++)
            if (!t->columns[i].dropped) TRY(emit_column(x, t, &t->columns[i]));
    }
    return OK;
}

/* --- sequences ------------------------------------------------------------------------------- */

enum status sys_is_sequences(struct sys_scan *x)
{
    size_t pos = 0;
    const struct table_def *t;
    while (sys_next_table(x, &pos, &t)) {
        const struct sequence_def *q = t->sequence;
        if (!q || (q->owner_table && q->owner_kind == 'i')) continue;
        TRY(SYS_EMIT(x, DB(x), T(sys_schema_name(x, t->schema)), T(t->name), data_type(x, q->type),
                     numeric_precision(q->type, -1), I(2), I(0), number_text(x, q->start),
                     number_text(x, q->min), number_text(x, q->max), number_text(x, q->increment),
                     YES_NO(q->cycle)));
    }
    return OK;
}

/* --- routines -------------------------------------------------------------------------------- */

static void set(struct sys_scan *x, struct sys_cell *cells, const char *column,
                struct sys_cell value)
{
    const struct column_def *c = table_column(x->table, slice_of(column));
    if (c) cells[c->number - 1] = value;
}

static enum status emit_routine(struct sys_scan *x, const struct proc_def *p)
{
    uint32_t n = x->table->column_count;
    struct sys_cell *cells = ARENA_ARRAY(x->arena, struct sys_cell, n); /* all NULL */
    const struct type_info *result = type_get(p->result);
    set(x, cells, "specific_catalog", DB(x));
    set(x, cells, "specific_schema", T("pg_catalog"));
    set(x, cells, "specific_name", T(arena_printf(x->arena, "%s_%u", p->name, p->oid)));
    set(x, cells, "routine_catalog", DB(x));
    set(x, cells, "routine_schema", T("pg_catalog"));
    set(x, cells, "routine_name", T(p->name));
    if (p->kind == 'f') set(x, cells, "routine_type", T("FUNCTION"));
    set(x, cells, "data_type", data_type(x, p->result));
    set(x, cells, "type_udt_catalog", DB(x));
    set(x, cells, "type_udt_schema", T("pg_catalog"));
    set(x, cells, "type_udt_name", T(result ? result->name : NULL));
    set(x, cells, "dtd_identifier", T("0"));
    set(x, cells, "routine_body", T("EXTERNAL"));
    set(x, cells, "external_name", T(p->symbol));
    set(x, cells, "external_language", T("INTERNAL"));
    set(x, cells, "parameter_style", T("GENERAL"));
    set(x, cells, "is_deterministic", YES_NO(p->volatility == IMMUTABLE));
    set(x, cells, "sql_data_access", T("MODIFIES"));
    if (p->kind == 'f') set(x, cells, "is_null_call", YES_NO(p->strict));
    set(x, cells, "schema_level_routine", T("YES"));
    set(x, cells, "max_dynamic_result_sets", I(0));
    set(x, cells, "security_type", T("INVOKER"));
    set(x, cells, "as_locator", T("NO"));
    set(x, cells, "is_udt_dependent", T("NO"));
    return sys_emit_cells(x, cells, n);
}

enum status sys_is_routines(struct sys_scan *x)
{
    for (int i = 0; i < proc_count(); i++) TRY(emit_routine(x, proc_by_id(i)));
    return information__own_routines(x);
}
