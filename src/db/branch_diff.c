/* helios_branch_diff('a', 'b'): what is in b otherwise than in a, table by table and row by row, both as they
 * stand committed now. Of a table that both have from a common line only those keys are looked at that either has
 * changed since (branch_lines.h). Where one of them has given the rows a tree of its own, as TRUNCATE does,
 * both are read side by side in the order of their keys. */
#include "core/txn.h"
#include "db/branch_lines_priv.h"
#include "db/branch_merge_priv.h"
#include "db/system_priv.h"

enum { ROWS = 64, GETS = 256 };

struct diff_side {
    struct branch *branch; /* a handle; NULL: the main line */
    struct txn *txn;
    struct catalog *catalog;
    const struct table_def *table; /* that is looked at */
    struct cursor *cursor;
    struct slice keys[ROWS], rows[ROWS];
    uint32_t count, at;
    struct txn *reader;            /* of single rows: a new one now and then, for what it holds in memory */
};

struct diff {
    struct session *s;
    struct diff_side a, b;
    struct branch_lines *lines;
    struct arena *arena;   /* of the rows */
    struct arena scratch;  /* of one row */
    enum status (*emit)(void *ctx, const struct datum *row);
    void *ctx;
    const char *table;     /* "schema.name" */
    bool same;             /* the table is defined alike */
};

static struct datum text(struct diff *d, const char *words)
{
    if (!words) return (struct datum){.null = true};
    words = arena_strdup(d->arena, words);
    return (struct datum){.v.bytes = bytes_ref(words, (uint32_t)strlen(words))};
}

static enum status emit(struct diff *d, const char *key, const char *kind, const char *old,
                        const char *now)
{
    uint64_t limit = d->s->exec.memory_limit_bytes;
    struct datum row[] = {text(d, d->table), text(d, key), text(d, kind), text(d, old), text(d, now)};
    if (limit && arena_bytes(d->arena) > limit) {
        FAIL(OUT_OF_MEMORY, "the differences do not fit in query.memory_limit");
        return error_hint("Raise query.memory_limit.");
    }
    return d->emit(d->ctx, row);
}

/* --- rows -------------------------------------------------------------------------------------- */

static enum status open_side(struct diff_side *x)
{
    struct scan_request q = {.tree = x->table ? x->table->tree : 0};
    x->cursor = NULL;
    x->count = x->at = 0;
    return x->table ? store_scan(x->txn, &q, &x->cursor) : OK;
}

static enum status fill(struct diff_side *x)
{
    if (!x->cursor || x->at < x->count) return OK;
    x->at = 0;
    TRY(cursor_next(x->cursor, x->keys, x->rows, ROWS, &x->count));
    if (x->count) return OK;
    cursor_close(x->cursor);
    x->cursor = NULL;
    return OK;
}

static bool has_row(const struct diff_side *x)
{
    return x->at < x->count;
}

static const char *key_text(struct diff *d, const struct diff_side *x)
{
    return branch__key_text(d->s, x->table, x->keys[x->at], &d->scratch);
}

static const char *row_text(struct diff *d, const struct diff_side *x)
{
    return branch__row_text(d->s, x->table, x->rows[x->at], &d->scratch);
}

static enum status diff_changed(struct diff *d)
{
    if (slice_eq(d->a.rows[d->a.at], d->b.rows[d->b.at])) return OK;
    const char *old = row_text(d, &d->a), *now = row_text(d, &d->b);
    if (!d->same && strcmp(old, now) == 0) return OK;
    return emit(d, key_text(d, &d->b), "update", old, now);
}

static enum status diff_row(struct diff *d)
{
    struct diff_side *a = &d->a, *b = &d->b;
    int order = !has_row(a) ? 1 : !has_row(b) ? -1 : slice_cmp(a->keys[a->at], b->keys[b->at]);
    enum status st = OK;
    arena_clear(&d->scratch);
    if (order < 0) st = emit(d, key_text(d, a), "delete", row_text(d, a), NULL);
    else if (order > 0) st = emit(d, key_text(d, b), "insert", NULL, row_text(d, b));
    else st = diff_changed(d);
    a->at += order <= 0;
    b->at += order >= 0;
    return st;
}

static enum status diff_rows(struct diff *d)
{
    enum status st = open_side(&d->a);
    if (st == OK) st = open_side(&d->b);
    while (st == OK) {
        st = session__check_interrupts(d->s);
        if (st == OK) st = fill(&d->a);
        if (st == OK) st = fill(&d->b);
        if (st != OK || (!has_row(&d->a) && !has_row(&d->b))) break;
        st = diff_row(d);
    }
    if (d->a.cursor) cursor_close(d->a.cursor);
    if (d->b.cursor) cursor_close(d->b.cursor);
    d->a.cursor = d->b.cursor = NULL;
    return st;
}

/* --- rows that were changed -------------------------------------------------------------------- */

static void end_reader(struct diff_side *x)
{
    if (x->reader) txn_end_reader(x->reader);
    x->reader = NULL;
}

/* As if a cursor had come to the key. */
static enum status look_up(struct diff_side *x, struct slice key)
{
    struct point_get_request q = {x->table->tree, key};
    if (!x->reader) x->reader = txn_begin_reader(x->txn);
    x->at = 0;
    x->keys[0] = key;
    enum status st = store_point_get(x->reader, &q, &x->rows[0]);
    x->count = st == OK;
    return st == NOT_FOUND ? OK : st;
}

static enum status diff_key(struct diff *d, struct slice key)
{
    TRY(session__check_interrupts(d->s));
    TRY(look_up(&d->a, key));
    TRY(look_up(&d->b, key));
    return has_row(&d->a) || has_row(&d->b) ? diff_row(d) : OK;
}

static enum status diff_changed_rows(struct diff *d)
{
    struct slice key = {0};
    bool any = true;
    enum status st = branch_lines_open(d->lines, d->b.table->tree);
    for (uint32_t n = 1; st == OK && any; n++) {
        st = branch_lines_next(d->lines, &key, &any);
        if (st == OK && any) st = diff_key(d, key);
        if (n % GETS) continue;
        end_reader(&d->a);
        end_reader(&d->b);
    }
    end_reader(&d->a);
    end_reader(&d->b);
    branch_lines_close(d->lines);
    return st;
}

/* --- tables ------------------------------------------------------------------------------------ */

static bool is_compared(const struct table_def *t)
{
    return t->persistence != 't' && t->kind != 'S';
}

static enum status diff_table(struct diff *d, const struct table_def *a, const struct table_def *b)
{
    const struct table_def *t = b ? b : a;
    const struct diff_side *x = b ? &d->b : &d->a;
    const struct schema_def *n = catalog_schema_by_oid(x->catalog, t->schema);
    const char *what = t->kind == 'v' ? "view" : t->kind == 'm' ? "materialized view" : "table";
    d->table = arena_printf(d->arena, "%s.%s", n ? n->name : "", t->name);
    d->same = a && b && catalog_same_definition(a, b);
    if (!d->same) {
        const char *did = !a ? "added" : !b ? "dropped" : "altered";
        TRY(emit(d, NULL, arena_printf(d->arena, "%s %s", what, did), NULL, NULL));
    }
    d->a.table = a;
    d->b.table = b;
    if (!t->tree || t->kind == 'm') return OK; /* what a query fills is not compared */
    return a && b && a->tree == b->tree ? diff_changed_rows(d) : diff_rows(d);
}

static enum status diff_tables(struct diff *d)
{
    const struct table_def *a, *b;
    for (size_t pos = 0; catalog_next_table(d->a.catalog, &pos, &a);)
        if (is_compared(a)) TRY(diff_table(d, a, catalog_table_by_oid(d->b.catalog, a->oid)));
    for (size_t pos = 0; catalog_next_table(d->b.catalog, &pos, &b);)
        if (is_compared(b) && !catalog_table_by_oid(d->a.catalog, b->oid))
            TRY(diff_table(d, NULL, b));
    return OK;
}

/* --- the function ------------------------------------------------------------------------------ */

static enum status begin_side(struct session *s, struct slice name, struct diff_side *ret)
{
    if (!slice_eq(name, SLICE(MAIN_BRANCH))) {
        ret->branch = store_open_branch(s->db->store, name);
        if (!ret->branch)
            return FAIL(INVALID_CATALOG_NAME, "branch \"%.*s\" does not exist", (int)name.len, name.data);
    }
    struct txn_options o = {.isolation = REPEATABLE_READ, .read_only = true, .branch = ret->branch};
    TRY(txn_begin(s->db->store, &o, &ret->txn));
    txn_statement_begin(ret->txn);
    return catalog_load(ret->txn, &ret->catalog);
}

static void end_side(struct diff_side *x)
{
    catalog_unref(x->catalog);
    if (x->txn) {
        txn_statement_end(x->txn);
        txn_abort(x->txn);
    }
    store_close_branch(x->branch);
}

enum status session__branch_diff(void *ctx, struct slice a, struct slice b, struct arena *arena,
                                 enum status (*to)(void *emit_ctx, const struct datum *row),
                                 void *emit_ctx)
{
    struct diff d = {.s = ctx, .arena = arena, .emit = to, .ctx = emit_ctx};
    if (!d.s->superuser)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for function helios_branch_diff");
    arena_init(&d.scratch, MEM_SESSION);
    enum status st = begin_side(d.s, a, &d.a);
    if (st == OK) st = begin_side(d.s, b, &d.b);
    if (st == OK) st = branch_lines_new(d.s, d.a.branch, d.b.branch, &d.lines);
    if (st == OK) st = diff_tables(&d);
    branch_lines_free(d.lines);
    end_side(&d.a);
    end_side(&d.b);
    arena_release(&d.scratch);
    return st;
}
