/* The settings of parallel runs: what the planner is told, worked out when one of them changes. */
#include <stdlib.h>

#include "base/fiber.h"
#include "core/txn.h"
#include "db/session_priv.h"
#include "exec/parallel.h"

enum { WORKER_BYTES = 16 << 20, /* of query.memory_limit; with less a worker is of no use */
       BLOCK_BYTES = 8192, SIZE_BLOCKS_MAX = 715827882 };

/* Blocks from "1024", "64kB", "8MB", "1GB"; as text without loss. */
static bool parse_size(const char *v, int64_t *ret_blocks)
{
    static const struct setting_unit units[] = {
        {"", BLOCK_BYTES}, {"B", 1}, {"kB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30},
        {"TB", 1ull << 40}};
    const char *unit;
    double x;
    if (!settings__read_with_unit(v, units, sizeof units / sizeof units[0], &x, &unit)) return false;
    x /= BLOCK_BYTES;
    if (!(x >= 0 && x <= SIZE_BLOCKS_MAX)) return false;
    *ret_blocks = (int64_t)(x + 0.5);
    return true;
}

bool settings__canonical_size(const char *value, struct strbuf *out)
{
    int64_t n;
    if (!parse_size(value, &n)) return false;
    long long kb = n * (BLOCK_BYTES >> 10);
    if (kb == 0) strbuf_adds(out, "0");
    else if (kb % (1 << 20) == 0) strbuf_addf(out, "%lldGB", kb >> 20);
    else if (kb % (1 << 10) == 0) strbuf_addf(out, "%lldMB", kb >> 10);
    else strbuf_addf(out, "%lldkB", kb);
    return true;
}

void settings__derive_parallel(struct session *s)
{
    struct parallel_options *o = &s->settings.parallel;
    int64_t blocks = 0;
    long workers = strtol(settings_get(s, "max_parallel_workers_per_gather"), NULL, 10);
    long threads = s->db->analytic ? (long)pool_threads(s->db->analytic) : 0;
    (void)parse_size(settings_get(s, "min_parallel_table_scan_size"), &blocks);
    memset(o, 0, sizeof *o); /* compared by its bytes, as part of a plan's key */
    if (workers > threads) workers = threads;
    uint64_t limit = s->exec.memory_limit_bytes ? s->exec.memory_limit_bytes
                                                : s->db->query_memory_bytes;
    if (limit && (uint64_t)workers > limit / WORKER_BYTES) workers = (long)(limit / WORKER_BYTES);
    o->workers = (uint32_t)workers;
    o->setup_cost = strtod(settings_get(s, "parallel_setup_cost"), NULL);
    o->scan_bytes = (double)blocks * BLOCK_BYTES;
    o->forced = settings_get(s, "debug_parallel_query")[1] == 'n';
    if (o->forced) o->setup_cost = o->scan_bytes = 0;
    o->is_safe = exec_is_parallel_safe;
    o->is_mergeable = exec_is_mergeable;
    o->is_distinct_mergeable = exec_is_distinct_mergeable;
}
