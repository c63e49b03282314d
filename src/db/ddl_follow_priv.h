/* Going over all rows of a table while others write to it (ddl_follow.c). */
#ifndef HELIOS_DB_DDL_FOLLOW_PRIV_H
#define HELIOS_DB_DDL_FOLLOW_PRIV_H

#include "db/ddl_priv.h"

/* While one of these runs, ddl->reader is the snapshot that it is about; of a row's it is in a statement. */
struct follower {
    struct ddl *ddl;
    const struct table_def *table; /* locked by SHARE UPDATE EXCLUSIVE */
    const struct follower *other;  /* its changes are followed, too, by the same snapshots; NULL */
    enum relation_lock lock;       /* that keeps writers out: taken before the end */
    /* A row as it is by now; `row` as in struct row_scan. */
    enum status (*comes)(void *ctx, struct slice key, struct datum *row);
    /* A row that came is another by now, or gone; NULL: that does not matter. In another statement of the
     * transaction than it came in. */
    enum status (*goes)(void *ctx, struct slice key, struct datum *row);
    /* Nothing needs to be done though the row has changed; NULL: always. Of a follower that has `goes`. */
    enum status (*same)(void *ctx, struct slice key, const struct datum *was,
                        const struct datum *is, bool *ret);
    /* The rows of a round have all gone and come; for each of them that has come; NULL. What came before
     * was in another statement. */
    enum status (*settles)(void *ctx, struct slice key, struct datum *row);
    /* The rows of the first snapshot have all come, or `st` was why not; NULL. */
    enum status (*scanned)(void *ctx, enum status st);
    /* All of a round is done; NULL. */
    enum status (*ends)(void *ctx);
    void *ctx;
};
/* In a transaction that has done nothing else. On return, if it is OK, all rows have come that there are, and nobody
 * writes. */
enum status ddl__follow(const struct follower *f) MUST;
/* Is the statement by itself, so that it may take a stronger lock later, and others' snapshots see all rows? */
bool ddl__is_alone(const struct ddl *d);

#endif
