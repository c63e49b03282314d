/* ADD FOREIGN KEY beside writers of both tables (docs/design/online-ddl.md). The rows that refer are held
 * against a snapshot's rows as they come; a key of the table referred to that goes is looked for among those
 * that refer, by an index of them, else by one pass over them for all keys of the round. */
#include "db/ddl_build_priv.h"
#include "db/ddl_follow_priv.h"
#include "exec/ops/foreign.h"

struct foreign_follow {
    struct ddl *ddl;
    struct foreign_key key;
    struct foreign_verifier *verifier;
};

static enum status child_comes(void *ctx, struct slice key, struct datum *row)
{
    struct foreign_follow *f = ctx;
    (void)key;
    return foreign_verifier_row(f->verifier, f->ddl->reader, row);
}

static enum status parent_goes(void *ctx, struct slice key, struct datum *row)
{
    struct foreign_follow *f = ctx;
    (void)key;
    return foreign_verifier_gone(f->verifier, f->ddl->reader, row);
}

static enum status child_scanned(void *ctx, struct slice key, struct datum *row)
{
    struct foreign_follow *f = ctx;
    (void)key;
    return foreign_verifier_scanned(f->verifier, f->ddl->reader, row);
}

static enum status settle(void *ctx)
{
    struct foreign_follow *f = ctx;
    struct row_scan q = {f->key.child, child_scanned, f};
    bool scan;
    txn_statement_begin(f->ddl->reader);
    enum status st = foreign_verifier_settle(f->verifier, f->ddl->reader, &scan);
    txn_statement_end(f->ddl->reader);
    if (st == OK && scan) st = ddl__scan(f->ddl, &q);
    foreign_verifier_settled(f->verifier);
    return st;
}

static enum status first_came(void *ctx, enum status st)
{
    struct foreign_follow *f = ctx;
    foreign_verifier_settled(f->verifier);
    return st;
}

enum status ddl__follow_foreign(struct ddl *d, const struct constraint_def *k)
{
    struct foreign_follow f = {.ddl = d};
    if (!foreign_key_find(d->s->catalog, k, d->a, &f.key))
        return FAIL(INTERNAL_ERROR, "constraint \"%s\" refers to nothing", k->name);
    struct follower parent = {.ddl = d, .table = f.key.parent, .lock = d->beside,
                              .goes = parent_goes, .ctx = &f};
    struct follower child = {.ddl = d, .table = f.key.child, .other = &parent, .lock = d->beside,
                             .comes = child_comes, .scanned = first_came, .ends = settle,
                             .ctx = &f};
    f.verifier = foreign_verifier_new(d->s->txn, &d->s->exec, d->a, &f.key);
    build__show(d->s, BUILD_VALIDATE, f.key.child, NULL);
    build__show_table(d->s, f.key.child);
    enum status st = ddl__follow(&child);
    build__show(d->s, BUILD_NONE, NULL, NULL);
    foreign_verifier_free(f.verifier);
    return st;
}
