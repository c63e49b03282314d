/* Segments: a checked, perhaps compressed, body behind a header of 128 bytes
 * (docs/format/segment.md).
 *
 * A decoded row segment is searched where it lies, without a step of decoding: an array of 4-byte
 * key heads (what follows the prefix that all its keys share) settles nearly every comparison
 * within a few cache lines; an offset array leads to whole keys and rows, so an entry is two
 * pointers into the page. That keeps shared key bytes in memory; on disk LZ4 removes them. */
#include "core/segment/segment_priv.h"

#include <lz4.h>

#include "base/hash.h"

/* --- sealing and opening ---------------------------------------------------------------------- */

void block_buf__reserve(struct block_buf *b, size_t more)
{
    if (b->len + more <= b->cap) return;
    size_t cap = b->cap ? b->cap * 2 : 64 << 10;
    if (cap < b->len + more) cap = b->len + more;
    cap = (cap + BLOCK_BYTES - 1) & ~(size_t)(BLOCK_BYTES - 1);
    char *data = mem_alloc_aligned(MEM_RUN, BLOCK_BYTES, cap);
    if (b->len) memcpy(data, b->data, b->len);
    mem_free(MEM_RUN, b->data);
    b->data = data;
    b->cap = cap;
}

void block_buf__release(struct block_buf *b)
{
    mem_free(MEM_RUN, b->data);
    *b = (struct block_buf){0};
}

static uint32_t checksum(const struct segment_header *h, const char *stored)
{
    uint32_t crc = crc32c(0, h, offsetof(struct segment_header, crc));
    return crc32c(crc, stored, h->stored_bytes);
}

void segment__seal(struct segment_header *h, struct slice body, bool compress,
                   struct block_buf *out)
{
    ASSERT(body.len <= SEGMENT_BODY_MAX && out->len % BLOCK_BYTES == 0);
    h->magic = SEGMENT_MAGIC;
    h->version = SEGMENT_VERSION;
    h->codec = CODEC_NONE;
    h->body_bytes = h->stored_bytes = (uint32_t)body.len;
    block_buf__reserve(out, sizeof *h + body.len + BLOCK_BYTES);
    char *at = out->data + out->len, *stored = at + sizeof *h;
    if (compress && body.len) {
        size_t enough = body.len - body.len / 8;
        int n = LZ4_compress_default(body.data, stored, (int)body.len, (int)enough);
        if (n > 0) {
            h->codec = CODEC_LZ4;
            h->stored_bytes = (uint32_t)n;
        }
    }
    if (h->codec == CODEC_NONE && body.len) memcpy(stored, body.data, body.len);
    h->crc = checksum(h, stored);
    memcpy(at, h, sizeof *h);
    size_t used = sizeof *h + h->stored_bytes, whole = segment__disk_bytes(h);
    memset(at + used, 0, whole - used);
    out->len += whole;
}

const char *segment__check(struct slice raw, enum segment_kind kind)
{
    struct segment_header h;
    if (raw.len < sizeof h) return "it is too short";
    memcpy(&h, raw.data, sizeof h);
    if (h.magic != SEGMENT_MAGIC) return "it does not begin with a segment header";
    if (h.version != SEGMENT_VERSION) return "its version is unknown";
    if (h.body_bytes > SEGMENT_BODY_MAX || h.stored_bytes > h.body_bytes ||
        h.stored_bytes > raw.len - sizeof h)
        return "its length is out of range";
    if (checksum(&h, raw.data + sizeof h) != h.crc) return "checksum mismatch";
    if (h.kind != kind) return "it is of another kind";
    if (h.codec > CODEC_LZ4 || (h.codec == CODEC_NONE && h.stored_bytes != h.body_bytes))
        return "its codec is unknown";
    return NULL;
}

static const char *check_rows(const struct segment_header *h)
{
    unsigned w = h->ts_bytes;
    if (!h->count || h->count > h->body_bytes / 8) return "its entry count is out of range";
    if (w > 8 || (w & (w - 1))) return "its timestamp width is out of range";
    size_t start = segment__records_offset(h->count, w);
    if (start > h->body_bytes) return "its entry count is out of range";
    struct segment s = segment__view(h);
    size_t end = h->body_bytes - start, at = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        size_t next = segment__record(s.offsets[i + 1]);
        uint16_t key_len;
        if (segment__record(s.offsets[i]) != at || next > end || next < at + sizeof key_len)
            return "an offset is out of range";
        memcpy(&key_len, s.records + at, sizeof key_len);
        bool dated = s.offsets[i] & SEGMENT_GAP && h->flags & SEGMENT_DATED_GAPS;
        size_t row_end = next - (dated ? GAP_BYTES : 0);
        if (row_end > next || row_end < at + sizeof key_len || key_len > row_end - at - sizeof key_len ||
            key_len < h->prefix_len)
            return "a key length is out of range";
        at = next;
    }
    return at == end ? NULL : "an offset is out of range";
}

static uint32_t head_of(struct slice key, size_t from);

/* Keys without rows are many, and all there is: on disk heads are zeros, offsets are the lengths of records, and a record is
 * what it differs in from the one before, all of which compresses to little. */
static void xor_records(char *records, const uint32_t *lengths, uint32_t n)
{
    char *at = records;
    for (uint32_t i = 0; i < n; i++) at += segment__record(lengths[i]);
    for (uint32_t i = n; i-- > 1;) { /* from behind, so that the one before is still whole */
        uint32_t len = segment__record(lengths[i]), before = segment__record(lengths[i - 1]);
        at -= len;
        for (uint32_t k = 0; k < len && k < before; k++) at[k] ^= (at - before)[k];
    }
}

static void fold_offsets(uint32_t *offsets, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = segment__record(offsets[i + 1]) - segment__record(offsets[i]);
        offsets[i] = len << 1 | (offsets[i] & (SEGMENT_GAP | 1));
    }
    offsets[n] = 0;
}

static const char *unfold(struct segment_header *h)
{
    static const char *const wrong = "an offset is out of range";
    uint32_t n = h->count, *heads = (uint32_t *)(void *)(h + 1), *offsets = heads + n;
    uint64_t at = 0;
    if (!n || n > h->body_bytes / 8 || segment__records_offset(n, h->ts_bytes) > h->body_bytes) return wrong;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = segment__record(offsets[i]);
        offsets[i] = (uint32_t)at << 1 | (offsets[i] & (SEGMENT_GAP | 1));
        at += len;
        if (at > h->body_bytes) return wrong;
    }
    struct segment s = segment__view(h);
    char *records = (char *)(h + 1) + segment__records_offset(n, h->ts_bytes);
    if (at != h->body_bytes - segment__records_offset(n, h->ts_bytes)) return wrong;
    offsets[n] = (uint32_t)at << 1;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t from = segment__record(offsets[i]), before = segment__record(offsets[i - 1]);
        uint32_t len = segment__record(offsets[i + 1]) - from;
        for (uint32_t k = 0; k < len && k < from - before; k++) records[from + k] ^= records[before + k];
    }
    const char *bad = check_rows(h);
    for (uint32_t i = 0; !bad && i < n; i++) heads[i] = head_of(segment__key(&s, i), h->prefix_len);
    return bad;
}

const char *segment__unpack(struct slice raw, void *page)
{
    struct segment_header *h = page;
    memcpy(h, raw.data, sizeof *h);
    const char *stored = raw.data + sizeof *h;
    if (h->codec == CODEC_LZ4) {
        int n = LZ4_decompress_safe(stored, (char *)(h + 1), (int)h->stored_bytes,
                                    (int)h->body_bytes);
        if (n < 0 || (uint32_t)n != h->body_bytes) return "it does not decompress";
    } else if (h->body_bytes) {
        memcpy(h + 1, stored, h->body_bytes);
    }
    if (h->kind != SEGMENT_ROWS) return NULL;
    return h->flags & SEGMENT_ROWS_APART ? unfold(h) : check_rows(h);
}

/* --- searching -------------------------------------------------------------------------------- */

uint64_t segment__ts(const struct segment *s, uint32_t i)
{
    switch (s->h->ts_bytes) {
    case 0:
        return s->h->min_ts;
    case 1:
        return s->h->min_ts + s->ts[i];
    case 2: {
        uint16_t d;
        memcpy(&d, s->ts + 2 * (size_t)i, sizeof d);
        return s->h->min_ts + d;
    }
    case 4: {
        uint32_t d;
        memcpy(&d, s->ts + 4 * (size_t)i, sizeof d);
        return s->h->min_ts + d;
    }
    default: {
        uint64_t d;
        memcpy(&d, s->ts + 8 * (size_t)i, sizeof d);
        return s->h->min_ts + d;
    }
    }
}

void segment__entry(const struct segment *s, uint32_t i, struct entry *ret)
{
    const char *end = segment__row_end(s, i);
    ret->key = segment__key(s, i);
    ret->after = 0;
    ret->ts = segment__ts(s, i);
    ret->tombstone = s->offsets[i] & 1;
    ret->gap = !(s->h->flags & SEGMENT_TELLS_GAPS) || (s->offsets[i] & SEGMENT_GAP);
    if (s->offsets[i] & SEGMENT_GAP && s->h->flags & SEGMENT_DATED_GAPS) memcpy(&ret->after, end, GAP_BYTES);
    ret->row = slice_make(ret->key.data + ret->key.len,
                          (size_t)(end - (ret->key.data + ret->key.len)));
}

static uint32_t head_of(struct slice key, size_t from)
{
    uint8_t b[4] = {0};
    size_t n = key.len > from ? key.len - from : 0;
    if (n) memcpy(b, key.data + from, n < 4 ? n : 4);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool entry_before(const struct segment *s, uint32_t i, struct slice key, uint64_t ts)
{
    int c = slice_cmp(segment__key(s, i), key);
    return c < 0 || (c == 0 && segment__ts(s, i) > ts);
}

uint32_t segment__lower_bound(const struct segment *s, struct slice key, uint64_t ts)
{
    uint32_t prefix_len = s->h->prefix_len;
    if (prefix_len) {
        size_t common = key.len < prefix_len ? key.len : prefix_len;
        int c = common ? memcmp(key.data, segment__key(s, 0).data, common) : 0;
        if (c < 0 || (c == 0 && key.len < prefix_len)) return 0;
        if (c > 0) return s->h->count;
    }
    return segment__find(s, key, ts);
}

uint32_t segment__find(const struct segment *s, struct slice key, uint64_t ts)
{
    uint32_t n = s->h->count, head = head_of(key, s->h->prefix_len), low = 0;
    for (uint32_t len = n; len > 1;) { /* first entry with a head at or above, without branches */
        uint32_t half = len / 2;
        low += s->heads[low + half - 1] < head ? half : 0;
        len -= half;
    }
    low += s->heads[low] < head;
    uint32_t high = n;
    if (low == n || s->heads[low] != head) return low;
    if (low + 1 == n || s->heads[low + 1] != head) return low + entry_before(s, low, key, ts);
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (s->heads[mid] == head && entry_before(s, mid, key, ts)) low = mid + 1;
        else high = mid;
    }
    return low;
}

/* --- building --------------------------------------------------------------------------------- */

void segment_rows__add(struct segment_rows *r, const struct entry *e)
{
    ASSERT(e->key.len <= SEGMENT_KEY_MAX);
    if (!r->records.data) {
        strbuf_init(&r->records, NULL);
        strbuf_init(&r->body, NULL);
    }
    uint16_t key_len = (uint16_t)e->key.len;
    bool first = !r->offsets.count;
    ARRAY_PUSH(&r->offsets, (uint32_t)r->records.len << 1 | e->tombstone | (e->gap ? SEGMENT_GAP : 0));
    ARRAY_PUSH(&r->ts, e->ts);
    strbuf_reserve(&r->records, sizeof key_len + e->key.len + e->row.len);
    strbuf_add(&r->records, &key_len, sizeof key_len);
    strbuf_add(&r->records, e->key.data, e->key.len);
    strbuf_add(&r->records, e->row.data, e->row.len);
    if (e->gap && r->dates_gaps) {
        strbuf_add(&r->records, &e->after, sizeof e->after);
        r->dated = true;
    }
    ASSERT(r->records.len <= SEGMENT_BODY_MAX / 2);
    r->tombstones += e->tombstone;
    if (first || e->ts < r->min_ts) r->min_ts = e->ts;
    if (first || e->ts > r->max_ts) r->max_ts = e->ts;
}

void segment_rows__note_gap(struct segment_rows *r, uint64_t after)
{
    ASSERT(r->offsets.count && r->dates_gaps);
    if (ARRAY_LAST(&r->offsets) & SEGMENT_GAP) {
        memcpy(r->records.data + r->records.len - sizeof after, &after, sizeof after);
        return;
    }
    ARRAY_LAST(&r->offsets) |= SEGMENT_GAP;
    strbuf_add(&r->records, &after, sizeof after);
    r->dated = true;
}

static struct slice key_at(const struct segment_rows *r, size_t i)
{
    const char *p = r->records.data + segment__record(r->offsets.data[i]);
    uint16_t len;
    memcpy(&len, p, sizeof len);
    return slice_make(p + sizeof len, len);
}

struct slice segment_rows__last_key(const struct segment_rows *r)
{
    ASSERT(r->offsets.count);
    return key_at(r, r->offsets.count - 1);
}

static unsigned ts_width(uint64_t range)
{
    if (range > UINT32_MAX) return 8;
    return !range ? 0 : range <= UINT8_MAX ? 1 : range <= UINT16_MAX ? 2 : 4;
}

void segment_rows__seal(struct segment_rows *r, uint64_t tree, bool compress,
                        struct block_buf *out)
{
    uint32_t n = (uint32_t)r->offsets.count, zero = 0;
    ASSERT(n);
    struct slice first = key_at(r, 0), last = key_at(r, n - 1);
    uint32_t prefix_len = 0;
    while (prefix_len < first.len && prefix_len < last.len &&
           first.data[prefix_len] == last.data[prefix_len])
        prefix_len++;
    struct segment_header h = {
        .kind = SEGMENT_ROWS, .tree = tree, .count = n, .tombstones = r->tombstones,
        .min_ts = r->min_ts, .max_ts = r->max_ts, .prefix_len = prefix_len,
        .ts_bytes = (uint8_t)ts_width(r->max_ts - r->min_ts), .flags = SEGMENT_TELLS_GAPS | SEGMENT_EACH_KEY_ONCE,
    };
    strbuf_clear(&r->body);
    strbuf_reserve(&r->body, segment__records_offset(n, h.ts_bytes) + r->records.len);
    uint32_t last_head = 0;
    if (r->dated) h.flags |= SEGMENT_DATED_GAPS;
    if (r->apart) h.flags |= SEGMENT_ROWS_APART;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t head = head_of(key_at(r, i), prefix_len);
        strbuf_add(&r->body, r->apart ? &zero : &head, sizeof head);
        bool again = i && head == last_head && slice_eq(key_at(r, i), key_at(r, i - 1));
        if (again) h.flags &= (uint8_t)~SEGMENT_EACH_KEY_ONCE;
        last_head = head;
    }
    ARRAY_PUSH(&r->offsets, (uint32_t)r->records.len << 1);
    if (r->apart) fold_offsets(r->offsets.data, n);
    strbuf_add(&r->body, r->offsets.data, r->offsets.count * sizeof *r->offsets.data);
    strbuf_add(&r->body, &zero, sizeof zero);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t d = r->ts.data[i] - r->min_ts;
        strbuf_add(&r->body, &d, h.ts_bytes); /* little-endian: the low bytes come first */
    }
    strbuf_add(&r->body, r->records.data, r->records.len);
    if (r->apart) xor_records(r->body.data + r->body.len - r->records.len, r->offsets.data, n);
    segment__seal(&h, strbuf_slice(&r->body), compress, out);
    r->offsets.count = r->ts.count = 0;
    strbuf_clear(&r->records);
    r->dated = false;
    r->tombstones = 0;
}

void segment_rows__release(struct segment_rows *r)
{
    ARRAY_RELEASE(&r->offsets);
    ARRAY_RELEASE(&r->ts);
    strbuf_release(&r->records);
    strbuf_release(&r->body);
}

/* --- inspecting ------------------------------------------------------------------------------- */

static void inspect_key(struct strbuf *out, const char *name, struct slice key)
{
    enum { SHOWN_MAX = 64 };
    strbuf_addf(out, "  %s (%zu bytes) ", name, key.len);
    for (size_t i = 0; i < key.len && i < SHOWN_MAX; i++)
        strbuf_addf(out, "%02x", (uint8_t)key.data[i]);
    strbuf_adds(out, key.len > SHOWN_MAX ? "…\n" : "\n");
}

static enum status inspect_one(struct slice raw, size_t at, struct strbuf *out)
{
    static const char *const kinds[] = {"?", "rows", "fences", "filter", "an index of columns"};
    struct segment_header h;
    struct slice rest = {raw.data + at, raw.len - at};
    memcpy(&h, rest.data, sizeof h);
    uint8_t kind = h.kind <= SEGMENT_COLUMNS ? h.kind : 0;
    strbuf_addf(out, "offset %zu: segment of %s, tree %llu\n", at, kinds[kind],
                (unsigned long long)h.tree);
    strbuf_addf(out, "  count %u, tombstones %u, body %u bytes, stored %u bytes (%s)\n", h.count,
                h.tombstones, h.body_bytes, h.stored_bytes,
                h.codec == CODEC_LZ4 ? "lz4" : h.codec == CODEC_NONE ? "plain" : "unknown codec");
    strbuf_addf(out, "  timestamps %llu to %llu in %u bytes each, common key prefix %u bytes\n",
                (unsigned long long)h.min_ts, (unsigned long long)h.max_ts, h.ts_bytes,
                h.prefix_len);
    const char *wrong = segment__check(rest, (enum segment_kind)h.kind);
    void *page = wrong ? NULL : mem_alloc(MEM_RUN, segment__page_bytes(&h));
    if (!wrong) wrong = segment__unpack(rest, page);
    if (!wrong && h.kind == SEGMENT_ROWS) {
        struct segment s = segment__view(page);
        inspect_key(out, "first key", segment__key(&s, 0));
        inspect_key(out, "last key", segment__key(&s, h.count - 1));
    }
    mem_free(MEM_RUN, page);
    if (!wrong) return OK;
    return FAIL(DATA_CORRUPTED, "invalid segment at offset %zu: %s", at, wrong);
}

enum status segment_inspect(struct slice bytes, struct strbuf *out)
{
    size_t at = 0;
    uint32_t magic;
    do { /* zeros after the last one fill up the extent */
        if (bytes.len - at < sizeof(struct segment_header))
            return FAIL(DATA_CORRUPTED, "invalid segment at offset %zu: it is too short", at);
        memcpy(&magic, bytes.data + at, sizeof magic);
        if (at && magic != SEGMENT_MAGIC) return OK; /* a segment of columns is explained by itself */
        TRY(inspect_one(bytes, at, out));
        struct segment_header h;
        memcpy(&h, bytes.data + at, sizeof h);
        at += segment__disk_bytes(&h);
    } while (at < bytes.len);
    return OK;
}
