/* Predicates and arithmetic of jsonpath. A predicate's operands may give many values: it is true when it is for one
 * pair of them. An error within makes it unknown. */
#include "exec/functions/jsonpath_priv.h"

#include "exec/execution.h"
#include "types/numeric.h"
#include "types/pattern.h"

typedef enum status (*pair_test)(struct path_run *r, const struct jsonpath_item *i,
                                 const struct json_value *x, const struct json_value *y,
                                 enum path_truth *ret);

static enum path_truth truth_of(bool b) { return b ? PATH_TRUE : PATH_FALSE; }

/* SQL/JSON's errors do not come out of it. */
static enum status quietly(struct path_run *r, const struct jsonpath_item *i,
                           const struct json_value *v, bool unwrap, struct path_list *found,
                           enum path_outcome *ret)
{
    bool throws = r->throws;
    r->throws = false;
    enum status s = path__result(r, i, v, unwrap, found, ret);
    r->throws = throws;
    return s;
}

/* --- tests of pairs --------------------------------------------------------------------------- */

static enum status compare(struct path_run *r, const struct jsonpath_item *i,
                           const struct json_value *x, const struct json_value *y,
                           enum path_truth *ret)
{
    (void)r;
    bool same = x->kind == y->kind || (jsonb_is_true_false(x) && jsonb_is_true_false(y));
    *ret = PATH_UNKNOWN;
    if (!same) {
        if (x->kind == JSON_NULL || y->kind == JSON_NULL) *ret = truth_of(i->kind == PATH_NE);
        return OK;
    }
    if (json_is_container(x)) return OK;
    int c = jsonb_compare_values(x, y);
    switch (i->kind) {
    case PATH_EQ: *ret = truth_of(c == 0); break;
    case PATH_NE: *ret = truth_of(c != 0); break;
    case PATH_LT: *ret = truth_of(c < 0); break;
    case PATH_GT: *ret = truth_of(c > 0); break;
    case PATH_LE: *ret = truth_of(c <= 0); break;
    default: *ret = truth_of(c >= 0); break;
    }
    return OK;
}

static enum status starts_with(struct path_run *r, const struct jsonpath_item *i,
                               const struct json_value *x, const struct json_value *y,
                               enum path_truth *ret)
{
    (void)r, (void)i;
    *ret = PATH_UNKNOWN;
    if (x->kind == JSON_STRING && y->kind == JSON_STRING)
        *ret = truth_of(slice_starts(x->bytes, y->bytes));
    return OK;
}

static enum status like_regex(struct path_run *r, const struct jsonpath_item *i,
                              const struct json_value *x, const struct json_value *y,
                              enum path_truth *ret)
{
    const struct regex *regex;
    struct regex_match match;
    char flags[JSONPATH_REGEX_FLAGS];
    bool found;
    (void)r, (void)y;
    *ret = PATH_UNKNOWN;
    if (x->kind != JSON_STRING) return OK;
    TRY(jsonpath_regex_flags(i->flags, flags));
    TRY(regex_compile(i->text, slice_of(flags), &regex));
    TRY(regex_exec(regex, x->bytes, 0, &match, 1, &found));
    *ret = truth_of(found);
    return OK;
}

static enum status predicate(struct path_run *r, const struct jsonpath_item *i,
                             const struct json_value *v, bool unwrap_right, pair_test test,
                             enum path_truth *ret)
{
    struct path_list left = {0}, right = {0};
    enum path_outcome o;
    bool error = false, found = false;
    *ret = PATH_UNKNOWN;
    TRY(quietly(r, i->left, v, true, &left, &o));
    if (o == PATH_ERROR) return OK;
    if (i->right) TRY(quietly(r, i->right, v, unwrap_right, &right, &o));
    if (o == PATH_ERROR) return OK;
    if (!i->right) right = (struct path_list){.items = &r->root, .count = 1};
    for (uint32_t k = 0; k < left.count; k++)
        for (uint32_t m = 0; m < right.count; m++) {
            enum path_truth one;
            TRY(test(r, i, &left.items[k], &right.items[m], &one));
            error |= one == PATH_UNKNOWN;
            found |= one == PATH_TRUE;
            if (one == PATH_FALSE || (one == PATH_UNKNOWN && r->lax) ||
                (one == PATH_TRUE && !r->lax))
                continue;
            *ret = one;
            return OK;
        }
    *ret = found ? PATH_TRUE : error ? PATH_UNKNOWN : PATH_FALSE;
    return OK;
}

/* --- predicates ------------------------------------------------------------------------------- */

static enum status exists(struct path_run *r, const struct jsonpath_item *i,
                          const struct json_value *v, enum path_truth *ret)
{
    struct path_list all = {0};
    enum path_outcome o;
    TRY(quietly(r, i->left, v, false, r->lax ? NULL : &all, &o));
    *ret = o == PATH_ERROR ? PATH_UNKNOWN : truth_of(r->lax ? o == PATH_FOUND : all.count > 0);
    return OK;
}

static enum status both(struct path_run *r, const struct jsonpath_item *i,
                        const struct json_value *v, enum path_truth *ret)
{
    enum path_truth decides = i->kind == PATH_AND ? PATH_FALSE : PATH_TRUE, second;
    TRY(path__test(r, i->left, v, ret));
    if (*ret == decides) return OK;
    TRY(path__test(r, i->right, v, &second));
    bool neutral = second == (decides == PATH_TRUE ? PATH_FALSE : PATH_TRUE);
    if (!neutral) *ret = second;
    return OK;
}

enum status path__test(struct path_run *r, const struct jsonpath_item *i,
                       const struct json_value *v, enum path_truth *ret)
{
    TRY(exec_check_stack());
    switch (i->kind) {
    case PATH_AND:
    case PATH_OR: return both(r, i, v, ret);
    case PATH_NOT:
        TRY(path__test(r, i->left, v, ret));
        if (*ret != PATH_UNKNOWN) *ret = truth_of(*ret == PATH_FALSE);
        return OK;
    case PATH_IS_UNKNOWN:
        TRY(path__test(r, i->left, v, ret));
        *ret = truth_of(*ret == PATH_UNKNOWN);
        return OK;
    case PATH_EXISTS: return exists(r, i, v, ret);
    case PATH_STARTS_WITH: return predicate(r, i, v, false, starts_with, ret);
    case PATH_LIKE_REGEX: return predicate(r, i, v, false, like_regex, ret);
    default: return predicate(r, i, v, true, compare, ret);
    }
}

/* --- arithmetic ------------------------------------------------------------------------------- */

static enum status operand(struct path_run *r, const struct jsonpath_item *i,
                           const struct jsonpath_item *of, const struct path_list *l,
                           const char *side, struct numeric *ret_number, enum path_outcome *ret)
{
    (void)i;
    *ret = PATH_FOUND;
    if (l->count != 1 || l->items[0].kind != JSON_NUMBER)
        return path__fail(r, FAIL(SINGLETON_JSON_ITEM_REQUIRED,
                                  "%s operand of jsonpath operator %s is not a single numeric value",
                                  side, jsonpath_operation(of->kind)), ret);
    *ret_number = jsonb_number(&l->items[0], r->a);
    return OK;
}

static enum status calculate(struct path_run *r, enum jsonpath_kind kind, const struct numeric *x,
                             const struct numeric *y, struct numeric *ret)
{
    switch (kind) {
    case PATH_ADD: return numeric_add(r->a, x, y, ret);
    case PATH_SUB: return numeric_sub(r->a, x, y, ret);
    case PATH_MUL: return numeric_mul(r->a, x, y, ret);
    case PATH_DIV: return numeric_div(r->a, x, y, ret);
    default: return numeric_mod(r->a, x, y, ret);
    }
}

static enum status binary(struct path_run *r, const struct jsonpath_item *i,
                          const struct json_value *v, struct path_list *found,
                          enum path_outcome *ret)
{
    struct path_list left = {0}, right = {0};
    struct numeric x, y, z;
    TRY(path__result(r, i->left, v, true, &left, ret));
    if (*ret == PATH_ERROR) return OK;
    TRY(path__result(r, i->right, v, true, &right, ret));
    if (*ret == PATH_ERROR) return OK;
    TRY(operand(r, i->left, i, &left, "left", &x, ret));
    if (*ret == PATH_ERROR) return OK;
    TRY(operand(r, i->right, i, &right, "right", &y, ret));
    if (*ret == PATH_ERROR) return OK;
    enum status s = calculate(r, i->kind, &x, &y, &z);
    if (s != OK) return path__fail(r, s, ret);
    *ret = PATH_FOUND;
    if (!i->next && !found) return OK;
    struct json_value n = json_number(r->a, &z);
    return path__next(r, i, &n, found, ret);
}

static enum status unary(struct path_run *r, const struct jsonpath_item *i,
                         const struct json_value *v, struct path_list *found,
                         enum path_outcome *ret)
{
    struct path_list all = {0};
    enum path_outcome o, any = PATH_NOTHING;
    TRY(path__result(r, i->left, v, true, &all, ret));
    if (*ret == PATH_ERROR) return OK;
    for (uint32_t k = 0; k < all.count; k++) {
        struct json_value in = all.items[k];
        *ret = PATH_FOUND;
        if (in.kind == JSON_NUMBER && !found && !i->next) return OK;
        if (in.kind != JSON_NUMBER) {
            if (!found && !i->next) continue;
            return path__fail(r, FAIL(JSON_NUMBER_NOT_FOUND,
                                      "operand of unary jsonpath operator %s is not a numeric value",
                                      jsonpath_operation(i->kind)), ret);
        }
        if (i->kind == PATH_MINUS) {
            struct numeric n = jsonb_number(&in, r->a);
            n = numeric_neg(r->a, &n);
            in = json_number(r->a, &n);
        }
        TRY(path__next(r, i, &in, found, &o));
        *ret = o;
        if (o == PATH_ERROR || (o == PATH_FOUND && !found)) return OK;
        if (o == PATH_FOUND) any = o;
    }
    *ret = any;
    return OK;
}

enum status path__arithmetic(struct path_run *r, const struct jsonpath_item *i,
                             const struct json_value *v, struct path_list *found,
                             enum path_outcome *ret)
{
    return i->right ? binary(r, i, v, found, ret) : unary(r, i, v, found, ret);
}
