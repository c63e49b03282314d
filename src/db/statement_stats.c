#include "db/statement_stats.h"

#include "base/fiber.h"
#include "base/hash.h"
#include "base/mem.h"

/* Entries lie in shards by hash, each a chained table under a spinlock. Who has a plan at hand keeps its
 * entry, so that most executions look nothing up. */

enum { SHARDS = 16, BUCKETS = 64, STRIPES = 8, TEXT_BYTES_MAX = 16 << 10, DRIVEN_OUT_SHARE = 20 };

struct stripe {
    struct spinlock lock;
    struct statement_sums sums; /* guarded by lock */
} __attribute__((aligned(64)));

struct statement_entry {
    struct statement_entry *next;    /* guarded by the shard's lock */
    uint32_t refs;                   /* atomic; the table's is one */
    uint32_t linked;                 /* atomic; changed under the shard's lock */
    oid_t user, database;
    uint64_t query_id, hash;
    double usage;                    /* guarded by the shard's lock: fades */
    uint64_t calls_seen;             /* guarded by the shard's lock: those that `usage` has */
    struct stripe *stripes[STRIPES]; /* atomic; made when first needed */
    char *text;
};

struct shard {
    struct spinlock lock;
    uint32_t count;
    struct statement_entry *buckets[BUCKETS];
};

struct statement_stats {
    uint32_t shard_max;
    uint64_t driven_out; /* atomic: times that entries were */
    struct shard shards[SHARDS];
};

struct statement_stats *statement_stats_new(uint32_t max)
{
    struct statement_stats *s = mem_alloc(MEM_PLAN, sizeof *s);
    s->shard_max = (max + SHARDS - 1) / SHARDS;
    return s;
}

void statement_stats_free(struct statement_stats *s)
{
    statement_stats_reset(s, 0, 0, 0);
    mem_free(MEM_PLAN, s);
}

void statement_entry_unref(struct statement_entry *e)
{
    if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL)) return;
    for (int i = 0; i < STRIPES; i++) mem_free(MEM_PLAN, e->stripes[i]);
    mem_free(MEM_PLAN, e->text);
    mem_free(MEM_PLAN, e);
}

static uint64_t hash_of(oid_t user, oid_t database, uint64_t query_id)
{
    return hash_combine(query_id, (uint64_t)user << 32 | database);
}

/* --- sums ------------------------------------------------------------------------------------- */

static struct stripe *my_stripe(struct statement_entry *e)
{
    struct stripe **at = &e->stripes[(uint32_t)(fiber_worker() + 1) % STRIPES];
    struct stripe *s = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    if (s) return s;
    struct stripe *fresh = mem_alloc_aligned(MEM_PLAN, 64, sizeof *fresh);
    memset(fresh, 0, sizeof *fresh);
    if (__atomic_compare_exchange_n(at, &s, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    mem_free(MEM_PLAN, fresh);
    return s;
}

static void add_usage(struct exec_usage *to, const struct exec_usage *u)
{
    to->blocks_hit += u->blocks_hit;
    to->blocks_read += u->blocks_read;
    to->temp_read += u->temp_read;
    to->temp_written += u->temp_written;
    to->wal_records += u->wal_records;
    to->wal_bytes += u->wal_bytes;
}

static void add_sums(struct statement_sums *to, const struct statement_sums *s)
{
    if (s->calls && (!to->calls || s->us_min < to->us_min)) to->us_min = s->us_min;
    if (s->us_max > to->us_max) to->us_max = s->us_max;
    if (s->plans && (!to->plans || s->plan_us_min < to->plan_us_min))
        to->plan_us_min = s->plan_us_min;
    if (s->plan_us_max > to->plan_us_max) to->plan_us_max = s->plan_us_max;
    to->calls += s->calls;
    to->rows += s->rows;
    to->plans += s->plans;
    to->us += s->us;
    to->us_squared += s->us_squared;
    to->plan_us += s->plan_us;
    to->plan_us_squared += s->plan_us_squared;
    add_usage(&to->usage, &s->usage);
}

static void sum_up(struct statement_entry *e, struct statement_sums *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int i = 0; i < STRIPES; i++) {
        struct stripe *s = __atomic_load_n(&e->stripes[i], __ATOMIC_ACQUIRE);
        if (!s) continue;
        spin_lock(&s->lock);
        add_sums(ret, &s->sums);
        spin_unlock(&s->lock);
    }
}

static void forget_sums(struct statement_entry *e)
{
    e->usage = 0;
    e->calls_seen = 0;
    for (int i = 0; i < STRIPES; i++) {
        struct stripe *s = __atomic_load_n(&e->stripes[i], __ATOMIC_ACQUIRE);
        if (!s) continue;
        spin_lock(&s->lock);
        memset(&s->sums, 0, sizeof s->sums);
        spin_unlock(&s->lock);
    }
}

/* --- shards: all under the lock --------------------------------------------------------------- */

static struct shard *shard_of(struct statement_stats *s, uint64_t hash)
{
    return &s->shards[hash >> 32 & (SHARDS - 1)];
}

static struct statement_entry *find(struct shard *h, uint64_t hash, oid_t user, oid_t database,
                                    uint64_t query_id)
{
    struct statement_entry *e = h->buckets[hash % BUCKETS];
    while (e && (e->query_id != query_id || e->user != user || e->database != database)) e = e->next;
    return e;
}

static void link_entry(struct shard *h, struct statement_entry *e)
{
    e->next = h->buckets[e->hash % BUCKETS];
    h->buckets[e->hash % BUCKETS] = e;
    h->count++;
    __atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&e->linked, 1, __ATOMIC_RELEASE);
}

/* Whoever still has it may link it again. */
static void unlink_entry(struct shard *h, struct statement_entry *e)
{
    struct statement_entry **at = &h->buckets[e->hash % BUCKETS];
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    h->count--;
    __atomic_store_n(&e->linked, 0, __ATOMIC_RELEASE);
    statement_entry_unref(e);
}

static void fade(struct statement_entry *e)
{
    struct statement_sums now;
    sum_up(e, &now);
    e->usage = (e->usage + (double)(now.calls - e->calls_seen)) * 0.99;
    e->calls_seen = now.calls;
}

static void make_room(struct statement_stats *s, struct shard *h)
{
    if (h->count < s->shard_max) return;
    uint32_t out = h->count / DRIVEN_OUT_SHARE + 1;
    for (int b = 0; b < BUCKETS; b++)
        for (struct statement_entry *e = h->buckets[b]; e; e = e->next) fade(e);
    for (; out && h->count; out--) {
        struct statement_entry *least = NULL;
        for (int b = 0; b < BUCKETS; b++)
            for (struct statement_entry *e = h->buckets[b]; e; e = e->next)
                if (!least || e->usage < least->usage) least = e;
        unlink_entry(h, least);
    }
    __atomic_add_fetch(&s->driven_out, 1, __ATOMIC_RELAXED);
}

/* --- entries ---------------------------------------------------------------------------------- */

static struct statement_entry *entry_new(oid_t user, oid_t database, uint64_t query_id,
                                         struct slice text)
{
    struct statement_entry *e = mem_alloc(MEM_PLAN, sizeof *e);
    size_t len = text.len < TEXT_BYTES_MAX ? text.len : TEXT_BYTES_MAX;
    while (len < text.len && len && ((unsigned char)text.data[len] & 0xc0) == 0x80) len--;
    e->refs = 1;
    e->user = user;
    e->database = database;
    e->query_id = query_id;
    e->hash = hash_of(user, database, query_id);
    e->text = mem_alloc(MEM_PLAN, len + 1);
    memcpy(e->text, text.data, len);
    return e;
}

struct statement_entry *statement_stats_get(struct statement_stats *s, oid_t user, oid_t database,
                                            uint64_t query_id, struct slice text)
{
    uint64_t hash = hash_of(user, database, query_id);
    struct shard *h = shard_of(s, hash);
    spin_lock(&h->lock);
    struct statement_entry *e = find(h, hash, user, database, query_id);
    if (e) __atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
    spin_unlock(&h->lock);
    if (e) return e;
    struct statement_entry *fresh = entry_new(user, database, query_id, text);
    spin_lock(&h->lock);
    e = find(h, hash, user, database, query_id);
    if (e) {
        __atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
    } else {
        make_room(s, h);
        link_entry(h, fresh);
    }
    spin_unlock(&h->lock);
    if (!e) return fresh;
    statement_entry_unref(fresh);
    return e;
}

/* The entry to count in; a reference when it is another one. */
static struct statement_entry *live(struct statement_stats *s, struct statement_entry *e)
{
    if (__atomic_load_n(&e->linked, __ATOMIC_ACQUIRE)) return e;
    struct shard *h = shard_of(s, e->hash);
    spin_lock(&h->lock);
    struct statement_entry *other = find(h, e->hash, e->user, e->database, e->query_id);
    if (!other) {
        forget_sums(e);
        make_room(s, h);
        link_entry(h, e);
    } else if (other != e) {
        __atomic_add_fetch(&other->refs, 1, __ATOMIC_RELAXED);
    }
    spin_unlock(&h->lock);
    return other ? other : e;
}

void statement_stats_count(struct statement_stats *s, struct statement_entry *e, int64_t us,
                           uint64_t rows, const struct exec_usage *usage)
{
    struct statement_entry *to = live(s, e);
    struct stripe *p = my_stripe(to);
    double took = (double)us;
    spin_lock(&p->lock);
    struct statement_sums *t = &p->sums;
    if (!t->calls || took < t->us_min) t->us_min = took;
    if (took > t->us_max) t->us_max = took;
    t->calls++;
    t->rows += rows;
    t->us += took;
    t->us_squared += took * took;
    add_usage(&t->usage, usage);
    spin_unlock(&p->lock);
    if (to != e) statement_entry_unref(to);
}

void statement_stats_count_plan(struct statement_stats *s, struct statement_entry *e, int64_t us)
{
    struct statement_entry *to = live(s, e);
    struct stripe *p = my_stripe(to);
    double took = (double)us;
    spin_lock(&p->lock);
    struct statement_sums *t = &p->sums;
    if (!t->plans || took < t->plan_us_min) t->plan_us_min = took;
    if (took > t->plan_us_max) t->plan_us_max = took;
    t->plans++;
    t->plan_us += took;
    t->plan_us_squared += took * took;
    spin_unlock(&p->lock);
    if (to != e) statement_entry_unref(to);
}

/* --- reading, forgetting ---------------------------------------------------------------------- */

const struct statement_line *statement_stats_read(struct statement_stats *s, struct arena *a,
                                                  uint32_t *ret_count)
{
    ARRAY(struct statement_line) lines = {0};
    for (int i = 0; i < SHARDS; i++) {
        struct shard *h = &s->shards[i];
        spin_lock(&h->lock);
        for (int b = 0; b < BUCKETS; b++)
            for (struct statement_entry *e = h->buckets[b]; e; e = e->next) {
                struct statement_line line = {e->user, e->database, e->query_id,
                                              arena_strdup(a, e->text), {0}};
                sum_up(e, &line.sums);
                ARENA_PUSH(a, &lines, line);
            }
        spin_unlock(&h->lock);
    }
    *ret_count = (uint32_t)lines.count;
    return lines.data;
}

void statement_stats_reset(struct statement_stats *s, oid_t user, oid_t database, uint64_t query_id)
{
    for (int i = 0; i < SHARDS; i++) {
        struct shard *h = &s->shards[i];
        spin_lock(&h->lock);
        for (int b = 0; b < BUCKETS; b++)
            for (struct statement_entry *e = h->buckets[b], *next; e; e = next) {
                next = e->next;
                if ((user && e->user != user) || (database && e->database != database) ||
                    (query_id && e->query_id != query_id))
                    continue;
                unlink_entry(h, e);
            }
        spin_unlock(&h->lock);
    }
}

uint64_t statement_stats_driven_out(const struct statement_stats *s)
{
    return __atomic_load_n(&s->driven_out, __ATOMIC_RELAXED);
}
