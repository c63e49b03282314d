/* One run of a jsonpath over a document.
 *
 * An item gives values, each of which the next item goes on with; what comes out at the end is collected, or it
 * is enough that there is one. Errors are of two kinds: those of SQL/JSON, which `silent` and predicates
 * turn into an outcome, and those of everything else. */
#ifndef HELIOS_EXEC_JSONPATH_PRIV_H
#define HELIOS_EXEC_JSONPATH_PRIV_H

#include "exec/functions/json_priv.h"
#include "types/jsonpath.h"

enum path_outcome { PATH_FOUND, PATH_NOTHING, PATH_ERROR };
enum path_truth { PATH_FALSE, PATH_TRUE, PATH_UNKNOWN };

struct path_list {
    struct json_value *items;
    uint32_t count, room;
};

struct path_run {
    struct arena *a;
    struct json_value root, vars; /* vars: an object, or null: there are none */
    struct json_value current;    /* @ */
    const char *base;             /* bytes that .keyvalue() counts from */
    int64_t base_id, next_id;
    int64_t array_size;           /* for LAST; -1: none */
    bool lax, ignore;             /* ignore: structural errors */
    bool throws;                  /* SQL/JSON's errors are errors */
};

/* `found` NULL: it is enough to know whether there is anything. `unwrap`: an array that the item is no good for
 * stands for its elements. */
enum status path__item(struct path_run *r, const struct jsonpath_item *i,
                       const struct json_value *v, bool unwrap, struct path_list *found,
                       enum path_outcome *ret) MUST;
/* With elements of arrays in the place of arrays when `unwrap`, in lax mode. */
enum status path__result(struct path_run *r, const struct jsonpath_item *i,
                         const struct json_value *v, bool unwrap, struct path_list *found,
                         enum path_outcome *ret) MUST;
/* What follows the item, for a value of it. */
enum status path__next(struct path_run *r, const struct jsonpath_item *i,
                       const struct json_value *v, struct path_list *found,
                       enum path_outcome *ret) MUST;
void path__add(struct path_run *r, struct path_list *l, struct json_value v);
/* After FAIL: the error, or the outcome that stands for it. */
enum status path__fail(struct path_run *r, enum status s, enum path_outcome *ret) MUST;

/* jsonpath_test.c */
enum status path__test(struct path_run *r, const struct jsonpath_item *i,
                       const struct json_value *v, enum path_truth *ret) MUST;
enum status path__arithmetic(struct path_run *r, const struct jsonpath_item *i,
                             const struct json_value *v, struct path_list *found,
                             enum path_outcome *ret) MUST;
/* jsonpath_method.c */
enum status path__method(struct path_run *r, const struct jsonpath_item *i,
                         const struct json_value *v, bool unwrap, struct path_list *found,
                         enum path_outcome *ret) MUST;
/* Each element as the item's value; with `i` NULL the elements are what is found. */
enum status path__unwrapped(struct path_run *r, const struct jsonpath_item *i,
                            const struct json_value *array, struct path_list *found,
                            enum path_outcome *ret) MUST;

#endif
