/* What kind of transaction it is: isolation level, access mode and DEFERRABLE, by BEGIN, by SET
 * TRANSACTION, and by the settings with the defaults. */
#include "db/session_priv.h"

#include "sql/ast.h"

enum isolation session__isolation_of(const char *level)
{
    if (str_eq_nocase(level, "serializable")) return SERIALIZABLE;
    return str_eq_nocase(level, "repeatable read") ? REPEATABLE_READ : READ_COMMITTED;
}

const char *session__isolation_name(const struct session *s)
{
    if (s->isolation == SERIALIZABLE) return "serializable";
    if (s->isolation == REPEATABLE_READ) return "repeatable read";
    return s->read_uncommitted ? "read uncommitted" : "read committed";
}

void session__take_defaults(struct session *s)
{
    s->isolation = s->settings.default_isolation;
    s->read_uncommitted = s->settings.default_read_uncommitted;
    s->read_only = s->settings.default_read_only;
    s->deferrable = s->settings.default_deferrable;
}

void session__default_changed(struct session *s)
{
    if (!s->txn && s->block != BLOCK_OPEN && s->block != BLOCK_FAILED) session__take_defaults(s);
}

static void set_level(struct session *s, const char *level)
{
    s->isolation = session__isolation_of(level);
    s->read_uncommitted = str_eq_nocase(level, "read uncommitted");
}

void session__begin_options(struct session *s, const struct ast_list *options)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct ast_def_elem *d = AST(options->items[i], ast_def_elem);
        const struct ast_const *c = (const struct ast_const *)d->arg;
        if (strcmp(d->name, "transaction_isolation") == 0) set_level(s, c ? c->text : "");
        else if (strcmp(d->name, "transaction_read_only") == 0) s->read_only = c && c->ival != 0;
        else if (strcmp(d->name, "transaction_deferrable") == 0) s->deferrable = c && c->ival != 0;
    }
}

/* --- SET TRANSACTION --------------------------------------------------------------------------- */

static enum status too_late(const char *what)
{
    return FAIL(ACTIVE_SQL_TRANSACTION, "%s must be %s before any query", what,
                what[0] == 't' ? "set" : "called");
}

/* Nothing has run in it, though it may hold locks: it is another from now on. */
static void change_mode(struct session *s, enum isolation isolation, bool read_only)
{
    if (!s->txn || s->txn_began_statement) return;
    if (txn_set_mode(s->txn, isolation, read_only)) return;
    txn_abort(s->txn);
    session__set_txn(s, NULL);
}

static enum status set_isolation(struct session *s, const char *level)
{
    if (session__isolation_of(level) != s->isolation) {
        if (s->txn && s->txn_began_statement) return too_late("SET TRANSACTION ISOLATION LEVEL");
        if (s->savepoints)
            return FAIL(ACTIVE_SQL_TRANSACTION,
                        "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction");
        change_mode(s, session__isolation_of(level), s->read_only);
    }
    set_level(s, level);
    return OK;
}

static enum status set_read_only(struct session *s, bool on)
{
    if (!on && s->read_only && s->savepoints)
        return FAIL(ACTIVE_SQL_TRANSACTION,
                    "cannot set transaction read-write mode inside a read-only transaction");
    if (!on && s->read_only && s->txn && s->txn_began_statement)
        return too_late("transaction read-write mode");
    /* Within a savepoint it may end with that: the session alone keeps to it. */
    if (on != s->read_only && !s->savepoints) change_mode(s, s->isolation, on);
    s->read_only = on;
    return OK;
}

static enum status set_deferrable(struct session *s, bool on)
{
    if (s->savepoints)
        return FAIL(ACTIVE_SQL_TRANSACTION,
                    "SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction");
    if (s->txn && s->txn_began_statement) return too_late("SET TRANSACTION [NOT] DEFERRABLE");
    s->deferrable = on;
    return OK;
}

enum status session__set_transaction(struct session *s, const char *name, const char *value,
                                     bool *ret_handled)
{
    bool level = strcmp(name, "transaction_isolation") == 0, on = value && value[1] == 'n';
    bool mode = strcmp(name, "transaction_read_only") == 0;
    *ret_handled = level || mode || strcmp(name, "transaction_deferrable") == 0;
    if (!*ret_handled || !value) return OK;
    if (level) return set_isolation(s, value);
    return mode ? set_read_only(s, on) : set_deferrable(s, on);
}

bool session__reads_early(const struct session *s)
{
    return s->isolation == SERIALIZABLE && !s->read_only && s->block == BLOCK_OPEN;
}

/* --- statements -------------------------------------------------------------------------------- */

enum status session__begin_snapshot(struct session *s)
{
    if (s->deferrable) TRY(txn_wait_safe(s->txn));
    txn_statement_begin(s->txn);
    s->txn_began_statement = true;
    return OK;
}
