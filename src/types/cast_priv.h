/* What the files of casts share. */
#ifndef HELIOS_TYPES_CAST_PRIV_H
#define HELIOS_TYPES_CAST_PRIV_H

#include "types/cast.h"

/* False: this pair is none of these. *ret is zero before. */
bool cast__special(type_id from, type_id to, const union value *v, const struct format_options *fmt,
                   struct arena *a, union value *ret, enum status *ret_status);

#endif
