/* Tables of frequent pieces of strings, FSST's way (docs/format/column.md).
 *
 * A table grows over rounds: the sample is encoded with the table so far, while codes and pairs
 * of neighbouring codes are counted; the next table has those symbols and concatenations that
 * cover the most bytes. Encoding is greedy, the longest symbol first: one of 3 to 8 bytes is
 * found by a hash of its first 3 (of those that fall together the more useful one stays), else
 * one of 2, else one of 1. */
#include "core/column/symbols_priv.h"

#include "base/array.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"

enum {
    ROUNDS = 5,
    HASH_SLOTS = 1 << 12,
    SAMPLE_BYTES_MIN = 256,
    CANDIDATES_MAX = 1 << 15,
    NO_CODE = 0xffff,
};

struct symbols_encoder {
    struct symbols table;
    uint16_t longer[HASH_SLOTS];    /* code of a symbol of 3 and more bytes */
    uint16_t shorter[1 << 16];      /* by the next 2 bytes: a symbol of 2, or of 1 */
};

static inline uint64_t low_bytes(unsigned n)
{
    return n >= 8 ? ~0ull : (1ull << 8 * n) - 1;
}

/* Up to 8 bytes from here, zero-filled. */
static inline uint64_t peek(const char *p, const char *end)
{
    uint64_t v = 0;
    memcpy(&v, p, end - p >= 8 ? 8 : (size_t)(end - p));
    return v;
}

static inline uint32_t slot_of(uint64_t text)
{
    return (uint32_t)((text & 0xffffff) * 0x9e3779b1u >> 15) & (HASH_SLOTS - 1);
}

/* --- the encoder's index ---------------------------------------------------------------------- */

static void index_symbols(struct symbols_encoder *e)
{
    memset(e->longer, 0xff, sizeof e->longer);
    memset(e->shorter, 0xff, sizeof e->shorter);
    for (uint16_t c = 0; c < e->table.count; c++) /* first those of 1, which those of 2 go over */
        if (e->table.len[c] == 1)
            for (uint32_t next = 0; next < 256; next++)
                e->shorter[(e->table.text[c] & 255) | next << 8] = c;
    for (uint16_t c = 0; c < e->table.count; c++) {
        if (e->table.len[c] == 2) e->shorter[e->table.text[c] & 0xffff] = c;
        if (e->table.len[c] < 3) continue;
        uint16_t *slot = &e->longer[slot_of(e->table.text[c])];
        if (*slot == NO_CODE) *slot = c; /* symbols are in order of use */
    }
}

/* The code for what begins here, or SYMBOL_ESCAPE; its length in bytes. */
static inline unsigned match(const struct symbols_encoder *e, uint64_t text, size_t left,
                             unsigned *ret_len)
{
    uint16_t c = e->longer[slot_of(text)];
    if (c != NO_CODE) {
        unsigned len = e->table.len[c];
        if (len <= left && e->table.text[c] == (text & low_bytes(len))) {
            *ret_len = len;
            return c;
        }
    }
    c = e->shorter[text & 0xffff];
    if (c != NO_CODE && e->table.len[c] <= left) {
        *ret_len = e->table.len[c];
        return c;
    }
    if (c != NO_CODE) /* one byte is left, and a symbol of two was found */
        for (c = 0; c < e->table.count; c++)
            if (e->table.len[c] == 1 && e->table.text[c] == (text & 255)) {
                *ret_len = 1;
                return c;
            }
    *ret_len = 1;
    return SYMBOL_ESCAPE;
}

void symbols__encode(const struct symbols_encoder *e, struct slice s, struct strbuf *out)
{
    strbuf_reserve(out, 2 * s.len);
    char *to = out->data + out->len;
    const char *p = s.data, *end = p + s.len;
    while (p < end) {
        unsigned len, code = match(e, peek(p, end), (size_t)(end - p), &len);
        *to++ = (char)code;
        if (code == SYMBOL_ESCAPE) *to++ = *p;
        p += len;
    }
    out->len = (size_t)(to - out->data);
    *to = '\0';
}

/* --- learning --------------------------------------------------------------------------------- */

/* Codes while learning: 0 … 255 the table's, 256 + b the byte b by itself. */
enum { LEARN_CODES = 512 };

struct candidate {
    uint64_t text;
    uint32_t len;
    uint64_t gain; /* bytes that it covers; 0: free */
};

struct learner {
    struct symbols_encoder *e;
    uint32_t single[LEARN_CODES];
    uint16_t *pairs; /* LEARN_CODES squared */
    ARRAY(uint32_t) met; /* pairs that occur, by their number there */
    struct candidate *seen; /* a hash table of CANDIDATES_MAX */
    ARRAY(uint32_t) used;   /* of its slots */
};

static void count_codes(struct learner *l, const struct slice *sample, uint32_t count)
{
    memset(l->single, 0, sizeof l->single);
    for (size_t i = 0; i < l->met.count; i++) l->pairs[l->met.data[i]] = 0;
    l->met.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *p = sample[i].data, *end = p + sample[i].len;
        uint32_t before = LEARN_CODES;
        while (p < end) {
            uint64_t text = peek(p, end);
            unsigned len, code = match(l->e, text, (size_t)(end - p), &len);
            if (code == SYMBOL_ESCAPE) code = 256 + (unsigned)(text & 255);
            l->single[code]++;
            if (before < LEARN_CODES) {
                uint16_t *n = &l->pairs[before * LEARN_CODES + code];
                if (!*n) ARRAY_PUSH(&l->met, before * LEARN_CODES + code);
                if (*n < UINT16_MAX) (*n)++;
            }
            before = code;
            p += len;
        }
    }
}

static uint64_t text_of(const struct learner *l, uint32_t code, uint32_t *ret_len)
{
    *ret_len = code < 256 ? l->e->table.len[code] : 1;
    return code < 256 ? l->e->table.text[code] : code - 256;
}

static void propose(struct learner *l, uint64_t text, uint32_t len, uint64_t gain)
{
    uint32_t at = (uint32_t)hash_u64(text * 9 + len) & (CANDIDATES_MAX - 1);
    for (;; at = (at + 1) & (CANDIDATES_MAX - 1)) {
        struct candidate *c = &l->seen[at];
        if (c->gain && (c->text != text || c->len != len)) continue;
        if (!c->gain) {
            if (l->used.count >= CANDIDATES_MAX / 2) return;
            ARRAY_PUSH(&l->used, at);
        }
        c->text = text;
        c->len = len;
        c->gain += gain;
        return;
    }
}

static void propose_all(struct learner *l)
{
    for (size_t i = 0; i < l->used.count; i++) l->seen[l->used.data[i]] = (struct candidate){0};
    l->used.count = 0;
    for (uint32_t a = 0; a < LEARN_CODES; a++) {
        uint32_t len;
        if (!l->single[a]) continue;
        uint64_t text = text_of(l, a, &len);
        /* A byte of its own saves the escape, too. */
        propose(l, text, len, (uint64_t)l->single[a] * (len == 1 ? 8 : len));
    }
    for (size_t i = 0; i < l->met.count; i++) {
        uint32_t len, more, n = l->pairs[l->met.data[i]];
        uint64_t text = text_of(l, l->met.data[i] / LEARN_CODES, &len);
        if (n < 2 || len == SYMBOL_BYTES_MAX) continue;
        uint64_t both = text_of(l, l->met.data[i] % LEARN_CODES, &more);
        uint32_t sum = len + more < SYMBOL_BYTES_MAX ? len + more : SYMBOL_BYTES_MAX;
        propose(l, (text | both << 8 * len) & low_bytes(sum), sum, (uint64_t)n * sum);
    }
}

static bool better(const struct candidate *a, const struct candidate *b)
{
    if (a->gain != b->gain) return a->gain > b->gain;
    if (a->len != b->len) return a->len > b->len;
    return a->text < b->text; /* the same table from the same sample */
}

static void sift(struct candidate *heap, uint32_t n, uint32_t i)
{
    for (;;) { /* the worst on top */
        uint32_t worst = i, child = 2 * i + 1;
        if (child < n && better(&heap[worst], &heap[child])) worst = child;
        if (child + 1 < n && better(&heap[worst], &heap[child + 1])) worst = child + 1;
        if (worst == i) return;
        struct candidate t = heap[i];
        heap[i] = heap[worst];
        heap[worst] = t;
        i = worst;
    }
}

/* The best candidates become the table, in order. */
static void adopt(struct learner *l)
{
    struct candidate heap[SYMBOLS_MAX];
    uint32_t n = 0;
    for (size_t u = 0; u < l->used.count; u++) {
        uint32_t i = l->used.data[u];
        if (n < SYMBOLS_MAX) {
            heap[n++] = l->seen[i];
            if (n == SYMBOLS_MAX)
                for (uint32_t k = n / 2; k-- > 0;) sift(heap, n, k);
        } else if (better(&l->seen[i], &heap[0])) {
            heap[0] = l->seen[i];
            sift(heap, n, 0);
        }
    }
    if (n < SYMBOLS_MAX)
        for (uint32_t k = n / 2; k-- > 0;) sift(heap, n, k);
    struct symbols *t = &l->e->table;
    memset(t, 0, sizeof *t);
    t->count = (uint16_t)n;
    while (n > 0) { /* the worst last */
        t->text[n - 1] = heap[0].text;
        t->len[n - 1] = (uint8_t)heap[0].len;
        heap[0] = heap[--n];
        sift(heap, n, 0);
    }
    index_symbols(l->e);
}

struct symbols_encoder *symbols__learn(const struct slice *sample, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += sample[i].len;
    if (bytes < SAMPLE_BYTES_MIN) return NULL;
    struct learner l = {.e = mem_alloc(MEM_RUN, sizeof *l.e)};
    l.pairs = mem_alloc(MEM_RUN, LEARN_CODES * LEARN_CODES * sizeof *l.pairs);
    l.seen = mem_alloc(MEM_RUN, CANDIDATES_MAX * sizeof *l.seen);
    index_symbols(l.e);
    for (int round = 0; round < ROUNDS; round++) {
        count_codes(&l, sample, count);
        propose_all(&l);
        adopt(&l);
    }
    ARRAY_RELEASE(&l.met);
    ARRAY_RELEASE(&l.used);
    mem_free(MEM_RUN, l.pairs);
    mem_free(MEM_RUN, l.seen);
    return l.e;
}

struct symbols_encoder *symbols__encoder(const struct symbols *table)
{
    struct symbols_encoder *e = mem_alloc(MEM_RUN, sizeof *e);
    e->table = *table;
    index_symbols(e);
    return e;
}

const struct symbols *symbols__table(const struct symbols_encoder *e)
{
    return &e->table;
}

void symbols__free(struct symbols_encoder *e)
{
    mem_free(MEM_RUN, e);
}

/* --- bytes ------------------------------------------------------------------------------------ */

void symbols__store(const struct symbols *t, struct strbuf *out)
{
    strbuf_addc(out, (char)t->count);
    strbuf_add(out, t->len, t->count);
    for (uint32_t c = 0; c < t->count; c++) strbuf_add(out, &t->text[c], t->len[c]);
}

const char *symbols__load(struct slice raw, struct symbols *ret, size_t *ret_bytes)
{
    if (!raw.len) return "a table of symbols is cut off";
    size_t n = (uint8_t)raw.data[0], at = 1 + n;
    if (raw.len < at) return "a table of symbols is cut off";
    memset(ret, 0, sizeof *ret);
    ret->count = (uint16_t)n;
    for (size_t c = 0; c < n; c++) {
        uint8_t len = (uint8_t)raw.data[1 + c];
        if (!len || len > SYMBOL_BYTES_MAX) return "the length of a symbol is out of range";
        if (raw.len - at < len) return "a table of symbols is cut off";
        ret->len[c] = len;
        memcpy(&ret->text[c], raw.data + at, len);
        at += len;
    }
    *ret_bytes = at;
    return NULL;
}

bool symbols__decode(const struct symbols *t, struct slice codes, char *out, size_t room,
                     size_t *ret_len)
{
    const uint8_t *p = (const uint8_t *)codes.data, *end = p + codes.len;
    char *to = out, *limit = out + room;
    while (p < end) {
        /* A code writes 8 bytes and counts for at most 8: while four have room, none is asked. */
        while (end - p >= 4 && limit - to >= 4 * SYMBOL_BYTES_MAX) {
            uint32_t four;
            memcpy(&four, p, 4);
            if (((four & 0x7f7f7f7f) + 0x01010101) & four & 0x80808080) break; /* an escape */
            for (int k = 0; k < 4; k++, four >>= 8) {
                uint32_t c = four & 255;
                memcpy(to, &t->text[c], 8);
                to += t->len[c];
            }
            p += 4;
        }
        if (p == end) break;
        uint32_t c = *p++;
        if (c == SYMBOL_ESCAPE) {
            if (p == end || to == limit) return false;
            *to++ = (char)*p++;
            continue;
        }
        if (!t->len[c] || t->len[c] > limit - to) return false;
        memcpy(to, &t->text[c], 8);
        to += t->len[c];
    }
    *ret_len = (size_t)(to - out);
    return true;
}
