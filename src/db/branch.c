/* Statements about branches: CREATE, DROP, USE and SHOW BRANCH, and the view helios_branches. MERGE is in
 * branch_merge.c. A branch is made and dropped at once, in no transaction, as databases are. */
#include "db/branch_priv.h"

#include <stdio.h>

#include "core/txn.h"
#include "db/past_priv.h"
#include "db/system_priv.h"

enum status session__tree_statistics(const struct session *s, uint64_t tree,
                                     struct tree_statistics *ret)
{
    return store_get_branch_statistics(s->db->store, s->line->branch, tree, ret);
}

/* --- changing over ----------------------------------------------------------------------------- */

/* Whose rights and whose database they are is asked again: the branch may be older than both. */
static enum status check_in(const struct session *s, const struct db_line *l)
{
    struct catalog *c = db_line__catalog((struct db_line *)l);
    bool role = catalog_role(c, slice_of(s->user)), database = catalog_database(c, slice_of(s->database));
    catalog_unref(c);
    if (!role)
        return FAIL(INVALID_AUTHORIZATION, "role \"%s\" does not exist in branch \"%s\"", s->user,
                    branch_name(l->branch));
    if (!database)
        return FAIL(INVALID_CATALOG_NAME, "database \"%s\" does not exist in branch \"%s\"",
                    s->database, branch_name(l->branch));
    return OK;
}

enum status session__use_branch(struct session *s, struct slice name)
{
    struct db_line *l, *old = s->line;
    TRY(db_line__open(s->db, name, &l));
    enum status st = check_in(s, l);
    if (st != OK || l == old) {
        db_line__close(l);
        return st;
    }
    ASSERT(!s->txn && !s->own_catalog);
    s->line = l;
    catalog_unref(s->catalog);
    s->catalog = db_line__catalog(l);
    s->exec.catalog = s->catalog;
    session__forget_sequences(s);
    settings_show_branch(s, branch_name(l->branch));
    db_line__close(old);
    return OK;
}

/* What was read in the transaction so far is let go. */
static enum status use_branch(struct session *s, const char *name, const struct result_sink *sink)
{
    enum block_state block = s->block;
    if (block == BLOCK_OPEN || block == BLOCK_FAILED)
        return FAIL(ACTIVE_SQL_TRANSACTION, "USE BRANCH cannot run inside a transaction block");
    if (s->txn && (s->own_catalog || txn_has_writes(s->txn)))
        return FAIL(ACTIVE_SQL_TRANSACTION, "USE BRANCH cannot run behind changes of the same query string");
    TRY(session__commit(s, sink));
    session__close_portals(s, true);
    TRY(session__use_branch(s, slice_of(name)));
    session__set_block(s, block);
    return OK;
}

/* --- making and dropping ----------------------------------------------------------------------- */

enum status branch__check_rights(const struct session *s)
{
    const struct role_def *r = catalog_role(s->catalog, slice_of(session__user(s)));
    if (s->superuser || (r && r->create_db)) return OK;
    FAIL(INSUFFICIENT_PRIVILEGE, "permission denied to manage branches");
    return error_hint("The role needs CREATEDB.");
}

static enum status check_trees(struct txn *past, const struct table_def *t)
{
    if (t->tree) TRY(txn_check_past(past, t->tree));
    if (t->sequence && t->sequence->tree) TRY(txn_check_past(past, t->sequence->tree));
    for (uint16_t i = 0; i < t->index_count; i++)
        if (t->indexes[i]->tree) TRY(txn_check_past(past, t->indexes[i]->tree));
    return OK;
}

/* History of all that there was then must reach back to it. */
static enum status check_past(struct txn *past)
{
    struct catalog *c;
    const struct table_def *t;
    enum status st = OK;
    TRY(catalog_load(past, &c));
    for (size_t pos = 0; st == OK && catalog_next_table(c, &pos, &t);)
        if (t->persistence != 't') st = check_trees(past, t);
    catalog_unref(c);
    return st;
}

static enum status fork_past(struct session *s, struct branch *parent, struct slice name, uint64_t ts)
{
    struct txn_options o = {.isolation = READ_COMMITTED, .branch = parent};
    struct txn *t, *past;
    uint32_t id;
    TRY(txn_begin(s->db->store, &o, &t));
    txn_statement_begin(t);
    enum status st = txn_begin_past(t, ts, &past);
    if (st == OK) {
        st = check_past(past);
        if (st == OK) st = store_create_branch(s->db->store, parent, name, past, &id);
        txn_end_reader(past);
    }
    txn_statement_end(t);
    txn_abort(t);
    return st;
}

static enum status moment_of(struct session *s, const struct ast_branch *a, struct slice text,
                             const struct exec_params *params, uint64_t *ret)
{
    struct bind_env env;
    *ret = 0;
    if (a->as_of.kind == AS_OF_NOW) return OK;
    session__bind_env(s, &env, &s->arena, text);
    s->moment_params = params;
    enum status st = bind_as_of(&env, &a->as_of, ret);
    s->moment_params = NULL;
    return st;
}

static enum status create_branch(struct session *s, const struct ast_branch *a, struct slice text,
                                 const struct exec_params *params, const struct result_sink *sink)
{
    struct db_line *parent = s->line;
    struct slice name = slice_of(a->name);
    uint64_t ts;
    uint32_t id;
    TRY(session__forbid_block(s, "CREATE BRANCH"));
    TRY(branch__check_rights(s));
    TRY(moment_of(s, a, text, params, &ts));
    if (slice_eq(name, SLICE(MAIN_BRANCH)))
        return FAIL(DUPLICATE_DATABASE, "branch \"" MAIN_BRANCH "\" already exists");
    struct branch *there = a->missing_ok ? store_open_branch(s->db->store, name) : NULL;
    if (there) {
        store_close_branch(there);
        return session__notice(sink, "NOTICE", DUPLICATE_DATABASE, NULL,
                               "branch \"%s\" already exists, skipping", a->name);
    }
    if (a->other) TRY(db_line__open(s->db, slice_of(a->other), &parent));
    enum status st = ts ? fork_past(s, parent->branch, name, ts)
                        : store_create_branch(s->db->store, parent->branch, name, NULL, &id);
    if (a->other) db_line__close(parent);
    return st;
}

enum status branch__drop(struct session *s, const char *name)
{
    struct branch *b = store_open_branch(s->db->store, slice_of(name));
    if (!b) return FAIL(INVALID_CATALOG_NAME, "branch \"%s\" does not exist", name);
    uint32_t others = db_line__sessions(s->db, branch_id(b));
    enum status st;
    if (b == s->line->branch) {
        st = FAIL(OBJECT_IN_USE, "cannot drop the currently open branch");
    } else {
        st = store_drop_branch(b);
        if (st == OBJECT_IN_USE && others)
            error_detail(others == 1 ? "There is %u other session using the branch."
                                     : "There are %u other sessions using the branch.", others);
    }
    if (st != OK) store_close_branch(b);
    return st;
}

static enum status drop_branch(struct session *s, const struct ast_branch *a,
                               const struct result_sink *sink)
{
    TRY(session__forbid_block(s, "DROP BRANCH"));
    TRY(branch__check_rights(s));
    if (slice_eq(slice_of(a->name), SLICE(MAIN_BRANCH)))
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "cannot drop branch \"" MAIN_BRANCH "\"");
    enum status st = branch__drop(s, a->name);
    if (st != INVALID_CATALOG_NAME || !a->missing_ok) return st;
    error_clear();
    return session__notice(sink, "NOTICE", INVALID_CATALOG_NAME, NULL,
                           "branch \"%s\" does not exist, skipping", a->name);
}

/* --- showing ----------------------------------------------------------------------------------- */

static const char *name_of(const struct branch_info *list, uint32_t n, uint32_t id)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i].id == id) return list[i].name;
    return MAIN_BRANCH;
}

enum status sys_helios_branches(struct sys_scan *x)
{
    struct branch_info *list;
    uint32_t n, here = branch_id(x->s->line->branch);
    store_list_branches(x->s->db->store, x->arena, &list, &n);
    TRY(SYS_EMIT(x, I(0), T(MAIN_BRANCH), N, N, N, N, I(here == 0), N, N, N, I(0)));
    for (uint32_t i = 0; i < n; i++) {
        const struct branch_info *b = &list[i];
        TRY(SYS_EMIT(x, I(b->id), T(b->name), T(name_of(list, n, b->parent)),
                     I(b->created_us - PG_EPOCH_US), I(past_time(b->fork_ts)),
                     I((int64_t)b->fork_ts),
                     I(b->id == here),
                     I(db_line__sessions(x->s->db, b->id)), I(b->trees), I((int64_t)b->bytes), I(b->depth)));
    }
    return OK;
}

const char *const branch__columns[] = {"branch", "parent", "forked_at", "current"};

/* In the order that they were made in, main first. */
enum status branch__show(struct session *s, const struct result_sink *sink)
{
    struct branch_info *list;
    uint32_t n, here = branch_id(s->line->branch);
    store_list_branches(s->db->store, &s->arena, &list, &n);
    const char *const **rows = ARENA_ARRAY(&s->arena, const char *const *, n + 1);
    for (uint32_t i = 0; i <= n; i++) {
        const char **row = ARENA_ARRAY(&s->arena, const char *, 4);
        const struct branch_info *b = i ? &list[i - 1] : NULL;
        row[0] = b ? b->name : MAIN_BRANCH;
        row[3] = here == (b ? b->id : 0) ? "t" : "f";
        if (b) {
            struct strbuf at;
            strbuf_init(&at, &s->arena);
            union value v = {.i64 = past_time(b->fork_ts)};
            datetime_to_text(TYPE_TIMESTAMPTZ, &v, &s->settings.format, &at);
            row[1] = name_of(list, n, b->parent);
            row[2] = at.data;
        }
        rows[i] = row;
    }
    return session__send_text_rows(s, sink, branch__columns, BRANCH_COLUMNS, rows, n + 1);
}

/* --- dispatch ---------------------------------------------------------------------------------- */

enum status branch_execute(struct session *s, const struct ast_branch *a, struct slice text,
                           const struct exec_params *params, const struct result_sink *sink,
                           char tag[64])
{
    static const char *const tags[] = {"CREATE BRANCH", "DROP BRANCH", "USE BRANCH", "SHOW",
                                       "MERGE"};
    size_t len = strlen(tags[a->action]);
    uint64_t rows = 0;
    memcpy(tag, tags[a->action], len + 1);
    switch (a->action) {
    case BRANCH_CREATE: return create_branch(s, a, text, params, sink);
    case BRANCH_DROP: return drop_branch(s, a, sink);
    case BRANCH_USE: return use_branch(s, a->name, sink);
    case BRANCH_SHOW: return branch__show(s, sink);
    case BRANCH_MERGE: /* libpq wants to read a number after MERGE */
        TRY(branch__merge(s, a, sink, &rows));
        snprintf(tag, 64, "MERGE %llu", (unsigned long long)rows);
        return OK;
    }
    return OK;
}
