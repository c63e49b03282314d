/* Functions on places in the log, pg_lsn, and on numbers of transactions, xid8. */
#include "types/position.h"

#include "exec/functions/functions_priv.h"
#include "types/numeric.h"

#define FN(name)                                                                                   \
    static enum status name(struct call_ctx *c __attribute__((unused)),                            \
                            const struct datum *args __attribute__((unused)),                      \
                            uint32_t n __attribute__((unused)), struct datum *ret)

FN(lsn_minus) { return position_diff(args[0].v.i64, args[1].v.i64, c->arena, &ret->v.numeric); }

static enum status moved(struct call_ctx *c, int64_t at, const struct numeric *by, bool back,
                         struct datum *ret)
{
    struct numeric from = position_to_numeric(at, c->arena), to;
    if (by->kind == NUMERIC_NAN)
        return FAIL(FEATURE_NOT_SUPPORTED, back ? "cannot subtract NaN from pg_lsn"
                                                : "cannot add NaN to pg_lsn");
    if (back) TRY(numeric_sub(c->arena, &from, by, &to));
    else TRY(numeric_add(c->arena, &from, by, &to));
    return position_of_numeric(&to, c->arena, &ret->v.i64);
}

FN(lsn_plus) { return moved(c, args[0].v.i64, &args[1].v.numeric, false, ret); }
FN(plus_lsn) { return moved(c, args[1].v.i64, &args[0].v.numeric, false, ret); }
FN(lsn_back) { return moved(c, args[0].v.i64, &args[1].v.numeric, true, ret); }
FN(lsn_of_numeric) { return position_of_numeric(&args[0].v.numeric, c->arena, &ret->v.i64); }

FN(xid_of_xid8)
{
    ret->v.u32 = (uint32_t)position_open(args[0].v.i64);
    return OK;
}

const struct proc_binding exec__position_functions[] = {
    {"pg_lsn_mi", lsn_minus, NULL}, {"pg_wal_lsn_diff", lsn_minus, NULL},
    {"pg_lsn_pli", lsn_plus, NULL}, {"numeric_pl_pg_lsn_sql5023", plus_lsn, NULL},
    {"pg_lsn_mii", lsn_back, NULL}, {"numeric_pg_lsn", lsn_of_numeric, NULL},
    {"xid8toxid", xid_of_xid8, NULL},
};
BINDING_COUNT(position)
