/* Functions that look at values of any type (inspect.c, hash_values.c), for the table in
 * session.c. */
#ifndef HELIOS_EXEC_INSPECT_PRIV_H
#define HELIOS_EXEC_INSPECT_PRIV_H

#include "exec/functions/text_priv.h"
#include "types/array.h"

#define INSPECT_SCALARS(X)                                                                         \
    X(inspect__typeof) X(inspect__nulls) X(inspect__nonnulls) X(inspect__column_size)              \
    X(inspect__size_pretty) X(inspect__size_pretty_numeric) X(inspect__size_bytes)                 \
    X(inspect__encoding_number) X(inspect__encoding_name)                                          \
    X(inspect__hash_int4) X(inspect__hash_int8) X(inspect__hash_text)
#define X(name) SCALAR(name) MUST;
INSPECT_SCALARS(X)
#undef X

#endif
