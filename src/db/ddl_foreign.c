/* FOREIGN KEY of CREATE and ALTER TABLE: what it names is looked up, held against the referenced table's
 * unique indexes, and, but for NOT VALID, the rows that are there are checked. */
#include "catalog/foreign_key.h"
#include "db/ddl_priv.h"
#include "exec/ops/foreign.h"

enum { KEYS_MAX = 32 };

struct foreign_ddl {
    struct ddl *d;
    const struct ast_constraint *ast;
    const struct table_def *child, *parent;
    const struct index_def *index;
    const char *name;
    int16_t *columns, *foreign, *set;
    uint16_t count, foreign_count, set_count;
};

/* --- columns ----------------------------------------------------------------------------------- */

static enum status list_columns(struct foreign_ddl *f, const struct table_def *t,
                                const struct name_list *names, int16_t **ret, uint16_t *ret_count)
{
    *ret = ARENA_ARRAY(f->d->a, int16_t, names->count + 1);
    for (uint32_t i = 0; i < names->count; i++) {
        const struct column_def *c = table_column(t, slice_of(names->items[i]));
        if (!c)
            return FAIL(UNDEFINED_COLUMN,
                        "column \"%s\" referenced in foreign key constraint does not exist",
                        names->items[i]);
        if (i >= KEYS_MAX)
            return FAIL(TOO_MANY_COLUMNS, "cannot have more than %d keys in a foreign key",
                        KEYS_MAX);
        (*ret)[i] = c->number;
    }
    *ret_count = (uint16_t)names->count;
    return OK;
}

static bool has(const int16_t *list, uint16_t n, int16_t number)
{
    for (uint16_t i = 0; i < n; i++)
        if (list[i] == number) return true;
    return false;
}

static enum status check_set_columns(struct foreign_ddl *f)
{
    TRY(list_columns(f, f->child, &f->ast->set_columns, &f->set, &f->set_count));
    for (uint16_t i = 0; i < f->set_count; i++)
        if (!has(f->columns, f->count, f->set[i]))
            return FAIL(INVALID_COLUMN_REFERENCE,
                        "column \"%s\" referenced in ON DELETE SET action must be part of foreign "
                        "key",
                        f->ast->set_columns.items[i]);
    return OK;
}

static enum status use_primary_key(struct foreign_ddl *f)
{
    for (uint16_t i = 0; i < f->parent->index_count; i++)
        if (f->parent->indexes[i]->primary) f->index = f->parent->indexes[i];
    if (!f->index)
        return FAIL(UNDEFINED_OBJECT, "there is no primary key for referenced table \"%s\"",
                    f->parent->name);
    if (f->index->deferrable)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cannot use a deferrable primary key for referenced table \"%s\"",
                    f->parent->name);
    f->foreign_count = f->index->key_count;
    f->foreign = ARENA_ARRAY(f->d->a, int16_t, f->foreign_count);
    for (uint16_t i = 0; i < f->foreign_count; i++) f->foreign[i] = f->index->columns[i].column;
    return OK;
}

static bool is_over(const struct index_def *x, const int16_t *columns, uint16_t n)
{
    if (!x->unique || !x->valid || x->predicate_sql || x->key_count != n) return false;
    for (uint16_t i = 0; i < n; i++)
        if (!x->columns[i].column || !has(columns, n, x->columns[i].column)) return false;
    return true;
}

static enum status find_index(struct foreign_ddl *f)
{
    bool deferrable = false;
    for (uint16_t i = 0; i < f->foreign_count; i++)
        if (has(f->foreign, i, f->foreign[i]))
            return FAIL(INVALID_FOREIGN_KEY,
                        "foreign key referenced-columns list must not contain duplicates");
    for (uint16_t i = 0; i < f->parent->index_count && !f->index; i++) {
        const struct index_def *x = f->parent->indexes[i];
        if (!is_over(x, f->foreign, f->foreign_count)) continue;
        if (x->deferrable) deferrable = true;
        else f->index = x;
    }
    if (f->index) return OK;
    if (deferrable)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cannot use a deferrable unique constraint for referenced table \"%s\"",
                    f->parent->name);
    return FAIL(INVALID_FOREIGN_KEY,
                "there is no unique constraint matching given keys for referenced table \"%s\"",
                f->parent->name);
}

static bool sets(char action)
{
    return action == 'n' || action == 'd';
}

static enum status check_generated(struct foreign_ddl *f)
{
    const char *words = NULL;
    for (uint16_t i = 0; i < f->count && !words; i++) {
        if (!f->child->columns[f->columns[i] - 1].generated) continue;
        if (sets(f->ast->on_update) || f->ast->on_update == 'c') words = "ON UPDATE";
        else if (sets(f->ast->on_delete)) words = "ON DELETE";
    }
    if (!words) return OK;
    return FAIL(SYNTAX_ERROR,
                "invalid %s action for foreign key constraint containing generated column", words);
}

static const char *type_words(struct ddl *d, type_id type)
{
    struct strbuf b;
    strbuf_init(&b, d->a);
    session__type_name(d->s, type, -1, &b);
    return b.data;
}

static enum status check_types(struct foreign_ddl *f)
{
    for (uint16_t i = 0; i < f->count; i++) {
        const struct column_def *c = &f->child->columns[f->columns[i] - 1];
        const struct column_def *p = &f->parent->columns[f->foreign[i] - 1];
        if (foreign_key_types_fit(c->type, p->type)) continue;
        FAIL(DATATYPE_MISMATCH, "foreign key constraint \"%s\" cannot be implemented", f->name);
        return error_detail("Key columns \"%s\" and \"%s\" are of incompatible types: %s and %s.",
                            c->name, p->name, type_words(f->d, c->type),
                            type_words(f->d, p->type));
    }
    return OK;
}

/* --- the name ---------------------------------------------------------------------------------- */

static bool is_taken(void *ctx, const char *name)
{
    const struct foreign_ddl *f = ctx;
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(f->d->s->catalog, &pos, &t))
        if (t->schema == f->child->schema && table_constraint(t, slice_of(name))) return true;
    return false;
}

static enum status choose_name(struct foreign_ddl *f)
{
    struct strbuf b;
    f->name = f->ast->name;
    if (f->name) {
        if (!table_constraint(f->child, slice_of(f->name))) return OK;
        return FAIL(DUPLICATE_OBJECT, "constraint \"%s\" for relation \"%s\" already exists",
                    f->name, f->child->name);
    }
    strbuf_init(&b, f->d->a);
    for (uint32_t i = 0; i < f->ast->columns.count && b.len < 2 * NAME_BYTES_MAX; i++)
        strbuf_addf(&b, "%s%s", i ? "_" : "", f->ast->columns.items[i]);
    f->name = ddl__choose_name(f->d, 0, f->child->name, b.data, "fkey", is_taken, f);
    return OK;
}

/* --- the table referred to --------------------------------------------------------------------- */

static enum status find_parent(struct foreign_ddl *f)
{
    struct ddl *d = f->d;
    const struct ast_range_var *v = f->ast->foreign_table;
    const struct table_def *t = catalog_lookup(d->s->catalog, session__path(d->s), v->schema, v->name);
    if (!t) return ddl__find(d, v, 0, false, &f->parent);
    if (t->kind != 'r' && t->oid != f->child->oid)
        return FAIL(WRONG_OBJECT_TYPE, "referenced relation \"%s\" is not a table", t->name);
    if (t->virtual_id >= 0)
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied: \"%s\" is a system catalog",
                    t->name);
    if (f->child->persistence == 'p' && t->persistence != 'p')
        return FAIL(INVALID_TABLE_DEFINITION,
                    "constraints on permanent tables may reference only permanent tables");
    if (f->child->persistence == 'u' && t->persistence == 't')
        return FAIL(INVALID_TABLE_DEFINITION, "constraints on unlogged tables may reference only "
                                              "permanent or unlogged tables");
    if (f->child->persistence == 't' && t->persistence != 't')
        return FAIL(INVALID_TABLE_DEFINITION,
                    "constraints on temporary tables may reference only temporary tables");
    if (t->oid != f->child->oid)
        TRY(ddl__lock(d, t->oid, d->beside ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_SHARE_ROW_EXCLUSIVE));
    f->parent = ddl__table(d, t->oid);
    return OK;
}

static enum status resolve(struct foreign_ddl *f)
{
    TRY(find_parent(f));
    TRY(list_columns(f, f->child, &f->ast->columns, &f->columns, &f->count));
    TRY(check_set_columns(f));
    if (f->ast->foreign_columns.count == 0) {
        TRY(use_primary_key(f));
    } else {
        TRY(list_columns(f, f->parent, &f->ast->foreign_columns, &f->foreign, &f->foreign_count));
        TRY(find_index(f));
    }
    if (!ddl__is_owner(f->d->s, f->parent->owner) &&
        !ddl__acl_allows(f->parent->acl, session__user(f->d->s), 'x'))
        return FAIL(INSUFFICIENT_PRIVILEGE, "permission denied for table %s", f->parent->name);
    TRY(check_generated(f));
    if (f->count != f->foreign_count)
        return FAIL(INVALID_FOREIGN_KEY,
                    "number of referencing and referenced columns for foreign key disagree");
    return check_types(f);
}

static enum status put(struct foreign_ddl *f, const struct constraint_def **ret)
{
    struct table_edit e;
    struct constraint_def *k = ARENA_NEW(f->d->a, struct constraint_def);
    *k = (struct constraint_def){
        .table = f->child->oid, .name = f->name, .kind = 'f', .columns = f->columns,
        .column_count = f->count, .index = f->index->oid, .foreign_table = f->parent->oid,
        .foreign_columns = f->foreign, .on_update = f->ast->on_update,
        .on_delete = f->ast->on_delete, .match = f->ast->match, .deferrable = f->ast->deferrable,
        .initially_deferred = f->ast->initially_deferred, .validated = !f->ast->not_valid,
        .set_columns = f->set_count ? f->set : NULL, .set_count = f->set_count};
    TRY(ddl__new_oid(f->d, &k->oid));
    ddl__edit(f->d, f->child, &e);
    ARENA_PUSH(f->d->a, &e.constraints, k);
    TRY(ddl__edit_put(f->d, &e, NULL));
    *ret = catalog_constraint_by_oid(f->d->s->catalog, k->oid);
    return OK;
}

enum status ddl__add_foreign(struct ddl *d, oid_t table, const struct ast_constraint *c,
                             bool has_rows)
{
    struct foreign_ddl f = {.d = d, .ast = c, .child = ddl__table(d, table)};
    const struct constraint_def *k;
    TRY(choose_name(&f));
    TRY(resolve(&f));
    TRY(put(&f, &k));
    if (!has_rows || !k->validated) return OK;
    return d->beside ? ddl__follow_foreign(d, k) : ddl__verify_foreign(d, k);
}

/* --- rows that are there ----------------------------------------------------------------------- */

enum status ddl__verify_foreign(struct ddl *d, const struct constraint_def *k)
{
    struct foreign_key key;
    if (!foreign_key_find(d->s->catalog, k, d->a, &key))
        return FAIL(INTERNAL_ERROR, "constraint \"%s\" refers to nothing", k->name);
    if (!d->reader) return foreign_verify(d->s->txn, &d->s->exec, d->a, &key);
    txn_statement_begin(d->reader);
    enum status st = foreign_verify(d->reader, &d->s->exec, d->a, &key);
    txn_statement_end(d->reader);
    return st;
}

/* --- tables and indexes that are remade -------------------------------------------------------- */

enum status ddl__drop_foreign(struct ddl *d, const struct constraint_def *k)
{
    struct table_edit e;
    size_t n = 0;
    ddl__edit(d, ddl__table(d, k->table), &e);
    for (size_t i = 0; i < e.constraints.count; i++)
        if (e.constraints.data[i]->oid != k->oid) e.constraints.data[n++] = e.constraints.data[i];
    e.constraints.count = n;
    return ddl__edit_put(d, &e, NULL);
}
