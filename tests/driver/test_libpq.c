/* libpq against a server: types in text and binary, transactions, errors, COPY, cancel, prepared
 * statements, single rows, pipelines.
 *
 *     test_libpq CONNINFO
 *
 * test_libpq.sh starts a server and runs it. Any PostgreSQL 15 will do as well, which proves the test
 * right. The schema public is emptied first. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static PGconn *conn;
static const char *conninfo;

static void fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nlast message of the server: %s\n", PQerrorMessage(conn));
    exit(1);
}
#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : fail(__FILE__, __LINE__, "not so: %s", #condition))
#define SAME(got, want) same(__FILE__, __LINE__, got, want)

static void same(const char *file, int line, const char *got, const char *want)
{
    if (!got || strcmp(got, want) != 0) fail(file, line, "got \"%s\", wanted \"%s\"", got, want);
}

static PGresult *expect(int line, PGresult *r, ExecStatusType status)
{
    if (PQresultStatus(r) != status)
        fail(__FILE__, line, "%s in place of %s: %s", PQresStatus(PQresultStatus(r)),
             PQresStatus(status), PQresultErrorMessage(r));
    return r;
}
#define DO(sql) PQclear(expect(__LINE__, PQexec(conn, sql), PGRES_COMMAND_OK))
#define ROWS(sql) expect(__LINE__, PQexec(conn, sql), PGRES_TUPLES_OK)

/* One value, in a buffer that the next call uses again. */
static const char *ask(const char *sql)
{
    static char value[4096];
    PGresult *r = PQexec(conn, sql);
    if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1)
        fail(__FILE__, __LINE__, "%s: %s", sql, PQresultErrorMessage(r));
    snprintf(value, sizeof value, "%s", PQgetvalue(r, 0, 0));
    PQclear(r);
    return value;
}

static void fails(int line, PGresult *r, const char *state, const char *position,
                  const char *message)
{
    if (PQresultStatus(r) != PGRES_FATAL_ERROR) fail(__FILE__, line, "no error");
    const char *at = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
    same(__FILE__, line, PQresultErrorField(r, PG_DIAG_SQLSTATE), state);
    same(__FILE__, line, at ? at : "", position);
    if (message) same(__FILE__, line, PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY), message);
    PQclear(r);
}
#define FAILS(sql, state, position, message)                                                       \
    fails(__LINE__, PQexec(conn, sql), state, position, message)

/* --- the tests --------------------------------------------------------------------------------- */

static void connecting(void)
{
    CHECK(PQserverVersion(conn) / 10000 == 15);
    CHECK(PQprotocolVersion(conn) == 3);
    SAME(PQparameterStatus(conn, "server_encoding"), "UTF8");
    SAME(PQparameterStatus(conn, "standard_conforming_strings"), "on");
    CHECK(atoi(ask("select pg_backend_pid()")) == PQbackendPID(conn));
    CHECK(PQping(conninfo) == PQPING_OK);
    char more[512];
    snprintf(more, sizeof more, "%s options='-c search_path=pg_catalog' application_name=probe",
             conninfo);
    PGconn *other = PQconnectdb(more);
    CHECK(PQstatus(other) == CONNECTION_OK);
    SAME(PQparameterStatus(other, "application_name"), "probe");
    PQreset(other);
    CHECK(PQstatus(other) == CONNECTION_OK);
    PQfinish(other);
    snprintf(more, sizeof more, "%s dbname=no_such_database", conninfo);
    other = PQconnectdb(more);
    CHECK(PQstatus(other) == CONNECTION_BAD);
    CHECK(strstr(PQerrorMessage(other), "database \"no_such_database\" does not exist"));
    PQfinish(other);
}

static const struct {
    const char *type, *text;
} values[] = {
    {"bool", "t"}, {"bool", "f"}, {"int2", "-32768"}, {"int4", "2147483647"},
    {"int8", "-9223372036854775808"}, {"float4", "1.5"}, {"float8", "0.1"}, {"float8", "1e+308"},
    {"float8", "Infinity"}, {"float8", "NaN"}, {"numeric", "0"}, {"numeric", "-0.001"},
    {"numeric", "123456789012345678901234567890.123456789"}, {"numeric", "NaN"},
    {"numeric(6,2)", "1.50"}, {"text", ""}, {"text", "it's \\ \"q\"\n\t"}, {"text", "äöü 日本 😀"},
    {"varchar(5)", "abcde"}, {"char(5)", "ab   "}, {"name", "x"}, {"\"char\"", "x"},
    {"bytea", "\\x00ff10"}, {"date", "2024-02-29"}, {"date", "infinity"}, {"date", "4713-01-01 BC"},
    {"time", "23:59:59.999999"}, {"timestamp", "2024-01-02 03:04:05.000006"},
    {"timestamptz", "2024-01-02 03:04:05+00"}, {"timestamptz", "-infinity"},
    {"interval", "1 year 2 mons 3 days 04:05:06.7"}, {"interval", "-1 days"},
    {"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {"oid", "4294967295"},
    {"int4[]", "{1,NULL,3}"}, {"int4[]", "{}"}, {"text[]", "{a,\"b c\",NULL,\"\"}"},
    {"int4[]", "{{1,2},{3,4}}"}, {"int4[]", "[0:1]={7,8}"}, {"numeric[]", "{1.50,-2}"},
    {"regclass", "pg_class"}, {"regtype", "integer"}, {"regproc", "now"},
    {"regnamespace", "pg_catalog"}, {"regrole", "postgres"}, {"regclass[]", "{pg_class,pg_type}"},
};

/* Each value goes there as text, comes back in binary, goes again so, and comes back as text. */
static void types(void)
{
    DO("set timezone = 'UTC'");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "select $1::%s, $2::%s", values[i].type, values[i].type);
        const char *text[] = {values[i].text, NULL};
        PGresult *b = expect(__LINE__, PQexecParams(conn, sql, 2, NULL, text, NULL, NULL, 1),
                             PGRES_TUPLES_OK);
        CHECK(PQfformat(b, 0) == 1 && PQgetisnull(b, 0, 1) && !PQgetisnull(b, 0, 0));
        const char *raw[] = {PQgetvalue(b, 0, 0), NULL};
        int lengths[] = {PQgetlength(b, 0, 0), 0}, formats[] = {1, 1};
        Oid oids[] = {PQftype(b, 0), PQftype(b, 1)};
        PGresult *t = expect(__LINE__,
                             PQexecParams(conn, sql, 2, oids, raw, lengths, formats, 0),
                             PGRES_TUPLES_OK);
        if (strcmp(PQgetvalue(t, 0, 0), values[i].text) != 0)
            fail(__FILE__, __LINE__, "%s: \"%s\" came back as \"%s\"", values[i].type,
                 values[i].text, PQgetvalue(t, 0, 0));
        CHECK(PQftype(t, 0) == oids[0] && PQgetisnull(t, 0, 1));
        PQclear(t);
        PQclear(b);
    }
}

static void binary_forms(void)
{
    PGresult *r = expect(__LINE__, PQexecParams(conn, "select 258::int4, 1::int8, true, 1.5::float8,"
                                                " '2000-01-02'::date, '\\x0001'::bytea, 'x'::text",
                                                0, NULL, NULL, NULL, NULL, 1),
                         PGRES_TUPLES_OK);
    static const struct {
        int len;
        const char *bytes;
    } want[] = {{4, "\0\0\1\2"}, {8, "\0\0\0\0\0\0\0\1"}, {1, "\1"}, {8, "\x3f\xf8\0\0\0\0\0\0"},
                {4, "\0\0\0\1"}, {2, "\0\1"}, {1, "x"}};
    for (int i = 0; i < 7; i++) {
        CHECK(PQgetlength(r, 0, i) == want[i].len);
        CHECK(memcmp(PQgetvalue(r, 0, i), want[i].bytes, (size_t)want[i].len) == 0);
    }
    PQclear(r);
    /* A parameter whose type is left open, and one that is told. */
    uint32_t n = __builtin_bswap32(41);
    const char *p[] = {(const char *)&n, "x"};
    int lengths[] = {4, 0}, formats[] = {1, 0};
    r = expect(__LINE__, PQexecParams(conn, "select $1 + 1, $2 || 'y'", 2, NULL, p, lengths, formats,
                                      0), PGRES_TUPLES_OK);
    SAME(PQgetvalue(r, 0, 0), "42");
    SAME(PQgetvalue(r, 0, 1), "xy");
    PQclear(r);
}

static void transactions(void)
{
    DO("create table tx (id int primary key)");
    DO("begin");
    CHECK(PQtransactionStatus(conn) == PQTRANS_INTRANS);
    DO("insert into tx values (1)");
    FAILS("insert into tx values (1)", "23505", "",
          "duplicate key value violates unique constraint \"tx_pkey\"");
    CHECK(PQtransactionStatus(conn) == PQTRANS_INERROR);
    FAILS("select 1", "25P02", "", NULL);
    PGresult *r = expect(__LINE__, PQexec(conn, "commit"), PGRES_COMMAND_OK);
    SAME(PQcmdStatus(r), "ROLLBACK");
    PQclear(r);
    SAME(ask("select count(*) from tx"), "0");
    DO("begin");
    DO("insert into tx values (1)");
    DO("savepoint a");
    FAILS("select 1/0", "22012", "", "division by zero");
    DO("rollback to a");
    DO("commit");
    SAME(ask("select count(*) from tx"), "1");
    /* Several statements in one string are one transaction. */
    FAILS("insert into tx values (2); insert into tx values (2)", "23505", "", NULL);
    SAME(ask("select count(*) from tx"), "1");
    CHECK(PQtransactionStatus(conn) == PQTRANS_IDLE);
}

static void errors(void)
{
    DO("create table er (id int primary key, n int not null check (n > 0))");
    FAILS("selec 1", "42601", "1", "syntax error at or near \"selec\"");
    FAILS("select 'äö', nosuch", "42703", "14", "column \"nosuch\" does not exist");
    FAILS("select * from nosuch", "42P01", "15", "relation \"nosuch\" does not exist");
    FAILS("select 'x'::int", "22P02", "8", NULL);
    PGresult *r = PQexec(conn, "insert into er values (1, 0)");
    SAME(PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME), "er_n_check");
    SAME(PQresultErrorField(r, PG_DIAG_TABLE_NAME), "er");
    SAME(PQresultErrorField(r, PG_DIAG_SCHEMA_NAME), "public");
    SAME(PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL), "Failing row contains (1, 0).");
    SAME(PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED), "ERROR");
    PQclear(r);
    const char *bad[] = {"nosuch"};
    fails(__LINE__, PQexecParams(conn, "select $1::regclass", 1, NULL, bad, NULL, NULL, 0), "42P01",
          "", "relation \"nosuch\" does not exist");
    fails(__LINE__, PQexecParams(conn, "select $1::int4", 1, NULL, bad, NULL, NULL, 0), "22P02", "",
          "invalid input syntax for type integer: \"nosuch\"");
    fails(__LINE__, PQexecParams(conn, "select 1; select 2", 0, NULL, NULL, NULL, NULL, 0), "42601",
          "", "cannot insert multiple commands into a prepared statement");
    SAME(ask("select 'alive'"), "alive");
}

static void put(const char *data, int len)
{
    CHECK(PQputCopyData(conn, data, len) == 1);
}

/* All that a COPY TO gives, in a new buffer. */
static char *copy_out(const char *sql, size_t *ret_len)
{
    size_t len = 0, cap = 1 << 16;
    char *all = malloc(cap), *piece;
    int n;
    PQclear(expect(__LINE__, PQexec(conn, sql), PGRES_COPY_OUT));
    while ((n = PQgetCopyData(conn, &piece, 0)) > 0) {
        while (len + (size_t)n + 1 > cap) all = realloc(all, cap *= 2);
        memcpy(all + len, piece, (size_t)n);
        len += (size_t)n;
        PQfreemem(piece);
    }
    CHECK(n == -1);
    PQclear(expect(__LINE__, PQgetResult(conn), PGRES_COMMAND_OK));
    CHECK(!PQgetResult(conn));
    all[len] = '\0';
    *ret_len = len;
    return all;
}

static void copying(void)
{
    size_t len;
    DO("create table cp (id int primary key, name text, n numeric)");
    PGresult *r = expect(__LINE__, PQexec(conn, "copy cp from stdin"), PGRES_COPY_IN);
    CHECK(PQnfields(r) == 3 && PQbinaryTuples(r) == 0);
    PQclear(r);
    for (int i = 1; i <= 20000; i++) {
        char row[64];
        put(row, snprintf(row, sizeof row, "%d\tname %d\t%d.5\n", i, i, i));
    }
    CHECK(PQputCopyEnd(conn, NULL) == 1);
    r = expect(__LINE__, PQgetResult(conn), PGRES_COMMAND_OK);
    SAME(PQcmdStatus(r), "COPY 20000");
    PQclear(r);
    CHECK(!PQgetResult(conn));
    SAME(ask("select sum(n) from cp"), "200020000.0");
    /* Out in binary, and in again. */
    char *binary = copy_out("copy cp to stdout (format binary)", &len);
    CHECK(len > 20000 && memcmp(binary, "PGCOPY\n\377\r\n\0", 11) == 0);
    DO("create table cp2 (id int, name text, n numeric)");
    PQclear(expect(__LINE__, PQexec(conn, "copy cp2 from stdin (format binary)"), PGRES_COPY_IN));
    for (size_t at = 0; at < len; at += 10007)
        put(binary + at, (int)(len - at < 10007 ? len - at : 10007));
    free(binary);
    CHECK(PQputCopyEnd(conn, NULL) == 1);
    PQclear(expect(__LINE__, PQgetResult(conn), PGRES_COMMAND_OK));
    CHECK(!PQgetResult(conn));
    SAME(ask("select count(*) from (select * from cp except select * from cp2) x"), "0");
    char *text = copy_out("copy (select * from cp where id < 3 order by id) to stdout csv header", &len);
    SAME(text, "id,name,n\n1,name 1,1.5\n2,name 2,2.5\n");
    free(text);
    /* The server refuses, then the client gives up. */
    PQclear(expect(__LINE__, PQexec(conn, "copy cp from stdin"), PGRES_COPY_IN));
    put("30000\tok\t1\nx\tbad\t1\n", -1 + (int)sizeof "30000\tok\t1\nx\tbad\t1\n");
    CHECK(PQputCopyEnd(conn, NULL) == 1);
    r = PQgetResult(conn);
    SAME(PQresultErrorField(r, PG_DIAG_SQLSTATE), "22P02");
    SAME(PQresultErrorField(r, PG_DIAG_CONTEXT), "COPY cp, line 2, column id: \"x\"");
    PQclear(r);
    CHECK(!PQgetResult(conn));
    PQclear(expect(__LINE__, PQexec(conn, "copy cp from stdin"), PGRES_COPY_IN));
    put("30000\tok\t1\n", 11);
    CHECK(PQputCopyEnd(conn, "enough") == 1);
    fails(__LINE__, PQgetResult(conn), "57014", "", "COPY from stdin failed: enough");
    CHECK(!PQgetResult(conn));
    SAME(ask("select count(*) from cp"), "20000");
}

static void *cancel_soon(void *arg)
{
    char words[256];
    usleep(200000);
    return PQcancel(arg, words, sizeof words) ? arg : NULL;
}

static void cancelling(void)
{
    pthread_t t;
    void *sent;
    PGcancel *c = PQgetCancel(conn);
    CHECK(c && pthread_create(&t, NULL, cancel_soon, c) == 0);
    FAILS("select count(*) from generate_series(1, 1000000000) a", "57014", "",
          "canceling statement due to user request");
    pthread_join(t, &sent);
    CHECK(sent);
    PQfreeCancel(c);
    DO("set statement_timeout = '100ms'");
    FAILS("select pg_sleep(30)", "57014", "", "canceling statement due to statement timeout");
    DO("reset statement_timeout");
    SAME(ask("select 'alive'"), "alive");
}

static void prepared(void)
{
    DO("create table pr (id int primary key, v text)");
    Oid oids[] = {23, 0};
    PQclear(expect(__LINE__, PQprepare(conn, "ins", "insert into pr values ($1, $2) returning id", 2,
                                       oids), PGRES_COMMAND_OK));
    for (int i = 0; i < 50; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        const char *p[] = {id, i % 2 ? "odd" : NULL};
        PGresult *r = expect(__LINE__, PQexecPrepared(conn, "ins", 2, p, NULL, NULL, 0),
                             PGRES_TUPLES_OK);
        SAME(PQgetvalue(r, 0, 0), id);
        SAME(PQcmdTuples(r), "1");
        PQclear(r);
    }
    PGresult *r = expect(__LINE__, PQdescribePrepared(conn, "ins"), PGRES_COMMAND_OK);
    CHECK(PQnparams(r) == 2 && PQparamtype(r, 0) == 23 && PQparamtype(r, 1) == 25);
    CHECK(PQnfields(r) == 1 && PQftype(r, 0) == 23);
    SAME(PQfname(r, 0), "id");
    PQclear(r);
    fails(__LINE__, PQprepare(conn, "ins", "select 1", 0, NULL), "42P05", "", NULL);
    fails(__LINE__, PQexecPrepared(conn, "nosuch", 0, NULL, NULL, NULL, 0), "26000", "", NULL);
    SAME(ask("select count(v) from pr"), "25");
    DO("alter table pr add column w int default 7");
    const char *again[] = {"100", "x"};
    PQclear(expect(__LINE__, PQexecPrepared(conn, "ins", 2, again, NULL, NULL, 0), PGRES_TUPLES_OK));
    SAME(ask("select w from pr where id = 100"), "7");
    DO("deallocate ins");
}

static void single_rows(void)
{
    long sum = 0;
    CHECK(PQsendQuery(conn, "select g from generate_series(1, 100000) g"));
    CHECK(PQsetSingleRowMode(conn));
    for (PGresult *r; (r = PQgetResult(conn)); PQclear(r)) {
        if (PQresultStatus(r) == PGRES_SINGLE_TUPLE) sum += atol(PQgetvalue(r, 0, 0));
        else CHECK(PQresultStatus(r) == PGRES_TUPLES_OK);
    }
    CHECK(sum == 5000050000);
    /* A cursor of a result that has no end. */
    DO("begin");
    DO("declare c cursor for select generate_series(1, 4000000000)");
    for (int i = 0; i < 100; i++) {
        PGresult *r = ROWS("fetch 1000 from c");
        CHECK(PQntuples(r) == 1000 && atoi(PQgetvalue(r, 0, 0)) == i * 1000 + 1);
        PQclear(r);
    }
    DO("commit");
}

/* A pipeline of statements, one of which fails: those up to the Sync are passed over. */
static void pipelines(void)
{
    DO("create table pl (id int primary key)");
    CHECK(PQenterPipelineMode(conn) == 1);
    static const char *const sql[] = {"insert into pl values (1)", "insert into pl values (1)",
                                      "insert into pl values (2)"};
    static const ExecStatusType want[] = {PGRES_COMMAND_OK, PGRES_FATAL_ERROR,
                                          PGRES_PIPELINE_ABORTED};
    for (int i = 0; i < 3; i++) CHECK(PQsendQueryParams(conn, sql[i], 0, NULL, NULL, NULL, NULL, 0));
    CHECK(PQpipelineSync(conn) == 1);
    CHECK(PQsendQueryParams(conn, "select count(*) from pl", 0, NULL, NULL, NULL, NULL, 0));
    CHECK(PQpipelineSync(conn) == 1);
    for (int i = 0; i < 3; i++) {
        PQclear(expect(__LINE__, PQgetResult(conn), want[i]));
        CHECK(!PQgetResult(conn));
    }
    PQclear(expect(__LINE__, PQgetResult(conn), PGRES_PIPELINE_SYNC));
    PGresult *r = expect(__LINE__, PQgetResult(conn), PGRES_TUPLES_OK);
    SAME(PQgetvalue(r, 0, 0), "0");
    PQclear(r);
    CHECK(!PQgetResult(conn));
    PQclear(expect(__LINE__, PQgetResult(conn), PGRES_PIPELINE_SYNC));
    CHECK(PQexitPipelineMode(conn) == 1);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {{"connecting", connecting}, {"types", types}, {"binary forms", binary_forms},
                 {"transactions", transactions}, {"errors", errors}, {"copying", copying},
                 {"cancelling", cancelling}, {"prepared", prepared}, {"single rows", single_rows},
                 {"pipelines", pipelines}};
    if (argc != 2) return fprintf(stderr, "test_libpq CONNINFO\n"), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    conninfo = argv[1];
    conn = PQconnectdb(conninfo);
    CHECK(PQstatus(conn) == CONNECTION_OK);
    DO("set client_min_messages = warning");
    DO("drop schema if exists public cascade");
    DO("create schema public");
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tests[i].run();
        CHECK(PQtransactionStatus(conn) == PQTRANS_IDLE);
        printf("ok   %s\n", tests[i].name);
    }
    PQfinish(conn);
    return 0;
}
