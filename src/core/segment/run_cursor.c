/* A cursor over a run: one pinned page and a place in it, so that moving is arithmetic but for the
 * step to the next segment. Entries point into the page. */
#include "core/segment/run.h"

#include "core/segment/run_hidden_priv.h"

enum where { AT_ENTRY, BEFORE_FIRST, AFTER_LAST };

struct run_cursor {
    struct run *r;
    struct cache_page *page; /* pinned, or NULL */
    struct segment s;        /* of the page */
    uint32_t segment, entry;
    enum where where;
    uint64_t hidden_as_of;  /* the snapshot for which what is hidden is passed over; 0: nothing is */
    const struct hidden_page *hidden; /* of the page; NULL: nothing */
    bool keys_only;
    struct page_pins *held; /* takes the pages that are left; NULL: nobody does */
};

enum status run_cursor_open(struct run *r, struct run_cursor **ret)
{
    struct run_cursor *c = mem_alloc(MEM_RUN, sizeof *c);
    c->r = r;
    c->where = BEFORE_FIRST;
    *ret = c;
    return OK;
}

static void leave_page(struct run_cursor *c)
{
    if (c->page && c->held) {
        c->held->cache = run__cache(c->r);
        ARRAY_PUSH(&c->held->pages, c->page);
    } else if (c->page) {
        cache_unpin(run__cache(c->r), c->page);
    }
    c->page = NULL;
}

void run_cursor_hold(struct run_cursor *c, struct page_pins *pins)
{
    c->held = pins;
}

void run_cursor_pass_hidden(struct run_cursor *c, uint64_t snapshot)
{
    c->hidden_as_of = snapshot;
}

uint32_t run_cursor_entry(const struct run_cursor *c)
{
    return c->entry;
}

void run_cursor_hide(struct run_cursor *c, uint32_t entry, uint64_t ts)
{
    if (!c->page || !(c->s.h->flags & SEGMENT_EACH_KEY_ONCE)) return;
    run_hidden__note(&run__hidden(c->r)[c->segment], entry, c->s.h->count, ts);
}

void run_cursor_keys_only(struct run_cursor *c)
{
    ASSERT(!c->page);
    c->keys_only = true;
}

void run_cursor_close(struct run_cursor *c)
{
    if (!c) return;
    leave_page(c);
    mem_free(MEM_RUN, c);
}

static enum status enter(struct run_cursor *c, uint32_t segment, bool for_scan)
{
    if (c->page && c->segment == segment) return OK;
    leave_page(c);
    if (c->keys_only) TRY(run__load_keys(c->r, segment, for_scan, &c->page));
    else TRY(run__load(c->r, segment, for_scan, &c->page));
    c->segment = segment;
    c->s = segment__view(cache_page_data(c->page));
    const struct hidden_page *known = c->hidden_as_of ? run__hidden_known(c->r) : NULL;
    c->hidden = known ? &known[segment] : NULL;
    return OK;
}

static enum status here(struct run_cursor *c, struct entry *ret)
{
    c->where = AT_ENTRY;
    segment__entry(&c->s, c->entry, ret);
    run__date(c->r, ret);
    return OK;
}

static enum status ended(struct run_cursor *c, enum where where)
{
    c->where = where;
    return END_OF_DATA;
}

/* To entry 0 of the segment; past the last one it is the end. */
static enum status to_first_of(struct run_cursor *c, uint32_t segment, struct entry *ret)
{
    if (segment == run__segment_count(c->r)) return ended(c, AFTER_LAST);
    TRY(enter(c, segment, true));
    c->entry = 0;
    return here(c, ret);
}

static enum status to_last_of(struct run_cursor *c, uint32_t segment, struct entry *ret)
{
    TRY(enter(c, segment, true));
    c->entry = c->s.h->count - 1;
    return here(c, ret);
}

static enum status seek(struct run_cursor *c, struct slice key, bool reverse, struct entry *ret)
{
    uint32_t last = run__segment_count(c->r) - 1;
    if (!key.data) return reverse ? to_last_of(c, last, ret) : to_first_of(c, 0, ret);
    uint32_t segment = run__find_segment(c->r, key);
    TRY(enter(c, segment, false));
    c->entry = segment__lower_bound(&c->s, key, UINT64_MAX);
    if (reverse) {
        if (c->entry) return c->entry--, here(c, ret);
        return segment ? to_last_of(c, segment - 1, ret) : ended(c, BEFORE_FIRST);
    }
    return c->entry < c->s.h->count ? here(c, ret) : to_first_of(c, segment + 1, ret);
}

enum status run_cursor_seek(struct run_cursor *c, struct slice key, bool reverse,
                            struct entry *ret)
{
    enum status s = seek(c, key, reverse, ret);
    if (s != OK) { /* a failed cursor stands nowhere: only a seek helps */
        leave_page(c);
        if (s != END_OF_DATA) c->where = AFTER_LAST;
    }
    return s;
}

enum status run_cursor_next(struct run_cursor *c, struct entry *ret)
{
    if (c->where == AFTER_LAST) return END_OF_DATA;
    if (c->where == BEFORE_FIRST) return to_first_of(c, 0, ret);
    if (c->entry + 1 < c->s.h->count) {
        c->entry++;
        return here(c, ret);
    }
    enum status s = to_first_of(c, c->segment + 1, ret);
    if (s != OK) leave_page(c), c->where = AFTER_LAST;
    return s;
}

enum status run_cursor_prev(struct run_cursor *c, struct entry *ret)
{
    if (c->where == BEFORE_FIRST) return END_OF_DATA;
    if (c->where == AFTER_LAST) return to_last_of(c, run__segment_count(c->r) - 1, ret);
    if (c->entry) {
        c->entry--;
        return here(c, ret);
    }
    enum status s = c->segment ? to_last_of(c, c->segment - 1, ret) : ended(c, BEFORE_FIRST);
    if (s != OK) leave_page(c), c->where = BEFORE_FIRST;
    return s;
}

/* --- many at once ----------------------------------------------------------------------------- */

/* Entries before this one of the page have keys below the limit. */
static uint32_t end_of(const struct run_cursor *c, struct slice limit)
{
    uint32_t count = c->s.h->count;
    if (!limit.data || slice_cmp(segment__key(&c->s, count - 1), limit) < 0) return count;
    return segment__lower_bound(&c->s, limit, UINT64_MAX);
}

/* Versions of a key come newest first, so keys need not be looked at where the later entry is no older. */
static inline bool same_key(const struct segment *s, uint32_t later, uint32_t earlier)
{
    return s->h->ts_bytes && s->heads[later] == s->heads[earlier] &&
           segment__ts(s, later) < segment__ts(s, earlier) &&
           slice_eq(segment__key(s, later), segment__key(s, earlier));
}

/* Of a history run: when the version of that row ended. */
static uint64_t end_at(const struct segment *s, uint32_t i)
{
    struct entry e;
    segment__entry(s, i, &e);
    return history_end(&e);
}

static void set_key(struct strbuf *b, struct slice key)
{
    strbuf_clear(b);
    strbuf_add(b, key.data, key.len);
}

/* In the page, from entry `i` on: one that is seen, or the page's count. */
static uint32_t next_in_page(const struct run_cursor *c, uint32_t i, uint64_t snapshot, bool history,
                             struct strbuf *last)
{
    const struct segment *s = &c->s;
    uint32_t count = s->h->count, given = count;
    bool all_visible = s->h->max_ts <= snapshot;
    if (s->h->min_ts > snapshot) return count;
    for (; (i = next_shown(c->hidden, i, count, snapshot)) < count; i++) {
        if (!all_visible && segment__ts(s, i) > snapshot) continue;
        bool same = given < count ? same_key(s, i, given)
                                  : last->data && slice_eq(segment__key(s, i), strbuf_slice(last));
        if (same) continue;
        if (!history || end_at(s, i) > snapshot) break;
        given = i;
    }
    if (given < count) set_key(last, segment__key(s, given));
    return i;
}

enum status run_cursor_next_seen(struct run_cursor *c, uint64_t snapshot, bool history,
                                 struct strbuf *last, struct entry *ret)
{
    ASSERT(c->where == AT_ENTRY);
    uint32_t i = c->entry + 1;
    for (;;) {
        i = next_in_page(c, i, snapshot, history, last);
        if (i < c->s.h->count) {
            c->entry = i;
            return here(c, ret);
        }
        enum status s = to_first_of(c, c->segment + 1, ret);
        if (s != OK) {
            leave_page(c);
            c->where = AFTER_LAST;
            return s;
        }
        i = 0;
    }
}

enum { ROWS_AHEAD = 12 };

/* Each entry is a row of its own, and all are seen. */
static uint32_t take_all(const struct segment *s, uint32_t from, uint32_t to, struct slice *keys,
                         struct slice *rows)
{
    const uint32_t *offsets = s->offsets;
    unsigned gap_bytes = s->h->flags & SEGMENT_DATED_GAPS ? GAP_BYTES : 0;
    for (uint32_t i = from; i < to; i++) {
        const char *record = s->records + segment__record(offsets[i]);
        const char *end = s->records + segment__record(offsets[i + 1]) - (offsets[i] >> 31) * gap_bytes;
        uint32_t ahead = i + ROWS_AHEAD < to ? i + ROWS_AHEAD : to;
        __builtin_prefetch(s->records + segment__record(offsets[ahead]));
        uint16_t key_len;
        memcpy(&key_len, record, sizeof key_len);
        record += sizeof key_len;
        if (keys) keys[i - from] = slice_make(record, key_len);
        record += key_len;
        rows[i - from] = slice_make(record, (size_t)(end - record));
    }
    return to - from;
}

/* How far entries are shown, the one before `i` being so. */
static uint32_t stretch(const struct run_cursor *c, uint32_t i, uint32_t end, uint64_t snapshot)
{
    if (!c->hidden) return end;
    while (i < end) {
        uint64_t hidden = hidden_word(c->hidden, i / 64, snapshot) >> i % 64;
        if (hidden) {
            i += (uint32_t)__builtin_ctzll(hidden);
            break;
        }
        i = (i / 64 + 1) * 64;
    }
    return i < end ? i : end;
}

uint32_t run_cursor_take(struct run_cursor *c, const struct run_take *q, struct slice *keys,
                         struct slice *rows, struct slice *ret_key)
{
    const struct segment *s = &c->s;
    uint32_t end = end_of(c, q->limit), n = 0, given = c->entry, i = c->entry;
    bool all_visible = s->h->max_ts <= q->snapshot;
    ASSERT(c->where == AT_ENTRY);
    bool single = !s->h->ts_bytes || s->h->flags & SEGMENT_EACH_KEY_ONCE;
    if (all_visible && single && !s->h->tombstones && !q->history) {
        while (i < end && n < q->max) {
            uint32_t to = i + 1 == end ? end : stretch(c, i + 1, end, q->snapshot);
            if (to - i > q->max - n) to = i + (q->max - n);
            n += take_all(s, i, to, keys ? keys + n : NULL, rows + n);
            given = to - 1;
            i = next_shown(c->hidden, to, end, q->snapshot);
        }
    }
    for (; i < end && n < q->max; i = next_shown(c->hidden, i + 1, end, q->snapshot)) {
        if (!all_visible && segment__ts(s, i) > q->snapshot) continue;
        if (i > c->entry && same_key(s, i, given)) continue;
        given = i;
        if (s->offsets[i] & 1) continue;
        if (q->history && end_at(s, i) <= q->snapshot) continue;
        const char *end_of_row = segment__row_end(s, i);
        struct slice key = segment__key(s, i);
        const char *row = key.data + key.len + (q->history ? HISTORY_END_BYTES : 0);
        if (keys) keys[n] = key;
        rows[n++] = slice_make(row, (size_t)(end_of_row - row));
    }
    ASSERT(i > c->entry);
    c->entry = i - 1;
    *ret_key = segment__key(s, given);
    return n;
}

/* From `i` on, the first entry of the page that was there by then, or its count. */
static uint32_t next_by(const struct segment *s, uint32_t i, uint64_t snapshot)
{
    uint32_t count = s->h->count;
    uint64_t max = snapshot - s->h->min_ts; /* the least timestamp is not above the snapshot */
    if (s->h->ts_bytes == 4) {
        for (uint32_t d; i < count; i++) {
            memcpy(&d, s->ts + 4 * (size_t)i, sizeof d);
            if (d <= max) break;
        }
        return i;
    }
    if (s->h->ts_bytes == 8) {
        for (uint64_t d; i < count; i++) {
            memcpy(&d, s->ts + 8 * (size_t)i, sizeof d);
            if (d <= max) break;
        }
        return i;
    }
    while (i < count && segment__ts(s, i) > snapshot) i++;
    return i;
}

/* Timestamps spread over the last hours take so many bytes. */
static inline uint64_t ts_of(const struct segment *s, uint32_t i)
{
    uint64_t d;
    if (s->h->ts_bytes != sizeof d) return segment__ts(s, i);
    memcpy(&d, s->ts + sizeof d * i, sizeof d);
    return s->h->min_ts + d;
}

/* Entries that are rows of their own, all of which are seen. *ret_next: where it goes on. */
static uint32_t all_rows(const struct run_cursor *c, uint64_t snapshot, struct run_row *ret, uint32_t max,
                         uint32_t *ret_next)
{
    const struct segment *s = &c->s;
    struct entry stamp = {.ts = 0};
    uint32_t n = 0, count = s->h->count, base = c->entry / 64 * 64;
    uint64_t shown = (~hidden_word(c->hidden, base / 64, snapshot) | 1ull << c->entry % 64) & ~0ull << c->entry % 64;
    run__date(c->r, &stamp);
    for (;;) {
        while (!shown && (base += 64) < count) shown = ~hidden_word(c->hidden, base / 64, snapshot);
        uint32_t at = shown ? base + (uint32_t)__builtin_ctzll(shown) : count;
        *ret_next = at < count ? at : count;
        if (at >= count || n == max) return n;
        shown &= shown - 1;
        __builtin_prefetch(s->records + segment__record(s->offsets[at + ROWS_AHEAD < count ? at + ROWS_AHEAD : at]));
        const char *end = segment__row_end(s, at);
        struct slice key = segment__key(s, at);
        const char *row = key.data + key.len;
        ret[n++] = (struct run_row){key, slice_make(row, (size_t)(end - row)), stamp.ts ? stamp.ts : ts_of(s, at),
                                    s->offsets[at] & 1, at};
    }
}

uint32_t run_cursor_rows(struct run_cursor *c, uint64_t snapshot, bool history, struct run_row *ret,
                         uint32_t max, struct slice *ret_key)
{
    const struct segment *s = &c->s;
    uint32_t count = s->h->count, n = 0, given = c->entry, i = c->entry;
    bool once = s->h->flags & SEGMENT_EACH_KEY_ONCE;
    ASSERT(c->where == AT_ENTRY);
    if (once && !history && s->h->max_ts <= snapshot) {
        n = all_rows(c, snapshot, ret, max, &i);
        given = ret[n - 1].entry;
    }
    while (n < max && (i = next_by(s, i, snapshot)) < count) {
        uint32_t at = i++, ahead = at + ROWS_AHEAD < count ? at + ROWS_AHEAD : at;
        __builtin_prefetch(s->records + segment__record(s->offsets[ahead]));
        if (at > c->entry && !once && same_key(s, at, given)) continue;
        given = at;
        const char *end = segment__row_end(s, at);
        struct entry e = {.key = segment__key(s, at), .ts = segment__ts(s, at)};
        e.row.data = e.key.data + e.key.len;
        e.row.len = (size_t)(end - e.row.data);
        if (history && history_end(&e) <= snapshot) continue;
        run__date(c->r, &e);
        ret[n++] = (struct run_row){e.key, history ? history_row(&e) : e.row, e.ts, s->offsets[at] & 1,
                                    at};
    }
    ASSERT(n > 0);
    c->entry = i - 1;
    *ret_key = segment__key(s, given);
    return n;
}
