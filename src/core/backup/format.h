/* The form of a backup (docs/format/backup.md), as those who write and read it share it. A file of blocks
 * (core/file/frames.h), little-endian:
 *
 *   1 begin     struct backup_head, then of each backup that is needed: u64 id | u16 bytes | name of the file
 *   2 manifest  records: u32 bytes | record; again and again
 *   3 run       u64 tree | u64 run | u64 bytes: those follow
 *   4 data      bytes of that run
 *   5 log       u64 LSN | bytes of the log from there on
 *   6 index     struct backup_entry, again and again: one a run, in the order of the manifest
 *   7 end       struct backup_tail
 *
 * In this order. Runs that another backup holds are in the index alone. */
#ifndef HELIOS_CORE_BACKUP_FORMAT_H
#define HELIOS_CORE_BACKUP_FORMAT_H

#include "base/array.h"
#include "base/map.h"
#include "core/backup.h"
#include "core/file/frames.h"

enum { BACKUP_VERSION = 2, BACKUP_VERSION_COMPRESSED = 3 };
enum { BACKUP_INDEX_ENTRIES = 4096, BACKUP_PREVIOUS_MAX = 1000, BACKUP_NAME_MAX = 255 };
enum backup_kind { BACKUP_BEGIN = 1, BACKUP_MANIFEST, BACKUP_RUN, BACKUP_DATA, BACKUP_LOG, BACKUP_INDEX,
                   BACKUP_END };

struct backup_head {
    uint32_t version, previous;
    uint64_t id, store, ts;
    int64_t made_us;            /* wall clock */
    uint64_t copied_lsn;        /* what the log had when the manifest was copied */
    uint64_t log_from, log_end; /* on block boundaries */
    uint32_t records, runs;
};
_Static_assert(sizeof(struct backup_head) == 72, "docs/format/backup.md");

struct backup_entry {
    uint64_t tree, run, bytes;
    uint64_t holder;            /* id of the backup that has the bytes */
    uint64_t offset, number;    /* there: of the first block of them */
    uint32_t crc, zero;         /* CRC-32C of them all */
};
_Static_assert(sizeof(struct backup_entry) == 56, "docs/format/backup.md");

struct backup_tail {
    uint64_t runs, own_runs, log_bytes;
    uint64_t index_offset, index_number;
};
_Static_assert(sizeof(struct backup_tail) == 40, "docs/format/backup.md");

/* --- reading (read.c) --- */

struct previous_backup {
    uint64_t id;
    char *name;                 /* in the arena */
    struct frame_reader frames; /* opened when it is needed */
};

struct backup_reader {
    struct os *os;
    const char *path;
    struct arena arena;
    struct frame_reader frames;
    struct backup_head head;
    struct previous_backup *previous;
    ARRAY(struct backup_entry) index;
};

/* Reads the begin. */
enum status backup_open(struct os *os, const char *path, struct backup_reader *ret) MUST;
void backup_close(struct backup_reader *r); /* one that is zeroed, too */
/* The index alone, past all else. */
enum status backup_read_index(struct backup_reader *r) MUST;

/* What is in a backup, in the order of the file; runs that others hold come with the index. */
struct backup_sink {
    enum status (*manifest)(void *ctx, struct slice *records, uint32_t count);
    enum status (*run)(void *ctx, uint64_t run, uint64_t bytes); /* NOT_FOUND: there is none like it */
    enum status (*data)(void *ctx, struct slice bytes);
    enum status (*log)(void *ctx, uint64_t lsn, struct slice bytes);
    void *ctx;
};
/* All of it, checked. Whoever has been told of anything forgets it after an error. */
enum status backup_read(struct backup_reader *r, const struct backup_sink *sink) MUST;
void backup_tell(const struct backup_reader *r, struct backup_info *ret);

#endif
