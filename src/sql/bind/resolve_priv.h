/* The expression side of the binder among itself: what coerce.c, operator.c, call.c,
 * expression.c and their neighbours share, beyond bind_priv.h. */
#ifndef HELIOS_SQL_BIND_RESOLVE_PRIV_H
#define HELIOS_SQL_BIND_RESOLVE_PRIV_H

#include "sql/bind/bind_priv.h"

enum { CALL_ARGS_MAX = 100 }; /* PostgreSQL's FUNC_MAX_ARGS */

/* --- coerce.c --------------------------------------------------------------------------------- */

/* format_type() of a type without modifiers, in the query's arena. */
const char *bind__type_words(const struct scope *s, type_id type);
struct expr *bind__new(const struct scope *s, enum expr_kind kind, type_id type, int location,
                       uint32_t arg_count);
/* To a type that bind__common_type chose: 42846 "CASE could not convert type x to y". */
enum status bind__coerce_common(struct scope *s, struct expr *e, type_id to, const char *construct,
                                struct expr **ret) MUST;
/* The typmod that all the expressions share, else -1. */
int32_t bind__common_typmod(struct expr *const *items, uint32_t count);
/* To boolean, as `construct` (WHERE, AND …) demands. */
enum status bind__coerce_boolean(struct scope *s, struct expr *e, const char *construct,
                                 struct expr **ret) MUST;

/* --- regobject.c: names of catalog objects as values of regclass, regtype … ------------------- */

/* By name, quoted or not, or by number. 42P01, 42704, 42883. */
enum status bind__read_reg(struct scope *s, type_id type, struct slice text, oid_t *ret) MUST;

/* --- candidates.c: choosing among functions or operators (documentation chapters 10.2, 10.3) -- */

struct candidate {
    const void *def;        /* struct operator_def or proc_def */
    const type_id *args;    /* as it takes them, defaults and variadic spread out */
    uint32_t count;         /* of args */
    uint32_t variadic;      /* how many of the last args stand for VARIADIC; 0 none */
    uint32_t defaulted;     /* trailing arguments that the call leaves out */
    const uint32_t *order;  /* named notation: parameter of each argument; NULL: in order */
};
/* Leaves in list[0..] those that take the given types implicitly, then those that take them
 * best, and returns how many: 0 none, 1 found, more: ambiguous. */
uint32_t bind__choose(struct candidate *list, uint32_t n, const type_id *given, uint32_t count);
bool bind__is_polymorphic(type_id type);
/* The actual types for a signature with anyelement and its like: rewrites declared[] and
 * *result. 42804 with PostgreSQL's words when they are inconsistent; false from the first only
 * when asked to be silent. */
bool bind__polymorphic_fits(const type_id *declared, const type_id *given, uint32_t count);
enum status bind__resolve_polymorphic(struct scope *s, const type_id *given, type_id *declared,
                                      uint32_t count, type_id *result) MUST;

/* --- operator.c, operator_form.c -------------------------------------------------------------- */

/* Over operands that are there already; coerces them. left NULL: prefix. */
enum status bind__apply_operator(struct scope *s, const char *name, struct expr *left,
                                 struct expr *right, int location, struct expr **ret) MUST;
enum status bind__find_operator(struct scope *s, const char *name, type_id left, type_id right,
                                int location, const struct operator_def **ret) MUST;
/* left op ANY/ALL (right). */
enum status bind__array_operator(struct scope *s, const char *name, bool all, struct expr *left,
                                 struct expr *right, int location, struct expr **ret) MUST;
/* The default btree operator of a type, NULL when it has none: int4 for int4, text for varchar. */
const struct operator_def *bind__btree_operator(const char *name, type_id type);
/* As bind__apply_operator, but rows compare column by column. */
enum status bind__compare(struct scope *s, const char *name, struct expr *left, struct expr *right,
                          int location, struct expr **ret) MUST;
enum status bind__ast_operator(struct scope *s, const struct ast_operator *o, enum place place,
                               struct expr **ret) MUST;
struct expr *bind__bool(struct scope *s, enum bool_op op, struct expr **args, uint32_t count,
                        int location);

/* --- name.c, name_hint.c ---------------------------------------------------------------------- */

/* 42703 and 42P01 with what PostgreSQL's hints guess. */
enum status bind__no_column(struct scope *s, const char *relation, const char *column,
                            int location) MUST;
enum status bind__no_relation(struct scope *s, const char *relation, int location) MUST;
enum status bind__column_ref(struct scope *s, const struct ast_column_ref *ref, enum place place,
                             struct expr **ret) MUST;

/* --- placement.c: what may stand where, in PostgreSQL's words --------------------------------- */

/* `what`: "aggregate functions", "grouping operations". */
enum status bind__check_aggregate(struct scope *s, enum place place, const char *what,
                                  int location) MUST;
/* An aggregate or GROUPING(…) that stands at `place` of s, checked, at the level that it belongs to. */
enum status bind__place_aggregate(struct scope *s, struct expr *e, enum place place,
                                  const char *what, struct expr **ret) MUST;
enum status bind__check_window(struct scope *s, enum place place, int location) MUST;
/* A set-returning call with these arguments, standing there. Notes it in the query. */
enum status bind__check_set(struct scope *s, struct expr *const *args, uint32_t count,
                            enum place place, int location) MUST;
enum status bind__check_subquery(struct scope *s, enum place place, int location) MUST;
/* The first call that returns a set in the expression, NULL: none. */
const struct expr *bind__find_set(const struct expr *e);
/* Arguments of CASE and COALESCE return no sets. */
enum status bind__no_sets(struct scope *s, struct expr *const *items, uint32_t count,
                          const char *construct) MUST;

/* --- call.c, aggregate.c ---------------------------------------------------------------------- */

enum status bind__call(struct scope *s, const struct ast_function *f, enum place place,
                       struct expr **ret) MUST;
/* A function of the catalog over a composite value, written as one of its fields; *ret NULL: none. */
enum status bind__call_on(struct scope *s, const char *name, struct expr *row,
                          struct expr **ret) MUST;
/* An aggregate or window function of a resolved call: its clauses, and where it may stand. */
struct call_site {
    const struct ast_function *ast;
    const struct proc_def *proc;
    enum place place;
    struct expr **args;
    uint32_t arg_count;
    uint32_t direct_count;  /* WITHIN GROUP: leading direct arguments */
    type_id result;
};
/* A polymorphic function of the catalog: the call is of one whose types are those of the arguments
 * (variant.c). */
enum status bind__variant(struct scope *s, struct call_site *c) MUST;
enum status bind__aggregate(struct scope *s, const struct call_site *c, struct expr **ret) MUST;
enum status bind__window_call(struct scope *s, const struct call_site *c, struct expr **ret) MUST;

/* --- aggregate_level.c ------------------------------------------------------------------------ */

/* How many levels above s the aggregate belongs; 42803 when it holds another of its own level. */
enum status bind__aggregate_level(struct scope *s, const struct expr *e, uint32_t *ret) MUST;
/* Moves it from s to the owner, so many levels above; what stands for it in s. */
struct expr *bind__move_up(struct scope *s, struct scope *owner, uint32_t levels, struct expr *e);
/* Is a REL_JOIN's column that stands for this one made by bind__move_up? */
bool bind__is_moved_aggregate(const struct expr *e);

/* --- record.c, expand_array.c ----------------------------------------------------------------- */

/* information_schema._pg_expandarray(array) */
bool bind__is_expand_array(const struct ast_function *f);
enum status bind__expand_array(struct scope *s, const struct ast_function *f, enum place place,
                               struct expr **ret) MUST;
/* The fields of a composite value; false: that cannot be told. */
bool bind__row_columns(struct scope *s, const struct expr *e, struct row_columns *ret);
/* One by name: 42703, 42809. All of them, as targets. */
enum status bind__field(struct scope *s, struct expr *row, const char *name,
                        struct expr **ret) MUST;
enum status bind__fields(struct scope *s, struct expr *row, struct target **ret,
                         uint32_t *ret_count) MUST;
/* A relation of the level as a value. */
struct expr *bind__whole_row(struct scope *level, uint32_t relation, uint32_t levels_up,
                             int location);
/* Of type record to a row type: a ROW(…) alone can be, field by field. */
enum status bind__coerce_row(struct scope *s, struct expr *row, type_id to,
                             enum cast_context context, int location, struct expr **ret) MUST;
/* Written as ROW(…) or (a, b): syntax may look into it. */
static inline bool bind__is_row_syntax(const struct expr *e)
{
    return e->kind == EXPR_ROW && !e->row_is_value && e->type == TYPE_RECORD;
}

/* --- sublink.c, expression_case.c ------------------------------------------------------------- */

enum status bind__sublink(struct scope *s, const struct ast_sublink *l, enum place place,
                          struct expr **ret) MUST;
/* A row compared with a subquery's only row, by operator `name`. */
enum status bind__row_sublink(struct scope *s, const char *name, const struct expr *row,
                              const struct ast_sublink *l, enum place place, int location,
                              struct expr **ret) MUST;
enum status bind__case(struct scope *s, const struct ast_case *c, enum place place,
                       struct expr **ret) MUST;
enum status bind__coalesce(struct scope *s, const struct ast_coalesce *c, enum place place,
                           struct expr **ret) MUST;
enum status bind__min_max(struct scope *s, const struct ast_min_max *m, enum place place,
                          struct expr **ret) MUST;
enum status bind__array(struct scope *s, const struct ast_array *a, enum place place,
                        type_id wanted, struct expr **ret) MUST;
enum status bind__indirection(struct scope *s, const struct ast_indirection *x, enum place place,
                              struct expr **ret) MUST;
/* (row).*: its fields, each a target. */
bool bind__is_row_star(const struct ast *a);
enum status bind__row_star(struct scope *s, const struct ast_indirection *x, enum place place,
                           struct target **ret, uint32_t *ret_count) MUST;

#endif
