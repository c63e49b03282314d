/* Sorted runs on disk, and their merging: a heap of the runs' foremost records. As many runs as their
 * buffers' memory allows are merged at once; when so many of a level have come they become one run of
 * the next level, so that each row is written again but a few times. */
#include "exec/ops/sorter_priv.h"

enum {
    FULL_PERCENT = 65,    /* of the query's memory: time to write */
    LEAST_SHARE = 16,     /* a run has at least this part of it, so that runs stay few */
    MERGE_SHARE = 8,      /* and merging's buffers at most this */
    FAN_IN_MIN = 6, FAN_IN_MAX = 64,
    CHECK_ROWS = 2048,
};

uint64_t sorter_memory(const struct sorter *s)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < 2; i++)
        bytes += arena_bytes(s->records[i]) + arena_bytes(s->arrays[i]);
    return bytes;
}

bool sorter__is_full(const struct sorter *s, uint64_t growth)
{
    uint64_t limit = exec_memory_limit(s->x);
    if (limit == UINT64_MAX) return false;
    uint64_t spare = s->count * sizeof *s->entries; /* sorting needs it */
    if (exec_memory_used(s->x) + growth + spare <= limit / 100 * FULL_PERCENT) return false;
    return sorter_memory(s) + spare >= limit / LEAST_SHARE;
}

enum status sorter__sort(struct sorter *s)
{
    if (s->count < 2) return OK;
    struct arena *other = s->arrays[s->array_side ^ 1];
    arena_release(other);
    struct sort_entry *spare = arena_alloc(other, s->count * sizeof *spare);
    arena_clear(s->work);
    enum status st = sorter__order(s->x, s->entries, spare, s->count, s->work);
    uint64_t now = sorter_memory(s);
    if (now > s->memory_most) s->memory_most = now;
    arena_release(other);
    return st;
}

/* --- merging ----------------------------------------------------------------------------------- */

static inline bool comes_before(const struct run_head *a, const struct run_head *b)
{
    if (a->word != b->word) return a->word < b->word;
    int c = slice_cmp(a->key, b->key);
    return c ? c < 0 : a->run < b->run;
}

static void sift_down(struct sorter *s, uint32_t at)
{
    struct run_head moving = s->heads[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= s->head_count) break;
        if (child + 1 < s->head_count && comes_before(&s->heads[child + 1], &s->heads[child])) child++;
        if (!comes_before(&s->heads[child], &moving)) break;
        s->heads[at] = s->heads[child];
        at = child;
    }
    s->heads[at] = moving;
}

/* The run's next record; END_OF_DATA after its last. */
static enum status load_head(struct sorter *s, struct run_head *h)
{
    struct slice record;
    TRY(spill_next_bytes(s->runs[h->run].spill, &record));
    h->record = record.data;
    h->key = record_key(record.data);
    h->word = key_word(h->key, 0);
    return OK;
}

static enum status begin(struct sorter *s, uint32_t from)
{
    s->head_count = 0;
    s->advance = false;
    for (uint32_t r = from; r < s->run_count; r++) {
        struct run_head h = {.run = r};
        TRY(spill_rewind(s->runs[r].spill));
        TRY(load_head(s, &h)); /* no run is empty */
        s->heads[s->head_count++] = h;
    }
    for (uint32_t i = s->head_count / 2; i-- > 0;) sift_down(s, i);
    return OK;
}

enum status sorter__merge_next(struct sorter *s, const char **ret)
{
    if (s->advance) {
        enum status st = load_head(s, &s->heads[0]);
        if (st == END_OF_DATA) s->heads[0] = s->heads[--s->head_count];
        else TRY(st);
        if (s->head_count) sift_down(s, 0);
    }
    s->advance = s->head_count > 0;
    if (!s->head_count) return END_OF_DATA;
    *ret = s->heads[0].record;
    return OK;
}

void sorter__free_runs(struct sorter *s, uint32_t from)
{
    while (s->run_count > from) spill_free(s->runs[--s->run_count].spill);
}

static struct slice whole_record(const char *record)
{
    struct slice row = record_row(record);
    return slice_make(record, (size_t)(row.data + row.len - record));
}

static void add_run(struct sorter *s, struct spill *spill, uint32_t level)
{
    if (s->run_count == s->run_cap) {
        uint32_t cap = s->run_cap ? s->run_cap * 2 : 16;
        struct sorted_run *grown = arena_alloc(s->own, cap * sizeof *grown);
        if (s->run_count) memcpy(grown, s->runs, s->run_count * sizeof *grown);
        s->runs = grown;
        s->run_cap = cap;
    }
    s->runs[s->run_count++] = (struct sorted_run){spill, level};
    s->disk_bytes += spill_bytes(spill);
}

/* The runs from `from` on become one. */
static enum status merge_runs(struct sorter *s, uint32_t from)
{
    struct spill *to;
    uint32_t level = s->runs[from].level + 1;
    const char *record;
    TRY(begin(s, from));
    TRY(spill_new(s->x, 0, NULL, &to));
    for (uint64_t rows = 0; rows < s->limit; rows++) {
        enum status st = sorter__merge_next(s, &record);
        if (st == END_OF_DATA) break;
        TRY(st);
        TRY(spill_add_bytes(to, whole_record(record)));
        if (rows % CHECK_ROWS == 0) TRY(exec_check(s->x));
    }
    TRY(spill_rest(to));
    sorter__free_runs(s, from);
    add_run(s, to, level);
    return OK;
}

/* Runs at the end that are of one level and as many as can be merged. */
static enum status merge_levels(struct sorter *s)
{
    for (;;) {
        uint32_t n = 1, last = s->run_count - 1;
        while (n <= last && s->runs[last - n].level == s->runs[last].level) n++;
        if (n < s->fan_in) return OK;
        TRY(merge_runs(s, s->run_count - n));
    }
}

static void find_fan_in(struct sorter *s)
{
    uint64_t n = exec_memory_limit(s->x) / MERGE_SHARE / spill_buffer_bytes(s->x);
    s->fan_in = n < FAN_IN_MIN ? FAN_IN_MIN : n > FAN_IN_MAX ? FAN_IN_MAX : (uint32_t)n;
    s->heads = ARENA_ARRAY(s->own, struct run_head, s->fan_in);
}

enum status sorter__write_run(struct sorter *s)
{
    struct spill *to;
    if (!s->fan_in) find_fan_in(s);
    TRY(sorter__sort(s));
    TRY(spill_new(s->x, 0, NULL, &to));
    for (uint64_t i = 0; i < s->count && i < s->limit; i++) {
        TRY(spill_add_bytes(to, whole_record(s->entries[i].record)));
        if (i % CHECK_ROWS == 0) TRY(exec_check(s->x));
    }
    TRY(spill_rest(to));
    for (unsigned i = 0; i < 2; i++) {
        arena_release(s->records[i]);
        arena_release(s->arrays[i]);
    }
    s->entries = NULL;
    s->bound = NULL;
    s->count = s->cap = 0;
    add_run(s, to, 0);
    return merge_levels(s);
}

/* The last runs, which are the smallest, are merged first until all can be merged at once. */
enum status sorter__merge_begin(struct sorter *s)
{
    while (s->run_count > s->fan_in) {
        uint32_t n = s->run_count - s->fan_in + 1;
        TRY(merge_runs(s, s->run_count - (n < s->fan_in ? n : s->fan_in)));
    }
    return begin(s, 0);
}
