/* MERGE BRANCH: what a branch has changed, applied to its parent in one transaction.
 *
 * The merge runs in the target, whatever branch the session is in, under REPEATABLE READ: rows that others
 * change meanwhile fail it with 40001. First the catalog, then all changed rows are locked and judged, and only
 * without conflicts, or when it was said how to decide them, is anything written. Its cost is that of what the
 * branch has changed. A branch stays after its merge; what is changed in it from then on can be merged again. */
#include "db/branch_merge_priv.h"
#include "db/plan_cache.h"
#include "db/system_priv.h"

/* --- applying ---------------------------------------------------------------------------------- */

/* The plan of a statement about the table, for what it says about writing it; its locks are taken. */
static enum status plan_of(struct merge *m, const char *text, struct cached_plan **ret)
{
    struct statement *st;
    struct session *s = m->s;
    uint32_t count, params = 0;
    enum status result;
    struct slice sql = slice_of(text);
    TRY(sql_parse(&s->arena, sql, &st, &count));
    *ret = session__plan(s, &st[0], sql, NULL, &params, false, &result);
    if (!*ret) return result;
    return session__lock_plan(s, *ret);
}

static enum status plan_table(struct merge *m, const struct table_def *t,
                              struct exec_merge_table *ret, struct cached_plan **plans)
{
    struct arena *a = &m->s->arena;
    const struct schema_def *n = catalog_schema_by_oid(m->s->catalog, t->schema);
    const char *schema = sys_quote(a, n->name), *table = sys_quote(a, t->name);
    TRY(plan_of(m, arena_printf(a, "INSERT INTO %s.%s DEFAULT VALUES", schema, table), &plans[0]));
    TRY(plan_of(m, arena_printf(a, "DELETE FROM ONLY %s.%s", schema, table), &plans[1]));
    ret->inserts = plans[0]->plan;
    ret->deletes = plans[1]->plan;
    return OK;
}

static const char *both_words(struct merge *m)
{
    struct strbuf b;
    strbuf_init(&b, &m->s->arena);
    if (m->objects)
        strbuf_addf(&b, "%llu object%s%s", (unsigned long long)m->objects, m->objects == 1 ? "" : "s",
                    m->conflicts ? " and " : "");
    if (m->conflicts)
        strbuf_addf(&b, "%llu row%s", (unsigned long long)m->conflicts, m->conflicts == 1 ? "" : "s");
    return b.data;
}

static enum status check_conflicts(struct merge *m)
{
    if (!(m->objects + m->conflicts) || m->mode != CONFLICT_ABORT) return OK;
    FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE, "cannot merge branch \"%s\" into \"%s\": %s %s changed in both",
         branch_name(m->source), branch_name(m->s->line->branch), both_words(m),
         m->objects + m->conflicts == 1 ? "was" : "were");
    return error_hint("See helios_merge_conflicts. MERGE BRANCH … ON CONFLICT OURS keeps what the target has, "
                      "ON CONFLICT THEIRS takes what the branch has.");
}

static enum status judge_all(struct merge *m, struct merge_rows **rows)
{
    for (size_t i = 0; i < m->tables.count; i++) {
        rows[i] = merge__rows_new(m, &m->tables.data[i]);
        TRY(merge__rows_judge(rows[i]));
    }
    return check_conflicts(m);
}

static enum status write_all(struct merge *m, struct merge_rows **rows, struct cached_plan **plans)
{
    size_t n = m->tables.count;
    struct exec_merge_table *tables = ARENA_ARRAY(&m->s->arena, struct exec_merge_table, n + 1);
    for (size_t i = 0; i < n; i++) {
        TRY(plan_table(m, m->tables.data[i].to, &tables[i], &plans[2 * i]));
        tables[i].source = merge__rows_source(rows[i]);
    }
    return exec_merge(tables, (uint32_t)n, m->s->txn, &m->s->exec, &m->s->arena);
}

static enum status merge_rows(struct merge *m)
{
    size_t n = m->tables.count;
    struct merge_rows **rows = ARENA_ARRAY(&m->s->arena, struct merge_rows *, n + 1);
    struct cached_plan **plans = ARENA_ARRAY(&m->s->arena, struct cached_plan *, 2 * n + 1);
    enum status st = judge_all(m, rows);
    if (st == OK && m->writes) st = write_all(m, rows, plans);
    for (size_t i = 0; i < n; i++) merge__rows_free(rows[i]);
    for (size_t i = 0; i < 2 * n; i++)
        if (plans[i]) cached_plan_release(plans[i]);
    return st;
}

/* A sequence goes on behind the values that either side has given out. */
static enum status merge_sequences(struct merge *m)
{
    for (size_t i = 0; i < m->sequences.count; i++) {
        const struct merge_table *t = &m->sequences.data[i];
        int64_t value;
        bool called;
        const struct table_def *ours = catalog_table_by_oid(m->s->catalog, t->oid);
        TRY(sequence_read_in(m->from, t->theirs, &value, &called));
        if (called && ours) TRY(sequence_advance(m->s, ours, value));
    }
    return OK;
}

/* --- the transaction --------------------------------------------------------------------------- */

/* What the branch is now is read again when it is merged next: it is kept from before the commit that says so. */
static enum status merge_all(struct merge *m)
{
    struct session *s = m->s;
    uint32_t id = branch_id(m->source);
    TRY(catalog_get_merged(s->txn, id, &m->merged_ts, &m->into_ts));
    if (m->merged_ts) m->merged = txn_begin_marked(m->from, m->merged_ts);
    TRY(catalog_load(m->fork, &m->first));
    if (m->merged) TRY(catalog_load(m->merged, &m->base));
    else m->base = catalog_ref(m->first);
    TRY(catalog_load(m->from, &m->theirs));
    TRY(merge__schema(m));
    TRY(merge_rows(m));
    TRY(merge__finish(m));
    TRY(merge_sequences(m));
    TRY(store_mark_branch(m->source, m->merged_ts, txn_snapshot_ts(m->from)));
    return catalog_put_merged(s->txn, id, txn_snapshot_ts(m->from));
}

static enum status merge_in_target(struct merge *m)
{
    struct session *s = m->s;
    s->isolation = REPEATABLE_READ;
    TRY(session__ensure_txn(s));
    txn_statement_begin(s->txn);
    s->txn_began_statement = true;
    enum status st = merge_all(m);
    txn_statement_end(s->txn);
    return st;
}

/* Two merges of one branch at once: the later one to write the mark fails with 40001, as it must. */
static enum status merge_from(struct merge *m, const struct result_sink *sink)
{
    m->fork_ts = branch_fork_ts(m->source);
    m->fork = txn_begin_fork(m->from);
    enum status st = merge_in_target(m);
    if (m->merged) txn_end_reader(m->merged);
    txn_end_reader(m->fork);
    if (st == OK) st = session__commit(m->s, sink);
    else session__abort(m->s, sink);
    catalog_unref(m->first);
    catalog_unref(m->base);
    catalog_unref(m->theirs);
    for (size_t i = 0; i < m->ddl.kept.count; i++) catalog_unref(m->ddl.kept.data[i]);
    return st;
}

static enum status merge(struct session *s, struct branch *source, enum branch_conflict mode,
                         const struct result_sink *sink, uint64_t *ret_rows, uint64_t *ret_conflicts)
{
    struct merge m = {.s = s, .source = source, .mode = mode,
                      .ddl = {.s = s, .sink = sink, .a = &s->arena, .unplaced = true}};
    struct txn_options o = {.isolation = REPEATABLE_READ, .read_only = true, .branch = source};
    TRY(txn_begin(s->db->store, &o, &m.from));
    txn_statement_begin(m.from);
    enum status st = merge_from(&m, sink);
    txn_statement_end(m.from);
    txn_abort(m.from);
    *ret_rows = m.rows;
    *ret_conflicts = m.conflicts;
    return st;
}

/* --- the statement ----------------------------------------------------------------------------- */

static enum status check_target(const struct branch *source, const char *target, struct session *s)
{
    struct branch *parent = store_open_branch_id(s->db->store, branch_parent_id(source));
    bool is_parent = strcmp(branch_name(parent), target) == 0;
    enum status st = OK;
    if (!is_parent) {
        st = FAIL(FEATURE_NOT_SUPPORTED, "branch \"%s\" can be merged into its parent \"%s\" only",
                  branch_name(source), branch_name(parent));
    }
    store_close_branch(parent);
    return st;
}

/* In the target; the session goes back to where it was. */
static enum status merge_into(struct session *s, struct branch *source, const struct ast_branch *a,
                              const struct result_sink *sink, uint64_t *ret_rows)
{
    uint64_t conflicts = 0;
    const char *here = arena_strdup(&s->arena, branch_name(s->line->branch));
    TRY(check_target(source, a->other, s));
    session__abort(s, NULL); /* nothing was done in it */
    TRY(session__use_branch(s, slice_of(a->other)));
    merge__forget_conflicts(s);
    enum status st = merge(s, source, a->conflict, sink, ret_rows, &conflicts);
    struct error kept = *error_current();
    enum status back = session__use_branch(s, slice_of(here));
    if (st != OK) {
        *error_current() = kept;
        return st;
    }
    TRY(back);
    return session__notice(sink, "NOTICE", OK, NULL,
                           "merge completed: %llu rows merged, %llu conflicts resolved",
                           (unsigned long long)*ret_rows, (unsigned long long)conflicts);
}

enum status branch__merge(struct session *s, const struct ast_branch *a,
                          const struct result_sink *sink, uint64_t *ret_rows)
{
    TRY(session__forbid_block(s, "MERGE BRANCH"));
    TRY(branch__check_rights(s));
    if (session__is_read_only(s))
        return FAIL(READ_ONLY_SQL_TRANSACTION,
                    "cannot execute MERGE BRANCH in a read-only transaction");
    struct branch *source = store_open_branch(s->db->store, slice_of(a->name));
    if (!source) return FAIL(INVALID_CATALOG_NAME, "branch \"%s\" does not exist", a->name);
    enum status st = merge_into(s, source, a, sink, ret_rows);
    store_close_branch(source);
    if (st == OK && a->drop_after) st = branch__drop(s, a->name);
    return st;
}
