/* What a drop takes with it. From the objects named, the set grows by what hangs on them: views
 * over tables, sequences that columns own, defaults that use sequences, generated columns, foreign keys
 * of other tables. Owned sequences go silently; the rest only with CASCADE. Then all is locked, and goes.
 *
 * An object comes after what hangs on it, younger ones first: in this order they go, and in the
 * reverse order they are told, as PostgreSQL tells them. */
#include "db/ddl_priv.h"
#include "db/pl_priv.h"
#include "types/record.h"

#include <stdlib.h>

enum { DROP_ITEMS_MAX = 100000, STACK_MIN = 64 << 10 };

struct victim {
    struct drop_item item;
    const struct constraint_def *foreign; /* only this foreign key of the table goes; NULL */
    const struct schema_def *schema;      /* the schema itself, as a reason; NULL */
    bool default_only; /* the column stays, its default goes */
    bool silent;       /* goes even without CASCADE */
    bool by_type;      /* it holds, takes or gives rows of the relation */
    const struct function_def *function; /* this goes, for the sake of item.table; NULL */
};

struct drop_set {
    struct ddl *ddl;
    ARRAY(struct victim) seen;   /* met so far */
    ARRAY(oid_t) contents;       /* of schemas: these will be met, and all parts of them go */
    ARRAY(oid_t) schemas;        /* that go */
    ARRAY(struct victim) items;  /* in the order in which they go */
    ARRAY(const char *) details; /* "view v depends on table t" */
    ARRAY(const char *) words;   /* what CASCADE takes: "view v" */
};
typedef ARRAY(struct victim) victim_list;

const char *ddl__words(struct ddl *d, const struct table_def *t)
{
    const struct table_def *seen =
        catalog_lookup(d->s->catalog, session__path(d->s), NULL, t->name);
    const struct schema_def *n = catalog_schema_by_oid(d->s->catalog, t->schema);
    const char *name = ddl__quote(d->a, t->name);
    if ((seen && seen->oid == t->oid) || !n)
        return arena_printf(d->a, "%s %s", ddl__kind_word(t), name);
    return arena_printf(d->a, "%s %s.%s", ddl__kind_word(t), ddl__quote(d->a, n->name), name);
}

static const char *item_words(struct ddl *d, const struct victim *v)
{
    if (v->schema) return arena_printf(d->a, "schema %s", ddl__quote(d->a, v->schema->name));
    if (v->function) return arena_printf(d->a, "function %s", pl__signature(d->s, v->function, d->a));
    const char *table = ddl__words(d, v->item.table);
    if (v->foreign)
        return arena_printf(d->a, "constraint %s on %s", v->foreign->name, table);
    if (!v->item.column) return v->item.table->kind == 'c' ? strstr(table, "type ") : table;
    return arena_printf(d->a, "%s %s of %s",
                        v->default_only ? "default value for column" : "column",
                        ddl__quote(d->a, v->item.column->name), table);
}

/* The row type, or that of arrays of it, by which v hangs on the relation. */
static const char *type_words(struct ddl *d, const struct victim *v, const struct victim *because)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    session__type_name(d->s, v->function ? type_row(because->item.table->oid) : v->item.column->type,
                       -1, &b);
    return arena_printf(d->a, "type %s", b.data);
}

/* --- growing the set ------------------------------------------------------------------------ */

static bool contains(const struct drop_set *s, const struct victim *v)
{
    bool part = v->item.column || v->foreign;
    for (size_t i = 0; part && i < s->contents.count; i++)
        if (s->contents.data[i] == v->item.table->oid) return true;
    for (size_t i = 0; i < s->seen.count; i++) {
        const struct victim *x = &s->seen.data[i];
        if (v->function && x->function && x->function->proc.oid == v->function->proc.oid) return true;
        if (v->function || x->function) continue;
        if (x->item.table->oid != v->item.table->oid) continue;
        if (!x->item.column && !x->foreign) return true;
        if (v->foreign && x->foreign == v->foreign) return true;
        if (v->foreign || x->foreign) continue;
        if (v->item.column && x->item.column->number == v->item.column->number) return true;
    }
    return false;
}

/* Is views[i] there only because it is over another of them? */
static enum status is_indirect(struct ddl *d, const struct table_def *const *views, uint32_t n,
                               uint32_t i, bool *ret)
{
    *ret = false;
    for (uint32_t k = 0; k < n && !*ret; k++) {
        const struct table_def **over;
        uint32_t m;
        if (k == i) continue;
        TRY(ddl__views_over(d, views[k], 0, &over, &m));
        for (uint32_t j = 0; j < m; j++) *ret |= over[j]->oid == views[i]->oid;
    }
    return OK;
}

static enum status add_views(struct drop_set *s, const struct victim *v, victim_list *out)
{
    const struct table_def **views;
    uint32_t n;
    TRY(ddl__views_over(s->ddl, v->item.table, v->item.column ? v->item.column->number : 0, &views,
                        &n));
    for (uint32_t i = 0; i < n; i++) {
        bool indirect;
        struct victim view = {.item = {views[i], NULL}};
        TRY(is_indirect(s->ddl, views, n, i, &indirect));
        if (!indirect) ARENA_PUSH(s->ddl->a, out, view);
    }
    return OK;
}

static void add_owned_sequences(struct drop_set *s, const struct victim *v, victim_list *out)
{
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(s->ddl->s->catalog, &pos, &t)) {
        struct victim seq = {.item = {t, NULL}, .silent = true};
        if (t->kind != 'S' || t->sequence->owner_table != v->item.table->oid) continue;
        if (v->item.column && t->sequence->owner_column != v->item.column->number) continue;
        ARENA_PUSH(s->ddl->a, out, seq);
    }
}

static enum status add_defaults(struct drop_set *s, const struct victim *v, victim_list *out)
{
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(s->ddl->s->catalog, &pos, &t)) {
        if (t->kind != 'r' || t->virtual_id >= 0) continue;
        for (uint16_t i = 0; i < t->column_count; i++) {
            bool names = false;
            struct victim of = {.item = {t, &t->columns[i]}, .default_only = true};
            if (t->columns[i].dropped || !t->columns[i].default_sql) continue;
            TRY(ddl__names_sequence(s->ddl, t->columns[i].default_sql, v->item.table->oid, &names));
            if (names) ARENA_PUSH(s->ddl->a, out, of);
        }
    }
    return OK;
}

static enum status add_generated(struct drop_set *s, const struct victim *v, victim_list *out)
{
    const struct table_def *t = v->item.table;
    for (uint16_t i = 0; i < t->column_count; i++) {
        const struct column_def *g = &t->columns[i];
        struct victim of = {.item = {t, g}};
        if (g->dropped || !g->generated || g->number == v->item.column->number) continue;
        bool *used = ARENA_ARRAY(s->ddl->a, bool, t->column_count + 1);
        TRY(ddl__columns_of(s->ddl, t, g->default_sql, used));
        if (used[v->item.column->number]) ARENA_PUSH(s->ddl->a, out, of);
    }
    return OK;
}

/* Foreign keys that refer to the table, or to the column. */
static void add_foreign(struct drop_set *s, const struct victim *v, victim_list *out)
{
    uint32_t n;
    const struct constraint_def *const *list =
        catalog_references(s->ddl->s->catalog, v->item.table->oid, &n);
    for (uint32_t i = 0; i < n; i++) {
        bool over = !v->item.column && list[i]->table != v->item.table->oid;
        for (uint16_t k = 0; v->item.column && k < list[i]->column_count; k++)
            over |= list[i]->foreign_columns[k] == v->item.column->number;
        struct victim of = {.item = {ddl__table(s->ddl, list[i]->table), NULL}, .foreign = list[i]};
        if (over) ARENA_PUSH(s->ddl->a, out, of);
    }
}

/* Columns that hold its rows. */
static void add_holders(struct drop_set *s, const struct victim *v, victim_list *out)
{
    const struct table_def *t;
    size_t pos = 0;
    if (v->item.column) return;
    while (catalog_next_table(s->ddl->s->catalog, &pos, &t)) {
        if ((t->kind != 'r' && t->kind != 'c') || t->virtual_id >= 0 || t->oid == v->item.table->oid)
            continue;
        for (uint16_t i = 0; i < t->column_count; i++) {
            struct victim of = {.item = {t, &t->columns[i]}, .by_type = true};
            if (ddl__column_holds(&t->columns[i], v->item.table->oid)) ARENA_PUSH(s->ddl->a, out, of);
        }
    }
}

/* Functions that take its rows or give them; those of a schema that goes are told with it. */
static void add_takers(struct drop_set *s, const struct victim *v, victim_list *out)
{
    const struct function_def *f;
    size_t pos = 0;
    if (v->item.column) return;
    while (catalog_next_function(s->ddl->s->catalog, &pos, &f)) {
        bool met = !ddl__function_takes(f, v->item.table->oid);
        for (size_t i = 0; i < s->schemas.count; i++) met |= s->schemas.data[i] == f->schema;
        struct victim of = {.item = {v->item.table, NULL}, .function = f, .by_type = true};
        if (!met) ARENA_PUSH(s->ddl->a, out, of);
    }
}

static enum status direct(struct drop_set *s, const struct victim *v, victim_list *out)
{
    if (v->default_only || v->foreign || v->function) return OK;
    if (v->item.table->kind == 'S') return add_defaults(s, v, out);
    add_holders(s, v, out);
    add_takers(s, v, out);
    TRY(add_views(s, v, out));
    if (v->item.table->kind != 'r') return OK;
    add_owned_sequences(s, v, out);
    add_foreign(s, v, out);
    return v->item.column ? add_generated(s, v, out) : OK;
}

static int younger_first(const void *a, const void *b)
{
    const struct victim *x = a, *y = b;
    oid_t o = x->function ? x->function->proc.oid : x->foreign ? x->foreign->oid : x->item.table->oid;
    oid_t p = y->function ? y->function->proc.oid : y->foreign ? y->foreign->oid : y->item.table->oid;
    if (o != p) return o > p ? -1 : 1;
    int m = x->item.column ? x->item.column->number : 0;
    int n = y->item.column ? y->item.column->number : 0;
    return m - n;
}

static enum status visit(struct drop_set *s, const struct victim *v, const struct victim *because)
{
    struct arena *a = s->ddl->a;
    victim_list list = {0};
    if (fiber_stack_left() < STACK_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    if (s->seen.count >= DROP_ITEMS_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "too many objects to drop at once");
    if (because) ARENA_PUSH(a, &s->seen, *v);
    TRY(direct(s, v, &list));
    if (list.count) qsort(list.data, list.count, sizeof *list.data, younger_first);
    for (size_t i = 0; i < list.count; i++)
        if (!contains(s, &list.data[i])) TRY(visit(s, &list.data[i], v));
    if (because && !v->silent) {
        const char *words = item_words(s->ddl, v);
        ARENA_PUSH(a, &s->words, words);
        const char *on = v->by_type ? type_words(s->ddl, v, because) : item_words(s->ddl, because);
        ARENA_PUSH(a, &s->details, arena_printf(a, "%s depends on %s", words, on));
    }
    ARENA_PUSH(a, &s->items, *v);
    return OK;
}

static void reverse(const char **items, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const char *kept = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = kept;
    }
}

/* The objects named are all known before the first is followed. */
static enum status grow(struct drop_set *s, const struct drop_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ARENA_PUSH(s->ddl->a, &s->seen, (struct victim){.item = items[i]});
    for (uint32_t i = 0; i < count; i++) {
        struct victim v = {.item = items[i]};
        TRY(visit(s, &v, NULL));
    }
    reverse(s->details.data, s->details.count);
    reverse(s->words.data, s->words.count);
    return OK;
}

/* Sequences that columns own go with their tables and are not told. */
static bool is_told(struct ddl *d, const struct table_def *t)
{
    if (t->kind != 'S' || !t->sequence->owner_table) return true;
    const struct table_def *owner = catalog_table_by_oid(d->s->catalog, t->sequence->owner_table);
    return !owner || owner->schema != t->schema;
}

static void note_contents(struct drop_set *s, const struct schema_def *n)
{
    const struct table_def *t;
    size_t pos = 0;
    ARENA_PUSH(s->ddl->a, &s->schemas, n->oid);
    while (catalog_next_table(s->ddl->s->catalog, &pos, &t))
        if (t->schema == n->oid) ARENA_PUSH(s->ddl->a, &s->contents, t->oid);
}

/* Functions go by themselves (ddl__drop_schema_functions), but are told among the rest. */
static void tell_functions(struct drop_set *s, const struct schema_def *n, const char *because)
{
    struct arena *a = s->ddl->a;
    const struct function_def *f;
    size_t pos = 0;
    while (catalog_next_function(s->ddl->s->catalog, &pos, &f)) {
        if (f->schema != n->oid) continue;
        const char *words = arena_printf(a, "function %s", pl__signature(s->ddl->s, f, a));
        ARENA_PUSH(a, &s->words, words);
        ARENA_PUSH(a, &s->details, arena_printf(a, "%s depends on %s", words, because));
    }
}

static enum status grow_schema(struct drop_set *s, const struct schema_def *n)
{
    struct victim schema = {.schema = n};
    victim_list list = {0};
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(s->ddl->s->catalog, &pos, &t)) {
        struct victim v = {.item = {t, NULL}, .silent = !is_told(s->ddl, t)};
        if (t->schema == n->oid) ARENA_PUSH(s->ddl->a, &list, v);
    }
    if (list.count) qsort(list.data, list.count, sizeof *list.data, younger_first);
    for (size_t i = 0; i < list.count; i++)
        if (!contains(s, &list.data[i])) TRY(visit(s, &list.data[i], &schema));
    tell_functions(s, n, item_words(s->ddl, &schema));
    return OK;
}

/* --- words ---------------------------------------------------------------------------------- */

static const char *lines(struct ddl *d, const char *prefix, const char *const *items, size_t n)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    for (size_t i = 0; i < n; i++) strbuf_addf(&b, "%s%s%s", i ? "\n" : "", prefix, items[i]);
    return b.data;
}

static enum status refuse(struct drop_set *s, const struct victim *first, uint32_t named)
{
    if (named == 1)
        FAIL(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop %s because other objects depend on it",
             item_words(s->ddl, first));
    else
        FAIL(DEPENDENT_OBJECTS_STILL_EXIST,
             "cannot drop desired object(s) because other objects depend on them");
    error_detail("%s", lines(s->ddl, "", s->details.data, s->details.count));
    return error_hint("Use DROP ... CASCADE to drop the dependent objects too.");
}

enum status ddl__cascade_notice(struct ddl *d, const char *const *words, uint32_t count)
{
    struct error e = {.code = OK};
    if (count == 0 || !d->sink || !d->sink->notice) return OK;
    if (count == 1) return ddl__notice(d, "drop cascades to %s", words[0]);
    const char *head = arena_printf(d->a, "drop cascades to %u other objects", count);
    const char *body = lines(d, "drop cascades to ", words, count);
    size_t len = strlen(body);
    memcpy(e.message, head, strlen(head));
    memcpy(e.detail, body, len < sizeof e.detail ? len : sizeof e.detail - 1);
    return d->sink->notice(d->sink->ctx, "NOTICE", &e);
}

/* --- doing it ------------------------------------------------------------------------------- */

static enum status drop_default(struct ddl *d, const struct drop_item *item)
{
    struct table_edit e;
    ddl__edit(d, ddl__table(d, item->table->oid), &e);
    e.columns.data[item->column->number - 1].default_sql = NULL;
    return ddl__edit_put(d, &e, NULL);
}

static enum status drop_victim(struct ddl *d, const struct victim *v)
{
    if (v->function) return ddl__drop_function_of(d, v->function->proc.oid);
    const struct table_def *t = catalog_table_by_oid(d->s->catalog, v->item.table->oid);
    if (!t) return OK; /* gone with its table */
    if (v->foreign)
        return catalog_constraint_by_oid(d->s->catalog, v->foreign->oid)
                   ? ddl__drop_foreign(d, v->foreign)
                   : OK;
    if (v->default_only) return drop_default(d, &v->item);
    if (!v->item.column) return ddl__drop_relation(d, t);
    if (t->columns[v->item.column->number - 1].dropped) return OK;
    return ddl__remove_column(d, t->oid, v->item.column->number);
}

enum status ddl__drop_references(struct ddl *d, const struct index_def *x, const char *what,
                                 bool cascade)
{
    ARRAY(const struct constraint_def *) found = {0};
    ARRAY(const char *) words = {0};
    struct strbuf detail;
    uint32_t n;
    const struct constraint_def *const *list = catalog_references(d->s->catalog, x->table, &n);
    strbuf_init(&detail, d->a);
    for (uint32_t i = 0; i < n; i++) {
        if (list[i]->index != x->oid) continue;
        struct victim v = {.item = {ddl__table(d, list[i]->table), NULL}, .foreign = list[i]};
        const char *w = item_words(d, &v);
        strbuf_addf(&detail, "%s%s depends on index %s", detail.len ? "\n" : "", w,
                    ddl__quote(d->a, x->name));
        ARENA_PUSH(d->a, &found, list[i]);
        ARENA_PUSH(d->a, &words, w);
    }
    if (found.count && !cascade) {
        FAIL(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop %s because other objects depend on it",
             what);
        error_detail("%s", detail.data);
        return error_hint("Use DROP ... CASCADE to drop the dependent objects too.");
    }
    TRY(ddl__cascade_notice(d, words.data, (uint32_t)words.count));
    for (size_t i = 0; i < found.count; i++) {
        TRY(ddl__lock(d, found.data[i]->table, LOCK_ACCESS_EXCLUSIVE));
        TRY(ddl__drop_foreign(d, found.data[i]));
    }
    return OK;
}

static enum status drop_set(struct drop_set *s)
{
    struct ddl *d = s->ddl;
    TRY(ddl__cascade_notice(d, s->words.data, (uint32_t)s->words.count));
    for (size_t i = 0; i < s->items.count; i++)
        TRY(ddl__lock(d, s->items.data[i].item.table->oid, LOCK_ACCESS_EXCLUSIVE));
    for (size_t i = 0; i < s->items.count; i++)
        TRY(session__check_unused(d->s, s->items.data[i].item.table, "DROP TABLE"));
    for (size_t i = 0; i < s->items.count; i++) TRY(drop_victim(d, &s->items.data[i]));
    return OK;
}

enum status ddl__drop_items(struct ddl *d, const struct drop_item *items, uint32_t count,
                            bool cascade)
{
    struct drop_set s = {.ddl = d};
    TRY(grow(&s, items, count));
    if (s.details.count && !cascade) return refuse(&s, &s.seen.data[0], count);
    return drop_set(&s);
}

enum status ddl__drop_contents(struct ddl *d, const struct schema_def *const *schemas,
                               uint32_t count, bool cascade)
{
    struct drop_set s = {.ddl = d};
    for (uint32_t i = 0; i < count; i++) note_contents(&s, schemas[i]);
    for (uint32_t i = 0; i < count; i++) TRY(grow_schema(&s, schemas[i]));
    reverse(s.details.data, s.details.count);
    reverse(s.words.data, s.words.count);
    const struct victim first = {.schema = count ? schemas[0] : NULL};
    if (s.details.count && !cascade) return refuse(&s, &first, count);
    return drop_set(&s);
}

enum status ddl__drop_relation(struct ddl *d, const struct table_def *t)
{
    struct txn *txn = d->s->txn;
    if (t->tree) TRY(store_drop_tree(txn, t->tree));
    for (uint16_t i = 0; i < t->index_count; i++)
        if (t->indexes[i]->tree) TRY(store_drop_tree(txn, t->indexes[i]->tree));
    if (t->sequence && t->sequence->tree) TRY(store_drop_tree(txn, t->sequence->tree));
    return ddl__remove(d, t->oid);
}
