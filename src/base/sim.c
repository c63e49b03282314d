#include "base/sim.h"

#include <stdlib.h>

#include "base/fiber.h"
#include "base/sim_priv.h"

/* The simulated machine over sim_disk.c: handles, the power switch, injected faults, the clock.
 *
 * The operation at which the power goes is in flight then: it fails, but its effect counts among
 * the unsynced ones, so all or part of it may survive. Those after it have no effect. */

enum { FAULT_KINDS = SIM_FAULT_OPEN + 1 };

static const int64_t START_US = 1767225600000000; /* 2026-01-01 */

struct fault {
    uint64_t left; /* calls until it strikes; 0: not armed */
    bool sticky;
    enum status result;
};

struct sim {
    struct os os;
    struct spinlock lock; /* guards all below */
    struct sim_options opts;
    struct rng rng;
    struct sim_disk disk;
    struct map locks;      /* path -> sim_lock */
    struct fault faults[FAULT_KINDS];
    bool off;
    uint64_t operations, off_at;
    unsigned boot;         /* counts restarts: handles and locks of an earlier one are dead */
    int64_t clock_us;
};

struct sim_file {
    struct file file;
    struct sim *sim;
    struct sim_node *node;
    unsigned boot, flags;
};

struct sim_lock {
    char *path;
    unsigned boot;
};

enum power { POWER_ON, POWER_GOES, POWER_OFF };

static struct sim *sim_of(struct os *os)
{
    return (struct sim *)os;
}

static char *copy(const char *s)
{
    return strcpy(mem_alloc(MEM_TEST, strlen(s) + 1), s);
}

/* One more operation of those that sim_power_off_after counts. */
static enum power operate(struct sim *s)
{
    if (s->off) return POWER_OFF;
    s->operations++;
    if (!s->off_at || s->operations < s->off_at) return POWER_ON;
    s->off = true;
    return POWER_GOES;
}

static enum status fault(struct sim *s, enum sim_fault kind)
{
    struct fault *f = &s->faults[kind];
    if (!f->left || --f->left) return OK;
    if (f->sticky) f->left = 1;
    return f->result;
}

static enum status fail_off(const char *path)
{
    return FAIL(IO_ERROR, "could not access \"%s\": the power is off", path);
}

/* Without "./", doubled and trailing slashes. */
static enum status normal_path(const char *path, char ret[OS_PATH_MAX])
{
    size_t n = 0;
    if (strlen(path) >= OS_PATH_MAX - 1) return FAIL(IO_ERROR, "path \"%.64s...\" is too long", path);
    while (path[0] == '.' && path[1] == '/')
        for (path++; *path == '/'; path++) {
        }
    for (const char *p = path; *p; p++)
        if (*p != '/' || n == 0 || ret[n - 1] != '/') ret[n++] = *p;
    while (n > 1 && ret[n - 1] == '/') n--;
    if (n == 0) ret[n++] = '.';
    ret[n] = '\0';
    return OK;
}

static bool is_root(const char *path)
{
    return strcmp(path, ".") == 0 || strcmp(path, "/") == 0;
}

static bool is_directory(struct sim *s, const char *path)
{
    struct sim_node *n = sim__find(&s->disk, path);
    return is_root(path) || (n && n->directory);
}

static enum status need_parent(struct sim *s, const char *path)
{
    char parent[OS_PATH_MAX];
    sim__parent(path, parent);
    if (is_directory(s, parent)) return OK;
    return FAIL(UNDEFINED_FILE, "directory \"%s\" does not exist", parent);
}

/* --- files ------------------------------------------------------------------------------------- */

static struct sim_file *file_of(struct file *f)
{
    return (struct sim_file *)f;
}

/* Under the lock: the checks of every call on a handle. */
static enum status check(struct sim_file *f, bool writes, const void *data, size_t len,
                         uint64_t offset)
{
    if (f->boot != f->sim->boot) return FAIL(IO_ERROR, "file \"%s\" was closed", f->file.path);
    if (f->sim->off) return fail_off(f->file.path);
    if (writes && (f->flags & OPEN_READ_ONLY))
        return FAIL(IO_ERROR, "file \"%s\" was opened for reading only", f->file.path);
    bool aligned = (len | offset | (uintptr_t)data) % OS_BLOCK_BYTES == 0;
    if ((f->flags & OPEN_DIRECT) && !aligned)
        return FAIL(IO_ERROR, "unaligned direct I/O on file \"%s\"", f->file.path);
    if (offset + len < offset || offset + len > INT64_MAX)
        return FAIL(IO_ERROR, "offset out of range on file \"%s\"", f->file.path);
    return OK;
}

static enum status read_locked(struct sim_file *f, void *data, size_t len, uint64_t offset)
{
    TRY(check(f, false, data, len, offset));
    enum status failed = fault(f->sim, SIM_FAULT_READ);
    if (failed) return FAIL(failed, "could not read file \"%s\": injected fault", f->file.path);
    if (offset + len > f->node->now.bytes)
        return FAIL(IO_ERROR, "could not read file \"%s\" at offset %llu: unexpected end of file",
                    f->file.path, (unsigned long long)offset);
    sim__read(f->node, data, len, offset);
    return OK;
}

static enum status write_locked(struct sim_file *f, const void *data, size_t len, uint64_t offset)
{
    TRY(check(f, true, data, len, offset));
    enum power power = operate(f->sim);
    enum status failed = fault(f->sim, SIM_FAULT_WRITE);
    if (failed) return FAIL(failed, "could not write file \"%s\": injected fault", f->file.path);
    if (!sim__write(&f->sim->disk, f->node, data, len, offset))
        return FAIL(DISK_FULL, "could not write file \"%s\": No space left on device", f->file.path);
    return power == POWER_ON ? OK : fail_off(f->file.path);
}

static enum status sync_locked(struct sim_file *f)
{
    TRY(check(f, false, NULL, 0, 0));
    enum power power = operate(f->sim);
    enum status failed = fault(f->sim, SIM_FAULT_SYNC);
    if (failed) return FAIL(failed, "could not sync file \"%s\": injected fault", f->file.path);
    if (power != POWER_ON) return fail_off(f->file.path);
    sim__sync(f->node);
    return OK;
}

static enum status resize_locked(struct sim_file *f, uint64_t bytes)
{
    TRY(check(f, true, NULL, 0, 0));
    if (bytes > INT64_MAX) return FAIL(IO_ERROR, "file \"%s\" would be too large", f->file.path);
    enum power power = operate(f->sim);
    enum status failed = fault(f->sim, SIM_FAULT_WRITE);
    if (failed) return FAIL(failed, "could not resize file \"%s\": injected fault", f->file.path);
    if (!sim__resize(&f->sim->disk, f->node, bytes))
        return FAIL(DISK_FULL, "could not extend file \"%s\": No space left on device", f->file.path);
    return power == POWER_ON ? OK : fail_off(f->file.path);
}

#define LOCKED(s, expr)                                                                            \
    ({                                                                                             \
        spin_lock(&(s)->lock);                                                                     \
        enum status locked_ = (expr);                                                              \
        spin_unlock(&(s)->lock);                                                                   \
        locked_;                                                                                   \
    })

static enum status sim_read(struct file *f, void *data, size_t len, uint64_t offset)
{
    return LOCKED(file_of(f)->sim, read_locked(file_of(f), data, len, offset));
}

static enum status sim_write(struct file *f, const void *data, size_t len, uint64_t offset)
{
    return LOCKED(file_of(f)->sim, write_locked(file_of(f), data, len, offset));
}

static enum status sim_sync(struct file *f)
{
    return LOCKED(file_of(f)->sim, sync_locked(file_of(f)));
}

static enum status size_locked(struct sim_file *f, uint64_t *ret_bytes)
{
    TRY(check(f, false, NULL, 0, 0));
    *ret_bytes = f->node->now.bytes;
    return OK;
}

static enum status sim_size(struct file *f, uint64_t *ret_bytes)
{
    return LOCKED(file_of(f)->sim, size_locked(file_of(f), ret_bytes));
}

static enum status allocate_locked(struct sim_file *f, uint64_t end)
{
    if (end <= f->node->now.bytes) return check(f, true, NULL, 0, 0);
    return resize_locked(f, end);
}

static enum status sim_allocate(struct file *f, uint64_t offset, uint64_t len)
{
    if (!len) return OK;
    return LOCKED(file_of(f)->sim, allocate_locked(file_of(f), offset + len));
}

static enum status sim_truncate(struct file *f, uint64_t bytes)
{
    return LOCKED(file_of(f)->sim, resize_locked(file_of(f), bytes));
}

static void sim_submit(struct file *f, struct io_request *r)
{
    enum status st = OK;
    if (r->op == IO_READ) st = sim_read(f, r->data, r->len, r->offset);
    else if (r->op != IO_SYNC) st = sim_write(f, r->data, r->len, r->offset);
    if (st == OK && (r->op == IO_SYNC || r->op == IO_WRITE_SYNC)) st = sim_sync(f);
    r->result = st == OK || st == DISK_FULL ? st : IO_ERROR;
    r->os_errno = st == OK ? 0 : st == DISK_FULL ? 28 /* ENOSPC */ : 5 /* EIO */;
    r->done(r);
}

static void sim_close(struct file *file)
{
    struct sim_file *f = file_of(file);
    spin_lock(&f->sim->lock);
    sim__unref(&f->sim->disk, f->node);
    spin_unlock(&f->sim->lock);
    mem_free(MEM_TEST, f->file.path);
    mem_free(MEM_TEST, f);
}

static const struct file_ops sim_file_ops = {
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .size = sim_size,
    .allocate = sim_allocate,
    .truncate = sim_truncate,
    .submit = sim_submit,
    .close = sim_close,
};

static enum status open_locked(struct sim *s, const char *path, unsigned flags, struct file **ret)
{
    if (s->off) return fail_off(path);
    enum status failed = fault(s, SIM_FAULT_OPEN);
    if (failed) return FAIL(failed, "could not open file \"%s\": injected fault", path);
    struct sim_node *n = sim__find(&s->disk, path);
    if (is_directory(s, path)) return FAIL(IO_ERROR, "could not open \"%s\": is a directory", path);
    if (n && (flags & OPEN_CREATE) && (flags & OPEN_EXCLUSIVE))
        return FAIL(DUPLICATE_FILE, "could not create file \"%s\": file exists", path);
    if (!n && !(flags & OPEN_CREATE))
        return FAIL(UNDEFINED_FILE, "could not open file \"%s\": no such file", path);
    if (!n) {
        TRY(need_parent(s, path));
        enum power power = operate(s);
        n = sim__add(&s->disk, path, false);
        if (power != POWER_ON) return fail_off(path);
    }
    struct sim_file *f = mem_alloc(MEM_TEST, sizeof *f);
    *f = (struct sim_file){.file = {&sim_file_ops, copy(path)}, .sim = s, .node = n,
                           .boot = s->boot, .flags = flags};
    n->refs++;
    *ret = &f->file;
    return OK;
}

static enum status sim_open(struct os *os, const char *path, unsigned flags, struct file **ret)
{
    char normal[OS_PATH_MAX];
    TRY(normal_path(path, normal));
    return LOCKED(sim_of(os), open_locked(sim_of(os), normal, flags, ret));
}

/* It has no links. */
static enum status sim_open_within(struct os *os, const char *folder, const char *path,
                                   unsigned flags, struct file **ret)
{
    if (strncmp(path, folder, strlen(folder)) != 0 || strstr(path, "/../"))
        return FAIL(IO_ERROR, "could not open file \"%s\": not in \"%s\"", path, folder);
    TRY(sim_open(os, path, flags, ret));
    return flags & OPEN_CREATE ? file_truncate(*ret, 0) : OK;
}

/* --- names ------------------------------------------------------------------------------------- */

static bool has_entries(struct sim *s, const char *directory)
{
    struct slice key;
    size_t pos = 0, len = strlen(directory);
    while (map_next(&s->disk.now, &pos, &key, NULL, NULL))
        if (key.len > len && memcmp(key.data, directory, len) == 0 && key.data[len] == '/')
            return true;
    return false;
}

static enum status remove_locked(struct sim *s, const char *path)
{
    if (s->off) return fail_off(path);
    struct sim_node *n = sim__find(&s->disk, path);
    if (!n) return FAIL(UNDEFINED_FILE, "could not remove \"%s\": no such file", path);
    if (n->directory && has_entries(s, path))
        return FAIL(IO_ERROR, "could not remove \"%s\": directory not empty", path);
    enum power power = operate(s);
    sim__remove(&s->disk, path);
    return power == POWER_ON ? OK : fail_off(path);
}

static enum status sim_remove(struct os *os, const char *path)
{
    char normal[OS_PATH_MAX];
    TRY(normal_path(path, normal));
    return LOCKED(sim_of(os), remove_locked(sim_of(os), normal));
}

static enum status rename_locked(struct sim *s, const char *from, const char *to)
{
    if (s->off) return fail_off(from);
    struct sim_node *n = sim__find(&s->disk, from), *old = sim__find(&s->disk, to);
    if (!n) return FAIL(UNDEFINED_FILE, "could not rename \"%s\": no such file", from);
    TRY(need_parent(s, to));
    if (old && (old->directory || n->directory))
        return FAIL(IO_ERROR, "could not rename \"%s\" to \"%s\": it exists", from, to);
    enum power power = operate(s);
    sim__rename(&s->disk, from, to);
    return power == POWER_ON ? OK : fail_off(from);
}

static enum status sim_rename(struct os *os, const char *from, const char *to)
{
    char a[OS_PATH_MAX], b[OS_PATH_MAX];
    TRY(normal_path(from, a));
    TRY(normal_path(to, b));
    return LOCKED(sim_of(os), rename_locked(sim_of(os), a, b));
}

static enum status mkdir_locked(struct sim *s, const char *path)
{
    if (s->off) return fail_off(path);
    if (is_directory(s, path)) return OK;
    if (sim__find(&s->disk, path))
        return FAIL(DUPLICATE_FILE, "could not create directory \"%s\": file exists", path);
    TRY(need_parent(s, path));
    enum power power = operate(s);
    sim__add(&s->disk, path, true);
    return power == POWER_ON ? OK : fail_off(path);
}

static enum status sim_mkdir(struct os *os, const char *path)
{
    char normal[OS_PATH_MAX];
    TRY(normal_path(path, normal));
    return LOCKED(sim_of(os), mkdir_locked(sim_of(os), normal));
}

static enum status sync_dir_locked(struct sim *s, const char *path)
{
    if (s->off) return fail_off(path);
    if (!is_directory(s, path)) return FAIL(UNDEFINED_FILE, "directory \"%s\" does not exist", path);
    enum power power = operate(s);
    enum status failed = fault(s, SIM_FAULT_SYNC);
    if (failed) return FAIL(failed, "could not sync directory \"%s\": injected fault", path);
    if (power != POWER_ON) return fail_off(path);
    sim__sync_names(&s->disk, path);
    return OK;
}

static enum status sim_sync_dir(struct os *os, const char *path)
{
    char normal[OS_PATH_MAX];
    TRY(normal_path(path, normal));
    return LOCKED(sim_of(os), sync_dir_locked(sim_of(os), normal));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status list_locked(struct sim *s, const char *path, struct arena *a, char ***ret_names,
                               size_t *ret_count)
{
    char parent[OS_PATH_MAX];
    struct slice key;
    size_t pos = 0, count = 0;
    if (s->off) return fail_off(path);
    if (!is_directory(s, path)) return FAIL(UNDEFINED_FILE, "directory \"%s\" does not exist", path);
    char **names = ARENA_ARRAY(a, char *, s->disk.now.count + 1);
    while (map_next(&s->disk.now, &pos, &key, NULL, NULL)) {
        char *whole = arena_strndup(a, key.data, key.len), *slash = strrchr(whole, '/');
        sim__parent(whole, parent);
        if (strcmp(parent, path) == 0) names[count++] = slash ? slash + 1 : whole;
    }
    qsort(names, count, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = count;
    return OK;
}

static enum status sim_list(struct os *os, const char *path, struct arena *a, char ***ret_names,
                            size_t *ret_count)
{
    char normal[OS_PATH_MAX];
    TRY(normal_path(path, normal));
    return LOCKED(sim_of(os), list_locked(sim_of(os), normal, a, ret_names, ret_count));
}

static bool sim_exists(struct os *os, const char *path)
{
    struct sim *s = sim_of(os);
    char normal[OS_PATH_MAX];
    if (normal_path(path, normal) != OK) return false;
    spin_lock(&s->lock);
    bool exists = !s->off && (is_root(normal) || sim__find(&s->disk, normal));
    spin_unlock(&s->lock);
    return exists;
}

static enum status lock_locked(struct sim *s, const char *path, struct os_lock **ret)
{
    if (s->off) return fail_off(path);
    TRY(need_parent(s, path));
    if (map_get(&s->locks, slice_of(path))) {
        FAIL(LOCK_FILE_EXISTS, "lock file \"%s\" is held by another process (PID 1)", path);
        return error_hint("Is another server running on this data directory?");
    }
    if (!sim__find(&s->disk, path)) sim__add(&s->disk, path, false);
    struct sim_lock *lock = mem_alloc(MEM_TEST, sizeof *lock);
    *lock = (struct sim_lock){copy(path), s->boot};
    map_put(&s->locks, slice_of(path), lock);
    *ret = (struct os_lock *)lock;
    return OK;
}

static enum status sim_lock(struct os *os, const char *path, struct os_lock **ret)
{
    char normal[OS_PATH_MAX];
    TRY(normal_path(path, normal));
    return LOCKED(sim_of(os), lock_locked(sim_of(os), normal, ret));
}

static void sim_unlock(struct os *os, struct os_lock *held)
{
    struct sim *s = sim_of(os);
    struct sim_lock *lock = (struct sim_lock *)held;
    spin_lock(&s->lock);
    if (lock->boot == s->boot) map_remove(&s->locks, slice_of(lock->path));
    spin_unlock(&s->lock);
    mem_free(MEM_TEST, lock->path);
    mem_free(MEM_TEST, lock);
}

/* --- clock and chance -------------------------------------------------------------------------- */

static int64_t sim_wall_us(struct os *os)
{
    struct sim *s = sim_of(os);
    return s->opts.start_us + __atomic_load_n(&s->clock_us, __ATOMIC_RELAXED);
}

static int64_t sim_monotonic_us(struct os *os)
{
    return __atomic_load_n(&sim_of(os)->clock_us, __ATOMIC_RELAXED) + 1;
}

static void sim_random(struct os *os, void *data, size_t len)
{
    struct sim *s = sim_of(os);
    spin_lock(&s->lock);
    for (size_t i = 0; i < len; i++) ((char *)data)[i] = (char)(rng_u64(&s->rng) >> 32);
    spin_unlock(&s->lock);
}

/* --- what tests do to it ----------------------------------------------------------------------- */

struct os *sim_new(const struct sim_options *opts)
{
    static const struct os_ops ops = {
        .open = sim_open,
        .open_within = sim_open_within,
        .remove = sim_remove,
        .rename = sim_rename,
        .mkdir = sim_mkdir,
        .sync_dir = sim_sync_dir,
        .list = sim_list,
        .exists = sim_exists,
        .lock = sim_lock,
        .unlock = sim_unlock,
        .wall_us = sim_wall_us,
        .monotonic_us = sim_monotonic_us,
        .random = sim_random,
    };
    struct sim *s = mem_alloc(MEM_TEST, sizeof *s);
    ASSERT(opts->keep_permille + opts->tear_permille + opts->garbage_permille <= 1000);
    s->os.ops = &ops;
    s->opts = *opts;
    if (!s->opts.start_us) s->opts.start_us = START_US;
    rng_seed(&s->rng, opts->seed);
    sim__disk_init(&s->disk, opts->disk_bytes_max);
    map_init(&s->locks);
    return &s->os;
}

void sim_free(struct os *os)
{
    struct sim *s = sim_of(os);
    sim__disk_release(&s->disk);
    map_release(&s->locks);
    mem_free(MEM_TEST, s);
}

void sim_power_off_after(struct os *os, uint64_t operations)
{
    struct sim *s = sim_of(os);
    spin_lock(&s->lock);
    s->off_at = operations ? s->operations + operations : 0;
    spin_unlock(&s->lock);
}

bool sim_is_off(struct os *os)
{
    struct sim *s = sim_of(os);
    spin_lock(&s->lock);
    bool off = s->off;
    spin_unlock(&s->lock);
    return off;
}

uint64_t sim_operations(struct os *os)
{
    struct sim *s = sim_of(os);
    spin_lock(&s->lock);
    uint64_t n = s->operations;
    spin_unlock(&s->lock);
    return n;
}

void sim_restart(struct os *os)
{
    struct sim *s = sim_of(os);
    spin_lock(&s->lock);
    sim__lose(&s->disk, &s->rng, &s->opts);
    map_clear(&s->locks); /* their holders still free them */
    s->boot++;
    s->off = false;
    s->off_at = 0;
    spin_unlock(&s->lock);
}

void sim_fail(struct os *os, enum sim_fault kind, uint64_t nth, bool sticky, enum status result)
{
    struct sim *s = sim_of(os);
    spin_lock(&s->lock);
    s->faults[kind] = (struct fault){nth, sticky, result};
    spin_unlock(&s->lock);
}

static enum status flip_locked(struct sim *s, const char *path, uint64_t offset, unsigned bit)
{
    struct sim_node *n = sim__find(&s->disk, path);
    if (!n || n->directory) return FAIL(UNDEFINED_FILE, "file \"%s\" does not exist", path);
    if (offset >= n->now.bytes || bit > 7)
        return FAIL(IO_ERROR, "file \"%s\" has no byte %llu", path, (unsigned long long)offset);
    sim__flip(n, offset, bit);
    return OK;
}

enum status sim_flip_bit(struct os *os, const char *path, uint64_t byte_offset, unsigned bit)
{
    char normal[OS_PATH_MAX];
    TRY(normal_path(path, normal));
    return LOCKED(sim_of(os), flip_locked(sim_of(os), normal, byte_offset, bit));
}

void sim_advance_us(struct os *os, int64_t us)
{
    __atomic_fetch_add(&sim_of(os)->clock_us, us, __ATOMIC_RELAXED);
}
