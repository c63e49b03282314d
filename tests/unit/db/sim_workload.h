/* A small table with a primary key and two indexes, filled one acknowledged row at a time between
 * checkpoints, compactions and DDL; every row can be told right from wrong by its id alone. */
#ifndef HELIOS_TEST_SIM_WORKLOAD_H
#define HELIOS_TEST_SIM_WORKLOAD_H

#include "sim_db.h"

enum { ROWS = 40, FILLER = 300 };

struct run {
    struct sim_db d;
    bool acked[ROWS + 1], tried[ROWS + 1]; /* by id */
    bool made;                             /* the table's commit was acknowledged */
    uint64_t last_lsn;                     /* durable before the last commit */
};

static inline enum status insert(struct run *r, int id)
{
    char text[256];
    snprintf(text, sizeof text, "insert into t values (%d, %d, 'u%d', repeat('%c', %d))", id, id % 7,
             id, 'a' + id % 26, FILLER + id);
    r->tried[id] = true;
    enum status st = sim_db_query(&r->d, text);
    r->acked[id] = st == OK;
    return st;
}

static const char create[] = "create table t (id int primary key, a int not null, u text unique,"
                             " filler text); create index t_a on t (a)";

static inline void insert_range(struct run *r, int from, int to)
{
    for (int id = from; id <= to; id++) (void)insert(r, id);
}

static inline void ignore(enum status st)
{
    if (st != OK) error_clear();
}

/* Goes on after errors, as clients do. */
static inline void work(struct run *r)
{
    bool worked;
    struct store *store = r->d.db->store;
    r->made = sim_db_query(&r->d, create) == OK;
    insert_range(r, 1, ROWS / 2);
    ignore(db_checkpoint(r->d.db));
    (void)sim_db_query(&r->d, "create index extra on t (filler)");
    insert_range(r, ROWS / 2 + 1, ROWS - 5);
    ignore(store_maintain(store, &worked));
    ignore(db_checkpoint(r->d.db));
    (void)sim_db_query(&r->d, "drop index extra");
    (void)sim_db_query(&r->d, "vacuum full t");
    insert_range(r, ROWS - 4, ROWS - 1);
    struct store_status status;
    store_get_status(store, &status);
    r->last_lsn = status.durable_lsn;
    (void)insert(r, ROWS);
    error_clear();
}

static inline void start(struct run *r, uint64_t seed, uint64_t disk_bytes)
{
    struct sim_options so = {.seed = seed, .disk_bytes_max = disk_bytes};
    *r = (struct run){0};
    sim_db_init(&r->d, &so);
}

/* The rows there are, by a scan of the table and by each index. */
static inline enum status read_ids(struct run *r, const char *query, bool found[ROWS + 1])
{
    TRY(sim_db_query(&r->d, query));
    memset(found, 0, ROWS + 1);
    const char *p = r->d.rows.data ? r->d.rows.data : "";
    while (*p) {
        char want[64];
        int id = atoi(p);
        if (id < 1 || id > ROWS) fail_msg("row %d was never written", id);
        int n = snprintf(want, sizeof want, "%d|%d|u%d|%c|%d\n", id, id % 7, id, 'a' + id % 26,
                         FILLER + id);
        if (strncmp(p, want, (size_t)n) != 0) fail_msg("wrong row: %.60s", p);
        if (found[id]) fail_msg("row %d twice", id);
        found[id] = true;
        p += n;
    }
    return OK;
}

static const char *const queries[] = {
    "select id, a, u, left(filler, 1), length(filler) from t",
    "select id, a, u, left(filler, 1), length(filler) from t where a >= 0 order by a",
    "select id, a, u, left(filler, 1), length(filler) from t where u >= 'u' order by u",
    "select id, a, u, left(filler, 1), length(filler) from t where id > 0 order by id desc",
};
enum { QUERIES = sizeof queries / sizeof queries[0] };

#endif
