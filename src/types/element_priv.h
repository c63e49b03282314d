/* Values inside of other values: elements of arrays, fields of records. */
#ifndef HELIOS_TYPES_ELEMENT_PRIV_H
#define HELIOS_TYPES_ELEMENT_PRIV_H

#include "types/value.h"

/* From the bytes of the value; false: they are none of that representation. */
bool element__read(enum rep rep, struct slice s, struct arena *a, union value *ret);
/* i32 length, -1 for NULL, and the value. */
void element__write(enum rep rep, const struct datum *d, struct strbuf *out);

#endif
