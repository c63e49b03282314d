/* The moments that statements name, helios.as_of among them: when they are, and which plans may be run for
 * them.
 *
 * A plan keeps its moments as they were bound, and refers to them by number. Each run finds out when they
 * are; the plan may be run if the catalogs of then are those that its names were looked up in. If not, or if
 * a moment is an error, the statement is bound anew: so errors and their places are the binder's. */
#include <strings.h>

#include "base/hlc.h"
#include "db/past_priv.h"
#include "db/rights.h"
#include "types/datetime.h"

enum { MOMENTS_MAX = 256 };

/* --- instants ---------------------------------------------------------------------------------- */

uint64_t past_ts(int64_t us)
{
    /* All commits of that microsecond are in it; snapshots are even. */
    int64_t wall = us + PG_EPOCH_US;
    return hlc_from_wall_us(wall < 0 ? 0 : wall) | ((1u << HLC_COUNTER_BITS) - 2);
}

int64_t past_time(uint64_t ts)
{
    return hlc_wall_us(ts) - PG_EPOCH_US;
}

/* "-1h" is from now; anything else a time. */
static enum status moment_of_text(struct session *s, struct slice text, int64_t *ret_us)
{
    const struct format_options *f = &s->settings.format;
    union value v;
    while (text.len && text.data[0] == ' ') text.data++, text.len--;
    if (text.len && text.data[0] == '-') {
        TRY(value_from_text(TYPE_INTERVAL, -1, text, f, &s->arena, &v));
        return timestamptz_add_interval(s->statement_us, &v.interval, f->zone, ret_us);
    }
    TRY(value_from_text(TYPE_TIMESTAMPTZ, -1, text, f, &s->arena, &v));
    *ret_us = v.i64;
    return OK;
}

static enum status moment_of_transaction(int64_t n, uint64_t *ret)
{
    if (n <= 0) return FAIL(INVALID_PARAMETER_VALUE, "%lld is no transaction", (long long)n);
    *ret = (uint64_t)n;
    return OK;
}

struct known_params {
    uint32_t count;
};

static bool has_values(void *ctx, const struct expr *e)
{
    const struct known_params *k = ctx;
    if (!e) return true;
    if (e->kind == EXPR_PARAM && (uint32_t)e->param > k->count) return false;
    return expr_walk(e, has_values, ctx);
}

/* What it calls may bind statements of its own, with other moments. */
static enum status evaluate(struct session *s, const struct expr *e, const struct exec_params *params,
                            struct datum *ret)
{
    const struct exec_params *outer = s->moment_params;
    ARRAY(struct moment_catalog) catalogs;
    memcpy(&catalogs, &s->past_catalogs, sizeof catalogs);
    memset(&s->past_catalogs, 0, sizeof catalogs);
    s->moment_params = NULL;
    enum status st = exec_constant(e, &s->exec, params, &s->arena, ret);
    past_forget_catalogs(s);
    ARRAY_RELEASE(&s->past_catalogs);
    memcpy(&s->past_catalogs, &catalogs, sizeof catalogs);
    s->moment_params = outer;
    return st;
}

/* When it is; 0: it hangs on a parameter that has no value yet. */
static enum status moment(void *ctx, const struct expr *e, uint64_t *ret)
{
    static const struct exec_params none = {0};
    struct session *s = ctx;
    const struct exec_params *params = s->moment_params ? s->moment_params : &none;
    struct known_params known = {params->count};
    struct datum d;
    int64_t us;
    *ret = 0;
    if (!has_values(&known, e)) return OK;
    TRY(evaluate(s, e, params, &d));
    if (d.null) return FAIL(NULL_VALUE_NOT_ALLOWED, "the moment of AS OF must not be null");
    switch (e->type) {
    case TYPE_INT8: return moment_of_transaction(d.v.i64, ret);
    case TYPE_INTERVAL:
        TRY(timestamptz_add_interval(s->statement_us, &d.v.interval, s->settings.format.zone, &us));
        break;
    case TYPE_TEXT:
        TRY(moment_of_text(s, slice_make(bytes_data(&d.v.bytes), d.v.bytes.len), &us));
        break;
    default: us = d.v.i64;
    }
    *ret = past_ts(us);
    return OK;
}

/* --- binding ----------------------------------------------------------------------------------- */

static enum status catalog_at(void *ctx, uint64_t ts, const struct catalog **ret)
{
    struct session *s = ctx;
    struct moment_catalog made = {ts, NULL};
    for (size_t i = 0; i < s->past_catalogs.count; i++)
        if (s->past_catalogs.data[i].ts == ts) return *ret = s->past_catalogs.data[i].catalog, OK;
    if (!s->txn) return FAIL(INTERNAL_ERROR, "a table of the past is bound outside of transactions");
    if (s->past_catalogs.count >= MOMENTS_MAX)
        return FAIL(STATEMENT_TOO_COMPLEX, "a statement can name %d moments at most", MOMENTS_MAX);
    TRY(session__catalog_at(s, ts, &made.catalog));
    ARRAY_PUSH(&s->past_catalogs, made);
    *ret = made.catalog;
    return OK;
}

static bool may_use_schema(void *ctx, const struct schema_def *d)
{
    return rights_schema(ctx, d);
}

void past_bind_env(struct session *s, struct bind_env *env)
{
    env->present = env->catalog;
    env->past = moment;
    env->catalog_at = catalog_at;
    env->past_ctx = s;
    env->may_use_schema = may_use_schema;
    if (!s->settings.as_of) return;
    ARENA_PUSH(env->arena, &env->moments, (struct bound_moment){.ts = s->settings.as_of});
    env->moment = 1;
}

void past_give_moments(struct session *s, const struct bind_env *env, struct cached_plan *p)
{
    uint32_t n = (uint32_t)env->moments.count;
    uint64_t *made = ARENA_ARRAY(&p->arena, uint64_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        made[i] = env->moments.data[i].ts;
        if (env->once || env->moments.data[i].catalog) p->moment_count = n;
    }
    p->once = env->once;
    p->moments = env->moments.data;
    p->made = made;
    for (size_t i = 0; i < s->past_catalogs.count; i++)
        ARRAY_PUSH(&p->past_catalogs, s->past_catalogs.data[i].catalog);
    s->past_catalogs.count = 0;
}

void past_forget_catalogs(struct session *s)
{
    for (size_t i = 0; i < s->past_catalogs.count; i++) catalog_unref(s->past_catalogs.data[i].catalog);
    s->past_catalogs.count = 0;
}

/* --- running again ----------------------------------------------------------------------------- */

/* What was made for its moments alone may be run for them, once. */
static bool is_complete(const struct cached_plan *p)
{
    for (uint32_t i = 0; i < p->moment_count; i++)
        if (!p->made[i]) return false;
    return true;
}

/* Was the catalog of then that of the plan? */
static enum status look_up(struct session *s, const struct bound_moment *m, uint64_t *ret_ts,
                           bool *ret_same)
{
    const struct catalog *c = s->catalog;
    if (m->expr) TRY(moment(s, m->expr, ret_ts));
    else *ret_ts = s->settings.as_of;
    if (*ret_ts) TRY(catalog_at(s, *ret_ts, &c));
    *ret_same = c == m->catalog;
    return OK;
}

bool past_fits(struct session *s, const struct cached_plan *p)
{
    bool fits = true;
    s->moments = NULL;
    if (p->once) return is_complete(p);
    if (!p->moment_count) return true;
    uint64_t *moments = ARENA_ARRAY(&s->arena, uint64_t, p->moment_count);
    s->settings.format.now_us = s->txn_us;
    for (uint32_t i = 0; i < p->moment_count && fits; i++)
        if (p->moments[i].catalog && look_up(s, &p->moments[i], &moments[i], &fits) != OK)
            fits = false, error_clear();
    past_forget_catalogs(s);
    if (fits) s->moments = moments;
    return fits;
}

const uint64_t *past_take_moments(struct session *s, const struct cached_plan *p, struct arena *a)
{
    const uint64_t *m = s->moments;
    if (m) m = arena_memdup(a, m, p->moment_count * sizeof *m);
    s->moments = NULL;
    return m;
}

/* --- helios.as_of ------------------------------------------------------------------------------ */

bool session__is_read_only(const struct session *s)
{
    return s->read_only || s->settings.as_of;
}

/* "transaction 123", "scn 123". */
static bool transaction_setting(const char *value, int64_t *ret)
{
    size_t skip = strncasecmp(value, "transaction ", 12) == 0 ? 12
                  : strncasecmp(value, "scn ", 4) == 0        ? 4
                                                              : 0;
    return skip && str_to_i64(slice_make(value + skip, strlen(value) - skip), ret);
}

enum status past_read_setting(struct session *s, const char *value, uint64_t *ret_ts,
                              struct strbuf *canonical)
{
    struct format_options iso = s->settings.format;
    int64_t n, us;
    *ret_ts = 0;
    if (!*value || str_eq_nocase(value, "now")) return OK;
    if (transaction_setting(value, &n)) {
        TRY(moment_of_transaction(n, ret_ts));
        strbuf_addf(canonical, "transaction %lld", (long long)n);
    } else {
        TRY(moment_of_text(s, slice_of(value), &us));
        *ret_ts = past_ts(us);
        iso.date_style = DATE_STYLE_ISO;
        datetime_to_text(TYPE_TIMESTAMPTZ, &(union value){.i64 = us}, &iso, canonical);
    }
    if (past_time(*ret_ts) > db__now_us(s->db))
        return FAIL(INVALID_PARAMETER_VALUE, "helios.as_of cannot be in the future");
    return OK;
}
