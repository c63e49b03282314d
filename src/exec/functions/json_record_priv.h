/* Rows from JSON: what json_record.c shares. */
#ifndef HELIOS_EXEC_JSON_RECORD_PRIV_H
#define HELIOS_EXEC_JSON_RECORD_PRIV_H

#include "exec/execution.h"
#include "exec/functions/json_priv.h"
#include "exec/functions/json_sets_priv.h"

/* What a row consists of. */
struct json_shape {
    type_id type;
    struct row_columns columns;
};

#endif
