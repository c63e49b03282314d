/* Keys and rows of the model tests of the store: told by a number, of different lengths. Rows are rows of two
 * columns, so that trees can be kept in any form. */
#ifndef HELIOS_TESTS_UNIT_CORE_ROWS_H
#define HELIOS_TESTS_UNIT_CORE_ROWS_H

#include <stdio.h>
#include <string.h>

#include "core/columns.h"

/* Not in order of k. */
static inline struct slice scattered_key(int k, char buf[16])
{
    snprintf(buf, 16, "key%05d", k * 7919 % 100003);
    return slice_of(buf);
}

static inline struct slice row_of(int v, char buf[600])
{
    enum { HEAD = 15 }; /* two columns, none NULL, the number, where the text begins and its length */
    char *text = buf + HEAD;
    uint16_t columns = 2;
    int n = snprintf(text, 600 - HEAD, "row %d ", v);
    uint32_t len = (uint32_t)(n + v * 37 % 500);
    memset(buf, 0, HEAD);
    memcpy(buf, &columns, sizeof columns);
    memcpy(buf + 3, &v, sizeof v);
    memcpy(buf + 11, &len, sizeof len);
    memset(text + n, 'a' + v % 26, len - (size_t)n);
    return slice_make(buf, HEAD + len);
}

/* Which one it is. */
static inline int row_number(struct slice row)
{
    int v = 0;
    if (row.len > 7) memcpy(&v, row.data + 3, sizeof v);
    return v;
}

/* Rows alone, then the forms of core/columns.h. */
enum { FORMS = 5 };
static inline void tell_form(struct store *s, tree_id tree, uint64_t form)
{
    static const type_id types[] = {TYPE_INT4, TYPE_TEXT};
    struct tree_columns c = {.count = 2, .types = types, .form = form ? (enum tree_form)(form - 1) : TREE_DUAL};
    store_set_tree_columns(s, tree, form ? &c : NULL);
}

#endif
