/* A data directory made from a backup: `helios restore`. */
#ifndef HELIOS_DB_RESTORE_H
#define HELIOS_DB_RESTORE_H

#include "base/os.h"

struct restore_result {
    uint64_t trees, rows, bytes;
};
/* `dir` must not exist, and does not after an error. DATA_CORRUPTED names the block and its offset. */
enum status db_restore(struct os *os, const char *backup, const char *dir,
                       struct restore_result *ret) MUST;

#endif
