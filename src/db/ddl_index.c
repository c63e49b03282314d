/* CREATE INDEX and the end of an index. By itself it fills the index while others write, in one transaction
 * (ddl_follow.c), else under a lock that keeps them out; it is in the catalog only once it is whole. */
#include "db/ddl_build_priv.h"
#include "db/ddl_follow_priv.h"
#include "db/system_priv.h"

enum { INDEX_COLUMNS_MAX = 32 };

static enum status check_method(const char *method)
{
    static const char *const known[] = {"hash", "gin", "gist", "spgist", "brin"};
    if (!method || strcmp(method, "btree") == 0) return OK;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(method, known[i]) == 0)
            return UNSUPPORTED("access method \"%s\" is not supported yet", method);
    return FAIL(UNDEFINED_OBJECT, "access method \"%s\" does not exist", method);
}

static bool ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n > m && strcmp(s + n - m, end) == 0;
}

/* Text sorts bytewise here, so that pattern classes are what the default is. */
static enum status check_element(const struct ast_index_elem *x)
{
    static const char *const collations[] = {"default", "C", "POSIX", "ucs_basic"};
    if (x->opclass.count) {
        const char *name = x->opclass.items[x->opclass.count - 1];
        if (!ends_in(name, "_ops"))
            return FAIL(UNDEFINED_OBJECT,
                        "operator class \"%s\" does not exist for access method \"btree\"", name);
    }
    if (!x->collation.count) return OK;
    const char *name = x->collation.items[x->collation.count - 1];
    for (size_t i = 0; i < sizeof collations / sizeof collations[0]; i++)
        if (strcmp(name, collations[i]) == 0) return OK;
    return FAIL(UNDEFINED_OBJECT, "collation \"%s\" for encoding \"UTF8\" does not exist", name);
}

enum status ddl__check_ordered(struct ddl *d, type_id type)
{
    struct strbuf b;
    if (sys_operator_class(type)) return OK;
    strbuf_init(&b, d->a);
    type_format(type, -1, &b);
    (void)FAIL(UNDEFINED_OBJECT,
               "data type %s has no default operator class for access method \"btree\"", b.data);
    return error_hint("You must specify an operator class for the index or define a default "
                      "operator class for the data type.");
}

/* `key`: not one of INCLUDE. */
static enum status index_column(struct ddl *d, const struct table_def *t,
                                const struct ast_index_elem *x, bool key, struct index_column *ret)
{
    TRY(check_element(x));
    bool descending = x->direction == SORT_DESC;
    *ret = (struct index_column){
        .descending = descending,
        .nulls_first = x->nulls == NULLS_DEFAULT ? descending : x->nulls == NULLS_FIRST};
    /* (a) in brackets is the column yet. */
    const char *name = x->name;
    if (x->expr && x->expr->kind == AST_COLUMN_REF &&
        AST(x->expr, ast_column_ref)->names.count == 1)
        name = AST(x->expr, ast_column_ref)->names.items[0];
    if (!name) {
        TRY(ddl__index_expression(d, t, x->expr, ret));
        return key ? ddl__check_ordered(d, ret->type) : OK;
    }
    const struct column_def *c = table_column(t, slice_of(name));
    if (!c) return FAIL(UNDEFINED_COLUMN, "column \"%s\" does not exist", name);
    ret->column = c->number;
    ret->type = c->type;
    return key ? ddl__check_ordered(d, c->type) : OK;
}

static enum status check_table(const struct table_def *t)
{
    if (t->kind == 'r' || t->kind == 'm') return OK;
    FAIL(WRONG_OBJECT_TYPE, "cannot create index on relation \"%s\"", t->name);
    return error_detail("This operation is not supported for %ss.", ddl__kind_word(t));
}

/* "expr", "expr1": elements that have no name. */
static const char *numbered(struct ddl *d, const struct ast_list *list, uint32_t at)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < at; i++) {
        const struct ast_index_elem *e = AST(list->items[i], ast_index_elem);
        before += !e->name && strcmp(bind_column_name(e->expr), "?column?") == 0;
    }
    return before ? arena_printf(d->a, "expr%u", before) : "expr";
}

/* "a_b" of the key columns and those of INCLUDE. */
static const char *joined_names(struct ddl *d, const struct ast_create_index *n)
{
    const struct ast_list *lists[] = {&n->elements, &n->including};
    struct strbuf b;
    strbuf_init(&b, d->a);
    for (int l = 0; l < 2; l++)
        for (uint32_t i = 0; i < lists[l]->count && b.len < 2 * NAME_BYTES_MAX; i++) {
            const struct ast_index_elem *e = AST(lists[l]->items[i], ast_index_elem);
            const char *name = e->name ? e->name : bind_column_name(e->expr);
            if (strcmp(name, "?column?") == 0) name = numbered(d, lists[l], i);
            strbuf_addf(&b, "%s%s", b.len ? "_" : "", name);
        }
    return b.data ? b.data : "";
}

static enum status make_columns(struct ddl *d, const struct table_def *t,
                                const struct ast_create_index *n, struct index_def *x)
{
    uint32_t total = n->elements.count + n->including.count;
    if (total > INDEX_COLUMNS_MAX)
        return FAIL(TOO_MANY_COLUMNS, "cannot use more than %d columns in an index",
                    INDEX_COLUMNS_MAX);
    struct index_column *c = ARENA_ARRAY(d->a, struct index_column, total);
    for (uint32_t i = 0; i < n->elements.count; i++)
        TRY(index_column(d, t, AST(n->elements.items[i], ast_index_elem), true, &c[i]));
    for (uint32_t i = 0; i < n->including.count; i++) {
        const struct ast_index_elem *e = AST(n->including.items[i], ast_index_elem);
        if (e->direction == SORT_ASC || e->direction == SORT_DESC)
            return FAIL(INVALID_OBJECT_DEFINITION,
                        "including column does not support ASC/DESC options");
        if (e->expr)
            return FAIL(FEATURE_NOT_SUPPORTED,
                        "expressions are not supported in included columns");
        TRY(index_column(d, t, e, false, &c[n->elements.count + i]));
    }
    x->columns = c;
    x->key_count = (uint16_t)n->elements.count;
    x->column_count = (uint16_t)total;
    return OK;
}

static enum status refuse(const struct ast_create_index *n)
{
    TRY(check_method(n->access_method));
    return ddl__check_place(NULL, n->tablespace);
}

static enum status check_options(struct ddl *d, const struct ast_list *options)
{
    const char *text;
    for (uint32_t i = 0; i < options->count; i++) {
        const char *name = AST(options->items[i], ast_def_elem)->name;
        if (strcmp(name, "fillfactor") != 0 && strcmp(name, "deduplicate_items") != 0)
            return FAIL(INVALID_PARAMETER_VALUE, "unrecognized parameter \"%s\"", name);
    }
    return ddl__options(d, options, &text);
}

enum status ddl__define_index(struct ddl *d, const struct ast_create_index *n,
                              const struct table_def **ret_table, struct index_def **ret)
{
    const struct table_def *t;
    struct index_def *x = ARENA_NEW(d->a, struct index_def);
    *ret = NULL;
    TRY(ddl__find(d, n->table, 0, false, &t));
    TRY(check_table(t));
    TRY(refuse(n));
    TRY(ddl__own_table(d, t));
    TRY(check_options(d, &n->options));
    if (n->if_not_exists && n->name && ddl__relation_exists(d, t->schema, n->name))
        return session__notice(d->sink, "NOTICE", DUPLICATE_TABLE, NULL,
                               "relation \"%s\" already exists, skipping", n->name);
    if (n->name) TRY(ddl__check_free(d, t->schema, n->name));
    if (n->where) TRY(ddl__index_predicate(d, t, n->where, &x->predicate_sql));
    TRY(make_columns(d, t, n, x));
    x->name = n->name ? n->name
                      : ddl__choose_name(d, t->schema, t->name, joined_names(d, n), "idx", NULL,
                                         NULL);
    x->table = t->oid;
    x->unique = n->unique;
    x->nulls_not_distinct = n->nulls_not_distinct;
    *ret_table = t;
    *ret = x;
    return OK;
}

enum status ddl__fill_index(struct ddl *d, enum build_command shown_as, const struct table_def *t,
                            struct index_def *x)
{
    x->valid = x->ready = x->live = true;
    TRY(store_create_tree(d->s->txn, &x->tree));
    if (!t->tree) return OK; /* a materialized view without rows */
    build__show(d->s, shown_as, t, x);
    build__show_table(d->s, t);
    build__show_phase(d->s, PHASE_SCAN);
    enum status st = ddl__build_index(d, t, x);
    build__show(d->s, BUILD_NONE, NULL, NULL);
    return st;
}

enum status ddl__create_index(struct ddl *d, const struct ast_create_index *n)
{
    const struct table_def *t;
    struct index_def *x;
    struct table_edit e;
    TRY(ddl__define_index(d, n, &t, &x));
    if (!x) return OK;
    d->beside = ddl__is_alone(d) ? LOCK_SHARE : 0;
    TRY(ddl__lock(d, t->oid, d->beside ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_SHARE));
    TRY(ddl__new_oid(d, &x->oid));
    TRY(ddl__fill_index(d, BUILD_CREATE, t, x));
    ddl__edit(d, t, &e);
    ARENA_PUSH(d->a, &e.indexes, x);
    return ddl__edit_put(d, &e, NULL);
}

enum status ddl__drop_index(struct ddl *d, const struct index_def *x)
{
    struct table_edit e;
    size_t n = 0;
    ddl__edit(d, ddl__table(d, x->table), &e);
    for (size_t i = 0; i < e.indexes.count; i++)
        if (e.indexes.data[i]->oid != x->oid) e.indexes.data[n++] = e.indexes.data[i];
    e.indexes.count = n;
    if (x->tree) TRY(store_drop_tree(d->s->txn, x->tree));
    return ddl__edit_put(d, &e, NULL);
}
