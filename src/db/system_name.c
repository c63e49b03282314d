/* System functions over names: reading what a text names, printing what a number stands for, and
 * which names the search path finds. */
#include "db/pl_priv.h"
#include "db/system_function_priv.h"
#include "sql/type_name.h"
#include "types/record.h"

enum { NAME_PARTS_MAX = 3, TYPE_CID = 29 };

/* --- reading --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One part of a dotted name from *p on: folded, or as it is within quotes. */
static const char *read_part(const char **p, struct arena *a)
{
    struct strbuf b;
    const char *c = *p;
    strbuf_init(&b, a);
    if (*c == '"') {
        for (c++; *c && !(*c == '"' && c[1] != '"'); c++) {
            strbuf_addc(&b, *c);
            if (*c == '"') c++;
        }
        if (!*c) return NULL;
        c++;
    } else {
        for (; *c && *c != '.' && *c != '"' && !is_blank(*c); c++)
            strbuf_addc(&b, *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c);
    }
    *p = c;
    return b.len ? b.data : NULL;
}

static enum status read_name(const char *text, struct arena *a, const char *parts[NAME_PARTS_MAX],
                             uint32_t *ret_count)
{
    uint32_t n = 0;
    for (const char *p = text;; p++) {
        while (is_blank(*p)) p++;
        if (n == NAME_PARTS_MAX || !(parts[n] = read_part(&p, a)))
            return FAIL(INVALID_NAME, "invalid name syntax");
        n++;
        while (is_blank(*p)) p++;
        if (!*p) break;
        if (*p != '.') return FAIL(INVALID_NAME, "invalid name syntax");
    }
    *ret_count = n;
    return OK;
}

enum status sys_find_relation(struct session *s, const char *text, struct arena *a,
                              struct sys_relation_ref *ret)
{
    const char *parts[NAME_PARTS_MAX];
    uint32_t n;
    TRY(read_name(text, a, parts, &n));
    *ret = (struct sys_relation_ref){.name = parts[n - 1]};
    if (n == NAME_PARTS_MAX && strcmp(parts[0], s->database) != 0)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "cross-database references are not implemented: \"%s.%s.%s\"", parts[0],
                    parts[1], parts[2]);
    if (n > 1) ret->schema = parts[n - 2];
    const struct search_path *path = session__path(s);
    ret->table = catalog_lookup(s->catalog, path, ret->schema, ret->name);
    if (!ret->table) ret->index = catalog_lookup_index(s->catalog, path, ret->schema, ret->name);
    return OK;
}

enum status sys_no_relation(const struct sys_relation_ref *r)
{
    if (r->schema)
        return FAIL(UNDEFINED_TABLE, "relation \"%s.%s\" does not exist", r->schema, r->name);
    return FAIL(UNDEFINED_TABLE, "relation \"%s\" does not exist", r->name);
}

static enum status to_regclass(struct sys_call *c)
{
    struct sys_relation_ref r;
    TRY(sys_find_relation(c->s, sys_arg_text(c, 0), c->a, &r));
    if (!r.table && !r.index) return sys_ret_null(c);
    return sys_ret_oid(c, r.table ? r.table->oid : r.index->oid);
}

static enum status text_regclass(struct sys_call *c)
{
    struct sys_relation_ref r;
    TRY(sys_find_relation(c->s, sys_arg_text(c, 0), c->a, &r));
    if (!r.table && !r.index) return sys_no_relation(&r);
    return sys_ret_oid(c, r.table ? r.table->oid : r.index->oid);
}

/* NULL where reading the name would fail. */
static enum status to_regtype(struct sys_call *c)
{
    struct bind_env env;
    oid_t oid;
    struct slice name = slice_of(sys_arg_text(c, 0));
    session__bind_env(c->s, &env, c->a, name);
    if (bind_reg_name(&env, TYPE_REGTYPE, name, &oid) == OK) return sys_ret_oid(c, oid);
    error_clear();
    return sys_ret_null(c);
}

static enum status to_regnamespace(struct sys_call *c)
{
    const char *p = sys_arg_text(c, 0), *name = read_part(&p, c->a);
    if (!name) return FAIL(INVALID_NAME, "invalid name syntax");
    const struct schema_def *d =
        catalog_schema(c->s->catalog, c->s->database_oid, slice_of(name));
    return d ? sys_ret_oid(c, d->oid) : sys_ret_null(c);
}

static enum status to_regrole(struct sys_call *c)
{
    const char *p = sys_arg_text(c, 0), *name = read_part(&p, c->a);
    if (!name) return FAIL(INVALID_NAME, "invalid name syntax");
    const struct role_def *r = catalog_role(c->s->catalog, slice_of(name));
    return r ? sys_ret_oid(c, r->oid) : sys_ret_null(c);
}

/* By the reader of the type's texts; what is not there, or not there once, is NULL. */
static enum status to_reg(struct sys_call *c, type_id type)
{
    struct bind_env env;
    struct slice text = slice_of(sys_arg_text(c, 0));
    oid_t oid;
    session__bind_env(c->s, &env, c->a, text);
    enum status s = bind_reg_name(&env, type, text, &oid);
    if (s == OK) return sys_ret_oid(c, oid);
    if (s != UNDEFINED_FUNCTION && s != UNDEFINED_OBJECT && s != AMBIGUOUS_FUNCTION) return s;
    error_clear();
    return sys_ret_null(c);
}

static enum status to_regprocedure(struct sys_call *c) { return to_reg(c, TYPE_REGPROCEDURE); }
static enum status to_regoper(struct sys_call *c) { return to_reg(c, TYPE_REGOPER); }
static enum status to_regoperator(struct sys_call *c) { return to_reg(c, TYPE_REGOPERATOR); }
static enum status to_regcollation(struct sys_call *c) { return to_reg(c, TYPE_REGCOLLATION); }

/* --- printing -------------------------------------------------------------------------------- */

static const char *class_text(struct session *s, oid_t oid, struct arena *a)
{
    const struct table_def *t = catalog_table_by_oid(s->catalog, oid);
    const struct index_def *ix = t ? NULL : catalog_index_by_oid(s->catalog, oid);
    if (ix && !sys_relation_visible(s, oid)) {
        const struct table_def *of = catalog_table_by_oid(s->catalog, ix->table);
        return of ? sys_qualified(s, of->schema, ix->name, a) : NULL;
    }
    if (ix) return sys_quote(a, ix->name);
    return t ? sys_relation_name(s, t, false, a) : NULL;
}

/* With its schema unless the path leads to it, and to no other of its name. */
static const char *function_text(struct session *s, const struct function_def *f, struct arena *a)
{
    const struct function_def *const *found;
    const char *name = pl__signature(s, f, a);
    bool hidden = memchr(name, '.', strcspn(name, "(")) != NULL;
    uint32_t n = catalog_functions(s->catalog, f->schema, slice_of(f->proc.name), &found);
    if (hidden || n > 1) return sys_qualified(s, f->schema, f->proc.name, a);
    return sys_quote(a, f->proc.name);
}

static const char *proc_text(struct session *s, oid_t oid, struct arena *a)
{
    const struct proc_def *p = proc_by_oid(oid);
    const struct proc_def *const *all;
    const struct function_def *f = catalog_function_by_oid(s->catalog, oid);
    if (f) return function_text(s, f, a);
    if (!p) return sys_io_function_name(oid);
    if (proc_by_name(slice_of(p->name), &all) > 1)
        return arena_printf(a, "pg_catalog.%s", sys_quote(a, p->name));
    return sys_quote(a, p->name);
}

static const char *type_text(struct session *s, type_id type, struct arena *a)
{
    struct strbuf b;
    if (type == TYPE_CID) return "cid";
    if (!type_get(type)) return NULL;
    strbuf_init(&b, a);
    session__type_name(s, type, -1, &b);
    return b.data;
}

static const char *operator_text(oid_t oid, type_id type, struct arena *a)
{
    const struct operator_def *o = operator_by_oid(oid);
    const struct operator_def *const *all;
    struct strbuf b;
    if (!o) return NULL;
    if (type == TYPE_REGOPER)
        return operator_by_name(slice_of(o->name), &all) > 1 ?
                   arena_printf(a, "pg_catalog.%s", o->name) : o->name;
    strbuf_init(&b, a);
    strbuf_addf(&b, "%s(", o->name);
    if (o->left) type_format(o->left, -1, &b);
    else strbuf_adds(&b, "NONE");
    strbuf_addc(&b, ',');
    type_format(o->right, -1, &b);
    strbuf_addc(&b, ')');
    return b.data;
}

static const char *procedure_text(struct session *s, oid_t oid, struct arena *a)
{
    const struct function_def *f = catalog_function_by_oid(s->catalog, oid);
    const struct proc_def *p = proc_by_oid(oid);
    struct strbuf b;
    if (f) return pl__signature(s, f, a);
    if (!p) return NULL;
    strbuf_init(&b, a);
    strbuf_addf(&b, "%s(", sys_quote(a, p->name));
    for (uint32_t i = 0; i < p->arg_count; i++) {
        if (i) strbuf_addc(&b, ',');
        session__type_name(s, p->args[i], -1, &b);
    }
    strbuf_addc(&b, ')');
    return b.data;
}

static const char *collation_text(oid_t oid)
{
    switch (oid) {
    case COLLATION_DEFAULT: return "\"default\"";
    case COLLATION_C: return "\"C\"";
    default: return oid == 951 ? "\"POSIX\"" : NULL;
    }
}

static const char *reg_text(struct session *s, type_id type, oid_t oid, struct arena *a)
{
    const char *text = NULL;
    if (type == TYPE_REGOPER || type == TYPE_REGOPERATOR) text = operator_text(oid, type, a);
    else if (oid == 0) return "-";
    if (type == TYPE_REGPROCEDURE) text = procedure_text(s, oid, a);
    if (type == TYPE_REGCOLLATION) text = collation_text(oid);
    if (type == TYPE_REGCLASS) text = class_text(s, oid, a);
    if (type == TYPE_REGTYPE) text = type_text(s, oid, a);
    if (type == TYPE_REGPROC) text = proc_text(s, oid, a);
    if (type == TYPE_REGNAMESPACE) {
        const struct schema_def *d = catalog_schema_by_oid(s->catalog, oid);
        text = d ? sys_quote(a, d->name) : NULL;
    }
    if (type == TYPE_REGROLE) {
        const struct role_def *r = catalog_role_by_oid(s->catalog, oid);
        text = r ? sys_quote(a, r->name) : NULL;
    }
    return text ? text : arena_printf(a, "%u", oid);
}

static void print_name(void *ctx, type_id type, uint32_t oid, struct strbuf *out)
{
    struct arena a;
    arena_init(&a, MEM_SESSION);
    strbuf_adds(out, reg_text(ctx, type, oid, &a));
    arena_release(&a);
}

static enum status read_reg(void *ctx, type_id type, struct slice text, struct arena *a,
                            uint32_t *ret)
{
    struct bind_env env;
    session__bind_env(ctx, &env, a, text);
    return bind_reg_name(&env, type, text, ret);
}

static enum status row_columns(void *ctx, type_id type, struct arena *a, struct row_columns *ret)
{
    struct session *s = ctx;
    if (type_row_table(s->catalog, type)) {
        (void)type_row_columns(s->catalog, type, a, ret);
        return OK;
    }
    return FAIL(UNDEFINED_OBJECT, "type with OID %u does not exist", type);
}

void session__type_name(struct session *s, type_id type, int32_t typmod, struct strbuf *out)
{
    type_name_print(s->catalog, session__path(s), type, typmod, out);
}

void session__fill_reg_names(struct session *s)
{
    s->reg_names = (struct reg_names){.ctx = s, .read = read_reg, .print = print_name,
                                      .row_columns = row_columns};
    s->settings.format.names = &s->reg_names;
}

static enum status format_type(struct sys_call *c)
{
    struct strbuf b;
    if (c->args[0].null) return sys_ret_null(c);
    type_id type = sys_arg_oid(c, 0);
    int32_t typmod = c->args[1].null ? -1 : c->args[1].v.i32;
    if (type == 0) return sys_ret_text(c, "-");
    if (type == TYPE_CID) return sys_ret_text(c, "cid");
    if (!type_get(type)) return sys_ret_text(c, "???");
    if (!c->args[1].null && typmod < 0) { /* any length is not character(1) nor bit(1) */
        if (type == TYPE_BIT) return sys_ret_text(c, "\"bit\"");
        if (type == TYPE_BIT_ARRAY) return sys_ret_text(c, "\"bit\"[]");
        if (type == TYPE_BPCHAR) return sys_ret_text(c, "bpchar");
        if (type == TYPE_BPCHAR_ARRAY) return sys_ret_text(c, "bpchar[]");
    }
    strbuf_init(&b, c->a);
    session__type_name(c->s, type, typmod, &b);
    return sys_ret_text(c, b.data);
}

static enum status get_userbyid(struct sys_call *c)
{
    const struct role_def *r = catalog_role_by_oid(c->s->catalog, sys_arg_oid(c, 0));
    return sys_ret_text(
        c, r ? r->name : arena_printf(c->a, "unknown (OID=%u)", sys_arg_oid(c, 0)));
}

/* --- visibility ------------------------------------------------------------------------------ */

static enum status table_is_visible(struct sys_call *c)
{
    oid_t oid = sys_arg_oid(c, 0);
    if (!catalog_table_by_oid(c->s->catalog, oid) && !catalog_index_by_oid(c->s->catalog, oid))
        return sys_ret_null(c);
    return sys_ret_bool(c, sys_relation_visible(c->s, oid));
}

/* Of what is built in, the names are always found; a row's is its relation's. */
static enum status type_is_visible(struct sys_call *c)
{
    type_id type = sys_arg_oid(c, 0);
    const struct type_info *t = type_get(type);
    if (!t) return sys_ret_null(c);
    if (t->element && type_is_row(t->element)) type = t->element;
    const struct table_def *of = type_row_table(c->s->catalog, type);
    return sys_ret_bool(c, !of || sys_relation_visible(c->s, of->oid));
}

static enum status function_is_visible(struct sys_call *c)
{
    oid_t oid = sys_arg_oid(c, 0);
    bool exists = proc_by_oid(oid) || sys_io_function_name(oid);
    const struct function_def *f = catalog_function_by_oid(c->s->catalog, oid);
    if (f) return sys_ret_bool(c, strchr(pl__signature(c->s, f, c->a), '.') == NULL);
    return exists ? sys_ret_bool(c, true) : sys_ret_null(c);
}

static enum status operator_is_visible(struct sys_call *c)
{
    return operator_by_oid(sys_arg_oid(c, 0)) ? sys_ret_bool(c, true) : sys_ret_null(c);
}

/* Of these kinds there are none, or none that can be hidden. */
static enum status always_visible(struct sys_call *c)
{
    return sys_ret_bool(c, true);
}

static enum status collation_is_visible(struct sys_call *c)
{
    oid_t oid = sys_arg_oid(c, 0);
    bool exists = oid == COLLATION_DEFAULT || oid == COLLATION_C || oid == COLLATION_C + 1;
    return exists ? sys_ret_bool(c, true) : sys_ret_null(c);
}

/* --- objects that belong to others ----------------------------------------------------------- */

static enum status get_serial_sequence(struct sys_call *c)
{
    struct sys_relation_ref r;
    const char *name = sys_arg_text(c, 1);
    size_t pos = 0;
    const struct table_def *q;
    TRY(sys_find_relation(c->s, sys_arg_text(c, 0), c->a, &r));
    if (!r.table) return sys_no_relation(&r);
    const struct column_def *column = table_column(r.table, slice_of(name));
    if (!column)
        return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", name,
                    r.table->name);
    while (catalog_next_table(c->s->catalog, &pos, &q))
        if (q->sequence && q->sequence->owner_table == r.table->oid &&
            q->sequence->owner_column == column->number)
            return sys_ret_text(c, sys_qualified(c->s, q->schema, q->name, c->a));
    return sys_ret_null(c);
}

static const char *kind_word(const struct table_def *t)
{
    return t->kind == 'v'   ? "view"
           : t->kind == 'm' ? "materialized view"
           : t->kind == 'S' ? "sequence"
           : t->kind == 'c' ? "composite type"
                            : "table";
}

static enum status describe_object(struct sys_call *c)
{
    const struct catalog *catalog = c->s->catalog;
    oid_t class = sys_arg_oid(c, 0), oid = sys_arg_oid(c, 1);
    int32_t column = c->args[2].v.i32;
    const struct table_def *t = class == CLASS_RELATION ? catalog_table_by_oid(catalog, oid) : NULL;
    const struct column_def *col =
        t && column > 0 && column <= t->column_count ? sys_column(t, (int16_t)column) : NULL;
    if (col)
        return sys_ret_text(c, arena_printf(c->a, "column %s of %s %s", sys_quote(c->a, col->name),
                                            kind_word(t), class_text(c->s, oid, c->a)));
    if (t)
        return sys_ret_text(c, arena_printf(c->a, "%s %s", kind_word(t),
                                            class_text(c->s, oid, c->a)));
    if (class == CLASS_RELATION && catalog_index_by_oid(catalog, oid))
        return sys_ret_text(c, arena_printf(c->a, "index %s", class_text(c->s, oid, c->a)));
    const struct constraint_def *k =
        class == CLASS_CONSTRAINT ? catalog_constraint_by_oid(catalog, oid) : NULL;
    if (k)
        return sys_ret_text(c, arena_printf(c->a, "constraint %s on table %s",
                                            sys_quote(c->a, k->name),
                                            class_text(c->s, k->table, c->a)));
    const struct schema_def *d =
        class == CLASS_NAMESPACE ? catalog_schema_by_oid(catalog, oid) : NULL;
    return sys_ret_text(c, d ? arena_printf(c->a, "schema %s", sys_quote(c->a, d->name)) : NULL);
}

/* --- the table ------------------------------------------------------------------------------- */

const struct sys_binding sys_name_functions[] = {
    {"format_type", format_type},
    {"pg_get_userbyid", get_userbyid},
    {"text_regclass", text_regclass},
    {"to_regclass", to_regclass},
    {"to_regtype", to_regtype},
    {"to_regprocedure", to_regprocedure},
    {"to_regoper", to_regoper},
    {"to_regoperator", to_regoperator},
    {"to_regcollation", to_regcollation},
    {"to_regnamespace", to_regnamespace},
    {"to_regrole", to_regrole},
    {"pg_table_is_visible", table_is_visible},
    {"pg_type_is_visible", type_is_visible},
    {"pg_function_is_visible", function_is_visible},
    {"pg_operator_is_visible", operator_is_visible},
    {"pg_collation_is_visible", collation_is_visible},
    {"pg_opclass_is_visible", always_visible},
    {"pg_opfamily_is_visible", always_visible},
    {"pg_conversion_is_visible", always_visible},
    {"pg_statistics_obj_is_visible", always_visible},
    {"pg_ts_parser_is_visible", always_visible},
    {"pg_ts_dict_is_visible", always_visible},
    {"pg_ts_config_is_visible", always_visible},
    {"pg_ts_template_is_visible", always_visible},
    {"pg_get_serial_sequence", get_serial_sequence},
    {"pg_describe_object", describe_object},
    {"acldefault_sql", sys_acldefault},
};
const uint32_t sys_name_function_count = sizeof sys_name_functions / sizeof sys_name_functions[0];
