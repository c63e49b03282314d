/* Statements about indexes that work beside others: what ddl_build.c, ddl_concurrent.c and
 * ddl_reindex.c share (docs/design/online-ddl.md). */
#ifndef HELIOS_DB_DDL_BUILD_PRIV_H
#define HELIOS_DB_DDL_BUILD_PRIV_H

#include "db/builds.h"
#include "db/ddl_priv.h"

/* One such statement. Its transactions are the session's, one after another; between two of them
 * only `catalog` keeps definitions alive. */
struct build {
    struct session *s;
    const struct result_sink *sink;
    struct slice text;
    struct ddl ddl;           /* of the transaction that is open */
    bool entered;             /* builds_enter */
    oid_t table, index;       /* that it is about */
    uint64_t created_ts;      /* the index's tree is younger */
    struct catalog *catalog;  /* as its last transaction left it */
    const struct table_def *t;
    const struct index_def *x;
    struct txn *reader;       /* keeps the snapshot of the rows; NULL: none yet */
};

/* CREATE INDEX: all that can be said against it; *ret has no oid, no tree and no state. NULL: IF
 * NOT EXISTS, and it does, as a notice has said. */
enum status ddl__define_index(struct ddl *d, const struct ast_create_index *n,
                              const struct table_def **ret_table, struct index_def **ret) MUST;
/* 55006 while somebody else is at work on the table; under the lock of DDL. */
enum status ddl__unbuilt(struct ddl *d, oid_t relation) MUST;

/* --- ddl_build.c --- */
/* Whether the statement is one of these, and its execution, in transactions of its own. */
bool concurrent__handles(const struct session *s, const struct ast *a);
enum status concurrent__execute(struct session *s, const struct ast *a, struct slice text,
                                const struct result_sink *sink) MUST;

/* The session's next transaction, under the lock of DDL: b->ddl, and, once b->index is known,
 * the definitions of now. UNDEFINED_OBJECT when they are gone. */
enum status build__open(struct build *b) MUST;
/* Commits it; b->catalog, b->t and b->x are what stands then. */
enum status build__commit(struct build *b) MUST;
/* Changes what the catalog says of the index (b->index): `change` gets a copy. */
enum status build__edit(struct build *b, void (*change)(struct index_def *x)) MUST;
/* The table is ours, or, *ret_again: it is free again, the transaction was rolled back, and all
 * begins anew. */
enum status build__enter(struct build *b, oid_t table, bool *ret_again) MUST;
/* b->reader: a snapshot that sees all that has committed, kept until its end. */
enum status build__begin_reader(struct build *b) MUST;
void build__end_reader(struct build *b);
/* Waits for all who hold the table by a mode that conflicts with this one. */
enum status build__wait_lockers(struct build *b, enum relation_lock mode,
                                enum build_phase phase) MUST;
/* Fills the index, which is live and neither ready nor valid, until it is all but valid. */
enum status build__fill(struct build *b) MUST;
/* Rolls back what is open. */
void build__abort(struct build *b);
/* Leaves what was entered, and gives all back. The session has a transaction again. */
void build__end(struct build *b);

/* --- ddl_validate.c: VALIDATE CONSTRAINT beside others --- */
bool validate__handles(const struct session *s, const struct ast_alter_table *n);
enum status validate__run(struct build *b, const struct ast_alter_table *n) MUST;

/* --- ddl_reindex.c --- */
/* Is it of more than one transaction? */
bool reindex__is_manifold(const struct ast_reindex *n);
enum status reindex__check_place(struct session *s, const struct ast_reindex *n,
                                 struct slice text) MUST;
enum status ddl__reindex(struct ddl *d, const struct ast_reindex *n) MUST;
enum status reindex__all(struct session *s, const struct ast_reindex *n, struct slice text,
                         const struct result_sink *sink) MUST;
/* Builds a twin of the index and puts that in its place (ddl_concurrent.c). */
enum status reindex__one_beside(struct build *b, oid_t index) MUST;
/* The index that DROP INDEX names, when it may go (ddl_drop.c); NULL: there is none, as a notice
 * has said. */
enum status ddl__find_drop_index(struct ddl *d, const struct ast_drop *n, uint32_t i,
                                 const struct index_def **ret) MUST;

/* Gives the index a tree and fills it in this transaction, which pg_stat_progress_create_index shows. */
enum status ddl__fill_index(struct ddl *d, enum build_command shown_as, const struct table_def *t,
                            struct index_def *x) MUST;

/* For pg_stat_progress_create_index and helios_progress (builds.c). */
void build__show(struct session *s, enum build_command command, const struct table_def *t,
                 const struct index_def *x);
/* All rows of the table are to come. */
void build__show_table(struct session *s, const struct table_def *t);
void build__show_phase(struct session *s, enum build_phase phase);
void build__show_rows(struct session *s, uint64_t all, uint64_t done);

#endif
