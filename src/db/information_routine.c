/* information_schema: routines that were made here, their parameters, triggers. A row has many columns that are NULL, so they are set by name. */
#include "db/information_priv.h"

#include "db/ddl_priv.h"
#include "db/pl_priv.h"
#include "db/system_function_priv.h"
#include "types/record.h"

struct row {
    struct sys_scan *x;
    struct sys_cell *cells;
};

static struct row row_new(struct sys_scan *x)
{
    struct row r = {x, ARENA_ARRAY(x->arena, struct sys_cell, x->table->column_count)};
    for (uint16_t i = 0; i < x->table->column_count; i++) r.cells[i] = N;
    return r;
}

static void set(const struct row *r, const char *column, struct sys_cell cell)
{
    for (uint16_t i = 0; i < r->x->table->column_count; i++)
        if (strcmp(r->x->table->columns[i].name, column) == 0) r->cells[i] = cell;
}

static enum status emit(const struct row *r)
{
    return sys_emit_cells(r->x, r->cells, r->x->table->column_count);
}

/* --- types ------------------------------------------------------------------------------------ */

static const char *data_type(struct sys_scan *x, type_id type)
{
    struct strbuf b;
    if (type_is_array(type) && type != TYPE_INT2VECTOR && type != TYPE_OIDVECTOR) return "ARRAY";
    if (type_is_row(type)) return "USER-DEFINED";
    strbuf_init(&b, x->arena);
    type_format(type, -1, &b);
    return b.data;
}

/* Catalog, schema and name of the type, in the columns `prefix`catalog and so on. */
static void set_type(const struct row *r, const char *prefix, type_id type)
{
    struct sys_scan *x = r->x;
    uint32_t relation = type_row_relation(type);
    const struct table_def *t = relation ? catalog_table_by_oid(x->catalog, relation) : NULL;
    const struct type_info *i = type_get(type);
    const char *name = !t                    ? i->name
                       : type_is_array(type) ? arena_printf(x->arena, "_%.62s", t->name)
                                             : t->name;
    set(r, arena_printf(x->arena, "%scatalog", prefix), DB(x));
    set(r, arena_printf(x->arena, "%sschema", prefix),
        T(t ? sys_schema_name(x, t->schema) : "pg_catalog"));
    set(r, arena_printf(x->arena, "%sname", prefix), T(name));
}

static void set_specific(const struct row *r, const struct function_def *f)
{
    struct sys_scan *x = r->x;
    set(r, "specific_catalog", DB(x));
    set(r, "specific_schema", T(sys_schema_name(x, f->schema)));
    set(r, "specific_name", T(arena_printf(x->arena, "%s_%u", f->proc.name, f->proc.oid)));
}

/* --- routines --------------------------------------------------------------------------------- */

static enum status emit_routine(struct sys_scan *x, const struct function_def *f)
{
    const struct row r = row_new(x);
    bool procedure = f->proc.kind == 'p';
    type_id result = f->result_table ? type_row(f->result_table) : f->proc.result;
    set_specific(&r, f);
    set(&r, "routine_catalog", DB(x));
    set(&r, "routine_schema", T(sys_schema_name(x, f->schema)));
    set(&r, "routine_name", T(f->proc.name));
    set(&r, "routine_type", T(procedure ? "PROCEDURE" : "FUNCTION"));
    if (!procedure) {
        set(&r, "data_type", T(data_type(x, result)));
        set_type(&r, "type_udt_", result);
        set(&r, "dtd_identifier", T("0"));
        set(&r, "is_null_call", YES_NO(f->proc.strict));
    }
    set(&r, "routine_body", T(f->language == 's' ? "SQL" : "EXTERNAL"));
    if (ddl__is_owner(x->s, f->owner)) set(&r, "routine_definition", T(f->source));
    set(&r, "external_language", T(f->language == 's' ? "SQL" : "PLPGSQL"));
    set(&r, "parameter_style", T("GENERAL"));
    set(&r, "is_deterministic", YES_NO(f->proc.volatility == IMMUTABLE));
    set(&r, "sql_data_access", T("MODIFIES"));
    set(&r, "schema_level_routine", T("YES"));
    set(&r, "max_dynamic_result_sets", I(0));
    set(&r, "security_type", T(f->security_definer ? "DEFINER" : "INVOKER"));
    set(&r, "as_locator", T("NO"));
    set(&r, "is_udt_dependent", T("NO"));
    return emit(&r);
}

enum status information__own_routines(struct sys_scan *x)
{
    const struct function_def *f;
    size_t pos = 0;
    while (catalog_next_function(x->catalog, &pos, &f)) TRY(emit_routine(x, f));
    return OK;
}

static enum status emit_parameters(struct sys_scan *x, const struct function_def *f)
{
    uint32_t given = 0, first = (uint32_t)(f->proc.arg_count - f->proc.default_count);
    for (uint16_t i = 0; i < f->all_count; i++) {
        const struct row r = row_new(x);
        char mode = f->all_modes[i];
        bool in = mode == 'i' || mode == 'b' || mode == 'v' || (mode == 'o' && f->proc.kind == 'p');
        uint32_t at = given;
        const char *shown = NULL;
        given += in;
        if (in && mode != 'o' && at >= first)
            TRY(session__display_expression(x->s, NULL, f->defaults[at - first], x->arena, &shown));
        set_specific(&r, f);
        set(&r, "ordinal_position", I(i + 1));
        set(&r, "parameter_mode", T(mode == 'b' ? "INOUT" : mode == 'o' || mode == 't' ? "OUT" : "IN"));
        set(&r, "is_result", T("NO"));
        set(&r, "as_locator", T("NO"));
        if (*f->all_names[i]) set(&r, "parameter_name", T(f->all_names[i]));
        set(&r, "data_type", T(data_type(x, f->all_types[i])));
        set_type(&r, "udt_", f->all_types[i]);
        set(&r, "dtd_identifier", T(arena_printf(x->arena, "%u", i + 1u)));
        set(&r, "parameter_default", T(shown));
        TRY(emit(&r));
    }
    return OK;
}

enum status sys_is_parameters(struct sys_scan *x)
{
    const struct function_def *f;
    size_t pos = 0;
    while (catalog_next_function(x->catalog, &pos, &f)) TRY(emit_parameters(x, f));
    return OK;
}

/* --- triggers --------------------------------------------------------------------------------- */

/* Among those of the same event, level and time, by name. */
static int order_of(const struct table_def *t, const struct trigger_def *g, uint8_t event)
{
    const uint8_t same = TRIGGER_ROW | TRIGGER_BEFORE | TRIGGER_INSTEAD;
    int order = 1;
    for (uint16_t i = 0; i < t->trigger_count && t->triggers[i] != g; i++)
        order += (t->triggers[i]->type & event) && (t->triggers[i]->type & same) == (g->type & same);
    return order;
}

static enum status definition(struct sys_scan *x, const struct trigger_def *g, const char **ret)
{
    struct datum oid = {.v.u32 = g->oid}, text;
    struct sys_call c = {.s = x->s, .args = &oid, .n = 1, .a = x->arena, .ret = &text};
    TRY(sys_triggerdef(&c));
    struct slice s = text.null ? SLICE("") : bytes_slice(&text.v.bytes);
    *ret = arena_strndup(x->arena, s.data, s.len);
    return OK;
}

static enum status emit_trigger(struct sys_scan *x, const struct table_def *t,
                                const struct trigger_def *g, uint8_t event, const char *word)
{
    const struct row r = row_new(x);
    const char *text, *schema = sys_schema_name(x, t->schema);
    TRY(definition(x, g, &text));
    const char *call = strstr(text, " EXECUTE FUNCTION "), *when = strstr(text, " WHEN (");
    set(&r, "trigger_catalog", DB(x));
    set(&r, "trigger_schema", T(schema));
    set(&r, "trigger_name", T(g->name));
    set(&r, "event_manipulation", T(word));
    set(&r, "event_object_catalog", DB(x));
    set(&r, "event_object_schema", T(schema));
    set(&r, "event_object_table", T(t->name));
    set(&r, "action_order", I(order_of(t, g, event)));
    if (g->when_sql && when && call && ddl__is_owner(x->s, t->owner))
        set(&r, "action_condition", T(arena_strndup(x->arena, when + 7, (size_t)(call - when - 8))));
    set(&r, "action_statement", T(call ? call + 1 : NULL));
    set(&r, "action_orientation", T(g->type & TRIGGER_ROW ? "ROW" : "STATEMENT"));
    set(&r, "action_timing", T(g->type & TRIGGER_BEFORE    ? "BEFORE"
                               : g->type & TRIGGER_INSTEAD ? "INSTEAD OF"
                                                           : "AFTER"));
    set(&r, "action_reference_old_table", T(g->old_table));
    set(&r, "action_reference_new_table", T(g->new_table));
    return emit(&r);
}

enum status sys_is_triggers(struct sys_scan *x)
{
    static const struct {
        uint8_t bit;
        const char *word;
    } events[] = {{TRIGGER_INSERT, "INSERT"}, {TRIGGER_DELETE, "DELETE"}, {TRIGGER_UPDATE, "UPDATE"}};
    const struct table_def *t;
    size_t pos = 0;
    while (sys_next_table(x, &pos, &t))
        for (uint16_t i = 0; i < t->trigger_count; i++)
            for (int k = 0; k < 3; k++)
                if (t->triggers[i]->type & events[k].bit)
                    TRY(emit_trigger(x, t, t->triggers[i], events[k].bit, events[k].word));
    return OK;
}
