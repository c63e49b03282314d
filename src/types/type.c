/* The table of types, pg_type's built-in rows as PostgreSQL 15 has them, and the printing and
 * making of type modifiers. One list gives the rows and the index by OID, so that type_get, which
 * stands on hot paths, is two loads. */
#include "types/type.h"

#include "types/bits.h"
#include "types/type_priv.h"

/* X(oid, typname, format_type, typelem, typarray, typlen, category, preferred, byval, align,
 *   rep) */
#define TYPES(X) \
    X(16, "bool", "boolean", 0, 1000, 1, 'B', true, true, 'c', REP_BOOL) \
    X(17, "bytea", "bytea", 0, 1001, -1, 'U', false, false, 'i', REP_BYTES) \
    X(18, "char", "\"char\"", 0, 1002, 1, 'Z', false, true, 'c', REP_BYTES) \
    X(19, "name", "name", 18, 1003, 64, 'S', false, false, 'c', REP_BYTES) \
    X(20, "int8", "bigint", 0, 1016, 8, 'N', false, true, 'd', REP_I64) \
    X(21, "int2", "smallint", 0, 1005, 2, 'N', false, true, 's', REP_I16) \
    X(22, "int2vector", "int2vector", 21, 1006, -1, 'A', false, false, 'i', REP_BYTES) \
    X(23, "int4", "integer", 0, 1007, 4, 'N', false, true, 'i', REP_I32) \
    X(24, "regproc", "regproc", 0, 1008, 4, 'N', false, true, 'i', REP_U32) \
    X(25, "text", "text", 0, 1009, -1, 'S', true, false, 'i', REP_BYTES) \
    X(26, "oid", "oid", 0, 1028, 4, 'N', true, true, 'i', REP_U32) \
    X(27, "tid", "tid", 0, 1010, 6, 'U', false, false, 's', REP_I64) \
    X(28, "xid", "xid", 0, 1011, 4, 'U', false, true, 'i', REP_U32) \
    X(30, "oidvector", "oidvector", 26, 1013, -1, 'A', false, false, 'i', REP_BYTES) \
    X(114, "json", "json", 0, 199, -1, 'U', false, false, 'i', REP_BYTES) \
    X(194, "pg_node_tree", "pg_node_tree", 0, 0, -1, 'Z', false, false, 'i', REP_BYTES) \
    X(199, "_json", "json[]", 114, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(271, "_xid8", "xid8[]", 5069, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(650, "cidr", "cidr", 0, 651, -1, 'I', false, false, 'i', REP_BYTES) \
    X(651, "_cidr", "cidr[]", 650, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(700, "float4", "real", 0, 1021, 4, 'N', false, true, 'i', REP_F32) \
    X(701, "float8", "double precision", 0, 1022, 8, 'N', true, true, 'd', REP_F64) \
    X(705, "unknown", "unknown", 0, 0, -2, 'X', false, false, 'c', REP_BYTES) \
    X(774, "macaddr8", "macaddr8", 0, 775, 8, 'U', false, false, 'i', REP_BYTES) \
    X(775, "_macaddr8", "macaddr8[]", 774, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(790, "money", "money", 0, 791, 8, 'N', false, true, 'd', REP_I64) \
    X(791, "_money", "money[]", 790, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(829, "macaddr", "macaddr", 0, 1040, 6, 'U', false, false, 'i', REP_BYTES) \
    X(869, "inet", "inet", 0, 1041, -1, 'I', true, false, 'i', REP_BYTES) \
    X(1000, "_bool", "boolean[]", 16, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1001, "_bytea", "bytea[]", 17, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1002, "_char", "\"char\"[]", 18, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1003, "_name", "name[]", 19, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1005, "_int2", "smallint[]", 21, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1006, "_int2vector", "int2vector[]", 22, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1007, "_int4", "integer[]", 23, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1008, "_regproc", "regproc[]", 24, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1009, "_text", "text[]", 25, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1010, "_tid", "tid[]", 27, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1011, "_xid", "xid[]", 28, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1013, "_oidvector", "oidvector[]", 30, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1014, "_bpchar", "character[]", 1042, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1015, "_varchar", "character varying[]", 1043, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1016, "_int8", "bigint[]", 20, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(1021, "_float4", "real[]", 700, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1022, "_float8", "double precision[]", 701, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(1028, "_oid", "oid[]", 26, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1033, "aclitem", "aclitem", 0, 1034, 12, 'U', false, false, 'i', REP_BYTES) \
    X(1034, "_aclitem", "aclitem[]", 1033, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1040, "_macaddr", "macaddr[]", 829, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1041, "_inet", "inet[]", 869, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1042, "bpchar", "character", 0, 1014, -1, 'S', false, false, 'i', REP_BYTES) \
    X(1043, "varchar", "character varying", 0, 1015, -1, 'S', false, false, 'i', REP_BYTES) \
    X(1082, "date", "date", 0, 1182, 4, 'D', false, true, 'i', REP_I32) \
    X(1083, "time", "time without time zone", 0, 1183, 8, 'D', false, true, 'd', REP_I64) \
    X(1114, "timestamp", "timestamp without time zone", \
       0, 1115, 8, 'D', false, true, 'd', REP_I64) \
    X(1115, "_timestamp", "timestamp without time zone[]", \
       1114, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(1182, "_date", "date[]", 1082, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1183, "_time", "time without time zone[]", 1083, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(1184, "timestamptz", "timestamp with time zone", 0, 1185, 8, 'D', true, true, 'd', REP_I64) \
    X(1185, "_timestamptz", "timestamp with time zone[]", \
       1184, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(1186, "interval", "interval", 0, 1187, 16, 'T', true, false, 'd', REP_INTERVAL) \
    X(1187, "_interval", "interval[]", 1186, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(1231, "_numeric", "numeric[]", 1700, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1263, "_cstring", "cstring[]", 2275, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1266, "timetz", "time with time zone", 0, 1270, 12, 'D', false, false, 'd', REP_BYTES) \
    X(1270, "_timetz", "time with time zone[]", 1266, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(1560, "bit", "bit", 0, 1561, -1, 'V', false, false, 'i', REP_BYTES) \
    X(1561, "_bit", "bit[]", 1560, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1562, "varbit", "bit varying", 0, 1563, -1, 'V', true, false, 'i', REP_BYTES) \
    X(1563, "_varbit", "bit varying[]", 1562, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(1700, "numeric", "numeric", 0, 1231, -1, 'N', false, false, 'i', REP_NUMERIC) \
    X(2202, "regprocedure", "regprocedure", 0, 2207, 4, 'N', false, true, 'i', REP_U32) \
    X(2203, "regoper", "regoper", 0, 2208, 4, 'N', false, true, 'i', REP_U32) \
    X(2204, "regoperator", "regoperator", 0, 2209, 4, 'N', false, true, 'i', REP_U32) \
    X(2205, "regclass", "regclass", 0, 2210, 4, 'N', false, true, 'i', REP_U32) \
    X(2206, "regtype", "regtype", 0, 2211, 4, 'N', false, true, 'i', REP_U32) \
    X(2207, "_regprocedure", "regprocedure[]", 2202, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(2208, "_regoper", "regoper[]", 2203, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(2209, "_regoperator", "regoperator[]", 2204, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(2210, "_regclass", "regclass[]", 2205, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(2211, "_regtype", "regtype[]", 2206, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(2249, "record", "record", 0, 2287, -1, 'P', false, false, 'd', REP_BYTES) \
    X(2275, "cstring", "cstring", 0, 1263, -2, 'P', false, false, 'c', REP_BYTES) \
    X(2276, "any", "\"any\"", 0, 0, 4, 'P', false, true, 'i', REP_BYTES) \
    X(2277, "anyarray", "anyarray", 0, 0, -1, 'P', false, false, 'd', REP_BYTES) \
    X(2278, "void", "void", 0, 0, 4, 'P', false, true, 'i', REP_BYTES) \
    X(2279, "trigger", "trigger", 0, 0, 4, 'P', false, true, 'i', REP_BYTES) \
    X(2281, "internal", "internal", 0, 0, 8, 'P', false, true, 'd', REP_BYTES) \
    X(2283, "anyelement", "anyelement", 0, 0, 4, 'P', false, true, 'i', REP_BYTES) \
    X(2287, "_record", "record[]", 2249, 0, -1, 'P', false, false, 'd', REP_BYTES) \
    X(2776, "anynonarray", "anynonarray", 0, 0, 4, 'P', false, true, 'i', REP_BYTES) \
    X(2950, "uuid", "uuid", 0, 2951, 16, 'U', false, false, 'c', REP_UUID) \
    X(2951, "_uuid", "uuid[]", 2950, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(3220, "pg_lsn", "pg_lsn", 0, 3221, 8, 'U', false, true, 'd', REP_I64) \
    X(3221, "_pg_lsn", "pg_lsn[]", 3220, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(3802, "jsonb", "jsonb", 0, 3807, -1, 'U', false, false, 'i', REP_BYTES) \
    X(3807, "_jsonb", "jsonb[]", 3802, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(3831, "anyrange", "anyrange", 0, 0, -1, 'P', false, false, 'd', REP_BYTES) \
    X(3904, "int4range", "int4range", 0, 3905, -1, 'R', false, false, 'i', REP_BYTES) \
    X(3905, "_int4range", "int4range[]", 3904, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(3906, "numrange", "numrange", 0, 3907, -1, 'R', false, false, 'i', REP_BYTES) \
    X(3907, "_numrange", "numrange[]", 3906, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(3908, "tsrange", "tsrange", 0, 3909, -1, 'R', false, false, 'd', REP_BYTES) \
    X(3909, "_tsrange", "tsrange[]", 3908, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(3910, "tstzrange", "tstzrange", 0, 3911, -1, 'R', false, false, 'd', REP_BYTES) \
    X(3911, "_tstzrange", "tstzrange[]", 3910, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(3912, "daterange", "daterange", 0, 3913, -1, 'R', false, false, 'i', REP_BYTES) \
    X(3913, "_daterange", "daterange[]", 3912, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(3926, "int8range", "int8range", 0, 3927, -1, 'R', false, false, 'd', REP_BYTES) \
    X(3927, "_int8range", "int8range[]", 3926, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(4072, "jsonpath", "jsonpath", 0, 4073, -1, 'U', false, false, 'i', REP_BYTES) \
    X(4073, "_jsonpath", "jsonpath[]", 4072, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(4089, "regnamespace", "regnamespace", 0, 4090, 4, 'N', false, true, 'i', REP_U32) \
    X(4090, "_regnamespace", "regnamespace[]", 4089, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(4096, "regrole", "regrole", 0, 4097, 4, 'N', false, true, 'i', REP_U32) \
    X(4097, "_regrole", "regrole[]", 4096, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(4191, "regcollation", "regcollation", 0, 4192, 4, 'N', false, true, 'i', REP_U32) \
    X(4192, "_regcollation", "regcollation[]", 4191, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(4451, "int4multirange", "int4multirange", 0, 6150, -1, 'R', false, false, 'i', REP_BYTES) \
    X(4532, "nummultirange", "nummultirange", 0, 6151, -1, 'R', false, false, 'i', REP_BYTES) \
    X(4533, "tsmultirange", "tsmultirange", 0, 6152, -1, 'R', false, false, 'd', REP_BYTES) \
    X(4534, "tstzmultirange", "tstzmultirange", 0, 6153, -1, 'R', false, false, 'd', REP_BYTES) \
    X(4535, "datemultirange", "datemultirange", 0, 6155, -1, 'R', false, false, 'i', REP_BYTES) \
    X(4536, "int8multirange", "int8multirange", 0, 6157, -1, 'R', false, false, 'd', REP_BYTES) \
    X(4537, "anymultirange", "anymultirange", 0, 0, -1, 'P', false, false, 'd', REP_BYTES) \
    X(5069, "xid8", "xid8", 0, 271, 8, 'U', false, true, 'd', REP_I64) \
    X(5077, "anycompatible", "anycompatible", 0, 0, 4, 'P', false, true, 'i', REP_BYTES) \
    X(5078, "anycompatiblearray", "anycompatiblearray", 0, 0, -1, 'P', false, false, 'd', REP_BYTES) \
    X(6150, "_int4multirange", "int4multirange[]", 4451, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(6151, "_nummultirange", "nummultirange[]", 4532, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(6152, "_tsmultirange", "tsmultirange[]", 4533, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(6153, "_tstzmultirange", "tstzmultirange[]", 4534, 0, -1, 'A', false, false, 'd', REP_BYTES) \
    X(6155, "_datemultirange", "datemultirange[]", 4535, 0, -1, 'A', false, false, 'i', REP_BYTES) \
    X(6157, "_int8multirange", "int8multirange[]", 4536, 0, -1, 'A', false, false, 'd', REP_BYTES)

/* Every OID of the table lies below this. */
enum { OID_END = 6208, BPCHAR_LENGTH_MAX = 10485760, TIME_PRECISION_MAX = 6 };
/* Typmods of strings and numerics count PostgreSQL's length word. */
enum { TYPMOD_HEADER = 4, NUMERIC_PRECISION_MAX = 1000 };

#define X(oid, ...) ROW_##oid,
enum row { TYPES(X) ROW_COUNT };
#undef X

#define WIDTH_OF(rep_)                                                                             \
    ((rep_) == REP_BOOL  ? 1                                                                       \
     : (rep_) == REP_I16 ? 2                                                                       \
     : (rep_) == REP_I32 || (rep_) == REP_U32 || (rep_) == REP_F32 ? 4                             \
     : (rep_) == REP_I64 || (rep_) == REP_F64                      ? 8                             \
                                                                   : 16)
#define X(oid, name_, sql_, elem_, array_, len_, category_, preferred_, byval_, align_, rep_)      \
    {.id = oid, .element = elem_, .array = array_, .name = name_, .sql_name = sql_, .rep = rep_,   \
     .width = WIDTH_OF(rep_), .typlen = len_, .category = category_, .preferred = preferred_,      \
     .byval = byval_, .align = align_},
static const struct type_info table[ROW_COUNT] = {TYPES(X)};
#undef X

/* Row + 1 of each OID, 0 for none. */
#define X(oid, ...) [oid] = ROW_##oid + 1,
static const uint8_t row_of_oid[OID_END] = {TYPES(X)};
#undef X
_Static_assert(ROW_COUNT < 255, "row_of_oid is of bytes");

const struct type_info *type_get(type_id id)
{
    if (id >= OID_END) return type__row_get(id);
    if (!row_of_oid[id]) return NULL;
    return &table[row_of_oid[id] - 1];
}

const struct type_info *type_by_name(struct slice name)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        if (slice_eq(slice_of(table[i].name), name)) return &table[i];
    }
    return NULL;
}

const struct type_info *type_list(int *ret_count)
{
    *ret_count = ROW_COUNT;
    return table;
}

enum rep type_rep(type_id id)
{
    const struct type_info *t = type_get(id);
    ASSERT(t);
    return t->rep;
}

/* The fields of an interval typmod's range: PostgreSQL's INTERVAL_MASK bits. */
enum {
    RANGE_MONTH = 1 << 1,
    RANGE_YEAR = 1 << 2,
    RANGE_DAY = 1 << 3,
    RANGE_HOUR = 1 << 10,
    RANGE_MINUTE = 1 << 11,
    RANGE_SECOND = 1 << 12,
    RANGE_FULL = 0x7fff,
    PRECISION_FULL = 0xffff,
};

static const struct {
    int32_t range;
    const char *words;
} ranges[] = {
    {RANGE_YEAR, " year"},
    {RANGE_MONTH, " month"},
    {RANGE_YEAR | RANGE_MONTH, " year to month"},
    {RANGE_DAY, " day"},
    {RANGE_HOUR, " hour"},
    {RANGE_MINUTE, " minute"},
    {RANGE_SECOND, " second"},
    {RANGE_DAY | RANGE_HOUR, " day to hour"},
    {RANGE_DAY | RANGE_HOUR | RANGE_MINUTE, " day to minute"},
    {RANGE_DAY | RANGE_HOUR | RANGE_MINUTE | RANGE_SECOND, " day to second"},
    {RANGE_HOUR | RANGE_MINUTE, " hour to minute"},
    {RANGE_HOUR | RANGE_MINUTE | RANGE_SECOND, " hour to second"},
    {RANGE_MINUTE | RANGE_SECOND, " minute to second"},
    {RANGE_FULL, ""},
};

static const char *range_words(int32_t range)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (ranges[i].range == range) return ranges[i].words;
    return NULL;
}

static void format_typmod(const struct type_info *t, int32_t typmod, struct strbuf *out)
{
    int32_t m = typmod - TYPMOD_HEADER;
    const char *words;
    switch (t->id) {
    case TYPE_BPCHAR:
    case TYPE_VARCHAR:
        strbuf_addf(out, "%s(%d)", t->sql_name, m);
        return;
    case TYPE_NUMERIC: /* the scale is an 11-bit signed number */
        strbuf_addf(out, "numeric(%d,%d)", m >> 16 & 0xffff, ((m & 0x7ff) ^ 0x400) - 0x400);
        return;
    case TYPE_TIME:
        strbuf_addf(out, "time(%d) without time zone", typmod);
        return;
    case TYPE_TIMETZ:
        strbuf_addf(out, "time(%d) with time zone", typmod);
        return;
    case TYPE_BIT:
    case TYPE_VARBIT:
        strbuf_addf(out, "%s(%d)", t->sql_name, typmod);
        return;
    case TYPE_TIMESTAMP:
        strbuf_addf(out, "timestamp(%d) without time zone", typmod);
        return;
    case TYPE_TIMESTAMPTZ:
        strbuf_addf(out, "timestamp(%d) with time zone", typmod);
        return;
    case TYPE_INTERVAL:
        words = range_words(typmod >> 16 & RANGE_FULL);
        strbuf_addf(out, "interval%s", words ? words : "");
        if ((typmod & PRECISION_FULL) != PRECISION_FULL)
            strbuf_addf(out, "(%d)", typmod & PRECISION_FULL);
        return;
    default:
        strbuf_adds(out, t->sql_name);
    }
}

void type_format(type_id id, int32_t typmod, struct strbuf *out)
{
    const struct type_info *t = type_get(id);
    if (!t) {
        strbuf_adds(out, id == TYPE_NONE ? "-" : "???");
    } else if (typmod < 0) {
        strbuf_adds(out, t->sql_name);
    } else if (t->category == 'A' && t->typlen == -1 && t->name[0] == '_') {
        format_typmod(type_get(t->element), typmod, out);
        strbuf_adds(out, "[]");
    } else {
        format_typmod(t, typmod, out);
    }
}

static enum status make_length(const char *name, const int32_t *mods, int n, int32_t *ret)
{
    if (n != 1) return FAIL(INVALID_PARAMETER_VALUE, "invalid type modifier");
    if (mods[0] < 1)
        return FAIL(INVALID_PARAMETER_VALUE, "length for type %s must be at least 1", name);
    if (mods[0] > BPCHAR_LENGTH_MAX)
        return FAIL(INVALID_PARAMETER_VALUE, "length for type %s cannot exceed %d", name,
                    BPCHAR_LENGTH_MAX);
    *ret = mods[0] + TYPMOD_HEADER;
    return OK;
}

static enum status make_bits(type_id id, const int32_t *mods, int n, int32_t *ret)
{
    const char *name = id == TYPE_BIT ? "bit" : "varbit";
    if (n != 1) return FAIL(INVALID_PARAMETER_VALUE, "invalid type modifier");
    if (mods[0] < 1)
        return FAIL(INVALID_PARAMETER_VALUE, "length for type %s must be at least 1", name);
    if (mods[0] > BITS_TYPMOD_MAX)
        return FAIL(INVALID_PARAMETER_VALUE, "length for type %s cannot exceed %d", name,
                    BITS_TYPMOD_MAX);
    *ret = mods[0];
    return OK;
}

static enum status make_numeric(const int32_t *mods, int n, int32_t *ret)
{
    int32_t precision = mods[0], scale = n == 2 ? mods[1] : 0;
    if (n > 2) return FAIL(INVALID_PARAMETER_VALUE, "invalid NUMERIC type modifier");
    if (precision < 1 || precision > NUMERIC_PRECISION_MAX)
        return FAIL(INVALID_PARAMETER_VALUE, "NUMERIC precision %d must be between 1 and %d",
                    precision, NUMERIC_PRECISION_MAX);
    if (scale < -NUMERIC_PRECISION_MAX || scale > NUMERIC_PRECISION_MAX)
        return FAIL(INVALID_PARAMETER_VALUE, "NUMERIC scale %d must be between %d and %d", scale,
                    -NUMERIC_PRECISION_MAX, NUMERIC_PRECISION_MAX);
    *ret = (precision << 16 | (scale & 0x7ff)) + TYPMOD_HEADER;
    return OK;
}

/* PostgreSQL warns and takes 6 where more digits are asked for. */
static enum status make_time(type_id id, const int32_t *mods, int n, int32_t *ret)
{
    if (n != 1) return FAIL(INVALID_PARAMETER_VALUE, "invalid type modifier");
    if (mods[0] < 0)
        return FAIL(INVALID_PARAMETER_VALUE, "%s(%d)%s precision must not be negative",
                    id == TYPE_TIME || id == TYPE_TIMETZ ? "TIME" : "TIMESTAMP", mods[0],
                    id == TYPE_TIMESTAMPTZ || id == TYPE_TIMETZ ? " WITH TIME ZONE" : "");
    *ret = mods[0] > TIME_PRECISION_MAX ? TIME_PRECISION_MAX : mods[0];
    return OK;
}

static enum status make_interval(const int32_t *mods, int n, int32_t *ret)
{
    if (n > 2 || !range_words(mods[0]))
        return FAIL(INVALID_PARAMETER_VALUE, "invalid INTERVAL type modifier");
    if (n == 1) {
        *ret = mods[0] == RANGE_FULL ? -1 : mods[0] << 16 | PRECISION_FULL;
        return OK;
    }
    if (mods[1] < 0)
        return FAIL(INVALID_PARAMETER_VALUE, "INTERVAL(%d) precision must not be negative",
                    mods[1]);
    *ret = mods[0] << 16 | (mods[1] > TIME_PRECISION_MAX ? TIME_PRECISION_MAX : mods[1]);
    return OK;
}

enum status type_make_typmod(type_id id, const int32_t *mods, int n, int32_t *ret_typmod)
{
    const struct type_info *t = type_get(id);
    if (n == 0) {
        *ret_typmod = -1;
        return OK;
    }
    if (t && type_is_array(id)) id = t->element;
    switch (id) {
    case TYPE_BPCHAR:
        return make_length("char", mods, n, ret_typmod);
    case TYPE_VARCHAR:
        return make_length("varchar", mods, n, ret_typmod);
    case TYPE_NUMERIC:
        return make_numeric(mods, n, ret_typmod);
    case TYPE_BIT:
    case TYPE_VARBIT:
        return make_bits(id, mods, n, ret_typmod);
    case TYPE_TIME:
    case TYPE_TIMETZ:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return make_time(id, mods, n, ret_typmod);
    case TYPE_INTERVAL:
        return make_interval(mods, n, ret_typmod);
    default:
        return FAIL(SYNTAX_ERROR, "type modifier is not allowed for type \"%s\"",
                    t ? t->name : "???");
    }
}
