/* test IN (subquery), test op ANY/ALL (subquery).
 *
 * SQL's answer has three values: a NULL on either side may hide a match, so "not found" is FALSE
 * only when no row could have matched. With equalities the rows without NULL are hashed; rows with
 * one are looked through only when the hash found nothing. */
#include "exec/subquery_priv.h"

#include "base/hash.h"

static bool all_ops(const struct subplan *sp, const char *name)
{
    for (uint32_t i = 0; i < sp->test_count; i++)
        if (strcmp(sp->ops[i]->name, name) != 0) return false;
    return sp->test_count > 0;
}

static bool is_integer(type_id t)
{
    return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

/* The type under which both sides of column i are hashed: integers of all widths as int8. */
static type_id key_type(const struct subplan *sp, uint32_t i)
{
    const struct operator_def *op = sp->ops[i];
    type_id left = sp->test[i]->type, right = sp->root->columns[i].type;
    if (is_integer(left) && is_integer(right)) return TYPE_INT8;
    if (op->left != op->right) return TYPE_NONE;
    bool fits = eval__same_values(op->left, left) && eval__same_values(op->left, right);
    return fits ? op->left : TYPE_NONE;
}

static struct datum key_of(type_id key, type_id from, struct datum d)
{
    if (d.null || key != TYPE_INT8) return d;
    if (from == TYPE_INT2) d.v.i64 = d.v.i16;
    if (from == TYPE_INT4) d.v.i64 = d.v.i32;
    return d;
}

void subquery__rows_init(struct execution *x, const struct subplan *sp, struct subquery_rows *rows)
{
    *rows = (struct subquery_rows){.width = sp->test_count};
    const char *name = sp->type == SUBLINK_ALL ? "<>" : "=";
    rows->hashed = sp->type != SUBLINK_ROW && all_ops(sp, name);
    rows->key_types = ARENA_ARRAY(x->arena, type_id, sp->test_count + 1);
    for (uint32_t i = 0; i < sp->test_count; i++) {
        rows->key_types[i] = key_type(sp, i);
        if (rows->key_types[i] == TYPE_NONE) rows->hashed = false;
    }
}

void subquery__rows_add(struct execution *x, struct subquery_rows *rows, const struct batch *b)
{
    uint32_t w = rows->width;
    if (rows->count + b->count > rows->cap) {
        uint32_t cap = rows->cap ? rows->cap : 64;
        while (cap < rows->count + b->count) cap *= 2;
        struct datum *grown = ARENA_ARRAY(x->arena, struct datum, (size_t)cap * w);
        if (rows->count) memcpy(grown, rows->values, (size_t)rows->count * w * sizeof *grown);
        rows->values = grown;
        rows->cap = cap;
    }
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t r = eval__row(b->sel, i);
        struct datum *row = rows->values + (size_t)rows->count++ * w;
        for (uint32_t k = 0; k < w; k++) {
            const struct vec *v = &b->columns[k];
            row[k] = datum_copy(x->arena, v->type, vec_get(v, r));
            if (rows->hashed) row[k] = key_of(rows->key_types[k], v->type, row[k]);
            rows->any_null |= row[k].null;
        }
    }
}

static bool row_has_null(const struct datum *row, uint32_t w)
{
    for (uint32_t k = 0; k < w; k++)
        if (row[k].null) return true;
    return false;
}

static uint32_t row_hash(const struct subquery_rows *rows, const struct datum *row)
{
    uint64_t h = value_hash(rows->key_types[0], &row[0].v);
    for (uint32_t k = 1; k < rows->width; k++)
        h = hash_combine(h, value_hash(rows->key_types[k], &row[k].v));
    return (uint32_t)h & rows->mask;
}

static bool row_equal(const struct subquery_rows *rows, const struct datum *a,
                      const struct datum *b)
{
    for (uint32_t k = 0; k < rows->width; k++)
        if (value_compare(rows->key_types[k], &a[k].v, &b[k].v) != 0) return false;
    return true;
}

static const struct datum *slot_row(const struct subquery_rows *rows, uint32_t at)
{
    return rows->values + (size_t)(rows->slots[at] - 1) * rows->width;
}

void subquery__rows_finish(struct execution *x, struct subquery_rows *rows)
{
    if (!rows->hashed) return;
    uint32_t cap = 16;
    while (cap < 2 * rows->count) cap *= 2;
    rows->mask = cap - 1;
    rows->slots = ARENA_ARRAY(x->arena, uint32_t, cap);
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct datum *row = rows->values + (size_t)i * rows->width;
        if (row_has_null(row, rows->width)) continue;
        uint32_t at = row_hash(rows, row);
        bool known = false;
        for (; rows->slots[at] && !known; at = (at + 1) & rows->mask)
            known = row_equal(rows, row, slot_row(rows, at));
        if (!known) rows->slots[at] = i + 1;
    }
}

/* A row that a NULL keeps from being surely unequal to `key`. */
static bool may_match(const struct subquery_rows *rows, const struct datum *key,
                      const struct datum *row)
{
    for (uint32_t k = 0; k < rows->width; k++) {
        if (key[k].null || row[k].null) continue;
        if (value_compare(rows->key_types[k], &key[k].v, &row[k].v) != 0) return false;
    }
    return true;
}

/* IN over hashed rows. */
static struct datum find(const struct subquery_rows *rows, const struct datum *key)
{
    bool key_null = row_has_null(key, rows->width);
    if (!key_null)
        for (uint32_t at = row_hash(rows, key); rows->slots[at]; at = (at + 1) & rows->mask)
            if (row_equal(rows, key, slot_row(rows, at))) return eval__bool(true);
    if (!key_null && !rows->any_null) return eval__bool(false);
    if (rows->width == 1) return rows->count ? eval__null() : eval__bool(false);
    for (uint32_t i = 0; i < rows->count; i++)
        if (may_match(rows, key, rows->values + (size_t)i * rows->width)) return eval__null();
    return eval__bool(false);
}

enum status subquery__row_test(struct execution *x, const struct expr *e, const struct subplan *sp,
                               struct subplan_state *st, const struct datum *tests,
                               const struct datum *row, struct arena *a, struct datum *ret)
{
    bool any = sp->test_count > 1 && all_ops(sp, "<>"); /* unequal rows: in some column */
    if (sp->test_count > 1 && !any && !all_ops(sp, "="))
        return UNSUPPORTED("comparison of rows with a subquery by operator %s is not supported",
                    sp->ops[0]->name);
    if (!st->call_states) st->call_states = ARENA_ARRAY(x->arena, void *, sp->test_count + 1);
    bool any_null = false;
    for (uint32_t k = 0; k < sp->test_count; k++) {
        struct datum pair[2] = {tests[k], row[k]}, d;
        TRY(eval__call(x, e, proc_by_oid(sp->ops[k]->proc), pair, 2, a, &st->call_states[k], &d));
        if (d.null)
            any_null = true;
        else if (d.v.b == any) {
            *ret = d;
            return OK;
        }
    }
    *ret = any_null ? eval__null() : eval__bool(!any);
    return OK;
}

enum status subquery__too_many_rows(void)
{
    return FAIL(CARDINALITY_VIOLATION,
                "more than one row returned by a subquery used as an expression");
}

enum status subquery__rows_test(struct execution *x, const struct expr *e, const struct subplan *sp,
                                struct subplan_state *st, const struct datum *tests,
                                struct arena *a, struct datum *ret)
{
    bool all = sp->type == SUBLINK_ALL, any_null = false;
    struct subquery_rows *rows = &st->rows;
    if (sp->type == SUBLINK_ROW) {
        if (rows->count > 1) return subquery__too_many_rows();
        *ret = eval__null();
        return rows->count ? subquery__row_test(x, e, sp, st, tests, rows->values, a, ret) : OK;
    }
    if (rows->hashed) {
        struct datum *key = ARENA_ARRAY(a, struct datum, rows->width);
        for (uint32_t k = 0; k < rows->width; k++)
            key[k] = key_of(rows->key_types[k], sp->test[k]->type, tests[k]);
        *ret = find(rows, key);
        if (all && !ret->null) ret->v.b = !ret->v.b;
        return OK;
    }
    for (uint32_t i = 0; i < rows->count; i++) {
        struct datum d;
        TRY(subquery__row_test(x, e, sp, st, tests, rows->values + (size_t)i * rows->width, a, &d));
        if (d.null)
            any_null = true;
        else if (d.v.b != all) {
            *ret = d;
            return OK;
        }
    }
    *ret = any_null ? eval__null() : eval__bool(all);
    return OK;
}
