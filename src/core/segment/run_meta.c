/* The meta blob of a run: all that the manifest says of it (docs/format/run.md). */
#include "base/hash.h"
#include "core/segment/segment_priv.h"

enum {
    META_MAGIC = 0x314e5248, /* "HRN1" */
    META_VERSION = 1,
    META_VERSION_STAMPED = 2,
    META_VERSION_COLUMNS = 3,
    META_VERSION_STAMPED_COLUMNS = 4,
    META_VERSION_APART = 5,         /* columns, and no rows beside them */
    META_VERSION_STAMPED_APART = 6,
};

static bool is_stamped(uint32_t version)
{
    return version % 2 == 0;
}

static uint32_t version_of(const struct run_meta *m)
{
    uint32_t plain = m->form >= RUN_COLUMN ? META_VERSION_APART
                     : m->columns.blocks   ? META_VERSION_COLUMNS
                                           : META_VERSION;
    return plain + m->stamped;
}

/* docs/format/run.md; extents, keys and a CRC-32C follow. */
struct meta_fixed {
    uint32_t magic, version;
    uint64_t tree, entries, tombstones, keys, min_ts, max_ts;
    uint32_t segments, extents;
    struct place fences, filter;
    uint32_t min_key_len, max_key_len;
};
_Static_assert(sizeof(struct meta_fixed) == 96, "docs/format/run.md");
_Static_assert(sizeof(struct extent) == 12, "docs/format/run.md");

/* Behind the keys, where there is a column part. */
struct meta_columns {
    struct place index;
    uint32_t kind; /* of the column segments of a run without rows; else 0 */
    uint64_t bytes;
};
_Static_assert(sizeof(struct meta_columns) == 24, "docs/format/run.md");

void run_meta__encode(const struct run_meta *m, struct strbuf *out)
{
    struct meta_fixed f = {
        .magic = META_MAGIC, .version = version_of(m),
        .tree = m->tree, .entries = m->entries,
        .tombstones = m->tombstones, .keys = m->keys, .min_ts = m->min_ts, .max_ts = m->max_ts,
        .segments = m->segments, .extents = m->extent_count, .fences = m->fences,
        .filter = m->filter, .min_key_len = (uint32_t)m->min_key.len,
        .max_key_len = (uint32_t)m->max_key.len,
    };
    size_t start = out->len;
    strbuf_add(out, &f, sizeof f);
    strbuf_add(out, m->extents, m->extent_count * sizeof *m->extents);
    strbuf_add(out, m->min_key.data, m->min_key.len);
    strbuf_add(out, m->max_key.data, m->max_key.len);
    struct meta_columns c = {.index = m->columns, .bytes = m->column_bytes};
    if (m->form >= RUN_COLUMN) c.kind = m->form - RUN_COLUMN + 1;
    if (m->columns.blocks) strbuf_add(out, &c, sizeof c);
    uint32_t crc = crc32c(0, out->data + start, out->len - start);
    strbuf_add(out, &crc, sizeof crc);
}

bool run_meta__has(const struct run_meta *m, struct place p)
{
    if (p.extent >= m->extent_count) return false;
    uint32_t blocks = m->extents[p.extent].blocks;
    return p.blocks && p.block < blocks && p.blocks <= blocks - p.block;
}

enum status run_meta__decode(struct slice blob, struct arena *a, struct run_meta *ret)
{
    struct meta_fixed f;
    uint32_t crc = 0;
    size_t len = blob.len - sizeof crc;
    if (blob.len >= sizeof f + sizeof crc) {
        memcpy(&f, blob.data, sizeof f);
        memcpy(&crc, blob.data + len, sizeof crc);
    }
    if (blob.len < sizeof f + sizeof crc || crc32c(0, blob.data, len) != crc ||
        f.magic != META_MAGIC || f.version < META_VERSION || f.version > META_VERSION_STAMPED_APART)
        return FAIL(DATA_CORRUPTED, "invalid description of a run");
    const char *at = blob.data + sizeof f;
    struct meta_columns c = {.kind = 0};
    size_t columns = f.version >= META_VERSION_COLUMNS ? sizeof c : 0;
    uint64_t need = sizeof f + (uint64_t)f.extents * sizeof(struct extent) + f.min_key_len +
                    (uint64_t)f.max_key_len + columns;
    if (need != len || !f.segments) return FAIL(DATA_CORRUPTED, "invalid description of a run");
    *ret = (struct run_meta){
        .tree = f.tree, .entries = f.entries, .tombstones = f.tombstones, .keys = f.keys,
        .min_ts = f.min_ts, .max_ts = f.max_ts, .segments = f.segments, .fences = f.fences,
        .filter = f.filter, .extent_count = f.extents,
        .stamped = is_stamped(f.version),
    };
    ret->extents = arena_memdup(a, at, f.extents * sizeof(struct extent));
    at += f.extents * sizeof(struct extent);
    ret->min_key = slice_make(at, f.min_key_len);
    ret->max_key = slice_make(at + f.min_key_len, f.max_key_len);
    if (columns) memcpy(&c, at + f.min_key_len + f.max_key_len, sizeof c);
    ret->columns = c.index;
    ret->column_bytes = c.bytes;
    if (columns) ret->form = RUN_DUAL;
    if (f.version >= META_VERSION_APART) ret->form = RUN_COLUMN + c.kind - 1;
    if (f.version >= META_VERSION_APART && c.kind - 1 > RUN_COMPRESSED - RUN_COLUMN)
        return FAIL(DATA_CORRUPTED, "invalid description of a run");
    for (uint32_t i = 0; i < f.extents; i++)
        if (ret->extents[i].blocks > EXTENT_BLOCKS_MAX)
            return FAIL(DATA_CORRUPTED, "invalid description of a run");
    if (!run_meta__has(ret, f.fences) || (f.filter.blocks && !run_meta__has(ret, f.filter)) ||
        (columns && !run_meta__has(ret, c.index)))
        return FAIL(DATA_CORRUPTED, "invalid description of a run");
    return OK;
}

enum status run_meta_extents(struct slice meta, struct arena *a, struct extent **ret,
                             uint32_t *ret_count)
{
    struct run_meta m;
    TRY(run_meta__decode(meta, a, &m));
    *ret = m.extents;
    *ret_count = m.extent_count;
    return OK;
}

bool run_meta_stampable(struct slice meta)
{
    struct meta_fixed f;
    if (meta.len < sizeof f + sizeof(uint32_t)) return false;
    memcpy(&f, meta.data, sizeof f);
    return is_stamped(f.version);
}

void run_meta_stamp(struct slice meta, uint64_t ts)
{
    struct meta_fixed f;
    char *at = (char *)meta.data;
    memcpy(&f, at, sizeof f);
    ASSERT(is_stamped(f.version));
    f.min_ts = f.max_ts = ts;
    memcpy(at, &f, sizeof f);
    size_t len = meta.len - sizeof(uint32_t);
    uint32_t crc = crc32c(0, at, len);
    memcpy(at + len, &crc, sizeof crc);
}

void run_meta_place(struct slice meta, const struct extent *extents)
{
    struct meta_fixed f;
    char *at = (char *)meta.data;
    memcpy(&f, at, sizeof f);
    memcpy(at + sizeof f, extents, f.extents * sizeof *extents);
    size_t len = meta.len - sizeof(uint32_t);
    uint32_t crc = crc32c(0, at, len);
    memcpy(at + len, &crc, sizeof crc);
}
