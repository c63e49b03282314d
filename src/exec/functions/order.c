/* The functions behind the orders of types: which of two values is larger, smaller, and how they
 * compare (-1, 0, 1). Of two equal ones the second is taken, as PostgreSQL does; of blank-padded
 * text the first. */
#include "exec/functions/functions_priv.h"

static int order_of_arguments(const struct call_ctx *c, const struct datum *args)
{
    return value_compare(c->expr->args[0]->type, &args[0].v, &args[1].v);
}

static enum status larger(struct call_ctx *c, const struct datum *args, uint32_t n,
                          struct datum *ret)
{
    (void)n;
    int order = order_of_arguments(c, args);
    bool first = order > 0 || (order == 0 && c->expr->type == TYPE_BPCHAR);
    ret->v = args[first ? 0 : 1].v;
    return OK;
}

static enum status smaller(struct call_ctx *c, const struct datum *args, uint32_t n,
                           struct datum *ret)
{
    (void)n;
    int order = order_of_arguments(c, args);
    bool first = order < 0 || (order == 0 && c->expr->type == TYPE_BPCHAR);
    ret->v = args[first ? 0 : 1].v;
    return OK;
}

static enum status compare(struct call_ctx *c, const struct datum *args, uint32_t n,
                           struct datum *ret)
{
    (void)n;
    int order = order_of_arguments(c, args);
    ret->v.i32 = (order > 0) - (order < 0);
    return OK;
}

#define PAIR(p) {p "larger", larger, NULL}, {p "smaller", smaller, NULL}
const struct proc_binding exec__order_functions[] = {
    PAIR("int2"), PAIR("int4"), PAIR("int8"), PAIR("oid"), PAIR("float4"), PAIR("float8"),
    PAIR("text_"), PAIR("bpchar_"), PAIR("numeric_"), PAIR("date_"), PAIR("timestamp_"),
    PAIR("interval_"), PAIR("network_"), PAIR("timetz_"), PAIR("cash"), PAIR("pg_lsn_"),
    PAIR("xid8_"),
    {"btint2cmp", compare, NULL}, {"btint4cmp", compare, NULL}, {"btint8cmp", compare, NULL},
    {"btoidcmp", compare, NULL}, {"btfloat4cmp", compare, NULL}, {"btfloat8cmp", compare, NULL},
    {"btboolcmp", compare, NULL}, {"btnamecmp", compare, NULL}, {"bttextcmp", compare, NULL},
    {"bpcharcmp", compare, NULL}, {"byteacmp", compare, NULL}, {"numeric_cmp", compare, NULL},
    {"date_cmp", compare, NULL}, {"timestamp_cmp", compare, NULL},
    {"interval_cmp", compare, NULL}, {"uuid_cmp", compare, NULL}, {"bitcmp", compare, NULL},
    {"network_cmp", compare, NULL}, {"macaddr_cmp", compare, NULL},
    {"macaddr8_cmp", compare, NULL}, {"timetz_cmp", compare, NULL}, {"cash_cmp", compare, NULL},
    {"pg_lsn_cmp", compare, NULL}, {"xid8cmp", compare, NULL},
};
BINDING_COUNT(order)
