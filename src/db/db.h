/* The database: the composition root. Opens the store, owns the catalog's current snapshot, the plan
 * cache and the worker pools, and hands out sessions (db/session.h). */
#ifndef HELIOS_DB_DB_H
#define HELIOS_DB_DB_H

#include "base/config.h"
#include "base/fiber.h"
#include "base/os.h"
#include "base/str.h"

struct db;

#define HELIOS_VERSION "0.1.0"
/* What we say to PostgreSQL clients that ask: they pick their catalog queries by it. */
#define HELIOS_PG_VERSION "15.20"
#define HELIOS_PG_VERSION_NUM "150020"

struct db_options {
    struct os *os;
    const struct config *config;
    struct pool *background;       /* may be NULL: maintenance by the caller */
    struct pool *analytic;         /* for parallel queries; may be NULL: there are none */
    const char *initial_database;  /* made with a new store; NULL: "postgres" */
};

enum status db_open(const struct db_options *o, struct db **ret) MUST;
/* True when db_open found nothing and made a new store. */
bool db_is_new(const struct db *db);
/* All sessions must be gone. */
enum status db_close(struct db *db);
/* Without a checkpoint: the files stay as they are, and the next open replays the log once more. */
void db_abandon(struct db *db);

/* Flushes what is in memory, so that a restart has little to replay. From any thread. */
enum status db_checkpoint(struct db *db) MUST;

/* Looks at every byte of the files and every row and index entry of every database, and tells the
 * sink (core/store.h). For a database that nobody else uses; a server's clients ask by SQL. */
struct verify_sink;
enum status db_verify(struct db *db, const struct verify_sink *sink) MUST;

/* Ends the statement of the session with that pid, or the session itself; the key must match for
 * protocol cancels (key 0: a privileged caller). False when there is no such session. */
bool db_cancel(struct db *db, uint32_t pid, uint32_t key);
bool db_terminate(struct db *db, uint32_t pid);
uint32_t db_session_count(const struct db *db);
/* Asks every session to end: statements get ADMIN_SHUTDOWN. */
void db_shutdown_sessions(struct db *db);

/* For those who watch it. */
struct db_health {
    bool stopping;
    bool writes_stopped; /* a write failed for good: nothing more is acknowledged */
    uint32_t sessions, sessions_max;
};
void db_get_health(struct db *db, struct db_health *ret);
/* From here on health says that it is stopping. */
void db_begin_shutdown(struct db *db);
/* What is not registered with base/metrics.h, in the same text format. */
void db_write_metrics(struct db *db, struct strbuf *out);
/* An error that a client is told. */
void db_count_error(enum status code);

/* Login: what the catalog says of a role. */
struct login {
    bool exists, can_login;
    char password[256];  /* "SCRAM-SHA-256$…", empty when it has none */
};
void db_login(struct db *db, const char *user, struct login *ret);
bool db_has_database(struct db *db, const char *name);
/* SCRAM-SHA-256 verifier text of a password, as PostgreSQL stores it (RFC 5803 style). */
enum status db_password_verifier(struct db *db, const char *password, char ret[256]) MUST;

#endif
