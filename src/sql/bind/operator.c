/* Operators: which one a name and two types mean, and the operator of a type by which it sorts
 * and is equal. The forms that syntax makes of them (IN, BETWEEN, rows …) are in
 * operator_form.c. */
#include "sql/bind/resolve_priv.h"
#include "types/range.h"
#include "types/record.h"

static enum status operator_error(struct scope *s, const char *name, type_id left, type_id right,
                                  bool many, int location)
{
    enum status code = many ? AMBIGUOUS_FUNCTION : UNDEFINED_FUNCTION;
    const char *space = left ? " " : "";
    const char *left_words = left ? bind__type_words(s, left) : "";
    const char *right_words = bind__type_words(s, right);
    if (many) {
        FAIL(code, "operator is not unique: %s%s%s %s", left_words, space, name, right_words);
        error_hint("Could not choose a best candidate operator. You might need to add explicit "
                   "type casts.");
    } else {
        FAIL(code, "operator does not exist: %s%s%s %s", left_words, space, name, right_words);
        error_hint(left ? "No operator matches the given name and argument types. You might need "
                          "to add explicit type casts."
                        : "No operator matches the given name and argument type. You might need "
                          "to add an explicit type cast.");
    }
    return bind__at(s, location, code);
}

/* How many are left to choose from: 1 and *ret when found. left TYPE_NONE: prefix. */
static uint32_t choose_operator(struct arena *a, const char *name, type_id left, type_id right,
                                const struct operator_def **ret)
{
    type_id l = left == TYPE_UNKNOWN ? right : left, r = right == TYPE_UNKNOWN ? left : right;
    *ret = operator_exact(name, left ? l : (type_id)TYPE_NONE, left ? r : right);
    if (*ret) return 1;
    const struct operator_def *const *all;
    uint32_t n = operator_by_name(slice_of(name), &all), kept = 0, count = left ? 2 : 1;
    struct candidate *list = ARENA_ARRAY(a, struct candidate, n + 1);
    type_id given[2] = {left ? left : right, right};
    for (uint32_t i = 0; i < n; i++) {
        if ((all[i]->left != TYPE_NONE) != (left != TYPE_NONE)) continue;
        type_id *args = ARENA_ARRAY(a, type_id, 2);
        args[0] = left ? all[i]->left : all[i]->right;
        args[1] = all[i]->right;
        list[kept++] = (struct candidate){.def = all[i], .args = args, .count = count};
    }
    kept = bind__choose(list, kept, given, count);
    if (kept == 1) *ret = list[0].def;
    return kept;
}

enum status bind__find_operator(struct scope *s, const char *name, type_id left, type_id right,
                                int location, const struct operator_def **ret)
{
    uint32_t n = choose_operator(s->env->arena, name, left, right, ret);
    if (n != 1) return operator_error(s, name, left, right, n > 1, location);
    return OK;
}

enum status bind__apply_operator(struct scope *s, const char *name, struct expr *left,
                                 struct expr *right, int location, struct expr **ret)
{
    const struct operator_def *op;
    uint32_t count = left ? 2 : 1;
    struct expr *in[2] = {left ? left : right, right};
    TRY(bind__find_operator(s, name, left ? left->type : (type_id)TYPE_NONE, right->type, location,
                            &op));
    type_id given[2] = {in[0]->type, in[1]->type};
    type_id declared[2] = {left ? op->left : op->right, op->right}, result = op->result;
    TRY(bind__at(s, location,
                 bind__resolve_polymorphic(s, given, declared, count, &result)));
    struct expr *e = bind__new(s, EXPR_CALL, result, location, count);
    e->call.op = op;
    e->call.proc = proc_by_oid(op->proc);
    if (!e->call.proc)
        return bind__at(s, location,
                        FAIL(INTERNAL_ERROR, "operator %s has no function", op->name));
    for (uint32_t i = 0; i < count; i++) {
        enum status code =
            bind__coerce(s, in[i], declared[i], -1, CAST_IMPLICIT, -1, &e->args[i]);
        if (code == CANNOT_COERCE)
            return operator_error(s, name, left ? left->type : (type_id)TYPE_NONE, right->type,
                                  false, location);
        TRY(code);
    }
    *ret = e;
    return OK;
}

/* pg_catalog is where all operators are. */
static enum status operator_name(struct scope *s, const struct name_list *name, struct expr *left,
                                 struct expr *right, int location, const char **ret)
{
    *ret = name->items[name->count - 1];
    if (name->count == 1 || strcmp(name->items[name->count - 2], "pg_catalog") == 0) return OK;
    const char *schema = name->items[name->count - 2];
    if (!catalog_schema(s->env->catalog, s->env->path->database, slice_of(schema)))
        return bind__at(s, location,
                        FAIL(INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", schema));
    const char *full = arena_printf(s->env->arena, "%s.%s", schema, *ret);
    return operator_error(s, full, left ? left->type : (type_id)TYPE_NONE, right->type, false,
                          location);
}

enum status bind__operator(struct scope *s, const struct name_list *name, struct expr *left,
                           struct expr *right, int location, struct expr **ret)
{
    const char *bare;
    TRY(operator_name(s, name, left, right, location, &bare));
    return bind__apply_operator(s, bare, left, right, location, ret);
}

/* --- ANY and ALL over arrays ------------------------------------------------------------------ */

enum status bind__array_operator(struct scope *s, const char *name, bool all, struct expr *left,
                                 struct expr *right, int location, struct expr **ret)
{
    const struct operator_def *op;
    type_id element = TYPE_UNKNOWN;
    if (right->type != TYPE_UNKNOWN) {
        if (!type_is_array(right->type))
            return bind__at(s, location,
                            FAIL(WRONG_OBJECT_TYPE,
                                 "op ANY/ALL (array) requires array on right side"));
        element = type_get(right->type)->element;
    }
    TRY(bind__find_operator(s, name, left->type, element, location, &op));
    if (op->result != TYPE_BOOL)
        return bind__at(s, location,
                        FAIL(WRONG_OBJECT_TYPE,
                             "op ANY/ALL (array) requires operator to yield boolean"));
    type_id given[2] = {left->type, element}, declared[2] = {op->left, op->right};
    type_id result = op->result;
    TRY(bind__at(s, location, bind__resolve_polymorphic(s, given, declared, 2, &result)));
    const struct type_info *item = type_get(declared[1]);
    type_id array = item ? item->array : (type_id)TYPE_NONE;
    if (array == TYPE_NONE)
        return bind__at(s, location,
                        FAIL(UNDEFINED_OBJECT, "could not find array type for data type %s",
                             bind__type_words(s, declared[1])));
    /* oidvector and its like are arrays already. */
    if (element == declared[1]) array = right->type;
    struct expr *e = bind__new(s, EXPR_ANY, TYPE_BOOL, location, 2);
    e->any.op = op;
    e->any.proc = proc_by_oid(op->proc);
    e->any.all = all;
    TRY(bind__coerce(s, left, declared[0], -1, CAST_IMPLICIT, -1, &e->args[0]));
    TRY(bind__coerce(s, right, array, -1, CAST_IMPLICIT, -1, &e->args[1]));
    *ret = e;
    return OK;
}

/* --- the order and equality of types ---------------------------------------------------------- */

const struct operator_def *bind__btree_operator(const char *name, type_id type)
{
    const struct operator_def *op = operator_exact(name, type, type);
    if (op) return op;
    if (type == TYPE_VARCHAR || type == TYPE_UNKNOWN)
        return operator_exact(name, TYPE_TEXT, TYPE_TEXT);
    if (type == TYPE_CIDR) return operator_exact(name, TYPE_INET, TYPE_INET);
    if (type_is_reg(type)) return operator_exact(name, TYPE_OID, TYPE_OID);
    if (type_is_range(type)) return operator_exact(name, TYPE_ANYRANGE, TYPE_ANYRANGE);
    if (type_is_multirange(type))
        return operator_exact(name, TYPE_ANYMULTIRANGE, TYPE_ANYMULTIRANGE);
    if (type_is_composite(type)) return operator_exact(name, TYPE_RECORD, TYPE_RECORD);
    if (!type_is_array(type) || !bind__btree_operator(name, type_get(type)->element)) return NULL;
    return operator_exact(name, TYPE_ANYARRAY, TYPE_ANYARRAY);
}

enum status bind__check_sortable(struct scope *s, const struct expr *e, int location)
{
    if (bind__btree_operator("<", e->type)) return OK;
    FAIL(UNDEFINED_FUNCTION, "could not identify an ordering operator for type %s",
         bind__type_words(s, e->type));
    error_hint("Use an explicit ordering operator or modify the query.");
    return bind__at(s, location, UNDEFINED_FUNCTION);
}

enum status bind__check_hashable(struct scope *s, const struct expr *e, int location)
{
    if (bind__btree_operator("=", e->type)) return OK;
    return bind__at(s, location,
                    FAIL(UNDEFINED_FUNCTION, "could not identify an equality operator for type %s",
                         bind__type_words(s, e->type)));
}
