/* What the files of types share. */
#ifndef HELIOS_TYPES_TYPE_PRIV_H
#define HELIOS_TYPES_TYPE_PRIV_H

#include "types/type.h"

/* NULL: that is no row type, nor an array of such (type_row.c). */
const struct type_info *type__row_get(type_id id);

#endif
