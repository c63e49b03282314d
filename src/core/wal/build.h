/* The files of a log, made of bytes of another one. */
#ifndef HELIOS_CORE_WAL_BUILD_H
#define HELIOS_CORE_WAL_BUILD_H

#include "core/wal/wal.h"

struct wal_builder;
/* Makes the directory. `start` and all that is added are whole blocks. */
enum status wal_build_begin(struct os *os, const char *dir, lsn_t start, struct wal_builder **ret) MUST;
enum status wal_build_add(struct wal_builder *b, struct slice bytes) MUST;
lsn_t wal_build_end(const struct wal_builder *b); /* of what was added */
enum status wal_build_finish(struct wal_builder *b) MUST; /* durable on return */
void wal_build_free(struct wal_builder *b); /* may be NULL */

#endif
