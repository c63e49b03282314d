/* pg_type, pg_proc and pg_aggregate: what is built in. Drivers read these to learn which types are
 * arrays and of what, so the OIDs of input, output and subscript functions are PostgreSQL's. */
#include "db/system_priv.h"
#include "types/range.h"
#include "types/record.h"

struct io_function {
    oid_t oid;
    const char *name;
};
enum { IO_INPUT, IO_OUTPUT, IO_RECEIVE, IO_SEND, IO_MODIFIERS_IN, IO_MODIFIERS_OUT, IO_COUNT };
struct type_io {
    type_id type;
    struct io_function functions[IO_COUNT];
};
#define F(oid, name) {oid, name}
#define NONE {0, NULL}
#define IO(type, ...) {type, {__VA_ARGS__}},
static const struct type_io type_ios[] = {
#include "db/type_io.def"
};
#undef F
#undef NONE
#undef IO
static const struct type_io array_io = {
    0, {{750, "array_in"}, {751, "array_out"}, {2400, "array_recv"}, {2401, "array_send"}}};
enum {
    TYPE_IOS = sizeof type_ios / sizeof type_ios[0],
    PROC_ARRAY_SUBSCRIPT = 6179,
    PROC_RAW_SUBSCRIPT = 6180,
    PROC_JSONB_SUBSCRIPT = 6098,
    PROC_ARRAY_ANALYZE = 3816,
    LANGUAGE_INTERNAL = 12,
};

static const struct type_io *find_io(type_id type)
{
    static const struct type_io none;
    for (int i = 0; i < TYPE_IOS; i++)
        if (type_ios[i].type == type) return &type_ios[i];
    return &none;
}

/* --- pg_type --------------------------------------------------------------------------------- */

char sys_storage(type_id type)
{
    const struct type_info *t = type_get(type);
    if (!t || t->typlen != -1) return 'p';
    if (type == TYPE_INT2VECTOR || type == TYPE_OIDVECTOR) return 'p';
    return type == TYPE_NUMERIC ? 'm' : 'x';
}

static bool is_pseudo(const struct type_info *t)
{
    return t->category == 'P' || t->id == TYPE_UNKNOWN;
}

static char kind_of(const struct type_info *t)
{
    if (type_is_range(t->id)) return 'r';
    return is_pseudo(t) ? 'p' : type_is_multirange(t->id) ? 'm' : 'b';
}

static enum status emit_type(struct sys_scan *x, const struct type_info *t)
{
    bool vector = t->id == TYPE_INT2VECTOR || t->id == TYPE_OIDVECTOR;
    bool array = t->name[0] == '_';
    const struct io_function *own = find_io(t->id)->functions;
    const struct io_function *io = array ? array_io.functions : own;
    const struct io_function *mod = array ? find_io(t->element)->functions : own;
    oid_t subscript = array || vector        ? PROC_ARRAY_SUBSCRIPT
                      : t->id == TYPE_NAME ? PROC_RAW_SUBSCRIPT
                      : t->id == TYPE_JSONB ? PROC_JSONB_SUBSCRIPT
                                           : 0;
    return SYS_EMIT(x, I(t->id), T(t->name), I(OID_SCHEMA_PG_CATALOG), I(OID_ROLE_BOOTSTRAP),
                    I(t->typlen), I(t->byval), C(kind_of(t)), C(t->category),
                    I(t->preferred), I(1), C(','), I(0), I(subscript), I(t->element), I(t->array),
                    I(io[IO_INPUT].oid), I(io[IO_OUTPUT].oid), I(io[IO_RECEIVE].oid),
                    I(io[IO_SEND].oid), I(mod[IO_MODIFIERS_IN].oid), I(mod[IO_MODIFIERS_OUT].oid),
                    I(array ? PROC_ARRAY_ANALYZE : 0), C(t->align), C(sys_storage(t->id)), I(0),
                    I(0), I(-1), I(0), I(sys_collation(t->id)), N, N, N);
}

/* The row type of a relation, and that of arrays of it, whose name is made free of others. */
static enum status emit_row_type(struct sys_scan *x, const struct table_def *t, bool array)
{
    type_id row = type_row(t->oid);
    const struct type_info *i = type_get(array ? type_get(row)->array : row);
    const char *name = array ? arena_printf(x->arena, "_%.62s", t->name) : t->name;
    const struct io_function *io = array ? array_io.functions : find_io(TYPE_RECORD)->functions;
    return SYS_EMIT(x, I(i->id), T(name), I(t->schema), I(t->owner), I(-1), I(0),
                    C(array ? 'b' : 'c'), C(array ? 'A' : 'C'), I(0), I(1), C(','),
                    I(array ? 0 : t->oid), I(array ? PROC_ARRAY_SUBSCRIPT : 0), I(i->element),
                    I(i->array), I(io[IO_INPUT].oid), I(io[IO_OUTPUT].oid), I(io[IO_RECEIVE].oid),
                    I(io[IO_SEND].oid), I(0), I(0), I(array ? PROC_ARRAY_ANALYZE : 0), C('d'),
                    C('x'), I(0), I(0), I(-1), I(0), I(0), N, N, N);
}

static enum status emit_row_types(struct sys_scan *x)
{
    const struct table_def *t;
    size_t pos = 0;
    while (sys_next_table(x, &pos, &t)) {
        if (t->kind == 'S' || sys_is_system(t)) continue;
        TRY(emit_row_type(x, t, false));
        TRY(emit_row_type(x, t, true));
    }
    return OK;
}

enum status sys_pg_type(struct sys_scan *x)
{
    int count;
    const struct type_info *list = type_list(&count);
    for (int i = 0; i < count; i++) TRY(emit_type(x, &list[i]));
    return emit_row_types(x);
}

/* --- pg_range --------------------------------------------------------------------------------- */

/* The functions that make values canonical and measure differences are told of, not called. */
enum status sys_pg_range(struct sys_scan *x)
{
    static const struct {
        type_id range;
        oid_t canonical, difference;
    } list[] = {{TYPE_INT4RANGE, 3914, 3922}, {TYPE_NUMRANGE, 0, 3924},
                {TYPE_TSRANGE, 0, 3929},      {TYPE_TSTZRANGE, 0, 3930},
                {TYPE_DATERANGE, 3915, 3925}, {TYPE_INT8RANGE, 3928, 3923}};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        type_id r = list[i].range, subtype = range_subtype(r);
        TRY(SYS_EMIT(x, I(r), I(subtype), I(range_multirange(r)), I(0),
                     I(sys_operator_class(subtype)), I(list[i].canonical), I(list[i].difference)));
    }
    return OK;
}

/* --- pg_proc --------------------------------------------------------------------------------- */

static enum status emit_proc(struct sys_scan *x, const struct proc_def *p)
{
    static const char volatility[] = {[IMMUTABLE] = 'i', [STABLE] = 's', [VOLATILE] = 'v'};
    return SYS_EMIT(x, I(p->oid), T(p->name), I(OID_SCHEMA_PG_CATALOG), I(OID_ROLE_BOOTSTRAP),
                    I(LANGUAGE_INTERNAL), R(1), R(p->returns_set ? 1000 : 0), I(p->variadic), I(0),
                    C(p->kind), I(0), I(0), I(p->strict), I(p->returns_set),
                    C(volatility[p->volatility]), C('s'), I(p->arg_count), I(p->default_count),
                    I(p->result), V(sys_vector_oid(x->arena, p->args, p->arg_count)), N, N, N, N,
                    N, T(p->kind == 'f' ? p->symbol : "aggregate_dummy"), N, N, N, N);
}

static type_id io_result(int which, type_id type)
{
    switch (which) {
    case IO_OUTPUT:
    case IO_MODIFIERS_OUT: return TYPE_CSTRING;
    case IO_SEND: return TYPE_BYTEA;
    case IO_MODIFIERS_IN: return TYPE_INT4;
    default: return type;
    }
}

static type_id io_argument(int which, type_id type)
{
    switch (which) {
    case IO_INPUT: return TYPE_CSTRING;
    case IO_RECEIVE: return TYPE_INTERNAL;
    case IO_MODIFIERS_IN: return 1263; /* cstring[] */
    case IO_MODIFIERS_OUT: return TYPE_INT4;
    default: return type;
    }
}

/* Input takes the element type and the modifiers too where the type has any. */
static enum status emit_io(struct sys_scan *x, const struct type_io *io, type_id type, int which)
{
    const struct io_function *f = &io->functions[which];
    type_id args[3] = {io_argument(which, type), TYPE_OID, TYPE_INT4};
    struct proc_def p = {.oid = f->oid, .name = f->name, .symbol = f->name, .kind = 'f',
                         .strict = true, .volatility = IMMUTABLE, .arg_count = 1,
                         .result = io_result(which, type), .args = args};
    bool reads = which == IO_INPUT || which == IO_RECEIVE;
    bool ranges = type == TYPE_ANYRANGE || type == TYPE_ANYMULTIRANGE;
    if (reads && (io == &array_io || ranges || io->functions[IO_MODIFIERS_IN].oid)) {
        p.arg_count = 3;
    }
    return f->oid ? emit_proc(x, &p) : OK;
}

/* Ranges share theirs. */
static bool told_before(int which, int at)
{
    for (int i = 0; i < at; i++)
        if (type_ios[i].functions[which].oid == type_ios[at].functions[which].oid) return true;
    return false;
}

static type_id io_type(type_id type)
{
    return type_is_range(type)        ? (type_id)TYPE_ANYRANGE
           : type_is_multirange(type) ? (type_id)TYPE_ANYMULTIRANGE
                                      : type;
}

enum status sys_pg_proc(struct sys_scan *x)
{
    for (int i = 0; i < proc_count(); i++) TRY(emit_proc(x, proc_by_id(i)));
    for (int which = 0; which < IO_COUNT; which++) {
        TRY(emit_io(x, &array_io, TYPE_ANYARRAY, which));
        for (int i = 0; i < TYPE_IOS; i++)
            if (!proc_by_oid(type_ios[i].functions[which].oid) && !told_before(which, i))
                TRY(emit_io(x, &type_ios[i], io_type(type_ios[i].type), which));
    }
    return sys_catalog_functions(x);
}

/* Handlers of access methods and languages, which are told of in pg_am and pg_language alone. */
static const struct io_function handlers[] = {
    {3, "heap_tableam_handler"}, {330, "bthandler"}, {331, "hashhandler"},
    {13496, "plpgsql_call_handler"}, {13497, "plpgsql_inline_handler"}, {13498, "plpgsql_validator"}};

const char *sys_io_function_name(oid_t oid)
{
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].oid == oid) return handlers[i].name;
    for (int which = 0; which < IO_COUNT && oid; which++) {
        if (array_io.functions[which].oid == oid) return array_io.functions[which].name;
        for (int i = 0; i < TYPE_IOS; i++)
            if (type_ios[i].functions[which].oid == oid) return type_ios[i].functions[which].name;
    }
    return NULL;
}

oid_t sys_io_function_oid(const char *name)
{
    for (int which = 0; which < IO_COUNT; which++) {
        const struct io_function *f = &array_io.functions[which];
        if (f->name && strcmp(f->name, name) == 0) return f->oid;
        for (int i = 0; i < TYPE_IOS; i++) {
            f = &type_ios[i].functions[which];
            if (f->name && strcmp(f->name, name) == 0) return f->oid;
        }
    }
    return 0;
}

/* --- pg_aggregate ---------------------------------------------------------------------------- */

/* Ordered-set aggregates by their OIDs: percentiles and mode, then the hypothetical ones. */
static char aggregate_kind(oid_t oid)
{
    if (oid >= 3972 && oid <= 3984) return 'o';
    return oid >= 3986 && oid <= 3992 ? 'h' : 'n';
}

enum status sys_pg_aggregate(struct sys_scan *x)
{
    for (int i = 0; i < proc_count(); i++) {
        const struct proc_def *p = proc_by_id(i);
        if (p->kind != 'a') continue;
        char kind = aggregate_kind(p->oid);
        int direct = kind == 'n' ? 0 : p->oid == 3984 ? 0 : 1;
        TRY(SYS_EMIT(x, I(p->oid), C(kind), I(direct), I(0), I(0), I(0), I(0), I(0), I(0), I(0),
                     I(0), I(0), I(0), C('r'), C('r'), I(0), I(TYPE_INTERNAL), I(0), I(0), I(0), N,
                     N));
    }
    return OK;
}
