/* The archive of the log: a directory of segments, each a stretch of the stream in a file of its own
 * (docs/format/archive.md), named by the LSN of its first byte. Each begins where the one before it ends, unless
 * archiving was off for a while. A segment has another name until it is whole and on disk, and is never changed. */
#ifndef HELIOS_CORE_WAL_ARCHIVE_H
#define HELIOS_CORE_WAL_ARCHIVE_H

#include "base/array.h"
#include "core/wal/wal.h"

enum { ARCHIVE_NAME_BYTES = 21 }; /* "0000000000000000.hwa" */

struct archive_segment {
    lsn_t start, end;
    uint64_t store;   /* the number of the store that wrote it */
    int64_t made_us;  /* wall clock */
};
void archive_name(lsn_t start, char ret[ARCHIVE_NAME_BYTES]);
/* Where the segments begin, rising, in the arena; from their names alone. */
enum status archive_list(struct os *os, const char *dir, struct arena *a, lsn_t **ret,
                         uint32_t *ret_count) MUST;
/* What the head of that segment says. DATA_CORRUPTED names file and offset. */
enum status archive_look(struct os *os, const char *dir, lsn_t start, struct archive_segment *ret) MUST;
/* Durable on return: that stretch of `w`, which is durable and held. One that is there already with the same
 * head is left as it is: it was written before a crash. */
enum status archive_write(struct wal *w, struct os *os, const char *dir, uint64_t store, lsn_t start,
                          lsn_t end) MUST;
/* What a crash has left of segments that were being written. */
enum status archive_clear(struct os *os, const char *dir) MUST;
/* All of its bytes, in order, checked. An end that `ret` does not confirm is not to be trusted: fn may have seen
 * bytes before an error. */
enum status archive_read(struct os *os, const char *dir, lsn_t start,
                         enum status (*fn)(void *ctx, lsn_t lsn, struct slice bytes), void *ctx,
                         struct archive_segment *ret) MUST;

#endif
