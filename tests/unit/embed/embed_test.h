/* What the library's tests share: opening, and saying what went wrong. Only helios.h is used. */
#ifndef EMBED_TEST_H
#define EMBED_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <helios.h>

static inline struct helios_db *open_db(const char *path)
{
    static const struct helios_setting small[] = {
        {"cache_bytes", "16MB"}, {"memtable_bytes", "1MB"}, {"wal.file_bytes", "4MB"}, {0}};
    struct helios_db *db;
    char *message = NULL;
    if (helios_open(path, small, &db, &message) != HELIOS_OK) fail_msg("open: %s", message);
    assert_null(message);
    return db;
}

static inline struct helios *connect_db(struct helios_db *db)
{
    struct helios *c;
    char *message = NULL;
    if (helios_connect(db, NULL, &c, &message) != HELIOS_OK) fail_msg("connect: %s", message);
    assert_null(message);
    return c;
}

static inline void run(struct helios *c, const char *sql)
{
    if (helios_exec(c, sql) != HELIOS_OK) fail_msg("%s: %s", sql, helios_error(c)->message);
}

static inline struct helios_stmt *prepare(struct helios *c, const char *sql)
{
    struct helios_stmt *s = NULL;
    if (helios_prepare(c, sql, &s) != HELIOS_OK) fail_msg("%s: %s", sql, helios_error(c)->message);
    return s;
}

static inline int64_t number(struct helios *c, const char *sql)
{
    struct helios_stmt *s = prepare(c, sql);
    if (helios_step(s) != HELIOS_ROW) fail_msg("%s: no row", sql);
    int64_t n = helios_int64(s, 0);
    assert_int_equal(helios_step(s), HELIOS_DONE);
    helios_finish(s);
    return n;
}

static inline void make_dir(char path[64])
{
    memcpy(path, "/tmp/helios-embed-XXXXXX", 25);
    assert_non_null(mkdtemp(path));
}

static inline void remove_dir(const char *path)
{
    char command[128];
    assert_memory_equal(path, "/tmp/helios-embed-", 18);
    snprintf(command, sizeof command, "rm -r '%s'", path);
    assert_int_equal(system(command), 0);
}

#endif
