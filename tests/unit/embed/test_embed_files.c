/* Directories: made, opened again, shared in turn with the server, locked; and none in memory.
 * argv[1]: heliosd. */
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "embed_test.h"

static const char *heliosd;

static void test_reopen(void **state)
{
    (void)state;
    char dir[64];
    make_dir(dir);
    for (int i = 0; i < 3; i++) {
        struct helios_db *db = open_db(dir);
        struct helios *c = connect_db(db);
        if (i == 0) run(c, "create table t (n int primary key)");
        assert_int_equal(number(c, "select count(*) from t"), i * 1000);
        struct helios_stmt *s =
            prepare(c, "insert into t select generate_series($1 + 1, $1 + 1000)");
        helios_bind_int64(s, 1, i * 1000);
        assert_int_equal(helios_step(s), HELIOS_DONE);
        helios_finish(s);
        helios_disconnect(c);
        assert_int_equal(helios_close(db), HELIOS_OK);
    }
    remove_dir(dir);
}

static void test_who_opens_first(void **state)
{
    (void)state;
    char dir[64];
    struct helios_db *second;
    char *message = NULL;
    make_dir(dir);
    struct helios_db *db = open_db(dir);
    assert_int_equal(helios_open(dir, NULL, &second, &message), HELIOS_ERROR);
    assert_null(second);
    assert_non_null(strstr(message, "lock file"));
    helios_free(message);
    struct helios *c = connect_db(db); /* the first goes on */
    run(c, "create table t (n int)");
    helios_disconnect(c);
    assert_int_equal(helios_close(db), HELIOS_OK);
    db = open_db(dir);
    assert_int_equal(helios_close(db), HELIOS_OK);
    remove_dir(dir);
}

static void test_two_databases(void **state)
{
    (void)state;
    char dir[64];
    make_dir(dir);
    struct helios_db *one = open_db(dir), *two = open_db(NULL), *three = open_db(NULL);
    struct helios *a = connect_db(one), *b = connect_db(two), *c = connect_db(three);
    run(a, "create table t as select 1 as n");
    run(b, "create table t as select 2 as n");
    assert_int_equal(number(a, "select n from t"), 1);
    assert_int_equal(number(b, "select n from t"), 2);
    assert_int_equal(helios_exec(c, "select n from t"), HELIOS_ERROR);
    assert_string_equal(helios_error(c)->sqlstate, "42P01");
    helios_disconnect(b);
    assert_int_equal(helios_close(two), HELIOS_OK);
    assert_int_equal(number(a, "select n from t"), 1);
    helios_disconnect(a);
    helios_disconnect(c);
    assert_int_equal(helios_close(one), HELIOS_OK);
    assert_int_equal(helios_close(three), HELIOS_OK);
    remove_dir(dir);
}

static void test_a_bad_place(void **state)
{
    (void)state;
    struct helios_db *db;
    char *message = NULL;
    assert_int_equal(helios_open("/proc/no/such/place", NULL, &db, &message), HELIOS_ERROR);
    assert_null(db);
    assert_non_null(strstr(message, "/proc/no"));
    helios_free(message);
}

/* --- in memory -------------------------------------------------------------------------------- */

static int count_entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

/* Descriptors that are files of a disk. */
static int count_open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        struct stat st;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) n++;
    }
    return n;
}

static void test_memory_leaves_no_file(void **state)
{
    (void)state;
    char dir[64], old[1024];
    make_dir(dir);
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(dir), 0);
    int entries = count_entries("."), files = count_open_files();
    struct helios_db *db = open_db(":memory:");
    struct helios *c = connect_db(db);
    run(c, "create table t (n int primary key, filler text)");
    for (int i = 0; i < 20; i++) { /* more than the memtables hold: flushes and compactions */
        char sql[200];
        snprintf(sql, sizeof sql, "insert into t select n, repeat('x', 100) || n from "
                                  "generate_series(%d, %d) n", i * 2000 + 1, i * 2000 + 2000);
        run(c, sql);
    }
    assert_int_equal(number(c, "select count(*) from t where length(filler) > 100"), 40000);
    assert_int_equal(number(c, "select n from t where n = 31234"), 31234);
    assert_int_equal(count_entries("."), entries);
    assert_int_equal(count_open_files(), files);
    helios_disconnect(c);
    assert_int_equal(helios_close(db), HELIOS_OK);
    assert_int_equal(count_entries("."), entries);
    db = open_db(":memory:");
    c = connect_db(db);
    assert_int_equal(number(c, "select count(*) from pg_tables where tablename = 't'"), 0);
    helios_disconnect(c);
    assert_int_equal(helios_close(db), HELIOS_OK);
    assert_int_equal(chdir(old), 0);
    remove_dir(dir);
}

/* --- the server's directories ----------------------------------------------------------------- */

/* Runs the server on the directory until it has filled its shop. */
static void serve_once(const char *dir)
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        execl(heliosd, heliosd, "--data", dir, "--pg-port", "0", "--demo", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    char line[1024];
    bool ready = false;
    FILE *f = fdopen(out[0], "r");
    while (!ready && fgets(line, sizeof line, f)) ready = strstr(line, "ready") != NULL;
    assert_true(ready);
    kill(pid, SIGTERM);
    while (fgets(line, sizeof line, f)) continue;
    fclose(f);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static const char all_rows[] = "select (select count(*) from orders) + (select count(*) from "
                               "customers) + (select count(*) from products)";

static void test_a_directory_of_the_server(void **state)
{
    (void)state;
    char dir[64], name[128];
    make_dir(dir);
    serve_once(dir);
    struct helios_db *db = open_db(dir);
    struct helios *c = connect_db(db); /* to the server's database, as there is no other */
    assert_int_equal(number(c, all_rows), 100000);
    struct helios_stmt *s = prepare(c, "select current_database() || ' ' || current_user");
    assert_int_equal(helios_step(s), HELIOS_ROW);
    snprintf(name, sizeof name, "%s", helios_text(s, 0));
    assert_string_equal(name, "postgres postgres");
    helios_finish(s);
    run(c, "delete from orders where id > 10");
    helios_disconnect(c);
    assert_int_equal(helios_close(db), HELIOS_OK);
    remove_dir(dir);
}

static void test_a_directory_for_the_server(void **state)
{
    (void)state;
    char dir[64];
    make_dir(dir);
    struct helios_db *db = open_db(dir);
    struct helios *c = connect_db(db);
    run(c, "create table mine as select 7 as n");
    helios_disconnect(c);
    assert_int_equal(helios_close(db), HELIOS_OK);
    serve_once(dir);
    db = open_db(dir);
    c = connect_db(db);
    assert_int_equal(number(c, "select n from mine"), 7);
    assert_int_equal(number(c, "select count(*) from pg_roles where rolname = current_user "
                               "and current_user = 'helios'"), 1);
    helios_disconnect(c);
    struct helios_connect_options o = {"postgres", "postgres"};
    assert_int_equal(helios_connect(db, &o, &c, NULL), HELIOS_OK);
    assert_int_equal(number(c, all_rows), 100000);
    helios_disconnect(c);
    assert_int_equal(helios_close(db), HELIOS_OK);
    remove_dir(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_who_opens_first),
        cmocka_unit_test(test_two_databases),
        cmocka_unit_test(test_a_bad_place),
        cmocka_unit_test(test_memory_leaves_no_file),
        cmocka_unit_test(test_a_directory_of_the_server),
        cmocka_unit_test(test_a_directory_for_the_server),
    };
    if (argc < 2) return fprintf(stderr, "usage: %s HELIOSD\n", argv[0]), 2;
    heliosd = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
