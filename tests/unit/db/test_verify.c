/* Verification finds what is wrong: entries that are missing, left over, wrong or claimed twice, rows that
 * break their constraints, trees that nothing names, damaged bytes in each kind of file. And it finds
 * nothing where nothing is wrong. */
#include "sim_db.h"

#include "base/log.h"

static struct sim_db db;

static void query(const char *text)
{
    if (sim_db_query(&db, text) != OK) fail_msg("%s: %s", text, error_current()->message);
}

static int set_up(void **state)
{
    (void)state;
    struct sim_options so = {.seed = 7};
    sim_db_init(&db, &so);
    if (sim_db_open(&db) != OK) fail_msg("open: %s", error_current()->message);
    query("create table t (id int primary key, a int, u text unique, n int not null,"
          " constraint positive check (n > 0))");
    query("create index t_a on t (a desc)");
    query("insert into t select i, nullif(i % 5, 0), 'u' || i, i from generate_series(1, 1000) i");
    query("create table hidden (x int, y text)");
    query("create index hidden_x on hidden (x)");
    query("insert into hidden select i % 3, null from generate_series(1, 20) i");
    query("create sequence s");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sim_db_release(&db);
    return 0;
}

/* --- going behind the database's back ------------------------------------------------------------ */

static const struct table_def *table(const char *name)
{
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(db.db->main.catalog, &pos, &t))
        if (strcmp(t->name, name) == 0) return t;
    fail_msg("no table %s", name);
    return NULL;
}

static uint64_t index_tree(const char *table_name, const char *name)
{
    const struct table_def *t = table(table_name);
    for (uint16_t i = 0; i < t->index_count; i++)
        if (strcmp(t->indexes[i]->name, name) == 0) return t->indexes[i]->tree;
    fail_msg("no index %s", name);
    return 0;
}

struct pair {
    char key[64], row[128];
    size_t key_len, row_len;
};

/* The n-th key of the tree and its row. */
static struct pair entry(uint64_t tree, int n)
{
    struct txn_options o = {0};
    struct scan_request q = {.tree = tree};
    struct txn *t;
    struct cursor *c;
    struct slice key, row;
    uint32_t count;
    struct pair p = {0};
    assert_int_equal(txn_begin(db.db->store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_scan(t, &q, &c), OK);
    for (int i = 0; i <= n; i++) assert_int_equal(cursor_next(c, &key, &row, 1, &count), OK);
    assert_int_equal(count, 1);
    assert_true(key.len <= sizeof p.key && row.len <= sizeof p.row);
    memcpy(p.key, key.data, p.key_len = key.len);
    memcpy(p.row, row.data, p.row_len = row.len);
    cursor_close(c);
    txn_statement_end(t);
    txn_abort(t);
    return p;
}

static void write_entry(uint64_t tree, enum write_op op, const struct pair *p)
{
    struct txn_options o = {0};
    struct txn *t;
    struct write_request w = {tree, op, slice_make(p->key, p->key_len),
                              slice_make(p->row, p->row_len)};
    if (op == WRITE_DELETE) w.row = slice_make(NULL, 0);
    assert_int_equal(txn_begin(db.db->store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_write(t, &w), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
}

/* --- what is found --------------------------------------------------------------------------------- */

struct findings {
    unsigned sound, problems;
    char words[8192];
};

static enum status note(void *ctx, const struct verify_finding *f)
{
    struct findings *all = ctx;
    size_t n = strlen(all->words);
    if (!f->problem) {
        all->sound++;
        return OK;
    }
    all->problems++;
    snprintf(all->words + n, sizeof all->words - n, "%s (%s): %s\n", f->object, f->kind, f->problem);
    return OK;
}

static struct findings look(void)
{
    struct findings all = {0};
    struct verify_sink sink = {.found = note, .ctx = &all};
    if (db_verify(db.db, &sink) != OK) fail_msg("verify: %s", error_current()->message);
    return all;
}

static void expect(unsigned problems, const char *words)
{
    struct findings all = look();
    if (all.problems != problems || !strstr(all.words, words))
        fail_msg("want %u problems with \"%s\", have %u:\n%s", problems, words, all.problems,
                 all.words);
}

static void sound(void **state)
{
    (void)state;
    expect(0, "");
    assert_int_equal(db_checkpoint(db.db), OK);
    expect(0, "");
    assert_true(look().sound > 15);
    query("select count(*), count(problem) from helios_verify()");
    assert_non_null(strstr(db.rows.data, "|0\n"));
}

static void missing_entry(void **state)
{
    (void)state;
    uint64_t tree = index_tree("t", "t_a");
    struct pair p = entry(tree, 500);
    write_entry(tree, WRITE_DELETE, &p);
    expect(1, "table postgres.public.t, index t_a (rows in index): entry (a)=(");
    expect(1, "is missing");
    query("select object, kind, problem from helios_verify() where problem is not null");
    assert_non_null(strstr(db.rows.data, "table postgres.public.t, index t_a|rows in index|entry"));
}

static void left_over_entry(void **state)
{
    (void)state;
    struct pair p = entry(table("t")->tree, 41);
    write_entry(table("t")->tree, WRITE_DELETE, &p);
    expect(2, "names row (id)=(42), which does not exist");
}

static void wrong_entry(void **state)
{
    (void)state;
    uint64_t tree = index_tree("t", "t_u_key");
    struct pair p = entry(tree, 10), other = entry(tree, 11);
    memcpy(other.key, p.key, p.key_len); /* the key of one, the row of the other */
    other.key_len = p.key_len;
    write_entry(tree, WRITE_PUT, &other);
    expect(2, "index t_u_key (rows in index): entry (u)=(");
    expect(2, "index t_u_key (index entries): entry (u)=(");
}

static void missing_null_entry(void **state)
{
    (void)state;
    uint64_t tree = index_tree("t", "t_a");
    struct pair p = entry(tree, 0); /* descending: NULLs first */
    write_entry(tree, WRITE_DELETE, &p);
    expect(1, "entry (a)=(null) of row (id)=(");
}

static void hidden_row_number(void **state)
{
    (void)state;
    uint64_t tree = index_tree("hidden", "hidden_x");
    struct pair p = entry(tree, 3);
    write_entry(tree, WRITE_DELETE, &p);
    expect(1, "of row number ");
}

static void row_under_wrong_key(void **state)
{
    (void)state;
    uint64_t tree = table("t")->tree;
    struct pair p = entry(tree, 5), other = entry(tree, 6);
    memcpy(p.row, other.row, p.row_len = other.row_len);
    write_entry(tree, WRITE_PUT, &p); /* row 7 under the key of row 6 as well */
    expect(5, "row (id)=(7) is stored under the key (id)=(6)");
}

static void broken_constraints(void **state)
{
    (void)state;
    uint64_t tree = table("t")->tree;
    struct pair p = entry(tree, 5);
    query("create table like_t (id int primary key, a int, u text, n int)");
    query("insert into like_t values (8, 3, 'u8', -1), (9, 4, 'u9', null)");
    for (int i = 0; i < 2; i++) {
        p = entry(table("like_t")->tree, i);
        write_entry(tree, WRITE_PUT, &p);
    }
    expect(2, "row (id)=(8) violates check constraint positive");
    expect(2, "row (id)=(9) has null in column n, which is not null");
}

static void lost_and_found_trees(void **state)
{
    (void)state;
    struct txn_options o = {0};
    struct txn *t;
    tree_id tree;
    assert_int_equal(txn_begin(db.db->store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_create_tree(t, &tree), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    expect(1, "belongs to nothing");
    assert_int_equal(txn_begin(db.db->store, &o, &t), OK);
    txn_statement_begin(t);
    assert_int_equal(store_drop_tree(t, tree), OK);
    assert_int_equal(store_drop_tree(t, index_tree("hidden", "hidden_x")), OK);
    txn_statement_end(t);
    assert_int_equal(txn_commit(t, COMMIT_SYNC, NULL), OK);
    struct findings all = look();
    assert_true(all.problems >= 1);
    assert_non_null(strstr(all.words, "of hidden_x does not exist"));
}

static void many_problems(void **state)
{
    (void)state;
    uint64_t tree = index_tree("t", "t_a");
    for (int i = 0; i < 100; i++) {
        struct pair p = entry(tree, 0);
        write_entry(tree, WRITE_DELETE, &p);
    }
    expect(21, "there are more problems of this kind");
}

static void damaged_files(void **state)
{
    (void)state;
    assert_int_equal(db_checkpoint(db.db), OK);
    query("insert into t values (2000, 1, 'u2000', 1)");
    query("insert into t values (2001, 1, 'u2001', 1)");
    assert_int_equal(sim_flip_bit(db.os, "data/data-0001.hbf", 100, 3), OK);
    assert_int_equal(sim_flip_bit(db.os, "data/data-0001.hbf", 4096 + 100, 3), OK);
    expect(1, "superblock in file \"data/data-0001.hbf\" at offset ");
    assert_int_equal(sim_flip_bit(db.os, "data/manifest-00000001.hmf", 4096 + 20, 3), OK);
    expect(2, "manifest \"data/manifest-00000001.hmf\" is damaged at offset 4096");
    assert_int_equal(sim_flip_bit(db.os, "data/wal/0000000000000000.wal", 8192 + 20, 3), OK);
    expect(3, "write-ahead log file \"data/wal/0000000000000000.wal\" is damaged at offset");
    for (uint64_t block = 8; block < 200; block += 8)
        assert_int_equal(sim_flip_bit(db.os, "data/data-0001.hbf", block * 4096 + 300, 1), OK);
    struct findings all = look();
    assert_true(all.problems > 5);
    assert_non_null(strstr(all.words, "invalid segment in file \"data/data-0001.hbf\" at offset "));
}

static void not_for_all(void **state)
{
    (void)state;
    query("create role alice");
    query("set role alice");
    assert_int_equal(sim_db_query(&db, "select * from helios_verify()"), INSUFFICIENT_PRIVILEGE);
}

static void locked_by_ourselves(void **state)
{
    (void)state;
    query("begin");
    query("alter table t add column z int");
    query("select object, kind from helios_verify() where kind like 'skipped%'");
    assert_string_equal(db.rows.data, "table postgres.public.t|skipped: locked\n");
    query("rollback");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sound), TEST(missing_entry), TEST(left_over_entry), TEST(wrong_entry),
        TEST(missing_null_entry), TEST(hidden_row_number), TEST(row_under_wrong_key),
        TEST(broken_constraints), TEST(lost_and_found_trees), TEST(many_problems),
        TEST(damaged_files), TEST(not_for_all), TEST(locked_by_ourselves),
    };
    struct log_options quiet = {.format = LOG_TEXT, .level = LOG_FATAL};
    if (log_open(&quiet) != OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
