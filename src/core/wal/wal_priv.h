/* Inside the log: the bytes of a record, the list of files, the reader, the staging buffers.
 * The layout and the rules of validity are told in docs/format/wal.md. */
#ifndef HELIOS_CORE_WAL_WAL_PRIV_H
#define HELIOS_CORE_WAL_WAL_PRIV_H

#include "base/fiber.h"
#include "base/os.h"
#include "core/wal/wal.h"

enum {
    WAL_BLOCK_BYTES = OS_BLOCK_BYTES,
    WAL_HEADER_BYTES = 40,
    WAL_ALIGN = 8,
    WAL_FILE_BYTES_UNIT = 64 << 10,
    WAL_FILE_BYTES_DEFAULT = 64 << 20,
    WAL_STAGING_BYTES_DEFAULT = 64 << 20,
    WAL_FILES_AHEAD_MAX = 4, /* files that wait beyond the end of the log; more are removed */
    WAL_FILES_MAX = 1 << 20,
};

enum wal_kind {
    WAL_RECORD = 1,
    WAL_PAD = 2,    /* fills the block that ends a flush */
    WAL_RESUME = 3, /* first of a session; payload: the LSN at which the log before it was cut */
};

struct wal_header {
    uint32_t kind;
    uint32_t len; /* of the payload */
    uint32_t payload_crc;
    uint64_t ts;
    uint64_t flush; /* LSN of the first record of the same flush */
    uint32_t epoch; /* the session; each open of the log counts it up */
};

/* A header never straddles a block: where too little of one is left, it begins in the next. */
uint64_t wal__skip(uint64_t lsn);
static inline uint64_t wal__align(uint64_t n)
{
    return (n + WAL_ALIGN - 1) & ~(uint64_t)(WAL_ALIGN - 1);
}
static inline uint64_t wal__block_up(uint64_t n)
{
    return (n + WAL_BLOCK_BYTES - 1) & ~(uint64_t)(WAL_BLOCK_BYTES - 1);
}
/* Of a record that begins at `lsn`: where it ends. */
static inline uint64_t wal__end(uint64_t lsn, uint32_t len)
{
    return lsn + WAL_HEADER_BYTES + wal__align(len);
}

void wal__put_header(char out[WAL_HEADER_BYTES], const struct wal_header *h, uint64_t lsn);
/* False when these bytes are not the header of a record that was written at `lsn`. */
bool wal__get_header(const char in[WAL_HEADER_BYTES], uint64_t lsn, struct wal_header *ret);

/* --- files --------------------------------------------------------------------------------- */

struct wal_file {
    uint64_t start; /* LSN of its first byte; also its name */
    uint64_t bytes;
    uint64_t first_flush; /* LSN of the first that is known to begin in it; UINT64_MAX: none */
    struct file *file;
};

struct wal_files {
    struct wal_file *at; /* in order, without gaps */
    uint32_t count, cap;
};

/* A path in the log's directory; buf of OS_PATH_MAX. */
const char *wal__path(const struct wal *w, const char *name, char *buf);
const char *wal__file_path(const struct wal *w, uint64_t start, char *buf);
bool wal__parse_name(const char *name, uint64_t *ret_start);
enum status wal__open_files(struct wal *w) MUST;
/* Adds zero-filled files until the log may grow to `end`. One caller at a time; may park. */
enum status wal__extend(struct wal *w, uint64_t end) MUST;
/* A flush begins there. Under w->lock. */
void wal__note_flush(struct wal *w, uint64_t lsn);
/* Under w->lock. */
const struct wal_file *wal__file_at(const struct wal *w, uint64_t lsn);
void wal__push_file(struct wal *w, struct wal_file f);

/* The least LSN that somebody holds; UINT64_MAX: none. Under w->lock. */
uint64_t wal__held(const struct wal *w);
/* Before the session begins: what lies there and after it was never written. */
enum status wal__erase(struct wal *w, uint64_t from) MUST;

/* --- reading ------------------------------------------------------------------------------- */

/* The window after the present one, read by another thread. */
struct wal_ahead {
    struct pool *pool; /* NULL: nobody reads ahead */
    struct fmutex mutex;
    struct fcond ended;
    bool running;      /* guarded by mutex; the rest belongs to the thread while it is set */
    enum status st;    /* not OK: the reader reads itself, and tells */
    struct file *file;
    char *data;
    uint64_t start;
    size_t len;        /* 0: there is none */
    uint64_t offset;   /* in the file */
};

/* Reads the stream through a window; records larger than it through `whole`. */
struct wal_reader {
    struct wal *w;
    char *window;
    uint64_t window_start;
    size_t window_len;
    struct strbuf whole;
    struct wal_ahead ahead;
};

enum status wal__reader_init(struct wal_reader *r, struct wal *w) MUST;
void wal__reader_release(struct wal_reader *r);
/* `len` bytes at `lsn`, valid until the next call. END_OF_DATA where the files end before that. */
enum status wal__reader_get(struct wal_reader *r, uint64_t lsn, size_t len, const char **ret) MUST;

/* --- the log ------------------------------------------------------------------------------- */

/* What is being gathered for one flush. */
struct wal_stage {
    char *data; /* aligned to blocks */
    size_t len, cap;
    uint64_t start; /* LSN of data[0]: on a block boundary */
    uint64_t last_ts;
    uint32_t records;
};

/* What is known of flushes and of pauses between them (wal_pace.c); of the flushing role's holder. */
struct wal_pace {
    float flush_us, pause_us; /* how long they take; these four are running means */
    float staged, joined;     /* records: when a flush ends, and that come during a pause */
    int64_t began_us, ended_us;
    uint32_t flushes, staged_now;
    bool pausing;
};
void wal__pace_begin(struct wal_pace *p, uint32_t records, int64_t now_us);
/* A flush has ended, and so much is staged. True: a pause is to be made before the next begins. */
bool wal__pace_end(struct wal_pace *p, uint32_t staged, int64_t now_us);

/* On the stack of who waits. */
struct wal_wait {
    struct wal_wait *next;
    struct waiter *waiter;
    uint64_t lsn;
    uint32_t granted; /* atomic: look again; the grantor has let go of this struct */
    bool lead;        /* set before granted: carry on the flushes */
};

struct wal {
    struct wal_options opts; /* immutable after open */
    struct os *os;
    char *dir;
    struct spinlock lock; /* guards all below but what says otherwise */
    struct wal_files files;
    uint64_t files_end;  /* LSN up to which files are ready */
    bool preparing;      /* somebody adds or recycles files, outside the lock */
    uint64_t ahead_failed; /* files_end at which making a file ahead of need has failed */
    bool replayed;
    bool was_cut;        /* of replay, by until_ts */
    bool failed;         /* atomic; never cleared */
    uint32_t epoch;      /* immutable after replay */
    uint64_t epoch_start; /* LSN of its first record; immutable after replay */

    struct wal_stage active;  /* appends go here */
    struct wal_stage flushed; /* of who holds the flushing role */
    bool asked;               /* the active stage is to go out as soon as the role is free */
    bool flushing;            /* somebody holds that role */
    size_t flushed_done;      /* bytes of `flushed` on disk; of the role's holder */
    bool requested;           /* `request` is with the disk; of the role's holder */
    struct wal_pace pace;     /* of the role's holder */
    struct io_request request;
    uint32_t phase;           /* atomic: who goes on after the request, see wal.c */
    uint64_t durable;         /* atomic */
    uint64_t appended;        /* atomic */
    uint64_t appended_ts;     /* atomic */
    uint64_t flush_count;     /* atomic */
    uint64_t last_flush;      /* where the last one on disk begins */
    struct wal_wait *waiters; /* for durability */
    struct wal_wait *others;  /* for room, files, the end of a flush */
    uint64_t holds[WAL_HOLDS_MAX]; /* nothing from there on is recycled */
    bool hold_used[WAL_HOLDS_MAX];
};

/* Under the lock: adds a record to the active stage and returns its LSN. The files have room. */
uint64_t wal__stage(struct wal *w, struct wal_header *h, const struct slice *parts, uint32_t count);
/* Where a record added now would begin. Under the lock. */
uint64_t wal__next_lsn(const struct wal *w);
/* The active stage is to go out. Takes the flushing role if it is free; then the caller must call
 * wal__drive or wal__start after unlocking. Under the lock. */
bool wal__take_role(struct wal *w);
/* Carries the role: flushes until nothing is staged or another goes on. `w` may be gone after. */
void wal__drive(struct wal *w);
/* As drive; on a fiber at the end of the worker's turn, so that its other fibers may still join. */
void wal__start(struct wal *w);
/* Under the lock: waits once for a change, lock released meanwhile. */
void wal__wait_change(struct wal *w);
/* Under the lock: wakes those above. */
void wal__changed(struct wal *w);

#endif
