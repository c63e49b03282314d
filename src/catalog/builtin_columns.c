/* What is known of built-in functions beyond their signatures: the names of parameters that people call them
 * by, the values of those left out, and the columns of rows that they give. */
#include "catalog/catalog.h"

/* --- parameters ------------------------------------------------------------------------------- */

enum { NAMED_ARGS_MAX = 7 };

#define PATH_QUERY {"target", "path", "vars", "silent"}
#define POPULATE {"base", "from_json", "use_json_as_text"}
#define FIELD {"from_json", "field_name"}
#define ELEMENT {"from_json", "element_index"}
#define DOCUMENT {"from_json"}

static const struct {
    oid_t oid;
    const char *names[NAMED_ARGS_MAX];
} named[] = {
    {3461, {"year", "month", "mday", "hour", "min", "sec"}},
    {3462, {"year", "month", "mday", "hour", "min", "sec"}},
    {3463, {"year", "month", "mday", "hour", "min", "sec", "timezone"}},
    {3464, {"years", "months", "weeks", "days", "hours", "mins", "secs"}},
    {3846, {"year", "month", "day"}},
    {3847, {"hour", "min", "sec"}},
    {2096, {"pid", "timeout"}},
    {3305, {"jsonb_in", "path", "replacement", "create_if_missing"}},
    {5054, {"jsonb_in", "path", "replacement", "create_if_missing", "null_value_treatment"}},
    {3579, {"jsonb_in", "path", "replacement", "insert_after"}},
    {4005, PATH_QUERY}, {4006, PATH_QUERY}, {4007, PATH_QUERY}, {4008, PATH_QUERY},
    {4009, PATH_QUERY}, {1177, PATH_QUERY}, {1179, PATH_QUERY}, {1180, PATH_QUERY},
    {2023, PATH_QUERY}, {2030, PATH_QUERY},
    {3960, POPULATE}, {3961, POPULATE},
    {3214, FIELD}, {3478, FIELD}, {3947, FIELD}, {3948, FIELD},
    {3215, ELEMENT}, {3216, ELEMENT}, {3949, ELEMENT}, {3950, ELEMENT},
    {3208, DOCUMENT}, {3932, DOCUMENT}, {3958, DOCUMENT}, {3959, DOCUMENT}, {3219, DOCUMENT},
    {3465, DOCUMENT}, {3955, DOCUMENT}, {3969, DOCUMENT},
};

uint32_t proc_parameter(const struct proc_def *p, const char *name)
{
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (named[i].oid != p->oid) continue;
        for (uint32_t k = 0; k < p->arg_count && k < NAMED_ARGS_MAX; k++)
            if (named[i].names[k] && strcmp(named[i].names[k], name) == 0) return k;
    }
    return UINT32_MAX;
}

const char *proc_default(const struct proc_def *p, uint32_t i)
{
    static const struct {
        oid_t oid;
        uint8_t arg;
        const char *text;
    } defaults[] = {
        {3305, 3, "t"}, {5054, 3, "t"}, {5054, 4, "use_json_null"}, {4005, 2, "{}"}, {4006, 2, "{}"},
        {4007, 2, "{}"}, {4008, 2, "{}"}, {4009, 2, "{}"}, {1177, 2, "{}"}, {1179, 2, "{}"},
        {1180, 2, "{}"}, {2023, 2, "{}"}, {2030, 2, "{}"},
    };
    for (size_t k = 0; k < sizeof defaults / sizeof defaults[0]; k++)
        if (defaults[k].oid == p->oid && defaults[k].arg == i) return defaults[k].text;
    return NULL;
}

/* --- rows ------------------------------------------------------------------------------------- */

enum { ROW_COLUMNS_MAX = 6 };

static const struct {
    const char *symbol;
    struct function_column columns[ROW_COLUMNS_MAX];
} rows[] = {
    {"pg_options_to_table", {{"option_name", TYPE_TEXT, -1}, {"option_value", TYPE_TEXT, -1}}},
    {"pg_get_keywords",
     {{"word", TYPE_TEXT, -1}, {"catcode", TYPE_CHAR1, -1}, {"barelabel", TYPE_BOOL, -1},
      {"catdesc", TYPE_TEXT, -1}, {"baredesc", TYPE_TEXT, -1}}},
    {"helios_branch_diff",
     {{"table_name", TYPE_TEXT, -1}, {"key", TYPE_TEXT, -1}, {"kind", TYPE_TEXT, -1},
      {"old", TYPE_TEXT, -1}, {"new", TYPE_TEXT, -1}}},
    {"helios_verify",
     {{"object", TYPE_TEXT, -1}, {"kind", TYPE_TEXT, -1}, {"checked", TYPE_INT8, -1},
      {"problem", TYPE_TEXT, -1}}},
    {"helios_versions",
     {{"operation", TYPE_TEXT, -1}, {"start_scn", TYPE_INT8, -1},
      {"start_time", TYPE_TIMESTAMPTZ, -1}, {"end_scn", TYPE_INT8, -1},
      {"end_time", TYPE_TIMESTAMPTZ, -1}, {"row", TYPE_TEXT, -1}}},
    {"json_each", {{"key", TYPE_TEXT, -1}, {"value", TYPE_JSON, -1}}},
    {"json_each_text", {{"key", TYPE_TEXT, -1}, {"value", TYPE_TEXT, -1}}},
    {"jsonb_each", {{"key", TYPE_TEXT, -1}, {"value", TYPE_JSONB, -1}}},
    {"jsonb_each_text", {{"key", TYPE_TEXT, -1}, {"value", TYPE_TEXT, -1}}},
};

const struct function_column *proc_columns(const struct proc_def *p, uint32_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; p->result == TYPE_RECORD && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(p->symbol, rows[i].symbol) != 0) continue;
        while (*ret_count < ROW_COLUMNS_MAX && rows[i].columns[*ret_count].name) ++*ret_count;
        return rows[i].columns;
    }
    return NULL;
}

bool proc_takes_shape(const struct proc_def *p)
{
    static const char *const symbols[] = {
        "json_to_record",       "json_to_recordset",       "jsonb_to_record",
        "jsonb_to_recordset",   "json_populate_record",    "json_populate_recordset",
        "jsonb_populate_record", "jsonb_populate_recordset"};
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++)
        if (strcmp(p->symbol, symbols[i]) == 0) return true;
    return false;
}

const char *proc_out_name(const struct proc_def *p)
{
    static const char *const symbols[] = {"json_array_elements", "json_array_elements_text",
                                          "jsonb_array_elements", "jsonb_array_elements_text"};
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++)
        if (strcmp(p->symbol, symbols[i]) == 0) return "value";
    return NULL;
}
