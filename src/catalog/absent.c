/* Names of PostgreSQL's that stand for nothing here (absent.def). */
#include "catalog/absent.h"

#include <stdlib.h>
#include <string.h>

static const char *const types[] = {
#define T(name) name,
#define F(name)
#include "catalog/absent.def"
#undef T
#undef F
};

static const char *const functions[] = {
#define T(name)
#define F(name) name,
#include "catalog/absent.def"
#undef T
#undef F
};

static int compare(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

bool absent_type(const char *name)
{
    return bsearch(name, types, sizeof types / sizeof types[0], sizeof types[0], compare) != NULL;
}

bool absent_function(const char *name)
{
    return bsearch(name, functions, sizeof functions / sizeof functions[0], sizeof functions[0], compare) != NULL;
}
