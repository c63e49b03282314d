#include "base/metrics.h"

#include "base/fiber.h"
#include "base/map.h"

/* Every metric lives for the process, in one list for the report and one map by name. A counter is
 * striped: each thread adds to one of COUNTER_STRIPES cache lines, readers sum them.
 *
 * A histogram's buckets are log-linear: values below 128 have one each, then every power of two is
 * cut in 64, so a bucket is at most 1/64 of its value wide. Values are capped at 2^40 us, 12 days. */

enum {
    COUNTER_STRIPES = 16,
    SUB_BITS = 6,
    EXACT_VALUES = 2 << SUB_BITS,
    VALUE_BITS = 40,
    BUCKETS = EXACT_VALUES + (VALUE_BITS - SUB_BITS - 1) * (1 << SUB_BITS),
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    struct metric *next; /* family by family, in order of registration; guarded by lock */
    enum metric_kind kind;
    char *name, *help;
};

struct stripe {
    uint64_t value; /* atomic: relaxed */
} __attribute__((aligned(64)));

struct counter {
    struct metric m;
    struct stripe stripes[COUNTER_STRIPES];
};

struct gauge {
    struct metric m;
    int64_t value; /* atomic: relaxed */
};

struct histogram {
    struct metric m;
    uint64_t sum;              /* atomic: relaxed */
    uint64_t buckets[BUCKETS]; /* atomic: relaxed */
};

static struct spinlock lock;
static struct map by_name;            /* guarded by lock */
static struct metric *first; /* guarded by lock */

static char *copy(const char *s)
{
    size_t len = strlen(s);
    return memcpy(mem_alloc(MEM_BASE, len + 1), s, len);
}

/* The name without its labels. */
static struct slice family(const char *name)
{
    return slice_make(name, strcspn(name, "{"));
}

/* Behind the last of its family, or at the end: the text format wants a family in one piece. */
static void link_metric(struct metric *m)
{
    struct metric **at = &first, **behind = NULL;
    for (; *at; at = &(*at)->next)
        if (slice_eq(family((*at)->name), family(m->name))) behind = &(*at)->next;
    if (!behind) behind = at;
    m->next = *behind;
    *behind = m;
}

static void *get(const char *name, const char *help, enum metric_kind kind, size_t bytes)
{
    spin_lock(&lock);
    struct metric *m = map_get(&by_name, slice_of(name));
    if (!m) {
        m = memset(mem_alloc_aligned(MEM_BASE, 64, bytes), 0, bytes);
        m->kind = kind;
        m->name = copy(name);
        m->help = copy(help);
        link_metric(m);
        map_put(&by_name, slice_of(name), m);
    }
    spin_unlock(&lock);
    ASSERT(m->kind == kind);
    return m;
}

static unsigned stripe_of_thread(void)
{
    static uint32_t threads; /* atomic */
    static __thread unsigned mine;
    if (!mine) mine = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
    return mine % COUNTER_STRIPES;
}

struct counter *counter_get(const char *name, const char *help)
{
    return get(name, help, METRIC_COUNTER, sizeof(struct counter));
}

void counter_add(struct counter *c, uint64_t n)
{
    __atomic_fetch_add(&c->stripes[stripe_of_thread()].value, n, __ATOMIC_RELAXED);
}

uint64_t counter_value(const struct counter *c)
{
    uint64_t sum = 0;
    for (int i = 0; i < COUNTER_STRIPES; i++)
        sum += __atomic_load_n(&c->stripes[i].value, __ATOMIC_RELAXED);
    return sum;
}

struct gauge *gauge_get(const char *name, const char *help)
{
    return get(name, help, METRIC_GAUGE, sizeof(struct gauge));
}

void gauge_set(struct gauge *g, int64_t v)
{
    __atomic_store_n(&g->value, v, __ATOMIC_RELAXED);
}

void gauge_add(struct gauge *g, int64_t d)
{
    __atomic_fetch_add(&g->value, d, __ATOMIC_RELAXED);
}

int64_t gauge_value(const struct gauge *g)
{
    return __atomic_load_n(&g->value, __ATOMIC_RELAXED);
}

struct histogram *histogram_get(const char *name, const char *help)
{
    return get(name, help, METRIC_HISTOGRAM, sizeof(struct histogram));
}

static unsigned bucket_of(uint64_t v)
{
    if (v < EXACT_VALUES) return (unsigned)v;
    if (v >= 1ull << VALUE_BITS) v = (1ull << VALUE_BITS) - 1;
    unsigned shift = 63 - (unsigned)__builtin_clzll(v) - SUB_BITS; /* v >> shift: 64 .. 127 */
    return EXACT_VALUES + (shift - 1) * (1 << SUB_BITS) + (unsigned)(v >> shift) - (1 << SUB_BITS);
}

/* The greatest value that falls into the bucket. */
static uint64_t bucket_top(unsigned b)
{
    if (b < EXACT_VALUES) return b;
    unsigned shift = (b - EXACT_VALUES) / (1 << SUB_BITS) + 1;
    uint64_t sub = (b - EXACT_VALUES) % (1 << SUB_BITS) + (1 << SUB_BITS);
    return ((sub + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, uint64_t us)
{
    __atomic_fetch_add(&h->buckets[bucket_of(us)], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&h->sum, us, __ATOMIC_RELAXED);
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t n = 0;
    for (int i = 0; i < BUCKETS; i++) n += __atomic_load_n(&h->buckets[i], __ATOMIC_RELAXED);
    return n;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    uint64_t count = histogram_count(h), seen = 0;
    if (!count) return 0;
    uint64_t rank = (uint64_t)(q * (double)count + 0.5);
    if (rank < 1) rank = 1;
    if (rank > count) rank = count;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += __atomic_load_n(&h->buckets[i], __ATOMIC_RELAXED);
        if (seen >= rank) return bucket_top(i);
    }
    return bucket_top(BUCKETS - 1);
}

/* --- the report ------------------------------------------------------------------------------ */

/* Bounds of the report's buckets in microseconds: 1, 2.5, 5 of every power of ten. */
static const uint64_t bounds_us[] = {10,      25,      50,       100,      250,      500,     1000,
                                     2500,    5000,    10000,    25000,    50000,    100000,  250000,
                                     500000,  1000000, 2500000,  5000000,  10000000, 30000000};
enum { BOUNDS = sizeof bounds_us / sizeof *bounds_us };

static void write_histogram(struct strbuf *out, const struct histogram *h)
{
    uint64_t seen = 0;
    unsigned b = 0;
    for (int i = 0; i < BOUNDS; i++) {
        for (; b < BUCKETS && bucket_top(b) <= bounds_us[i]; b++)
            seen += __atomic_load_n(&h->buckets[b], __ATOMIC_RELAXED);
        strbuf_addf(out, "%s_bucket{le=\"%g\"} %llu\n", h->m.name, (double)bounds_us[i] / 1e6,
                    (unsigned long long)seen);
    }
    for (; b < BUCKETS; b++) seen += __atomic_load_n(&h->buckets[b], __ATOMIC_RELAXED);
    strbuf_addf(out, "%s_bucket{le=\"+Inf\"} %llu\n", h->m.name, (unsigned long long)seen);
    strbuf_addf(out, "%s_sum %.6f\n", h->m.name,
                (double)__atomic_load_n(&h->sum, __ATOMIC_RELAXED) / 1e6);
    strbuf_addf(out, "%s_count %llu\n", h->m.name, (unsigned long long)seen);
}

void metrics_family(struct strbuf *out, const char *name, const char *type, const char *help)
{
    strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_sample(struct strbuf *out, const char *name, double value)
{
    /* 15 digits keep integers up to 2^49 exact, and 0.1 short. */
    strbuf_addf(out, "%s %.15g\n", name, value);
}

void metrics_one(struct strbuf *out, const char *name, const char *type, const char *help,
                 double value)
{
    metrics_family(out, name, type, help);
    metrics_sample(out, name, value);
}

static void write_metric(struct strbuf *out, const struct metric *m)
{
    if (m->kind == METRIC_COUNTER)
        strbuf_addf(out, "%s %llu\n", m->name,
                    (unsigned long long)counter_value((const struct counter *)m));
    else if (m->kind == METRIC_GAUGE)
        strbuf_addf(out, "%s %lld\n", m->name, (long long)gauge_value((const struct gauge *)m));
    else
        write_histogram(out, (const struct histogram *)m);
}

void metrics_write(struct strbuf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    struct slice last = {0};
    spin_lock(&lock);
    for (const struct metric *m = first; m; m = m->next) {
        struct slice f = family(m->name);
        if (!slice_eq(f, last)) {
            strbuf_addf(out, "# HELP %.*s %s\n", (int)f.len, f.data, m->help);
            strbuf_addf(out, "# TYPE %.*s %s\n", (int)f.len, f.data, kinds[m->kind]);
        }
        last = f;
        spin_unlock(&lock); /* metrics stay for good; nobody is to wait while numbers are printed */
        write_metric(out, m);
        spin_lock(&lock);
    }
    spin_unlock(&lock);
}
