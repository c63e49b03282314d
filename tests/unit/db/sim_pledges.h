/* Prepared transactions in the power-loss test: a pledge inserts a row and updates one of a few slots, is
 * prepared, and ended later, perhaps after a loss or two. The slot stays locked until then. */
#ifndef HELIOS_TEST_SIM_PLEDGES_H
#define HELIOS_TEST_SIM_PLEDGES_H

#include "sim_db.h"

enum { SLOTS = 6, OPEN_MAX = 4 };

struct pledge {
    int n, slot;
};
struct pledges {
    struct pledge open[OPEN_MAX];
    int count, next;
    int64_t rows, sum;   /* of those that have committed */
    int slots[SLOTS];    /* the last one that has committed */
    char doubt;          /* what nobody answered: 'P', 'C', 'R', or 0 */
    struct pledge doubtful;
    uint64_t made, survived; /* survived: that were there again after a loss */
};

static inline enum status pledges_sql(struct sim_db *d, const char *fmt, ...) PRINTF(2, 3);
static inline enum status pledges_sql(struct sim_db *d, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return sim_db_query(d, text);
}

static inline enum status pledges_make(struct sim_db *d)
{
    TRY(pledges_sql(d, "create table pledges (n int primary key, slot int not null, filler text unique);"
                       "create table slots (id int primary key, v int)"));
    return pledges_sql(d, "insert into slots select i, 0 from generate_series(0, %d) i", SLOTS - 1);
}

static inline bool pledges_uses(const struct pledges *p, int slot)
{
    for (int i = 0; i < p->count; i++)
        if (p->open[i].slot == slot) return true;
    return false;
}

static inline void pledges_close(struct pledges *p, int at, bool commit)
{
    struct pledge x = p->open[at];
    p->open[at] = p->open[--p->count];
    if (!commit) return;
    p->rows++;
    p->sum += x.n;
    p->slots[x.slot] = x.n;
}

/* Makes one, or ends one. */
static inline enum status pledges_step(struct pledges *p, struct sim_db *d, struct rng *rng)
{
    if (p->count && (p->count == OPEN_MAX || rng_below(rng, 2))) {
        int at = (int)rng_below(rng, (uint64_t)p->count);
        bool commit = rng_below(rng, 3) > 0;
        enum status st = pledges_sql(d, "%s prepared 'p%d'", commit ? "commit" : "rollback",
                                     p->open[at].n);
        p->doubt = st == OK ? 0 : commit ? 'C' : 'R';
        p->doubtful = p->open[at];
        if (st == OK) pledges_close(p, at, commit);
        return st;
    }
    struct pledge x = {++p->next, (int)rng_below(rng, SLOTS)};
    if (pledges_uses(p, x.slot)) return OK;
    TRY(pledges_sql(d, "begin"));
    TRY(pledges_sql(d, "insert into pledges values (%d, %d, '%d' || repeat('y', %d))", x.n, x.slot, x.n,
                    (int)rng_below(rng, 2000)));
    TRY(pledges_sql(d, "update slots set v = %d where id = %d", x.n, x.slot));
    enum status st = pledges_sql(d, "prepare transaction 'p%d'", x.n);
    p->doubt = st == OK ? 0 : 'P';
    p->doubtful = x;
    if (st == OK) p->open[p->count++] = x;
    p->made += st == OK;
    return st;
}

static inline bool pledges_listed(const struct sim_db *d, int n)
{
    char line[32];
    snprintf(line, sizeof line, "\np%d\n", n);
    return strstr(d->rows.data, line) != NULL;
}

static inline int pledges_place(const struct pledges *p, int n)
{
    int at = 0;
    while (at < p->count && p->open[at].n != n) at++;
    return at;
}

static inline void pledges_expect(struct sim_db *d, const char *query, const char *want)
{
    enum status st = sim_db_query(d, query);
    if (st != OK) fail_msg("%s: %s: %s", query, status_name(st), error_current()->message);
    if (strcmp(d->rows.data ? d->rows.data : "", want) != 0)
        fail_msg("%s: %s, not %s", query, d->rows.data, want);
}

/* After a loss: those that are prepared are there, the one in doubt is one thing or the other, and the rows
 * and locks are those of that. */
static inline void pledges_check(struct pledges *p, struct sim_db *d)
{
    char want[256];
    enum status st = sim_db_query(d, "select '' union all select gid from pg_prepared_xacts");
    if (st != OK) fail_msg("pg_prepared_xacts: %s", error_current()->message);
    int at = pledges_place(p, p->doubtful.n);
    if (p->doubt) {
        bool listed = pledges_listed(d, p->doubtful.n);
        if (p->doubt == 'P' && listed) p->open[p->count++] = p->doubtful;
        if (p->doubt != 'P' && !listed) pledges_close(p, at, p->doubt == 'C');
        p->doubt = 0;
    }
    int lines = 0;
    for (size_t i = 0; i < d->rows.len; i++) lines += d->rows.data[i] == '\n';
    if (lines - 1 != p->count) fail_msg("%d are prepared, not %d", lines - 1, p->count);
    for (int i = 0; i < p->count; i++)
        if (!pledges_listed(d, p->open[i].n)) fail_msg("p%d was prepared and is gone", p->open[i].n);
    p->survived += (uint64_t)p->count;
    snprintf(want, sizeof want, "%lld|%lld\n", (long long)p->rows, (long long)p->sum);
    pledges_expect(d, "select count(*), coalesce(sum(n), 0) from pledges", want);
    struct strbuf free_slots, values;
    strbuf_init(&free_slots, NULL);
    strbuf_init(&values, NULL);
    for (int i = 0; i < SLOTS; i++) {
        strbuf_addf(&values, "%d|%d\n", i, p->slots[i]);
        if (!pledges_uses(p, i)) strbuf_addf(&free_slots, "%d\n", i);
    }
    pledges_expect(d, "select id, v from slots order by id", values.data);
    pledges_expect(d, "select id from slots order by id for update skip locked", free_slots.data);
    strbuf_release(&free_slots);
    strbuf_release(&values);
}

#endif
