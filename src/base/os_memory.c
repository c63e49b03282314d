#include "base/os_memory.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/fiber.h"
#include "base/map.h"

/* A name leads to a node; a node has its bytes in pages, made when first written, so that space
 * that is only reserved costs nothing. A node lives while a name or an open handle holds it, as an
 * inode does. The names have one lock, each node its own; a node's lock is held for a copy of at
 * most one request, never over a wait. */

enum { PAGE_BYTES = 64 << 10 };

struct node {
    struct fmutex lock; /* guards pages, page_count, bytes */
    char **pages;       /* NULL reads as zeros */
    size_t page_count;
    uint64_t bytes;
    uint32_t refs;      /* atomic */
    bool directory;
};

struct memory {
    struct os os;
    struct fmutex lock; /* guards names */
    struct map names;   /* path -> node */
    uint64_t page_bytes; /* atomic */
};

struct memory_file {
    struct file file;
    struct memory *memory;
    struct node *node;
};

struct os_lock {
    char unused;
};

static struct memory *memory_of(struct os *os)
{
    return (struct memory *)os;
}

static struct memory_file *memory_file(struct file *f)
{
    return (struct memory_file *)f;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void drop_pages(struct memory *m, struct node *n, size_t from)
{
    for (size_t i = from; i < n->page_count; i++) {
        if (!n->pages[i]) continue;
        mem_free(MEM_FILE, n->pages[i]);
        n->pages[i] = NULL;
        __atomic_fetch_sub(&m->page_bytes, PAGE_BYTES, __ATOMIC_RELAXED);
    }
}

static void unref(struct memory *m, struct node *n)
{
    if (__atomic_sub_fetch(&n->refs, 1, __ATOMIC_ACQ_REL)) return;
    drop_pages(m, n, 0);
    mem_free(MEM_FILE, n->pages);
    mem_free(MEM_FILE, n);
}

static char *page_for_write(struct memory *m, struct node *n, size_t index)
{
    if (index >= n->page_count) {
        size_t count = n->page_count * 2 > index + 1 ? n->page_count * 2 : index + 1;
        n->pages = mem_realloc(MEM_FILE, n->pages, count * sizeof *n->pages);
        memset(n->pages + n->page_count, 0, (count - n->page_count) * sizeof *n->pages);
        n->page_count = count;
    }
    if (!n->pages[index]) {
        n->pages[index] = mem_alloc(MEM_FILE, PAGE_BYTES);
        __atomic_fetch_add(&m->page_bytes, PAGE_BYTES, __ATOMIC_RELAXED);
    }
    return n->pages[index];
}

/* The part of a request that lies in one page. */
static size_t in_page(uint64_t offset, size_t len)
{
    size_t room = PAGE_BYTES - (size_t)(offset % PAGE_BYTES);
    return len < room ? len : room;
}

static bool read_node(struct node *n, char *to, size_t len, uint64_t offset)
{
    fmutex_lock(&n->lock);
    bool inside = offset <= n->bytes && len <= n->bytes - offset;
    while (inside && len) {
        size_t part = in_page(offset, len), index = (size_t)(offset / PAGE_BYTES);
        const char *page = index < n->page_count ? n->pages[index] : NULL;
        if (page) memcpy(to, page + offset % PAGE_BYTES, part);
        else memset(to, 0, part);
        to += part;
        offset += part;
        len -= part;
    }
    fmutex_unlock(&n->lock);
    return inside;
}

static bool is_zeros(const char *p, size_t len)
{
    return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* Zeros where no page is are there already: whoever clears a file in advance pays nothing. */
static void write_node(struct memory *m, struct node *n, const char *from, size_t len,
                       uint64_t offset)
{
    fmutex_lock(&n->lock);
    if (len && offset + len > n->bytes) n->bytes = offset + len;
    while (len) {
        size_t part = in_page(offset, len), index = (size_t)(offset / PAGE_BYTES);
        bool absent = index >= n->page_count || !n->pages[index];
        if (!absent || !is_zeros(from, part))
            memcpy(page_for_write(m, n, index) + offset % PAGE_BYTES, from, part);
        from += part;
        offset += part;
        len -= part;
    }
    fmutex_unlock(&n->lock);
}

/* --- files ------------------------------------------------------------------------------------ */

static enum status memory_read(struct file *f, void *data, size_t len, uint64_t offset)
{
    if (read_node(memory_file(f)->node, data, len, offset)) return OK;
    return FAIL(IO_ERROR, "could not read file \"%s\" at offset %llu: unexpected end of file",
                f->path, (unsigned long long)offset);
}

static enum status memory_write(struct file *f, const void *data, size_t len, uint64_t offset)
{
    struct memory_file *mf = memory_file(f);
    write_node(mf->memory, mf->node, data, len, offset);
    return OK;
}

static enum status memory_sync(struct file *f)
{
    (void)f;
    return OK;
}

static enum status memory_size(struct file *f, uint64_t *ret_bytes)
{
    struct node *n = memory_file(f)->node;
    fmutex_lock(&n->lock);
    *ret_bytes = n->bytes;
    fmutex_unlock(&n->lock);
    return OK;
}

static enum status memory_allocate(struct file *f, uint64_t offset, uint64_t len)
{
    struct node *n = memory_file(f)->node;
    fmutex_lock(&n->lock);
    if (len && offset + len > n->bytes) n->bytes = offset + len;
    fmutex_unlock(&n->lock);
    return OK;
}

static enum status memory_truncate(struct file *f, uint64_t bytes)
{
    struct memory_file *mf = memory_file(f);
    struct node *n = mf->node;
    fmutex_lock(&n->lock);
    if (bytes < n->bytes) {
        size_t index = (size_t)(bytes / PAGE_BYTES), part = (size_t)(bytes % PAGE_BYTES);
        if (part && index < n->page_count && n->pages[index])
            memset(n->pages[index] + part, 0, PAGE_BYTES - part);
        drop_pages(mf->memory, n, index + (part != 0));
    }
    n->bytes = bytes;
    fmutex_unlock(&n->lock);
    return OK;
}

static void memory_submit(struct file *f, struct io_request *r)
{
    r->os_errno = 0;
    r->result = OK;
    if (r->op == IO_READ && !read_node(memory_file(f)->node, r->data, r->len, r->offset))
        r->result = IO_ERROR;
    if (r->op == IO_WRITE || r->op == IO_WRITE_SYNC)
        r->result = memory_write(f, r->data, r->len, r->offset);
    r->done(r);
}

static void memory_close(struct file *f)
{
    struct memory_file *mf = memory_file(f);
    unref(mf->memory, mf->node);
    mem_free(MEM_FILE, f->path);
    mem_free(MEM_FILE, mf);
}

static const struct file_ops memory_file_ops = {
    .read = memory_read,
    .write = memory_write,
    .sync = memory_sync,
    .size = memory_size,
    .allocate = memory_allocate,
    .truncate = memory_truncate,
    .submit = memory_submit,
    .close = memory_close,
};

/* --- names ------------------------------------------------------------------------------------ */

static enum status fail_absent(const char *verb, const char *path)
{
    return FAIL(UNDEFINED_FILE, "could not %s \"%s\": No such file or directory", verb, path);
}

/* The node with a reference for the caller. Under the names' lock. */
static enum status find_or_make(struct memory *m, const char *path, unsigned flags,
                                struct node **ret)
{
    struct node *n = map_get(&m->names, slice_of(path));
    if (n && (flags & OPEN_EXCLUSIVE) && (flags & OPEN_CREATE))
        return FAIL(DUPLICATE_FILE, "could not open file \"%s\": File exists", path);
    if (n && n->directory)
        return FAIL(IO_ERROR, "could not open file \"%s\": Is a directory", path);
    if (!n && !(flags & OPEN_CREATE)) return fail_absent("open file", path);
    if (!n) {
        n = mem_alloc(MEM_FILE, sizeof *n);
        n->refs = 1;
        map_put(&m->names, slice_of(path), n);
    }
    __atomic_fetch_add(&n->refs, 1, __ATOMIC_RELAXED);
    *ret = n;
    return OK;
}

static enum status memory_open(struct os *os, const char *path, unsigned flags, struct file **ret)
{
    struct memory *m = memory_of(os);
    struct node *n = NULL;
    fmutex_lock(&m->lock);
    enum status s = find_or_make(m, path, flags, &n);
    fmutex_unlock(&m->lock);
    TRY(s);
    struct memory_file *f = mem_alloc(MEM_FILE, sizeof *f);
    size_t len = strlen(path) + 1;
    f->file.ops = &memory_file_ops;
    f->file.path = memcpy(mem_alloc(MEM_FILE, len), path, len);
    f->memory = m;
    f->node = n;
    *ret = &f->file;
    return OK;
}

/* It has no links, and nobody but the process itself names files. */
static enum status memory_open_within(struct os *os, const char *folder, const char *path,
                                      unsigned flags, struct file **ret)
{
    (void)folder;
    TRY(memory_open(os, path, flags, ret));
    return flags & OPEN_CREATE ? file_truncate(*ret, 0) : OK;
}

static enum status memory_remove(struct os *os, const char *path)
{
    struct memory *m = memory_of(os);
    fmutex_lock(&m->lock);
    struct node *n = map_remove(&m->names, slice_of(path));
    fmutex_unlock(&m->lock);
    if (!n) return fail_absent("remove", path);
    unref(m, n);
    return OK;
}

static enum status memory_rename(struct os *os, const char *from, const char *to)
{
    struct memory *m = memory_of(os);
    struct node *old = NULL;
    fmutex_lock(&m->lock);
    struct node *n = map_remove(&m->names, slice_of(from));
    if (n) {
        old = map_remove(&m->names, slice_of(to));
        map_put(&m->names, slice_of(to), n);
    }
    fmutex_unlock(&m->lock);
    if (!n) return fail_absent("rename", from);
    if (old) unref(m, old);
    return OK;
}

static enum status memory_mkdir(struct os *os, const char *path)
{
    struct memory *m = memory_of(os);
    fmutex_lock(&m->lock);
    if (!map_get(&m->names, slice_of(path))) {
        struct node *n = mem_alloc(MEM_FILE, sizeof *n);
        n->refs = 1;
        n->directory = true;
        map_put(&m->names, slice_of(path), n);
    }
    fmutex_unlock(&m->lock);
    return OK;
}

static enum status memory_sync_dir(struct os *os, const char *path)
{
    (void)os;
    (void)path;
    return OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status memory_list(struct os *os, const char *path, struct arena *a, char ***ret_names,
                               size_t *ret_count)
{
    struct memory *m = memory_of(os);
    ARRAY(char *) names = {0};
    struct slice dir = slice_of(path), name;
    size_t pos = 0;
    fmutex_lock(&m->lock);
    const struct node *d = map_get(&m->names, dir);
    while (d && map_next(&m->names, &pos, &name, NULL, NULL)) {
        if (name.len <= dir.len + 1 || !slice_starts(name, dir) || name.data[dir.len] != '/')
            continue;
        struct slice rest = slice_make(name.data + dir.len + 1, name.len - dir.len - 1);
        if (!memchr(rest.data, '/', rest.len))
            ARENA_PUSH(a, &names, arena_strndup(a, rest.data, rest.len));
    }
    fmutex_unlock(&m->lock);
    if (!d) return fail_absent("open directory", path);
    if (names.count) qsort(names.data, names.count, sizeof *names.data, compare_names);
    *ret_names = names.data;
    *ret_count = names.count;
    return OK;
}

static bool memory_exists(struct os *os, const char *path)
{
    struct memory *m = memory_of(os);
    fmutex_lock(&m->lock);
    bool there = map_get(&m->names, slice_of(path)) != NULL;
    fmutex_unlock(&m->lock);
    return there;
}

/* Who has the os has all of it: there is nobody to keep out. */
static enum status memory_lock(struct os *os, const char *path, struct os_lock **ret)
{
    (void)os;
    (void)path;
    *ret = mem_alloc(MEM_FILE, sizeof **ret);
    return OK;
}

static void memory_unlock(struct os *os, struct os_lock *lock)
{
    (void)os;
    mem_free(MEM_FILE, lock);
}

/* --- clocks and chance ------------------------------------------------------------------------ */

static int64_t memory_wall_us(struct os *os)
{
    (void)os;
    return os_wall_us(os_real());
}

static int64_t memory_monotonic_us(struct os *os)
{
    (void)os;
    return os_monotonic_us(os_real());
}

static void memory_random(struct os *os, void *data, size_t len)
{
    (void)os;
    os_random(os_real(), data, len);
}

struct os *os_memory_new(void)
{
    static const struct os_ops ops = {
        .open = memory_open,
        .open_within = memory_open_within,
        .remove = memory_remove,
        .rename = memory_rename,
        .mkdir = memory_mkdir,
        .sync_dir = memory_sync_dir,
        .list = memory_list,
        .exists = memory_exists,
        .lock = memory_lock,
        .unlock = memory_unlock,
        .wall_us = memory_wall_us,
        .monotonic_us = memory_monotonic_us,
        .random = memory_random,
    };
    struct memory *m = mem_alloc(MEM_FILE, sizeof *m);
    m->os.ops = &ops;
    map_init(&m->names);
    return &m->os;
}

void os_memory_free(struct os *os)
{
    struct memory *m = memory_of(os);
    size_t pos = 0;
    void *n;
    while (map_next(&m->names, &pos, NULL, NULL, &n)) unref(m, n);
    map_release(&m->names);
    ASSERT(m->page_bytes == 0);
    mem_free(MEM_FILE, m);
}

uint64_t os_memory_bytes(struct os *os)
{
    return __atomic_load_n(&memory_of(os)->page_bytes, __ATOMIC_RELAXED);
}
