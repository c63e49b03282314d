/* The outside world behind tables of functions: files, clocks, randomness.
 *
 * Everything above asks an `os`; os_real() is the machine, os_sim_new() (base/sim.h) is a simulated
 * one with a disk that loses, tears, reorders and corrupts what was not synced, by seed.
 *
 * Blocking calls made on a fiber park the fiber (io_uring, or a small pool of I/O threads where the
 * kernel refuses it); made on a plain thread they block it. On the simulated os they end at once. */
#ifndef HELIOS_BASE_OS_H
#define HELIOS_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum {
    OS_BLOCK_BYTES = 4096, /* alignment of offset, length and memory under OPEN_DIRECT */
    OS_PATH_MAX = 1024,
};

enum open_flags {
    OPEN_CREATE = 1,    /* make it when absent */
    OPEN_EXCLUSIVE = 2, /* with CREATE: fail when present */
    OPEN_DIRECT = 4,    /* bypass the page cache; falls back to buffered where refused */
    OPEN_READ_ONLY = 8,
};

struct file;
struct os;
struct os_lock;

/* An asynchronous request. The caller keeps it, and the buffers, until `done` runs. On a front
 * worker `done` runs later on that worker's loop; on other threads and on the simulated os it runs
 * before file_submit returns. `done` must not block or park. */
enum io_op { IO_READ, IO_WRITE, IO_SYNC, IO_WRITE_SYNC };
struct io_request {
    enum io_op op;
    void *data;
    size_t len;
    uint64_t offset;
    void (*done)(struct io_request *r);
    void *ctx;
    enum status result; /* OK, DISK_FULL, IO_ERROR */
    int os_errno;       /* 0 when OK */
    void *internal[4];  /* the implementation's */
};

struct file_ops {
    /* A short read (end of file) is IO_ERROR; file_size says how far one may read. */
    enum status (*read)(struct file *f, void *data, size_t len, uint64_t offset);
    enum status (*write)(struct file *f, const void *data, size_t len, uint64_t offset);
    enum status (*sync)(struct file *f); /* data and size: fdatasync */
    enum status (*size)(struct file *f, uint64_t *ret_bytes);
    /* Reserves disk space; the new range reads as zeros. */
    enum status (*allocate)(struct file *f, uint64_t offset, uint64_t len);
    enum status (*truncate)(struct file *f, uint64_t bytes);
    void (*submit)(struct file *f, struct io_request *r);
    void (*close)(struct file *f);
};

struct file {
    const struct file_ops *ops;
    char *path; /* owned */
};

struct os_ops {
    enum status (*open)(struct os *os, const char *path, unsigned flags, struct file **ret);
    /* A regular file somewhere beneath `folder`, for paths that others name: `path` begins with it.
     * No symbolic link and no `..` is followed on the way from there; the folder itself may be one.
     * With CREATE the file is emptied, and readable for all. Messages are PostgreSQL's. */
    enum status (*open_within)(struct os *os, const char *folder, const char *path, unsigned flags,
                               struct file **ret);
    enum status (*remove)(struct os *os, const char *path);
    enum status (*rename)(struct os *os, const char *from, const char *to);
    enum status (*mkdir)(struct os *os, const char *path); /* OK when it is there already */
    enum status (*sync_dir)(struct os *os, const char *path);
    /* Names (not paths), sorted, in the arena. */
    enum status (*list)(struct os *os, const char *path, struct arena *a, char ***ret_names,
                        size_t *ret_count);
    bool (*exists)(struct os *os, const char *path);
    /* An exclusive lock that dies with the process; LOCK_FILE_EXISTS names the holder's pid. */
    enum status (*lock)(struct os *os, const char *path, struct os_lock **ret);
    void (*unlock)(struct os *os, struct os_lock *lock);
    int64_t (*wall_us)(struct os *os);      /* microseconds since 1970-01-01 UTC */
    int64_t (*monotonic_us)(struct os *os);
    void (*random)(struct os *os, void *data, size_t len); /* fit for keys */
};

struct os {
    const struct os_ops *ops;
};

struct os *os_real(void);

#define os_open(os, path, flags, ret) ((os)->ops->open((os), (path), (flags), (ret)))
#define os_open_within(os, folder, path, flags, ret)                                              \
    ((os)->ops->open_within((os), (folder), (path), (flags), (ret)))
#define os_remove(os, path) ((os)->ops->remove((os), (path)))
#define os_rename(os, from, to) ((os)->ops->rename((os), (from), (to)))
#define os_mkdir(os, path) ((os)->ops->mkdir((os), (path)))
#define os_sync_dir(os, path) ((os)->ops->sync_dir((os), (path)))
#define os_list(os, path, a, names, n) ((os)->ops->list((os), (path), (a), (names), (n)))
#define os_exists(os, path) ((os)->ops->exists((os), (path)))
#define os_lock(os, path, ret) ((os)->ops->lock((os), (path), (ret)))
#define os_unlock(os, l) ((os)->ops->unlock((os), (l)))
#define os_wall_us(os) ((os)->ops->wall_us(os))
#define os_monotonic_us(os) ((os)->ops->monotonic_us(os))
#define os_random(os, p, n) ((os)->ops->random((os), (p), (n)))
#define file_read(f, p, n, off) ((f)->ops->read((f), (p), (n), (off)))
#define file_write(f, p, n, off) ((f)->ops->write((f), (p), (n), (off)))
#define file_sync(f) ((f)->ops->sync(f))
#define file_size(f, ret) ((f)->ops->size((f), (ret)))
#define file_allocate(f, off, n) ((f)->ops->allocate((f), (off), (n)))
#define file_truncate(f, n) ((f)->ops->truncate((f), (n)))
#define file_submit(f, r) ((f)->ops->submit((f), (r)))
#define file_close(f) ((f)->ops->close(f))

#endif
