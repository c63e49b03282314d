#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io_priv.h"
#include "base/mem.h"

/* The machine itself. Reads, writes and syncs go to io.c; what else may block long is run on an I/O
 * thread while the fiber parks. */

struct real_file {
    struct file file;
    int fd;
};

struct os_lock {
    int fd;
};

static enum status status_of(int failed)
{
    switch (failed) {
    case ENOENT: return UNDEFINED_FILE;
    case EEXIST: return DUPLICATE_FILE;
    case ENOSPC:
    case EDQUOT: return DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS: return INSUFFICIENT_PRIVILEGE;
    case EMFILE:
    case ENFILE: return INSUFFICIENT_RESOURCES;
    default: return IO_ERROR;
    }
}

static enum status fail_path(const char *verb, const char *path, int failed)
{
    enum status st = FAIL(status_of(failed), "could not %s \"%s\": %s", verb, path,
                          strerror(failed));
    return st == DISK_FULL ? error_hint("Check free disk space.") : st;
}

/* --- files ------------------------------------------------------------------------------------- */

static struct real_file *real(struct file *f)
{
    return (struct real_file *)f;
}

static enum status run(struct file *f, struct io_request *r, const char *verb)
{
    io__run(real(f)->fd, r);
    if (r->result == OK) return OK;
    if (r->os_errno == 0)
        return FAIL(r->result, "could not %s file \"%s\" at offset %llu: unexpected end of file",
                    verb, f->path, (unsigned long long)r->offset);
    enum status st = FAIL(r->result, "could not %s file \"%s\" at offset %llu: %s", verb, f->path,
                          (unsigned long long)r->offset, strerror(r->os_errno));
    return st == DISK_FULL ? error_hint("Check free disk space.") : st;
}

static enum status real_read(struct file *f, void *data, size_t len, uint64_t offset)
{
    struct io_request r = {.op = IO_READ, .data = data, .len = len, .offset = offset};
    return run(f, &r, "read");
}

static enum status real_write(struct file *f, const void *data, size_t len, uint64_t offset)
{
    struct io_request r = {.op = IO_WRITE, .data = (void *)(uintptr_t)data, .len = len,
                           .offset = offset};
    return run(f, &r, "write");
}

static enum status real_sync(struct file *f)
{
    struct io_request r = {.op = IO_SYNC};
    return run(f, &r, "sync");
}

static enum status real_size(struct file *f, uint64_t *ret_bytes)
{
    struct stat st;
    if (fstat(real(f)->fd, &st) != 0) return fail_path("stat file", f->path, errno);
    *ret_bytes = (uint64_t)st.st_size;
    return OK;
}

struct range {
    struct file *f;
    uint64_t offset, len;
};

static enum status do_allocate(void *arg)
{
    struct range *r = arg;
    int failed;
    do {
        failed = posix_fallocate(real(r->f)->fd, (off_t)r->offset, (off_t)r->len);
    } while (failed == EINTR);
    return failed ? fail_path("extend file", r->f->path, failed) : OK;
}

static enum status real_allocate(struct file *f, uint64_t offset, uint64_t len)
{
    struct range r = {f, offset, len};
    return len ? io__offload(do_allocate, &r) : OK;
}

static enum status do_truncate(void *arg)
{
    struct range *r = arg;
    if (ftruncate(real(r->f)->fd, (off_t)r->len) != 0)
        return fail_path("truncate file", r->f->path, errno);
    return OK;
}

static enum status real_truncate(struct file *f, uint64_t bytes)
{
    struct range r = {f, 0, bytes};
    return io__offload(do_truncate, &r);
}

static void real_submit(struct file *f, struct io_request *r)
{
    io__submit(real(f)->fd, r);
}

static void real_close(struct file *f)
{
    close(real(f)->fd);
    mem_free(MEM_FILE, f->path);
    mem_free(MEM_FILE, f);
}

static const struct file_ops real_file_ops = {
    .read = real_read,
    .write = real_write,
    .sync = real_sync,
    .size = real_size,
    .allocate = real_allocate,
    .truncate = real_truncate,
    .submit = real_submit,
    .close = real_close,
};

static struct file *new_file(int fd, const char *path)
{
    struct real_file *f = mem_alloc(MEM_FILE, sizeof *f);
    size_t len = strlen(path) + 1;
    f->file.ops = &real_file_ops;
    f->file.path = memcpy(mem_alloc(MEM_FILE, len), path, len);
    f->fd = fd;
    return &f->file;
}

static enum status real_open(struct os *os, const char *path, unsigned flags, struct file **ret)
{
    (void)os;
    int mode = (flags & OPEN_READ_ONLY) ? O_RDONLY : O_RDWR;
    mode |= O_CLOEXEC;
    if (flags & OPEN_CREATE) mode |= O_CREAT;
    if (flags & OPEN_EXCLUSIVE) mode |= O_EXCL;
    int fd = open(path, mode | (flags & OPEN_DIRECT ? O_DIRECT : 0), 0600);
    /* Some file systems refuse O_DIRECT, after having made the file. */
    if (fd < 0 && errno == EINVAL && (flags & OPEN_DIRECT)) fd = open(path, mode & ~O_EXCL, 0600);
    if (fd < 0) return fail_path("open file", path, errno);
    *ret = new_file(fd, path);
    return OK;
}

/* --- files that others name -------------------------------------------------------------------- */

static enum status fail_within(const char *path, unsigned flags, int failed)
{
    enum status st = FAIL(status_of(failed), "could not open file \"%s\" for %s: %s", path,
                          flags & OPEN_READ_ONLY ? "reading" : "writing", strerror(failed));
    if (failed == ELOOP || failed == ENOTDIR)
        return error_detail("Symbolic links within the folder are not followed.");
    return st == DISK_FULL ? error_hint("Check free disk space.") : st;
}

/* The directory that holds the last name of `rest`, and that name; -1: errno. Each step goes from an
 * open directory to a name in it that is no link, so that nothing can be put in its way. */
static int walk(const char *folder, const char *rest, char name[OS_PATH_MAX])
{
    const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    int at = open(folder, flags);
    while (at >= 0) {
        while (*rest == '/') rest++;
        size_t n = strcspn(rest, "/");
        memcpy(name, rest, n);
        name[n] = '\0';
        if (n == 0 || strcmp(name, "..") == 0) {
            close(at);
            errno = n == 0 ? EISDIR : ELOOP;
            return -1;
        }
        rest += n;
        if (*rest == '\0') return at;
        int next = openat(at, name, flags | O_NOFOLLOW);
        int failed = errno;
        close(at);
        errno = failed;
        at = next;
    }
    return -1;
}

static enum status real_open_within(struct os *os, const char *folder, const char *path,
                                    unsigned flags, struct file **ret)
{
    (void)os;
    char name[OS_PATH_MAX];
    struct stat st;
    size_t n = strlen(folder);
    int mode = (flags & OPEN_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    if (flags & OPEN_CREATE) mode |= O_CREAT;
    if (strlen(path) >= OS_PATH_MAX || strncmp(path, folder, n) != 0)
        return fail_within(path, flags, EINVAL);
    int at = walk(folder, path + n, name);
    if (at < 0) return fail_within(path, flags, errno);
    int fd = openat(at, name, mode, 0644);
    int failed = errno;
    close(at);
    if (fd < 0) return fail_within(path, flags, failed);
    failed = fstat(fd, &st) != 0 ? errno : !S_ISREG(st.st_mode) ? -1 : 0;
    if (failed == 0 && (flags & OPEN_CREATE) && ftruncate(fd, 0) != 0) failed = errno;
    if (failed == 0) {
        *ret = new_file(fd, path);
        return OK;
    }
    close(fd);
    if (failed > 0) return fail_within(path, flags, failed);
    return S_ISDIR(st.st_mode) ? FAIL(WRONG_OBJECT_TYPE, "\"%s\" is a directory", path)
                               : FAIL(WRONG_OBJECT_TYPE, "\"%s\" is not a regular file", path);
}

/* --- names ------------------------------------------------------------------------------------- */

static enum status real_remove(struct os *os, const char *path)
{
    (void)os;
    return remove(path) == 0 ? OK : fail_path("remove", path, errno);
}

static enum status real_rename(struct os *os, const char *from, const char *to)
{
    (void)os;
    if (rename(from, to) == 0) return OK;
    return FAIL(status_of(errno), "could not rename \"%s\" to \"%s\": %s", from, to, strerror(errno));
}

static enum status real_mkdir(struct os *os, const char *path)
{
    (void)os;
    struct stat st;
    if (mkdir(path, 0700) == 0) return OK;
    int failed = errno;
    if (failed == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return OK;
    return fail_path("create directory", path, failed);
}

static enum status do_sync_dir(void *arg)
{
    const char *path = arg;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail_path("open directory", path, errno);
    int failed = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return failed ? fail_path("sync directory", path, failed) : OK;
}

static enum status real_sync_dir(struct os *os, const char *path)
{
    (void)os;
    return io__offload(do_sync_dir, (void *)(uintptr_t)path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status real_list(struct os *os, const char *path, struct arena *a, char ***ret_names,
                             size_t *ret_count)
{
    (void)os;
    ARRAY(char *) names = {0};
    DIR *d = opendir(path);
    if (!d) return fail_path("open directory", path, errno);
    struct dirent *e;
    errno = 0;
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ARENA_PUSH(a, &names, arena_strdup(a, e->d_name));
        errno = 0;
    }
    int failed = errno;
    closedir(d);
    if (failed) return fail_path("read directory", path, failed);
    if (names.count) qsort(names.data, names.count, sizeof *names.data, compare_names);
    *ret_names = names.data;
    *ret_count = names.count;
    return OK;
}

static bool real_exists(struct os *os, const char *path)
{
    (void)os;
    return access(path, F_OK) == 0;
}

/* --- the lock ---------------------------------------------------------------------------------- */

static enum status fail_held(const char *path, int fd)
{
    char pid[16] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
    close(fd);
    FAIL(LOCK_FILE_EXISTS, "lock file \"%s\" is held by another process (PID %s)", path,
         pid[0] ? pid : "unknown");
    return error_hint("Is another server running on this data directory?");
}

static enum status real_lock(struct os *os, const char *path, struct os_lock **ret)
{
    (void)os;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail_path("open lock file", path, errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return fail_held(path, fd);
        int failed = errno;
        close(fd);
        return fail_path("lock file", path, failed);
    }
    char pid[16];
    int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        int failed = errno;
        close(fd);
        return fail_path("write lock file", path, failed);
    }
    struct os_lock *lock = mem_alloc(MEM_FILE, sizeof *lock);
    lock->fd = fd;
    *ret = lock;
    return OK;
}

static void real_unlock(struct os *os, struct os_lock *lock)
{
    (void)os;
    close(lock->fd);
    mem_free(MEM_FILE, lock);
}

/* --- clocks and chance ------------------------------------------------------------------------- */

static int64_t clock_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t real_wall_us(struct os *os)
{
    (void)os;
    return clock_us(CLOCK_REALTIME);
}

static int64_t real_monotonic_us(struct os *os)
{
    (void)os;
    return clock_us(CLOCK_MONOTONIC);
}

static void real_random(struct os *os, void *data, size_t len)
{
    (void)os;
    for (char *p = data; len;) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR) continue;
        ASSERT(n > 0);
        p += n;
        len -= (size_t)n;
    }
}

struct os *os_real(void)
{
    static const struct os_ops ops = {
        .open = real_open,
        .open_within = real_open_within,
        .remove = real_remove,
        .rename = real_rename,
        .mkdir = real_mkdir,
        .sync_dir = real_sync_dir,
        .list = real_list,
        .exists = real_exists,
        .lock = real_lock,
        .unlock = real_unlock,
        .wall_us = real_wall_us,
        .monotonic_us = real_monotonic_us,
        .random = real_random,
    };
    static struct os os = {&ops};
    return &os;
}
