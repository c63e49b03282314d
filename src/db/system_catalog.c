/* Rows of the system tables: which function makes the rows of which table, and what those functions
 * share. Tables that are not named here are empty: what they tell of does not exist here. */
#include "db/system_priv.h"

static const struct {
    const char *schema, *table; /* schema NULL: pg_catalog */
    sys_rows rows;
} makers[] = {
    {NULL, "pg_class", sys_pg_class},
    {NULL, "pg_index", sys_pg_index},
    {NULL, "pg_attribute", sys_pg_attribute},
    {NULL, "pg_attrdef", sys_pg_attrdef},
    {NULL, "pg_constraint", sys_pg_constraint},
    {NULL, "pg_sequence", sys_pg_sequence},
    {NULL, "pg_sequences", sys_pg_sequences},
    {NULL, "pg_depend", sys_pg_depend},
    {NULL, "pg_description", sys_pg_description},
    {NULL, "pg_shdescription", sys_pg_shdescription},
    {NULL, "pg_rewrite", sys_pg_rewrite},
    {NULL, "pg_type", sys_pg_type},
    {NULL, "pg_proc", sys_pg_proc},
    {NULL, "pg_trigger", sys_pg_trigger},
    {NULL, "pg_aggregate", sys_pg_aggregate},
    {NULL, "pg_operator", sys_pg_operator},
    {NULL, "pg_cast", sys_pg_cast},
    {NULL, "pg_range", sys_pg_range},
    {NULL, "pg_am", sys_pg_am},
    {NULL, "pg_opclass", sys_pg_opclass},
    {NULL, "pg_opfamily", sys_pg_opfamily},
    {NULL, "pg_collation", sys_pg_collation},
    {NULL, "pg_language", sys_pg_language},
    {NULL, "pg_extension", sys_pg_extension},
    {NULL, "pg_available_extensions", sys_pg_available_extensions},
    {NULL, "pg_available_extension_versions", sys_pg_available_extension_versions},
    {NULL, "pg_database", sys_pg_database},
    {NULL, "pg_authid", sys_pg_authid},
    {NULL, "pg_roles", sys_pg_roles},
    {NULL, "pg_user", sys_pg_user},
    {NULL, "pg_shadow", sys_pg_user},
    {NULL, "pg_group", sys_pg_group},
    {NULL, "pg_auth_members", sys_pg_auth_members},
    {NULL, "pg_namespace", sys_pg_namespace},
    {NULL, "pg_tablespace", sys_pg_tablespace},
    {NULL, "pg_settings", sys_pg_settings},
    {NULL, "pg_locks", sys_pg_locks},
    {NULL, "pg_prepared_xacts", sys_pg_prepared_xacts},
    {NULL, "pg_stat_activity", sys_pg_stat_activity},
    {NULL, "pg_stat_archiver", sys_pg_stat_archiver},
    {NULL, "pg_stat_database", sys_pg_stat_database},
    {NULL, "helios_branches", sys_helios_branches},
    {NULL, "helios_merge_conflicts", sys_helios_merge_conflicts},
    {NULL, "helios_history", sys_helios_history},
    {NULL, "helios_gc", sys_helios_gc},
    {NULL, "helios_segments", sys_helios_segments},
    {NULL, "helios_htap", sys_helios_htap},
    {NULL, "helios_storage_advice", sys_helios_storage_advice},
    {NULL, "helios_stat_statements", sys_stat_statements},
    {NULL, "pg_stat_statements", sys_stat_statements},
    {NULL, "helios_stat_statements_info", sys_stat_statements_info},
    {NULL, "pg_stat_statements_info", sys_stat_statements_info},
    {NULL, "pg_stat_all_tables", sys_pg_stat_tables},
    {NULL, "pg_stat_user_tables", sys_pg_stat_tables},
    {NULL, "pg_stat_all_indexes", sys_pg_stat_indexes},
    {NULL, "pg_stat_user_indexes", sys_pg_stat_indexes},
    {NULL, "pg_stat_sys_tables", sys_pg_stat_tables},
    {NULL, "pg_stat_sys_indexes", sys_pg_stat_indexes},
    {NULL, "pg_statio_user_tables", sys_pg_statio_tables},
    {NULL, "pg_statio_all_tables", sys_pg_statio_tables},
    {NULL, "pg_statio_sys_tables", sys_pg_statio_tables},
    {NULL, "pg_statio_all_indexes", sys_pg_statio_indexes},
    {NULL, "pg_statio_user_indexes", sys_pg_statio_indexes},
    {NULL, "pg_statio_sys_indexes", sys_pg_statio_indexes},
    {NULL, "pg_statio_all_sequences", sys_pg_statio_sequences},
    {NULL, "pg_statio_user_sequences", sys_pg_statio_sequences},
    {NULL, "helios_progress", sys_helios_progress},
    {NULL, "pg_stat_progress_create_index", sys_pg_stat_progress_create_index},
    {NULL, "pg_stat_ssl", sys_pg_stat_ssl},
    {NULL, "pg_statistic", sys_pg_statistic},
    {NULL, "pg_stats", sys_pg_stats},
    {NULL, "pg_tables", sys_pg_tables},
    {NULL, "pg_views", sys_pg_views},
    {NULL, "pg_matviews", sys_pg_matviews},
    {NULL, "pg_indexes", sys_pg_indexes},
    {NULL, "pg_prepared_statements", sys_pg_prepared_statements},
    {NULL, "pg_cursors", sys_pg_cursors},
    {"is", "schemata", sys_is_schemata},
    {"is", "tables", sys_is_tables},
    {"is", "columns", sys_is_columns},
    {"is", "views", sys_is_views},
    {"is", "table_constraints", sys_is_table_constraints},
    {"is", "key_column_usage", sys_is_key_column_usage},
    {"is", "constraint_column_usage", sys_is_constraint_column_usage},
    {"is", "referential_constraints", sys_is_referential_constraints},
    {"is", "check_constraints", sys_is_check_constraints},
    {"is", "sequences", sys_is_sequences},
    {"is", "routines", sys_is_routines},
    {"is", "parameters", sys_is_parameters},
    {"is", "triggers", sys_is_triggers},
    {"is", "information_schema_catalog_name", sys_is_catalog_name},
    {"is", "enabled_roles", sys_is_roles},
    {"is", "table_privileges", sys_is_table_privileges},
    {"is", "role_table_grants", sys_is_table_privileges},
    {"is", "character_sets", sys_is_character_sets},
};
enum { MAKERS = sizeof makers / sizeof makers[0] };

/* A sequence read as a table. */
static enum status sequence_row(struct sys_scan *x)
{
    int64_t value;
    bool called;
    TRY(sequence_read(x->s, x->table, &value, &called));
    x->row[0].v.i64 = value;
    x->row[1].v.i64 = 0;
    x->row[2].v.b = called;
    return x->emit(x->emit_ctx, x->row);
}

enum status virtual_scan(void *ctx, const struct table_def *t, struct arena *a,
                         enum status (*emit)(void *emit_ctx, const struct datum *row),
                         void *emit_ctx)
{
    struct session *s = ctx;
    if (t->virtual_id == VIRTUAL_TRANSITION) return session__scan_transition(s, t, a, emit, emit_ctx);
    bool standard = t->schema == OID_SCHEMA_INFORMATION_SCHEMA;
    struct sys_scan x = {.s = s, .catalog = s->catalog, .table = t, .arena = a, .emit = emit,
                         .emit_ctx = emit_ctx,
                         .row = ARENA_ARRAY(a, struct datum, t->column_count)};
    if (t->kind == 'S') return sequence_row(&x);
    for (int i = 0; i < MAKERS; i++)
        if ((makers[i].schema != NULL) == standard && strcmp(makers[i].table, t->name) == 0)
            return makers[i].rows(&x);
    return OK;
}

/* --- rows ------------------------------------------------------------------------------------ */

static union value int_value(type_id type, int64_t i)
{
    union value v = {0};
    switch (type_rep(type)) {
    case REP_BOOL: v.b = i != 0; break;
    case REP_I16: v.i16 = (int16_t)i; break;
    case REP_I32: v.i32 = (int32_t)i; break;
    case REP_U32: v.u32 = (uint32_t)i; break;
    case REP_I64: v.i64 = i; break;
    case REP_F32: v.f32 = (float)i; break;
    case REP_F64: v.f64 = (double)i; break;
    case REP_BYTES: {
        char c = (char)i; /* "char" */
        v.bytes = bytes_ref(&c, c ? 1 : 0);
        break;
    }
    default: UNREACHABLE();
    }
    return v;
}

static struct datum cell_value(const struct column_def *c, const struct sys_cell *cell)
{
    struct datum d = {.null = cell->kind == SYS_NULL};
    switch (cell->kind) {
    case SYS_NULL: break;
    case SYS_INT: d.v = int_value(c->type, cell->i); break;
    case SYS_REAL:
        if (type_rep(c->type) == REP_F32) d.v.f32 = (float)cell->d;
        else d.v.f64 = cell->d;
        break;
    case SYS_TEXT:
        ASSERT(type_rep(c->type) == REP_BYTES);
        d.v.bytes = bytes_ref(cell->text, (uint32_t)strlen(cell->text));
        break;
    case SYS_BYTES: d.v.bytes = cell->bytes; break;
    }
    return d;
}

enum status sys_emit_cells(struct sys_scan *x, const struct sys_cell *cells, uint32_t count)
{
    ASSERT(count == x->table->column_count);
    for (uint32_t i = 0; i < count; i++) x->row[i] = cell_value(&x->table->columns[i], &cells[i]);
    return x->emit(x->emit_ctx, x->row);
}

/* --- arrays ---------------------------------------------------------------------------------- */

static struct bytes make_array(struct arena *a, type_id element, struct datum *d, uint32_t n,
                               int32_t lower)
{
    if (n == 0) return array_make(a, element, d, 0);
    struct array_view v = {.element = element, .ndim = 1, .count = n, .elements = d};
    v.dims[0] = (int32_t)n;
    v.lower[0] = lower;
    return array_make_view(a, &v);
}

static struct bytes int2s(struct arena *a, const int16_t *v, uint32_t n, int32_t lower)
{
    struct datum *d = ARENA_ARRAY(a, struct datum, n + 1);
    for (uint32_t i = 0; i < n; i++) d[i].v.i16 = v[i];
    return make_array(a, TYPE_INT2, d, n, lower);
}

static struct bytes oids(struct arena *a, const oid_t *v, uint32_t n, int32_t lower)
{
    struct datum *d = ARENA_ARRAY(a, struct datum, n + 1);
    for (uint32_t i = 0; i < n; i++) d[i].v.u32 = v[i];
    return make_array(a, TYPE_OID, d, n, lower);
}

struct bytes sys_array_int2(struct arena *a, const int16_t *v, uint32_t n)
{
    return int2s(a, v, n, 1);
}

struct bytes sys_vector_int2(struct arena *a, const int16_t *v, uint32_t n)
{
    return int2s(a, v, n, 0);
}

struct bytes sys_array_oid(struct arena *a, const oid_t *v, uint32_t n)
{
    return oids(a, v, n, 1);
}

struct bytes sys_vector_oid(struct arena *a, const oid_t *v, uint32_t n)
{
    return oids(a, v, n, 0);
}

struct bytes sys_array_text(struct arena *a, type_id element, const char *const *v, uint32_t n)
{
    struct datum *d = ARENA_ARRAY(a, struct datum, n + 1);
    for (uint32_t i = 0; i < n; i++) d[i].v.bytes = bytes_ref(v[i], (uint32_t)strlen(v[i]));
    return make_array(a, element, d, n, 1);
}

struct sys_cell sys_array_from_text(struct sys_scan *x, type_id type, const char *text)
{
    union value v;
    if (!text) return N;
    if (value_from_text(type, -1, slice_of(text), &format_default, x->arena, &v) != OK) {
        error_clear(); /* what the catalog holds was checked when it went in */
        return N;
    }
    return V(v.bytes);
}

/* --- reading the catalog --------------------------------------------------------------------- */

bool sys_next_table(struct sys_scan *x, size_t *pos, const struct table_def **ret)
{
    while (catalog_next_table(x->catalog, pos, ret))
        if (sys_is_system(*ret) || (*ret)->database == x->s->database_oid) return true;
    return false;
}

bool sys_next_schema(struct sys_scan *x, size_t *pos, const struct schema_def **ret)
{
    while (catalog_next_schema(x->catalog, pos, ret))
        if ((*ret)->database == 0 || (*ret)->database == x->s->database_oid) return true;
    return false;
}

const char *sys_schema_name(const struct sys_scan *x, oid_t schema)
{
    const struct schema_def *d = catalog_schema_by_oid(x->catalog, schema);
    return d ? d->name : "";
}

const char *sys_role_name(const struct sys_scan *x, oid_t role, struct arena *a)
{
    const struct role_def *r = catalog_role_by_oid(x->catalog, role);
    return r ? r->name : arena_printf(a, "unknown (OID=%u)", role);
}

const struct column_def *sys_column(const struct table_def *t, int16_t number)
{
    if (number < 1 || number > t->column_count) return NULL;
    const struct column_def *c = &t->columns[number - 1];
    return c->number == number && !c->dropped ? c : NULL;
}

oid_t sys_collation(type_id type)
{
    const struct type_info *t = type_get(type);
    if (t && t->category == 'A' && t->element) return sys_collation(t->element);
    if (type == TYPE_NAME) return COLLATION_C;
    return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR ? COLLATION_DEFAULT : 0;
}

/* From the upper half of the OIDs, which no object gets before two thousand millions were made; the
 * numbers stay the same as long as the column does, and differ for tables less than 2^20 apart. */
oid_t sys_attrdef_oid(const struct table_def *t, const struct column_def *c)
{
    return 0x80000000u | (t->oid & 0xfffff) << 11 | (uint32_t)c->number;
}

oid_t sys_rule_oid(const struct table_def *view)
{
    return 0x80000000u | (view->oid & 0xfffff) << 11; /* a view has no default of column 0 */
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* A function's name stands for its column, as PostgreSQL names it; all else is "expr". */
static struct slice expression_name(const char *sql)
{
    while (*sql == '(') sql++;
    const char *from = sql, *p = sql;
    for (; is_word(*p) || *p == '.'; p++)
        if (*p == '.') from = p + 1;
    return *p == '(' && p > from ? slice_make(from, (size_t)(p - from)) : SLICE("expr");
}

const char *sys_index_column_name(const struct table_def *t, const struct index_def *x, uint32_t i,
                                  struct arena *a)
{
    const struct column_def *c = sys_column(t, x->columns[i].column);
    if (c) return c->name;
    struct slice name = expression_name(x->columns[i].expression_sql);
    uint32_t before = 0;
    for (uint32_t k = 0; k < i; k++)
        before += x->columns[k].column == 0 &&
                  slice_eq(expression_name(x->columns[k].expression_sql), name);
    return before ? arena_printf(a, "%.*s%u", (int)name.len, name.data, before)
                  : arena_strndup(a, name.data, name.len);
}
