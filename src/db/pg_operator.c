/* pg_operator, pg_cast, and the access methods with their operator classes and families: enough of
 * them that clients find what an index or a comparison of ours is called. Also the fixed rows of
 * pg_collation and pg_language. */
#include "db/system_priv.h"
#include "types/cast.h"
#include "types/range.h"

enum { FIRST_CAST_OID = 10035 }; /* where PostgreSQL's numbers of casts begin */

enum status sys_pg_operator(struct sys_scan *x)
{
    int count;
    const struct operator_def *list = operator_list(&count);
    for (int i = 0; i < count; i++) {
        const struct operator_def *o = &list[i];
        TRY(SYS_EMIT(x, I(o->oid), T(o->name), I(OID_SCHEMA_PG_CATALOG), I(OID_ROLE_BOOTSTRAP),
                     C(o->left ? 'b' : 'l'), I(o->can_merge), I(o->can_hash), I(o->left),
                     I(o->right), I(o->result), I(o->commutator), I(o->negator), I(o->proc), I(0),
                     I(0)));
    }
    return OK;
}

enum status sys_pg_cast(struct sys_scan *x)
{
    static const char contexts[] = {
        [CAST_EXPLICIT] = 'e', [CAST_ASSIGNMENT] = 'a', [CAST_IMPLICIT] = 'i'};
    int count;
    const struct cast_info *list = cast_list(&count);
    for (int i = 0; i < count; i++) {
        const struct cast_info *c = &list[i];
        char method = c->binary ? 'b' : c->function_oid ? 'f' : 'i';
        TRY(SYS_EMIT(x, I(FIRST_CAST_OID + i), I(c->from), I(c->to),
                     I(c->binary ? 0 : c->function_oid), C(contexts[c->context]), C(method)));
    }
    return OK;
}

/* --- access methods --------------------------------------------------------------------------- */

static const struct {
    oid_t oid;
    const char *name;
    oid_t handler;
    char kind;
} methods[] = {{AM_HEAP, "heap", 3, 't'}, {AM_BTREE, "btree", 330, 'i'},
               {AM_HASH, "hash", 331, 'i'}};

static const struct family {
    oid_t oid, method;
    const char *name;
} families[] = {
    {397, AM_BTREE, "array_ops"},     {424, AM_BTREE, "bool_ops"},
    {426, AM_BTREE, "bpchar_ops"},    {428, AM_BTREE, "bytea_ops"},
    {429, AM_BTREE, "char_ops"},      {434, AM_BTREE, "datetime_ops"},
    {1970, AM_BTREE, "float_ops"},    {1976, AM_BTREE, "integer_ops"},
    {1982, AM_BTREE, "interval_ops"}, {1988, AM_BTREE, "numeric_ops"},
    {1989, AM_BTREE, "oid_ops"},      {1991, AM_BTREE, "oidvector_ops"},
    {1994, AM_BTREE, "text_ops"},     {1996, AM_BTREE, "time_ops"},
    {2789, AM_BTREE, "tid_ops"},      {2968, AM_BTREE, "uuid_ops"},
    {2994, AM_BTREE, "record_ops"},   {4033, AM_BTREE, "jsonb_ops"},
    {423, AM_BTREE, "bit_ops"},       {1974, AM_BTREE, "network_ops"},
    {1984, AM_BTREE, "macaddr_ops"},  {3371, AM_BTREE, "macaddr8_ops"},
    {2000, AM_BTREE, "timetz_ops"},   {2002, AM_BTREE, "varbit_ops"},
    {2099, AM_BTREE, "money_ops"},    {5067, AM_BTREE, "xid8_ops"},
    {3253, AM_BTREE, "pg_lsn_ops"},   {1975, AM_HASH, "network_ops"},
    {1985, AM_HASH, "macaddr_ops"},   {3372, AM_HASH, "macaddr8_ops"},
    {2001, AM_HASH, "timetz_ops"},    {5032, AM_HASH, "xid8_ops"},
    {3254, AM_HASH, "pg_lsn_ops"},    {3901, AM_BTREE, "range_ops"},
    {4199, AM_BTREE, "multirange_ops"}, {3903, AM_HASH, "range_ops"},
    {4225, AM_HASH, "multirange_ops"},
    {4034, AM_HASH, "jsonb_ops"},     {427, AM_HASH, "bpchar_ops"},
    {431, AM_HASH, "char_ops"},       {435, AM_HASH, "date_ops"},
    {627, AM_HASH, "array_ops"},      {1971, AM_HASH, "float_ops"},
    {1977, AM_HASH, "integer_ops"},   {1983, AM_HASH, "interval_ops"},
    {1990, AM_HASH, "oid_ops"},       {1995, AM_HASH, "text_ops"},
    {1997, AM_HASH, "time_ops"},      {1998, AM_HASH, "numeric_ops"},
    {1999, AM_HASH, "timestamptz_ops"}, {2040, AM_HASH, "timestamp_ops"},
    {2222, AM_HASH, "bool_ops"},      {2223, AM_HASH, "bytea_ops"},
    {2225, AM_HASH, "xid_ops"},       {2969, AM_HASH, "uuid_ops"},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

static const struct operator_class {
    oid_t oid, method;
    const char *name;
    oid_t family;
    type_id type;
    bool is_default;
} classes[] = {
    {1979, AM_BTREE, "int2_ops", 1976, TYPE_INT2, true},
    {1978, AM_BTREE, "int4_ops", 1976, TYPE_INT4, true},
    {1981, AM_BTREE, "oid_ops", 1989, TYPE_OID, true},
    {3122, AM_BTREE, "date_ops", 434, TYPE_DATE, true},
    {3123, AM_BTREE, "float8_ops", 1970, TYPE_FLOAT8, true},
    {3124, AM_BTREE, "int8_ops", 1976, TYPE_INT8, true},
    {3125, AM_BTREE, "numeric_ops", 1988, TYPE_NUMERIC, true},
    {3126, AM_BTREE, "text_ops", 1994, TYPE_TEXT, true},
    {3127, AM_BTREE, "timestamptz_ops", 434, TYPE_TIMESTAMPTZ, true},
    {3128, AM_BTREE, "timestamp_ops", 434, TYPE_TIMESTAMP, true},
    {10000, AM_BTREE, "array_ops", 397, TYPE_ANYARRAY, true},
    {10003, AM_BTREE, "bool_ops", 424, TYPE_BOOL, true},
    {10004, AM_BTREE, "bpchar_ops", 426, TYPE_BPCHAR, true},
    {10006, AM_BTREE, "bytea_ops", 428, TYPE_BYTEA, true},
    {10007, AM_BTREE, "char_ops", 429, TYPE_CHAR1, true},
    {10012, AM_BTREE, "float4_ops", 1970, TYPE_FLOAT4, true},
    {10022, AM_BTREE, "interval_ops", 1982, TYPE_INTERVAL, true},
    {10028, AM_BTREE, "name_ops", 1994, TYPE_NAME, true},
    {10032, AM_BTREE, "oidvector_ops", 1991, TYPE_OIDVECTOR, true},
    {10034, AM_BTREE, "record_ops", 2994, TYPE_RECORD, true},
    {10038, AM_BTREE, "time_ops", 1996, TYPE_TIME, true},
    {10044, AM_BTREE, "varchar_ops", 1994, TYPE_TEXT, false},
    {10050, AM_BTREE, "tid_ops", 2789, TYPE_TID, true},
    {10065, AM_BTREE, "uuid_ops", 2968, TYPE_UUID, true},
    {10001, AM_HASH, "array_ops", 627, TYPE_ANYARRAY, true},
    {10005, AM_HASH, "bpchar_ops", 427, TYPE_BPCHAR, true},
    {10008, AM_HASH, "char_ops", 431, TYPE_CHAR1, true},
    {10011, AM_HASH, "date_ops", 435, TYPE_DATE, true},
    {10013, AM_HASH, "float4_ops", 1971, TYPE_FLOAT4, true},
    {10014, AM_HASH, "float8_ops", 1971, TYPE_FLOAT8, true},
    {10019, AM_HASH, "int2_ops", 1977, TYPE_INT2, true},
    {10020, AM_HASH, "int4_ops", 1977, TYPE_INT4, true},
    {10021, AM_HASH, "int8_ops", 1977, TYPE_INT8, true},
    {10023, AM_HASH, "interval_ops", 1983, TYPE_INTERVAL, true},
    {10029, AM_HASH, "name_ops", 1995, TYPE_NAME, true},
    {10030, AM_HASH, "numeric_ops", 1998, TYPE_NUMERIC, true},
    {10031, AM_HASH, "oid_ops", 1990, TYPE_OID, true},
    {10037, AM_HASH, "text_ops", 1995, TYPE_TEXT, true},
    {10039, AM_HASH, "time_ops", 1997, TYPE_TIME, true},
    {10040, AM_HASH, "timestamptz_ops", 1999, TYPE_TIMESTAMPTZ, true},
    {10045, AM_HASH, "varchar_ops", 1995, TYPE_TEXT, false},
    {10046, AM_HASH, "timestamp_ops", 2040, TYPE_TIMESTAMP, true},
    {10048, AM_HASH, "bool_ops", 2222, TYPE_BOOL, true},
    {10049, AM_HASH, "bytea_ops", 2223, TYPE_BYTEA, true},
    {10051, AM_HASH, "xid_ops", 2225, TYPE_XID, true},
    {10088, AM_BTREE, "jsonb_ops", 4033, TYPE_JSONB, true},
    {10089, AM_HASH, "jsonb_ops", 4034, TYPE_JSONB, true},
    {10066, AM_HASH, "uuid_ops", 2969, TYPE_UUID, true},
    {10002, AM_BTREE, "bit_ops", 423, TYPE_BIT, true},
    {10015, AM_BTREE, "inet_ops", 1974, TYPE_INET, true},
    {10009, AM_BTREE, "cidr_ops", 1974, TYPE_INET, false},
    {10024, AM_BTREE, "macaddr_ops", 1984, TYPE_MACADDR, true},
    {10026, AM_BTREE, "macaddr8_ops", 3371, TYPE_MACADDR8, true},
    {10041, AM_BTREE, "timetz_ops", 2000, TYPE_TIMETZ, true},
    {10043, AM_BTREE, "varbit_ops", 2002, TYPE_VARBIT, true},
    {10047, AM_BTREE, "money_ops", 2099, TYPE_MONEY, true},
    {10053, AM_BTREE, "xid8_ops", 5067, TYPE_XID8, true},
    {10067, AM_BTREE, "pg_lsn_ops", 3253, TYPE_PG_LSN, true},
    {10076, AM_BTREE, "range_ops", 3901, TYPE_ANYRANGE, true},
    {10080, AM_BTREE, "multirange_ops", 4199, TYPE_ANYMULTIRANGE, true},
    {10077, AM_HASH, "range_ops", 3903, TYPE_ANYRANGE, true},
    {10081, AM_HASH, "multirange_ops", 4225, TYPE_ANYMULTIRANGE, true},
    {10016, AM_HASH, "inet_ops", 1975, TYPE_INET, true},
    {10010, AM_HASH, "cidr_ops", 1975, TYPE_INET, false},
    {10025, AM_HASH, "macaddr_ops", 1985, TYPE_MACADDR, true},
    {10027, AM_HASH, "macaddr8_ops", 3372, TYPE_MACADDR8, true},
    {10042, AM_HASH, "timetz_ops", 2001, TYPE_TIMETZ, true},
    {10052, AM_HASH, "xid8_ops", 5032, TYPE_XID8, true},
    {10068, AM_HASH, "pg_lsn_ops", 3254, TYPE_PG_LSN, true},
};
enum { CLASSES = sizeof classes / sizeof classes[0] };

enum status sys_pg_am(struct sys_scan *x)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        TRY(SYS_EMIT(x, I(methods[i].oid), T(methods[i].name), I(methods[i].handler),
                     C(methods[i].kind)));
    return OK;
}

enum status sys_pg_opfamily(struct sys_scan *x)
{
    for (int i = 0; i < FAMILIES; i++)
        TRY(SYS_EMIT(x, I(families[i].oid), I(families[i].method), T(families[i].name),
                     I(OID_SCHEMA_PG_CATALOG), I(OID_ROLE_BOOTSTRAP)));
    return OK;
}

enum status sys_pg_opclass(struct sys_scan *x)
{
    for (int i = 0; i < CLASSES; i++) {
        const struct operator_class *c = &classes[i];
        bool short_key = c->type == TYPE_NAME && c->method == AM_BTREE;
        TRY(SYS_EMIT(x, I(c->oid), I(c->method), T(c->name), I(OID_SCHEMA_PG_CATALOG),
                     I(OID_ROLE_BOOTSTRAP), I(c->family), I(c->type), I(c->is_default),
                     I(short_key ? TYPE_CSTRING : 0)));
    }
    return OK;
}

oid_t sys_operator_class(type_id type)
{
    const struct type_info *t = type_get(type);
    if (type == TYPE_VARCHAR) type = TYPE_TEXT;
    else if (type == TYPE_CIDR) type = TYPE_INET;
    else if (t && t->rep == REP_U32 && type != TYPE_XID) type = TYPE_OID;
    else if (t && t->category == 'A' && type != TYPE_OIDVECTOR) type = TYPE_ANYARRAY;
    else if (type_is_range(type)) type = TYPE_ANYRANGE;
    else if (type_is_multirange(type)) type = TYPE_ANYMULTIRANGE;
    else if (t && t->category == 'C') type = TYPE_RECORD;
    for (int i = 0; i < CLASSES; i++)
        if (classes[i].type == type && classes[i].method == AM_BTREE && classes[i].is_default)
            return classes[i].oid;
    return 0;
}

/* --- collations and languages ----------------------------------------------------------------- */

enum status sys_pg_collation(struct sys_scan *x)
{
    static const struct {
        oid_t oid;
        const char *name;
        char provider;
    } list[] = {{COLLATION_DEFAULT, "default", 'd'}, {COLLATION_C, "C", 'c'}, {951, "POSIX", 'c'}};
    for (int i = 0; i < 3; i++) {
        const char *locale = list[i].provider == 'c' ? list[i].name : NULL;
        TRY(SYS_EMIT(x, I(list[i].oid), T(list[i].name), I(OID_SCHEMA_PG_CATALOG),
                     I(OID_ROLE_BOOTSTRAP), C(list[i].provider), I(1), I(-1), T(locale), T(locale),
                     N, N));
    }
    return OK;
}

enum status sys_pg_language(struct sys_scan *x)
{
    static const struct {
        oid_t oid;
        const char *name;
        bool trusted;
        oid_t validator, call, in_line;
    } list[] = {{12, "internal", false, 2246, 0, 0}, {13, "c", false, 2247, 0, 0},
                {14, "sql", true, 2248, 0, 0}, {13500, "plpgsql", true, 13498, 13496, 13497}};
    for (int i = 0; i < 4; i++)
        TRY(SYS_EMIT(x, I(list[i].oid), T(list[i].name), I(OID_ROLE_BOOTSTRAP),
                     I(list[i].call != 0), I(list[i].trusted), I(list[i].call),
                     I(list[i].in_line), I(list[i].validator), N));
    return OK;
}
