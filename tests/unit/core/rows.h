/* Keys and rows of the model tests of the store: told by a number, of different lengths. */
#ifndef HELIOS_TESTS_UNIT_CORE_ROWS_H
#define HELIOS_TESTS_UNIT_CORE_ROWS_H

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* Not in order of k. */
static inline struct slice scattered_key(int k, char buf[16])
{
    snprintf(buf, 16, "key%05d", k * 7919 % 100003);
    return slice_of(buf);
}

static inline struct slice row_of(int v, char buf[600])
{
    int n = snprintf(buf, 600, "row %d ", v);
    int len = n + v * 37 % 500;
    memset(buf + n, 'a' + v % 26, (size_t)(len - n));
    return slice_make(buf, (size_t)len);
}

#endif
