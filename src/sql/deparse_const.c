/* Constants and names as SQL. Numbers print bare where they read back as the same type; all else
 * is a quoted string and its type. A negative number is quoted too, since - would be an
 * operator. */
#include "sql/deparse_priv.h"
#include "sql/type_name.h"

/* PostgreSQL's key words that are not free to be names, in order. */
static const char *const keywords[] = {
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric",
    "authorization", "between", "bigint", "binary", "bit", "boolean", "both", "case", "cast",
    "char", "character", "check", "coalesce", "collate", "collation", "column", "concurrently",
    "constraint", "create", "cross", "current_catalog", "current_date", "current_role",
    "current_schema", "current_time", "current_timestamp", "current_user", "dec", "decimal",
    "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists",
    "extract", "false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant",
    "greatest", "group", "grouping", "having", "ilike", "in", "initially", "inner", "inout",
    "int", "integer", "intersect", "interval", "into", "is", "isnull", "join", "lateral",
    "leading", "least", "left", "like", "limit", "localtime", "localtimestamp", "national",
    "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric",
    "offset", "on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "placing",
    "position", "precision", "primary", "real", "references", "returning", "right", "row",
    "select", "session_user", "setof", "similar", "smallint", "some", "substring", "symmetric",
    "table", "tablesample", "then", "time", "timestamp", "to", "trailing", "treat", "trim",
    "true", "union", "unique", "user", "using", "values", "varchar", "variadic", "verbose",
    "when", "where", "window", "with", "xmlattributes", "xmlconcat", "xmlelement", "xmlexists",
    "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
};

static bool is_keyword(const char *name)
{
    size_t low = 0, high = sizeof keywords / sizeof keywords[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = strcmp(name, keywords[middle]);
        if (c == 0) return true;
        if (c < 0) high = middle;
        else low = middle + 1;
    }
    return false;
}

static bool is_plain(const char *name)
{
    if (!((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_')) return false;
    for (const char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_')) return false;
    return !is_keyword(name);
}

void deparse__identifier(struct strbuf *out, const char *name)
{
    if (is_plain(name)) {
        strbuf_adds(out, name);
        return;
    }
    strbuf_addc(out, '"');
    for (const char *p = name; *p; p++) {
        if (*p == '"') strbuf_addc(out, '"');
        strbuf_addc(out, *p);
    }
    strbuf_addc(out, '"');
}

void deparse__type(struct deparse *d, type_id type, int32_t typmod)
{
    const struct deparse_options *o = d->options;
    if (typmod < 0 && type == TYPE_BPCHAR) strbuf_adds(d->out, "bpchar");
    else if (typmod < 0 && type == TYPE_BPCHAR_ARRAY) strbuf_adds(d->out, "bpchar[]");
    else if (typmod < 0 && type == TYPE_BIT) strbuf_adds(d->out, "\"bit\"");
    else if (typmod < 0 && type == TYPE_BIT_ARRAY) strbuf_adds(d->out, "\"bit\"[]");
    else type_name_print(o->catalog, o->mode == DEPARSE_DISPLAY ? o->path : NULL, type, typmod, d->out);
}

static void quote(struct strbuf *out, struct slice text)
{
    strbuf_addc(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\'') strbuf_addc(out, '\'');
        strbuf_addc(out, text.data[i]);
    }
    strbuf_addc(out, '\'');
}

/* --- names of catalog objects ----------------------------------------------------------------- */

static bool class_name(const struct deparse_options *o, oid_t oid, struct strbuf *out)
{
    const struct table_def *t = catalog_table_by_oid(o->catalog, oid);
    const struct index_def *x = t ? NULL : catalog_index_by_oid(o->catalog, oid);
    const struct table_def *owner = x ? catalog_table_by_oid(o->catalog, x->table) : t;
    if (!owner) return false;
    const char *name = t ? t->name : x->name;
    bool visible =
        o->path && (t ? catalog_lookup(o->catalog, o->path, NULL, name) == t
                      : catalog_lookup_index(o->catalog, o->path, NULL, name) == x);
    const struct schema_def *schema = catalog_schema_by_oid(o->catalog, owner->schema);
    if (!visible && schema) {
        deparse__identifier(out, schema->name);
        strbuf_addc(out, '.');
    }
    deparse__identifier(out, name);
    return true;
}

/* False when there is no such object: its number is printed then. */
static bool object_name(const struct deparse_options *o, type_id type, oid_t oid,
                        struct strbuf *out)
{
    const char *name = NULL;
    if (oid == 0) {
        strbuf_addc(out, '-');
        return true;
    }
    if (type == TYPE_REGTYPE && type_get(oid)) {
        type_name_print(o->catalog, o->path, oid, -1, out);
        return true;
    }
    if (type == TYPE_REGPROC && proc_by_oid(oid)) name = proc_by_oid(oid)->name;
    if (!name && o->catalog) {
        if (type == TYPE_REGCLASS) return class_name(o, oid, out);
        const struct schema_def *s =
            type == TYPE_REGNAMESPACE ? catalog_schema_by_oid(o->catalog, oid) : NULL;
        const struct role_def *r =
            type == TYPE_REGROLE ? catalog_role_by_oid(o->catalog, oid) : NULL;
        name = s ? s->name : r ? r->name : NULL;
    }
    if (name) deparse__identifier(out, name);
    return name != NULL;
}

static void constant_text(struct deparse *d, const struct expr *e, struct strbuf *text)
{
    if (type_is_reg(e->type)) {
        bool named = d->options->mode == DEPARSE_DISPLAY &&
                     object_name(d->options, e->type, e->constant.v.u32, text);
        if (!named) strbuf_addf(text, "%u", e->constant.v.u32);
        return;
    }
    type_id type = e->type == TYPE_UNKNOWN ? (type_id)TYPE_TEXT : e->type;
    value_to_text(type, &e->constant.v, &format_default, text);
}

/* --- constants -------------------------------------------------------------------------------- */

/* Does the parser make this very type of the bare text? */
static bool reads_back(type_id type, struct slice text)
{
    bool point = false;
    if (type != TYPE_INT4 && type != TYPE_NUMERIC) return false;
    if (text.len == 0 || text.data[0] < '0' || text.data[0] > '9') return false;
    for (size_t i = 0; i < text.len; i++)
        point |= text.data[i] == '.' || text.data[i] == 'e' || text.data[i] == 'E';
    return type == TYPE_INT4 || point;
}

void deparse__const(struct deparse *d, const struct expr *e, bool label)
{
    struct strbuf text;
    int32_t typmod = e->type == TYPE_INTERVAL ? e->typmod : -1;
    if (e->constant.null) {
        strbuf_adds(d->out, "NULL");
        if (!label || e->type == TYPE_UNKNOWN) return;
        strbuf_adds(d->out, "::");
        deparse__type(d, e->type, typmod);
        return;
    }
    if (e->type == TYPE_BOOL) {
        strbuf_adds(d->out, e->constant.v.b ? "true" : "false");
        return;
    }
    strbuf_init(&text, NULL);
    constant_text(d, e, &text);
    struct slice s = strbuf_slice(&text);
    bool bare = reads_back(e->type, s);
    if (bare) strbuf_add(d->out, s.data, s.len);
    else quote(d->out, s);
    strbuf_release(&text);
    if (bare || !label || e->type == TYPE_UNKNOWN) return;
    strbuf_adds(d->out, "::");
    deparse__type(d, e->type, typmod);
}
