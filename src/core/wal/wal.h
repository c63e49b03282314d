/* The write-ahead log (docs/format/wal.md): one stream of whole-transaction records.
 *
 * Files of 64 MiB, O_DIRECT, zero-filled once and recycled by rename, so that a flush commits no
 * file-system metadata. A record is framed as length, CRC-32C, commit timestamp, payload; it may span
 * blocks and files. Group commit is greedy: whatever is staged when the disk becomes free goes out as
 * one write. No block that holds an acknowledged record is ever written again.
 *
 * An LSN is a byte position in the endless stream. Thread-safe. */
#ifndef HELIOS_CORE_WAL_WAL_H
#define HELIOS_CORE_WAL_WAL_H

#include "base/hlc.h"
#include "base/str.h"

typedef struct {
    uint64_t v;
} lsn_t;

struct wal;

enum { WAL_RECORD_BYTES_MAX = 1 << 30, WAL_HOLDS_MAX = 16 };

struct wal_options {
    struct os *os;
    const char *dir;       /* <data>/wal */
    uint64_t file_bytes;   /* 0: 64 MiB; a multiple of 1 MiB (tests: of 64 KiB) */
    uint64_t staging_bytes_max; /* 0: 64 MiB: an append waits for room beyond it */
    int64_t batch_window_us;    /* of records appended with batch = true; 0: they are as others */
    bool read_ahead;            /* a thread of its own reads ahead during replay */
    uint64_t until_ts;          /* replay ends before the first record that is newer, and erases what
                                 * follows; 0: it does not */
    struct hlc_clock *clock;
    /* Told, in LSN order and before the waiters are woken, that all up to here is durable. */
    void (*on_durable)(void *ctx, lsn_t lsn, uint64_t ts);
    void *ctx;
};

enum status wal_open(const struct wal_options *o, struct wal **ret) MUST;
/* Every whole record from `from` on (0: the oldest), in order. A torn tail is cut and the log goes on
 * from there; damage before the tail is DATA_CORRUPTED with file and offset. Once, before any append.
 * `from` is where a record ended or began that was durable, `session` what wal_session_at told of it
 * then: what lies before is never read, and no leavings of an older session are taken for a record. */
enum status wal_replay(struct wal *w, lsn_t from, uint32_t session,
                       enum status (*fn)(void *ctx, lsn_t lsn, uint64_t ts, struct slice payload),
                       void *ctx) MUST;
void wal_close(struct wal *w); /* flushes; no appends may be running */
void wal_abandon(struct wal *w); /* frees without writing: tests of crashes */

/* Stages a record made of `parts`. Its commit timestamp is taken from the clock and stored into
 * *commit_ts (release) before the record can become durable; timestamps rise with LSNs. *ret_end is
 * the LSN past the record: durable when durable_lsn >= it. Also starts a flush if none runs; a `batch`
 * record does not: it goes out when another asks for a flush, when much is staged, or when its
 * wal_wait, which must follow, has waited for the window. */
enum status wal_append(struct wal *w, const struct slice *parts, uint32_t count, bool batch,
                       uint64_t *commit_ts, lsn_t *ret_end) MUST;
/* Parks until durable; not cancelable. IO_ERROR: the log has failed for good, nothing after the last
 * durable record will ever be acknowledged. `batch`: as it was appended. */
enum status wal_wait(struct wal *w, lsn_t end, bool batch) MUST;
enum status wal_flush(struct wal *w) MUST; /* all appended so far */
/* The session that wrote, or will write, what lies at `lsn`; 0: one before this. For wal_replay. */
uint32_t wal_session_at(const struct wal *w, lsn_t lsn);
/* What is left to replay, about: from `from` to the end of the files. */
uint64_t wal_bytes_from(const struct wal *w, lsn_t from);
lsn_t wal_durable_lsn(const struct wal *w);
lsn_t wal_appended_lsn(const struct wal *w);
/* The timestamp of the newest record: all with lesser ones have been given theirs. 0: none yet. */
uint64_t wal_appended_ts(const struct wal *w);
/* Everything before `keep` may be recycled. */
enum status wal_recycle(struct wal *w, lsn_t keep) MUST;
/* Nothing from `from` on is recycled until the hold ends. WAL_HOLDS_MAX: there are as many already. */
uint32_t wal_hold(struct wal *w, lsn_t from);
void wal_move_hold(struct wal *w, uint32_t hold, lsn_t from);
void wal_end_hold(struct wal *w, uint32_t hold);
lsn_t wal_oldest_lsn(struct wal *w);
lsn_t wal_file_end(struct wal *w, lsn_t at); /* of the file that holds it */
/* The bytes of the log, which are durable and held, in order; on block boundaries. */
enum status wal_copy(struct wal *w, lsn_t from, lsn_t to,
                     enum status (*fn)(void *ctx, lsn_t lsn, struct slice bytes), void *ctx) MUST;
/* Whether replay has ended before a record that is newer than until_ts. */
bool wal_was_cut(const struct wal *w);
bool wal_failed(const struct wal *w);
uint64_t wal_flush_count(const struct wal *w);
/* Reads again all that is durable, from the oldest file on; appends and recycling go on meanwhile.
 * DATA_CORRUPTED names file and offset. */
enum status wal_verify(struct wal *w, uint64_t *ret_records) MUST;
/* Explains a log file in text. */
enum status wal_inspect(struct os *os, const char *path, struct strbuf *out) MUST;

#endif
