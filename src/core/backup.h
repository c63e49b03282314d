/* Backups of a store and what belongs to them: its log's archive, copies of it while it runs, directories made of
 * those, as of any commit (docs/design/backup.md). */
#ifndef HELIOS_CORE_BACKUP_H
#define HELIOS_CORE_BACKUP_H

#include "core/store.h"

/* --- the archive of the log --------------------------------------------------------------------- */

struct archive_status {
    bool on;
    uint64_t archived, failed;   /* segments written, attempts that failed, since the start */
    char last[32], last_failed[32];
    int64_t last_us, last_failed_us; /* wall clock; 0: never */
    uint64_t lsn;                /* archived up to there */
    uint64_t waiting_bytes;      /* durable and not archived yet */
    bool full;                   /* more than options.archive_bytes_max: writes are refused */
    char error[256];             /* why it fails now; empty: it does not */
};
void store_get_archive_status(struct store *s, struct archive_status *ret);
/* What is in the log so far goes to the archive soon, if there is one. *ret_lsn: where the log ends. */
enum status store_switch_log(struct store *s, uint64_t *ret_lsn) MUST;
/* On the caller's thread: archives what is closed, or all that is durable; nothing without an archive. */
enum status store_archive(struct store *s, bool all) MUST;

/* --- copies ------------------------------------------------------------------------------------- */

struct backup_options {
    const char *path;      /* of the file to be made, absolute; has another name until it is whole and durable */
    const char *previous;  /* a backup of this store whose runs need not be copied again; NULL: none */
    bool compress;         /* with zstd, each block for itself */
    enum status (*poll)(void *ctx); /* now and then; an error ends the work. May be NULL */
    void *ctx;
};
struct backup_result {
    uint64_t bytes, runs, copied_runs;
    uint64_t ts; /* the commit that it is as of */
};
/* Nobody waits for it. Runs beside all other work. */
enum status store_backup(struct store *s, const struct backup_options *o, struct backup_result *ret) MUST;

struct backup_info {
    uint64_t id, store, ts, log_end;
    int64_t made_us;
    uint64_t runs, own_runs, bytes;
    uint32_t previous_count; /* backups that it needs */
};
/* Reads all of it, and of those before it what it needs. DATA_CORRUPTED names file, block and offset. */
enum status backup_verify(struct os *os, const char *path, struct backup_info *ret) MUST;

/* --- restoring ---------------------------------------------------------------------------------- */

enum restore_target { RESTORE_BACKUP, RESTORE_LATEST, RESTORE_TIME, RESTORE_COMMIT };
struct restore_options {
    struct os *os;
    const char *path;    /* of the backup; those that it needs lie beside it */
    const char *dir;     /* must not exist, and does not after an error */
    const char *archive; /* NULL: none, RESTORE_BACKUP */
    enum restore_target target;
    uint64_t target_ts;  /* of TIME, the last reading of the clock that counts, and of COMMIT */
};
struct restore_result {
    struct backup_info backup;
    uint64_t segments; /* of the archive that were read */
    uint64_t last_ts;  /* the last commit that is there */
};
enum status store_restore(const struct restore_options *o, struct restore_result *ret) MUST;

#endif
