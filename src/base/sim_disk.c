#include "base/sim_priv.h"

#include <stdlib.h>

#include "base/array.h"

/* Two images of each file and two sets of names: `now`, what the running process sees, and
 * `stable`, what a power loss cannot take. Between them lie the changes that were not synced, in
 * order. A sync moves them over. A loss rolls for each of their sectors what became of it, applies
 * that to the stable image, and makes it the current one.
 *
 * Names: the changes of one directory survive up to a random one of them, as a journal would have
 * it; directories independently. A rename is one change and never half done. */

enum { UNSYNCED_BYTES_MAX = 64 << 20 /* a file; beyond it the kernel has written it back */ };

/* --- images ------------------------------------------------------------------------------------ */

static char *page_at(const struct sim_image *m, size_t i)
{
    return i < m->page_count ? m->pages[i] : NULL;
}

static void put_page(struct sim_image *m, size_t i, char *page)
{
    if (i >= m->page_count) {
        if (!page) return;
        size_t count = i + 1 > m->page_count * 2 ? i + 1 : m->page_count * 2;
        m->pages = mem_realloc(MEM_TEST, m->pages, count * sizeof *m->pages);
        memset(m->pages + m->page_count, 0, (count - m->page_count) * sizeof *m->pages);
        m->page_count = count;
    }
    m->pages[i] = page;
}

/* Replaces the page, which `other` may share. */
static void replace_page(struct sim_image *m, const struct sim_image *other, size_t i, char *page)
{
    char *old = page_at(m, i);
    if (old == page) return;
    if (old && old != page_at(other, i)) mem_free(MEM_TEST, old);
    put_page(m, i, page);
}

/* A page of `m` alone, to write to. */
static char *own_page(struct sim_image *m, const struct sim_image *other, size_t i)
{
    char *page = page_at(m, i);
    if (page && page != page_at(other, i)) return page;
    char *copy = mem_alloc(MEM_TEST, SIM_PAGE_BYTES);
    if (page) memcpy(copy, page, SIM_PAGE_BYTES);
    put_page(m, i, copy);
    return copy;
}

/* `data` NULL writes zeros. Does not change the size. */
static void put_bytes(struct sim_image *m, const struct sim_image *other, const char *data,
                      uint64_t len, uint64_t offset)
{
    while (len) {
        size_t i = offset / SIM_PAGE_BYTES, at = offset % SIM_PAGE_BYTES;
        size_t n = SIM_PAGE_BYTES - at < len ? SIM_PAGE_BYTES - at : (size_t)len;
        if (data) memcpy(own_page(m, other, i) + at, data, n);
        else if (n == SIM_PAGE_BYTES) replace_page(m, other, i, NULL);
        else if (page_at(m, i)) memset(own_page(m, other, i) + at, 0, n);
        if (data) data += n;
        offset += n;
        len -= n;
    }
}

static void set_size(struct sim_image *m, const struct sim_image *other, uint64_t bytes)
{
    if (bytes < m->bytes) put_bytes(m, other, NULL, m->bytes - bytes, bytes);
    m->bytes = bytes;
}

static void drop_image(struct sim_image *m, const struct sim_image *other)
{
    for (size_t i = 0; i < m->page_count; i++) replace_page(m, other, i, NULL);
    mem_free(MEM_TEST, m->pages);
    *m = (struct sim_image){0};
}

/* --- nodes ------------------------------------------------------------------------------------- */

static void drop_changes(struct sim_node *n)
{
    while (n->changes) {
        struct sim_change *c = n->changes;
        n->changes = c->next;
        mem_free(MEM_TEST, c->data);
        mem_free(MEM_TEST, c);
    }
    n->changes_end = &n->changes;
    n->unsynced_bytes = 0;
}

static void add_change(struct sim_node *n, struct sim_change change)
{
    struct sim_change *c = mem_alloc(MEM_TEST, sizeof *c);
    *c = change;
    *n->changes_end = c;
    n->changes_end = &c->next;
    if (c->kind == SIM_WRITE) n->unsynced_bytes += c->len;
    if (n->unsynced_bytes > UNSYNCED_BYTES_MAX) sim__sync(n);
}

static void set_linked(struct sim_disk *d, struct sim_node *n, bool linked)
{
    if (n->linked == linked) return;
    n->linked = linked;
    d->bytes += linked ? n->now.bytes : 0 - n->now.bytes;
}

void sim__unref(struct sim_disk *d, struct sim_node *n)
{
    if (--n->refs) return;
    set_linked(d, n, false);
    drop_changes(n);
    drop_image(&n->now, &n->stable);
    drop_image(&n->stable, &n->now);
    mem_free(MEM_TEST, n);
}

void sim__read(const struct sim_node *n, void *data, size_t len, uint64_t offset)
{
    for (char *p = data; len;) {
        size_t at = offset % SIM_PAGE_BYTES;
        size_t part = SIM_PAGE_BYTES - at < len ? SIM_PAGE_BYTES - at : len;
        const char *page = page_at(&n->now, offset / SIM_PAGE_BYTES);
        if (page) memcpy(p, page + at, part);
        else memset(p, 0, part);
        p += part;
        offset += part;
        len -= part;
    }
}

static bool take_space(struct sim_disk *d, struct sim_node *n, uint64_t bytes)
{
    if (!n->linked) return true;
    if (bytes > n->now.bytes && d->bytes_max && d->bytes + (bytes - n->now.bytes) > d->bytes_max)
        return false;
    d->bytes += bytes - n->now.bytes;
    return true;
}

static bool all_zeros(const char *p, size_t len)
{
    return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

bool sim__write(struct sim_disk *d, struct sim_node *n, const void *data, size_t len,
                uint64_t offset)
{
    uint64_t end = offset + len;
    if (!len) return true;
    if (end > n->now.bytes) {
        if (!take_space(d, n, end)) return false;
        n->now.bytes = end;
    }
    struct sim_change c = {.kind = SIM_ZEROS, .offset = offset, .len = len};
    if (!all_zeros(data, len)) {
        c.kind = SIM_WRITE;
        c.data = memcpy(mem_alloc(MEM_TEST, len), data, len);
    }
    put_bytes(&n->now, &n->stable, c.data, len, offset);
    add_change(n, c);
    return true;
}

bool sim__resize(struct sim_disk *d, struct sim_node *n, uint64_t bytes)
{
    if (bytes == n->now.bytes) return true;
    if (!take_space(d, n, bytes)) return false;
    set_size(&n->now, &n->stable, bytes);
    add_change(n, (struct sim_change){.kind = SIM_RESIZE, .len = bytes});
    return true;
}

/* The pages that changes touched are shared from now on. */
static void share_range(struct sim_node *n, uint64_t offset, uint64_t len)
{
    for (uint64_t i = offset / SIM_PAGE_BYTES; len && i <= (offset + len - 1) / SIM_PAGE_BYTES; i++)
        replace_page(&n->stable, &n->now, i, page_at(&n->now, i));
}

void sim__sync(struct sim_node *n)
{
    uint64_t size = n->stable.bytes;
    for (const struct sim_change *c = n->changes; c; c = c->next) {
        if (c->kind != SIM_RESIZE) share_range(n, c->offset, c->len);
        else if (c->len < size) share_range(n, c->len, size - c->len);
        if (c->kind == SIM_RESIZE) size = c->len;
        else if (c->offset + c->len > size) size = c->offset + c->len;
    }
    n->stable.bytes = n->now.bytes;
    drop_changes(n);
}

void sim__flip(struct sim_node *n, uint64_t offset, unsigned bit)
{
    size_t i = offset / SIM_PAGE_BYTES, at = offset % SIM_PAGE_BYTES;
    char flip = (char)(1 << bit);
    bool shared = page_at(&n->now, i) == page_at(&n->stable, i);
    char *page = own_page(&n->now, &n->stable, i);
    page[at] ^= flip;
    if (offset >= n->stable.bytes) return;
    if (shared) replace_page(&n->stable, &n->now, i, page);
    else own_page(&n->stable, &n->now, i)[at] ^= flip;
}

/* --- names ------------------------------------------------------------------------------------- */

static char *copy(const char *s)
{
    return s ? strcpy(mem_alloc(MEM_TEST, strlen(s) + 1), s) : NULL;
}

static void link_name(struct sim_disk *d, struct map *names, const char *path, struct sim_node *n)
{
    struct sim_node *old = map_get(names, slice_of(path));
    n->refs++;
    map_put(names, slice_of(path), n);
    if (names == &d->now) set_linked(d, n, true);
    if (!old) return;
    if (names == &d->now && old != n) set_linked(d, old, false);
    sim__unref(d, old);
}

static void unlink_name(struct sim_disk *d, struct map *names, const char *path)
{
    struct sim_node *n = map_remove(names, slice_of(path));
    if (!n) return;
    if (names == &d->now) set_linked(d, n, false);
    sim__unref(d, n);
}

static bool lies_under(const char *path, const char *directory)
{
    size_t len = strlen(directory);
    return strncmp(path, directory, len) == 0 && path[len] == '/';
}

/* All paths of the map, sorted, so that no order of a hash table shows. */
static size_t sorted_paths(const struct map *names, struct arena *a, char ***ret)
{
    struct slice key;
    size_t pos = 0, count = 0;
    char **paths = ARENA_ARRAY(a, char *, names->count + 1);
    while (map_next(names, &pos, &key, NULL, NULL)) paths[count++] = arena_strndup(a, key.data, key.len);
    for (size_t gap = count / 2; gap; gap /= 2)
        for (size_t i = gap; i < count; i++)
            for (size_t j = i; j >= gap && strcmp(paths[j - gap], paths[j]) > 0; j -= gap) {
                char *t = paths[j];
                paths[j] = paths[j - gap];
                paths[j - gap] = t;
            }
    *ret = paths;
    return count;
}

static void move_name(struct sim_disk *d, struct map *names, const char *from, const char *to)
{
    struct sim_node *n = map_get(names, slice_of(from));
    if (!n || strcmp(from, to) == 0) return;
    n->refs++;
    unlink_name(d, names, from);
    link_name(d, names, to, n);
    sim__unref(d, n);
    if (!n->directory) return;
    struct arena a;
    char **paths;
    arena_init(&a, MEM_TEST);
    size_t count = sorted_paths(names, &a, &paths);
    for (size_t i = 0; i < count; i++)
        if (lies_under(paths[i], from))
            move_name(d, names, paths[i], arena_printf(&a, "%s%s", to, paths[i] + strlen(from)));
    arena_release(&a);
}

static void apply_name(struct sim_disk *d, struct map *names, const struct sim_name_change *c)
{
    if (c->kind == SIM_ADD) link_name(d, names, c->path, c->node);
    else if (c->kind == SIM_REMOVE) unlink_name(d, names, c->path);
    else move_name(d, names, c->path, c->to);
}

static void free_name_change(struct sim_disk *d, struct sim_name_change *c)
{
    if (c->node) sim__unref(d, c->node);
    mem_free(MEM_TEST, c->directory);
    mem_free(MEM_TEST, c->path);
    mem_free(MEM_TEST, c->to);
    mem_free(MEM_TEST, c);
}

static void change_names(struct sim_disk *d, enum sim_name_kind kind, const char *path,
                         const char *to, struct sim_node *node)
{
    char directory[OS_PATH_MAX];
    struct sim_name_change *c = mem_alloc(MEM_TEST, sizeof *c);
    sim__parent(to ? to : path, directory);
    *c = (struct sim_name_change){.kind = kind, .directory = copy(directory), .path = copy(path),
                                  .to = copy(to), .node = node};
    if (node) node->refs++;
    apply_name(d, &d->now, c);
    *d->names_end = c;
    d->names_end = &c->next;
}

void sim__parent(const char *path, char ret[OS_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    ASSERT(len + 2 <= OS_PATH_MAX);
    if (len) memcpy(ret, path, len);
    else ret[len++] = slash ? '/' : '.';
    ret[len] = '\0';
}

struct sim_node *sim__find(const struct sim_disk *d, const char *path)
{
    return map_get(&d->now, slice_of(path));
}

struct sim_node *sim__add(struct sim_disk *d, const char *path, bool directory)
{
    struct sim_node *n = mem_alloc(MEM_TEST, sizeof *n);
    n->directory = directory;
    n->changes_end = &n->changes;
    change_names(d, SIM_ADD, path, NULL, n);
    return n;
}

void sim__remove(struct sim_disk *d, const char *path)
{
    change_names(d, SIM_REMOVE, path, NULL, NULL);
}

void sim__rename(struct sim_disk *d, const char *from, const char *to)
{
    change_names(d, SIM_RENAME, from, to, NULL);
}

void sim__sync_names(struct sim_disk *d, const char *directory)
{
    struct sim_name_change **at = &d->names;
    while (*at) {
        struct sim_name_change *c = *at;
        if (strcmp(c->directory, directory) != 0) {
            at = &c->next;
            continue;
        }
        apply_name(d, &d->stable, c);
        *at = c->next;
        free_name_change(d, c);
    }
    d->names_end = at;
}

/* --- the loss ---------------------------------------------------------------------------------- */

/* How many of a directory's changes survive, by directory. */
struct cut {
    uint64_t left;
};

static void lose_names(struct sim_disk *d, struct rng *rng, const struct sim_options *opts)
{
    struct map counts, cuts;
    struct arena a;
    map_init(&counts);
    map_init(&cuts);
    arena_init(&a, MEM_TEST);
    for (struct sim_name_change *c = d->names; c; c = c->next) {
        struct cut *n = map_get(&counts, slice_of(c->directory));
        if (!n) map_put(&counts, slice_of(c->directory), n = ARENA_NEW(&a, struct cut));
        n->left++;
    }
    while (d->names) {
        struct sim_name_change *c = d->names;
        struct cut *n = map_get(&counts, slice_of(c->directory));
        if (!map_get(&cuts, slice_of(c->directory))) {
            map_put(&cuts, slice_of(c->directory), n);
            if (opts->keep_permille == 0) n->left = 0;
            else if (opts->keep_permille < 1000) n->left = rng_below(rng, n->left + 1);
        }
        if (n->left) {
            n->left--;
            apply_name(d, &d->stable, c);
        }
        d->names = c->next;
        free_name_change(d, c);
    }
    d->names_end = &d->names;
    map_release(&counts);
    map_release(&cuts);
    arena_release(&a);
}

/* What lies in a directory that did not survive is gone too. */
static void drop_orphans(struct sim_disk *d)
{
    struct arena a;
    char **paths, parent[OS_PATH_MAX];
    arena_init(&a, MEM_TEST);
    size_t count = sorted_paths(&d->stable, &a, &paths); /* parents come before what they hold */
    for (size_t i = 0; i < count; i++) {
        sim__parent(paths[i], parent);
        if (strcmp(parent, ".") == 0 || strcmp(parent, "/") == 0) continue;
        if (!map_get(&d->stable, slice_of(parent))) unlink_name(d, &d->stable, paths[i]);
    }
    arena_release(&a);
}

/* The part of one sector that a write covers. */
static void lose_sector(struct sim_node *n, const struct sim_change *c, uint64_t from, size_t len,
                        struct rng *rng, const struct sim_options *opts)
{
    char bytes[SIM_SECTOR_BYTES];
    uint64_t fate = rng_below(rng, 1000);
    size_t take = len;
    if (c->data) memcpy(bytes, c->data + (from - c->offset), len);
    else memset(bytes, 0, len);
    if (fate >= opts->keep_permille) {
        fate -= opts->keep_permille;
        if (fate < opts->tear_permille) {
            take = rng_below(rng, len);
        } else if (fate < opts->tear_permille + opts->garbage_permille) {
            for (size_t i = 0; i < len; i++) bytes[i] = (char)rng_u64(rng);
        } else {
            return;
        }
    }
    put_bytes(&n->stable, &n->now, bytes, take, from);
    if (from + take > n->stable.bytes) n->stable.bytes = from + take;
}

static void lose_changes(struct sim_node *n, struct rng *rng, const struct sim_options *opts)
{
    for (const struct sim_change *c = n->changes; c; c = c->next) {
        if (c->kind == SIM_RESIZE) {
            if (rng_below(rng, 1000) < opts->keep_permille) set_size(&n->stable, &n->now, c->len);
            continue;
        }
        uint64_t end = c->offset + c->len;
        for (uint64_t from = c->offset; from < end;) {
            uint64_t next = (from / SIM_SECTOR_BYTES + 1) * SIM_SECTOR_BYTES;
            if (next > end) next = end;
            lose_sector(n, c, from, (size_t)(next - from), rng, opts);
            from = next;
        }
    }
    drop_changes(n);
    drop_image(&n->now, &n->stable);
    for (size_t i = 0; i < n->stable.page_count; i++) put_page(&n->now, i, n->stable.pages[i]);
    n->now.bytes = n->stable.bytes;
}

static void clear_names(struct sim_disk *d, struct map *names)
{
    size_t pos = 0;
    void *node;
    while (map_next(names, &pos, NULL, NULL, &node)) {
        if (names == &d->now) set_linked(d, node, false);
        sim__unref(d, node);
    }
    map_clear(names);
}

void sim__lose(struct sim_disk *d, struct rng *rng, const struct sim_options *opts)
{
    struct arena a;
    char **paths;
    lose_names(d, rng, opts);
    drop_orphans(d);
    clear_names(d, &d->now);
    arena_init(&a, MEM_TEST);
    size_t count = sorted_paths(&d->stable, &a, &paths);
    for (size_t i = 0; i < count; i++) {
        struct sim_node *n = map_get(&d->stable, slice_of(paths[i]));
        lose_changes(n, rng, opts);
        link_name(d, &d->now, paths[i], n);
    }
    arena_release(&a);
}

void sim__disk_init(struct sim_disk *d, uint64_t bytes_max)
{
    *d = (struct sim_disk){.bytes_max = bytes_max};
    map_init(&d->now);
    map_init(&d->stable);
    d->names_end = &d->names;
}

void sim__disk_release(struct sim_disk *d)
{
    while (d->names) {
        struct sim_name_change *c = d->names;
        d->names = c->next;
        free_name_change(d, c);
    }
    clear_names(d, &d->now);
    clear_names(d, &d->stable);
    map_release(&d->now);
    map_release(&d->stable);
}
