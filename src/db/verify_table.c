/* Verification of one table: each row well-formed, under its own key, as its constraints demand; and
 * the table against each of its indexes, entry by entry, both ways. The rows' way finds what an index
 * lacks, the entries' way what it has too much. An entry that is unique by itself has no row key in
 * its own, so two rows of one unique key show as an entry that names another row.
 *
 * It goes in chunks at one snapshot, each chunk a statement of its own, so that no more pages are
 * held than a chunk needs, whatever the table's size; and waits for nobody but the disk. */
#include "db/verify_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "types/key.h"

enum { CHUNK_ROWS = 256, PROBLEMS_SHOWN_MAX = 20 };

/* --- telling --------------------------------------------------------------------------------- */

static enum status tell(struct table_check *c, const char *kind, uint64_t checked,
                        const char *problem)
{
    struct verify_finding f = {c->object.data, kind, checked, problem};
    enum status st = c->sink->found(c->sink->ctx, &f);
    c->stopped |= st != OK;
    return st;
}

static enum status problem(struct table_check *c, const char *fmt, ...) PRINTF(2, 3);
static enum status problem(struct table_check *c, const char *fmt, ...)
{
    char words[ERROR_TEXT_MAX];
    va_list args;
    if (c->problems++ >= PROBLEMS_SHOWN_MAX) return OK;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return tell(c, c->kind, 1, words);
}

/* "(a, b)=(1, 2)" */
static const char *words_of(struct table_check *c, const struct index_def *x,
                            const struct datum *values, bool by_column)
{
    struct strbuf b;
    strbuf_init(&b, &c->arena);
    strbuf_addc(&b, '(');
    for (uint32_t i = 0; i < x->key_count; i++) {
        const struct index_column *k = &x->columns[i];
        strbuf_addf(&b, "%s%s", i ? ", " : "",
                    k->column ? c->table->columns[k->column - 1].name : k->expression_sql);
    }
    strbuf_adds(&b, ")=(");
    for (uint32_t i = 0; i < x->key_count; i++) {
        const struct datum *v = &values[by_column ? x->columns[i].column - 1 : (int)i];
        if (i) strbuf_adds(&b, ", ");
        if (v->null) strbuf_adds(&b, "null");
        else value_to_text(x->columns[i].type, &v->v, &format_default, &b);
    }
    strbuf_addc(&b, ')');
    return b.data;
}

/* The primary key, or the hidden row number, out of a key of the table's tree. */
static const char *row_words(struct table_check *c, struct slice key)
{
    static const struct key_part hidden = {.type = TYPE_INT8};
    const struct index_def *p = c->table->primary;
    struct datum *values = ARENA_ARRAY(&c->arena, struct datum, p ? p->key_count : 1);
    for (uint32_t i = 0; i < (p ? p->key_count : 1u); i++) {
        struct key_part part = p ? ddl__key_part(p, i) : hidden;
        if (key_decode(&part, &key, &c->arena, &values[i]) == OK) continue;
        error_clear();
        return "that cannot be read";
    }
    if (p) return words_of(c, p, values, false);
    return arena_printf(&c->arena, "number %lld", (long long)values[0].v.i64);
}

static const char *entry_words(struct table_check *c, const struct index_def *x, struct slice key)
{
    struct datum *values = ARENA_ARRAY(&c->arena, struct datum, x->key_count);
    for (uint32_t i = 0; i < x->key_count; i++) {
        struct key_part part = ddl__key_part(x, i);
        if (key_decode(&part, &key, &c->arena, &values[i]) == OK) continue;
        error_clear();
        return "that cannot be read";
    }
    return words_of(c, x, values, false);
}

/* --- walking --------------------------------------------------------------------------------- */

struct chunk {
    struct slice keys[CHUNK_ROWS], rows[CHUNK_ROWS];
    uint32_t count;
};
typedef enum status (*chunk_fn)(struct table_check *c, const struct chunk *k);

static enum status walk_chunk(struct table_check *c, uint64_t tree, chunk_fn fn, struct chunk *k)
{
    struct scan_request q = {.tree = tree};
    struct cursor *cursor;
    if (c->from.len) q.lower = strbuf_slice(&c->from);
    TRY(store_scan(c->txn, &q, &cursor));
    enum status st = cursor_next(cursor, k->keys, k->rows, CHUNK_ROWS, &k->count);
    if (st == OK && k->count) st = fn(c, k);
    if (st == OK && k->count) {
        struct slice last = k->keys[k->count - 1];
        strbuf_clear(&c->from);
        strbuf_add(&c->from, last.data, last.len);
        strbuf_addc(&c->from, '\0'); /* the least key above */
    }
    cursor_close(cursor);
    return st;
}

/* What cannot be read is a problem of the object; the rest of the tree is passed over. */
static enum status walk(struct table_check *c, const char *kind, uint64_t tree, chunk_fn fn)
{
    struct chunk *k = mem_alloc(MEM_QUERY, sizeof *k);
    enum status st = OK;
    uint64_t checked = 0;
    c->kind = kind;
    c->problems = 0;
    strbuf_clear(&c->from);
    do {
        if (c->sink->poll) st = c->sink->poll(c->sink->ctx);
        c->stopped |= st != OK;
        if (st != OK) break;
        txn_statement_begin(c->txn);
        st = walk_chunk(c, tree, fn, k);
        txn_statement_end(c->txn);
        arena_clear(&c->arena);
        if (st == OK) checked += k->count;
    } while (st == OK && k->count);
    mem_free(MEM_QUERY, k);
    if (c->stopped) return st;
    if (st != OK) {
        struct error e = *error_current();
        error_clear();
        TRY(problem(c, "%s", e.message));
    }
    if (c->problems > PROBLEMS_SHOWN_MAX)
        TRY(tell(c, kind, c->problems, "there are more problems of this kind"));
    return c->problems ? OK : tell(c, kind, checked, NULL);
}

static void name_object(struct table_check *c, const struct index_def *x)
{
    strbuf_clear(&c->object);
    strbuf_addf(&c->object, "table %s", c->name);
    if (x) strbuf_addf(&c->object, ", index %s", x->name);
}

/* --- rows ------------------------------------------------------------------------------------ */

static enum status check_row(struct table_check *c, struct slice key, struct slice row,
                             struct datum *values)
{
    const struct table_def *t = c->table;
    if (!row_valid(t->layout, row)) return problem(c, "row %s is malformed", row_words(c, key));
    ddl__decode(t, row, values);
    for (uint16_t i = 0; i < t->column_count; i++)
        if (t->columns[i].not_null && !t->columns[i].dropped && values[i].null)
            TRY(problem(c, "row %s has null in column %s, which is not null", row_words(c, key),
                        t->columns[i].name));
    if (t->primary) {
        strbuf_clear(&c->key);
        ddl__primary_key(t, values, &c->key);
        if (!slice_eq(strbuf_slice(&c->key), key))
            TRY(problem(c, "row %s is stored under the key %s",
                        words_of(c, t->primary, values, true), row_words(c, key)));
    }
    for (uint32_t i = 0; i < c->check_count; i++) {
        struct datum pass;
        enum status st = exec_eval_row(&c->execution, c->checks[i], values, &c->arena, &pass);
        if (st != OK) error_clear();
        if (st != OK || (!pass.null && !pass.v.b))
            TRY(problem(c, "row %s violates check constraint %s", row_words(c, key),
                        c->check_defs[i]->name));
    }
    return OK;
}

static enum status check_rows(struct table_check *c, const struct chunk *k)
{
    struct datum *values = ARENA_ARRAY(&c->arena, struct datum, c->table->column_count + 1);
    for (uint32_t i = 0; i < k->count; i++) TRY(check_row(c, k->keys[i], k->rows[i], values));
    return OK;
}

/* --- the table against an index ---------------------------------------------------------------- */

/* *ret without data: a partial index leaves the row out. */
static enum status entry_of(struct table_check *c, struct slice key, struct slice row,
                            struct datum *values, struct slice *ret)
{
    bool unique, present;
    *ret = (struct slice){0};
    ddl__decode(c->table, row, values);
    TRY(ddl__index_entry(c->entry, key, values, &c->key, &unique, &present));
    if (present) *ret = slice_dup(&c->arena, strbuf_slice(&c->key));
    return OK;
}

/* Each row has its entry. */
static enum status probe_index(struct table_check *c, const struct chunk *k)
{
    struct slice entries[CHUNK_ROWS], found[CHUNK_ROWS];
    uint32_t of[CHUNK_ROWS], n = 0;
    struct datum *values = ARENA_ARRAY(&c->arena, struct datum, c->table->column_count + 1);
    for (uint32_t i = 0; i < k->count; i++) {
        if (!row_valid(c->table->layout, k->rows[i])) continue; /* told by check_row */
        TRY(entry_of(c, k->keys[i], k->rows[i], values, &entries[n]));
        if (entries[n].data) of[n++] = i;
    }
    struct multi_get_request q = {c->index->tree, entries, n};
    TRY(store_multi_get(c->txn, &q, found));
    for (uint32_t i = 0; i < n; i++) {
        struct slice key = k->keys[of[i]];
        if (!found[i].data)
            TRY(problem(c, "entry %s of row %s is missing", entry_words(c, c->index, entries[i]),
                        row_words(c, key)));
        else if (!slice_eq(found[i], key))
            TRY(problem(c, "entry %s of row %s names row %s", entry_words(c, c->index, entries[i]),
                        row_words(c, key), row_words(c, found[i])));
    }
    return OK;
}

/* Each entry has its row. */
static enum status probe_table(struct table_check *c, const struct chunk *k)
{
    struct slice found[CHUNK_ROWS];
    struct datum *values = ARENA_ARRAY(&c->arena, struct datum, c->table->column_count + 1);
    struct multi_get_request q = {c->table->tree, k->rows, k->count};
    TRY(store_multi_get(c->txn, &q, found));
    for (uint32_t i = 0; i < k->count; i++) {
        const char *words = NULL;
        struct slice entry = k->keys[i];
        if (found[i].data && row_valid(c->table->layout, found[i]))
            TRY(entry_of(c, k->rows[i], found[i], values, &entry));
        if (!found[i].data || !slice_eq(entry, k->keys[i]))
            words = entry_words(c, c->index, k->keys[i]);
        if (words && !found[i].data)
            TRY(problem(c, "entry %s names row %s, which does not exist", words,
                        row_words(c, k->rows[i])));
        else if (words)
            TRY(problem(c, "entry %s is not what row %s has", words, row_words(c, k->rows[i])));
    }
    return OK;
}

enum status verify__table(struct table_check *c)
{
    name_object(c, NULL);
    TRY(walk(c, "rows", c->table->tree, check_rows));
    for (uint16_t i = 0; i < c->table->index_count; i++) {
        c->index = c->table->indexes[i];
        c->entry = &c->values[i];
        if (!c->index->tree || !c->index->valid) continue;
        name_object(c, c->index);
        TRY(walk(c, "rows in index", c->table->tree, probe_index));
        TRY(walk(c, "index entries", c->index->tree, probe_table));
    }
    return OK;
}
