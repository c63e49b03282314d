/* SQL types. A type is named by PostgreSQL's OID, so that the wire, the catalog and the executor
 * speak of the same thing. Sources: PostgreSQL 15 documentation chapters 8 and 55. */
#ifndef HELIOS_TYPES_TYPE_H
#define HELIOS_TYPES_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Open: a uint32_t everywhere, since arrays and later user types have OIDs too. */
typedef uint32_t type_id;

enum {
    TYPE_NONE = 0,
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_CHAR1 = 18, /* "char": one byte */
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT2VECTOR = 22,
    TYPE_INT4 = 23,
    TYPE_REGPROC = 24,
    TYPE_TEXT = 25,
    TYPE_OID = 26,
    TYPE_TID = 27,
    TYPE_XID = 28,
    TYPE_OIDVECTOR = 30,
    TYPE_JSON = 114,
    TYPE_PG_NODE_TREE = 194,
    TYPE_CIDR = 650,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_UNKNOWN = 705,
    TYPE_MACADDR8 = 774,
    TYPE_MONEY = 790,
    TYPE_MACADDR = 829,
    TYPE_INET = 869,
    TYPE_ACLITEM = 1033,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_DATE = 1082,
    TYPE_TIME = 1083,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_INTERVAL = 1186,
    TYPE_TIMETZ = 1266,
    TYPE_BIT = 1560,
    TYPE_VARBIT = 1562,
    TYPE_NUMERIC = 1700,
    TYPE_REGPROCEDURE = 2202,
    TYPE_REGOPER = 2203,
    TYPE_REGOPERATOR = 2204,
    TYPE_REGCLASS = 2205,
    TYPE_REGTYPE = 2206,
    TYPE_RECORD = 2249,
    TYPE_CSTRING = 2275,
    TYPE_ANY = 2276,
    TYPE_ANYARRAY = 2277,
    TYPE_VOID = 2278,
    TYPE_TRIGGER = 2279,
    TYPE_INTERNAL = 2281,
    TYPE_ANYELEMENT = 2283,
    TYPE_ANYNONARRAY = 2776,
    TYPE_UUID = 2950,
    TYPE_PG_LSN = 3220,
    TYPE_JSONB = 3802,
    TYPE_ANYRANGE = 3831,
    TYPE_INT4RANGE = 3904,
    TYPE_NUMRANGE = 3906,
    TYPE_TSRANGE = 3908,
    TYPE_TSTZRANGE = 3910,
    TYPE_DATERANGE = 3912,
    TYPE_INT8RANGE = 3926,
    TYPE_JSONPATH = 4072,
    TYPE_REGNAMESPACE = 4089,
    TYPE_REGROLE = 4096,
    TYPE_REGCOLLATION = 4191,
    TYPE_INT4MULTIRANGE = 4451,
    TYPE_NUMMULTIRANGE = 4532,
    TYPE_TSMULTIRANGE = 4533,
    TYPE_TSTZMULTIRANGE = 4534,
    TYPE_DATEMULTIRANGE = 4535,
    TYPE_INT8MULTIRANGE = 4536,
    TYPE_ANYMULTIRANGE = 4537,
    TYPE_XID8 = 5069,
    TYPE_ANYCOMPATIBLE = 5077,
    TYPE_ANYCOMPATIBLEARRAY = 5078,
    /* arrays */
    TYPE_JSON_ARRAY = 199,
    TYPE_BOOL_ARRAY = 1000,
    TYPE_BYTEA_ARRAY = 1001,
    TYPE_CHAR1_ARRAY = 1002,
    TYPE_NAME_ARRAY = 1003,
    TYPE_INT2_ARRAY = 1005,
    TYPE_INT4_ARRAY = 1007,
    TYPE_TEXT_ARRAY = 1009,
    TYPE_BPCHAR_ARRAY = 1014,
    TYPE_VARCHAR_ARRAY = 1015,
    TYPE_INT8_ARRAY = 1016,
    TYPE_FLOAT4_ARRAY = 1021,
    TYPE_FLOAT8_ARRAY = 1022,
    TYPE_OID_ARRAY = 1028,
    TYPE_ACLITEM_ARRAY = 1034,
    TYPE_TIMESTAMP_ARRAY = 1115,
    TYPE_DATE_ARRAY = 1182,
    TYPE_TIME_ARRAY = 1183,
    TYPE_TIMESTAMPTZ_ARRAY = 1185,
    TYPE_INTERVAL_ARRAY = 1187,
    TYPE_NUMERIC_ARRAY = 1231,
    TYPE_BIT_ARRAY = 1561,
    TYPE_REGTYPE_ARRAY = 2211,
    TYPE_REGCLASS_ARRAY = 2210,
    TYPE_UUID_ARRAY = 2951,
    TYPE_RECORD_ARRAY = 2287,
    TYPE_JSONB_ARRAY = 3807,
    TYPE_JSONPATH_ARRAY = 4073,
};

/* How a value of the type lies in a `union value` and in a vector. */
enum rep {
    REP_BOOL,     /* 1 byte, 0 or 1 */
    REP_I16,
    REP_I32,      /* int4, date (days since 2000-01-01) */
    REP_U32,      /* oid and reg* */
    REP_I64,      /* int8, time and timestamps (microseconds, since 2000-01-01) */
    REP_F32,
    REP_F64,
    REP_BYTES,    /* struct bytes: text-like, bytea, arrays (types/array.h) */
    REP_NUMERIC,  /* struct numeric */
    REP_INTERVAL, /* struct interval */
    REP_UUID,     /* 16 bytes, network order */
};

struct type_info {
    type_id id, element, array; /* element: of an array type; array: the type of arrays of it */
    const char *name;           /* pg_type.typname: "int4" */
    const char *sql_name;       /* format_type's: "integer" */
    enum rep rep;
    uint8_t width;              /* bytes of one value in a vector: 1 2 4 8 16 */
    int16_t typlen;             /* pg_type.typlen: -1 for varlena */
    char category;              /* pg_type.typcategory: 'N', 'S', … */
    bool preferred, byval;
    char align;                 /* pg_type.typalign */
};

/* NULL for an unknown OID. Of a relation's row type (types/record.h) all but the name is told, whether or
 * not there is such a relation. */
const struct type_info *type_get(type_id id);
/* By pg_type name ("int4", "_int4"); NULL when absent. SQL's spellings ("integer", "double
 * precision") arrive from the parser as pg_catalog names already. */
const struct type_info *type_by_name(struct slice name);
/* All types, for pg_type. */
const struct type_info *type_list(int *ret_count);
enum rep type_rep(type_id id);
static inline bool type_is_array(type_id id)
{
    const struct type_info *t = type_get(id);
    return t && t->element != TYPE_NONE && (t->category == 'A' || id == TYPE_RECORD_ARRAY);
}
static inline bool type_is_textual(type_id id)
{
    return id == TYPE_TEXT || id == TYPE_VARCHAR || id == TYPE_BPCHAR || id == TYPE_NAME ||
           id == TYPE_UNKNOWN || id == TYPE_CSTRING;
}
/* format_type(): "character varying(20)", "numeric(10,2)", "integer[]"; typmod -1 = none. */
void type_format(type_id id, int32_t typmod, struct strbuf *out);
/* Reads the modifiers of `numeric(10,2)` and the like into a typmod. `n` numbers, 0..2. */
enum status type_make_typmod(type_id id, const int32_t *mods, int n, int32_t *ret_typmod) MUST;

#endif
