/* The sorter's own parts: sorter.c keeps rows, sorter_order.c sorts entries, sorter_runs.c writes and
 * merges what does not fit in memory. */
#ifndef HELIOS_EXEC_OPS_SORTER_PRIV_H
#define HELIOS_EXEC_OPS_SORTER_PRIV_H

#include "exec/ops/sorter.h"
#include "types/row.h"

enum { RECORD_HEAD_BYTES = 8, KEY_WORD_BYTES = 8, RUN_LEVELS_MAX = 16 };

/* A record: u32 key length | u32 row length | key | 0 to 7 bytes | row, which lies at a multiple of 8
 * from the record's start. */
static inline struct slice record_key(const char *record)
{
    uint32_t len;
    memcpy(&len, record, sizeof len);
    return slice_make(record + RECORD_HEAD_BYTES, len);
}
static inline size_t record_row_offset(uint32_t key_bytes)
{
    return RECORD_HEAD_BYTES + (((size_t)key_bytes + 7) & ~(size_t)7);
}
static inline struct slice record_row(const char *record)
{
    uint32_t lens[2];
    memcpy(lens, record, sizeof lens);
    return slice_make(record + record_row_offset(lens[0]), lens[1]);
}

struct sort_entry {
    uint64_t word; /* 8 bytes of the key as a number, zeros beyond its end */
    const char *record;
};

/* Bytes [at, at + 8) of a key, big-endian. */
static inline uint64_t key_word(struct slice key, size_t at)
{
    uint64_t w = 0;
    if (key.len >= at + KEY_WORD_BYTES) memcpy(&w, key.data + at, sizeof w);
    else if (key.len > at) memcpy(&w, key.data + at, key.len - at);
    return __builtin_bswap64(w);
}

/* sorter_order.c: sorts entries, whose words are those at 0, by whole keys; equal ones keep their
 * order. `spare` has room for as many; `work` is for moments. Words are anything afterwards. */
enum status sorter__order(struct execution *x, struct sort_entry *entries,
                          struct sort_entry *spare, uint64_t count, struct arena *work) MUST;

/* A run being merged: its foremost record. */
struct run_head {
    uint64_t word;
    struct slice key;
    const char *record; /* in the spill's buffer */
    uint32_t run;       /* earlier runs hold earlier rows */
};

/* Sorted runs, in order of arrival; runs of a level are merged into one of the next. */
struct sorted_run {
    struct spill *spill;
    uint32_t level;
};

struct sorter {
    struct execution *x;
    const struct row_layout *layout;
    uint16_t columns, *all;
    struct key_part *parts;
    uint32_t part_count;
    struct arena *own;       /* what lives to the end: this, runs' array, heads */
    struct arena *records[2], *arrays[2]; /* sides take turns */
    struct arena *batch;     /* keys of the rows that are being added: it may be sorted midway */
    struct arena *work;      /* of a sort */
    unsigned record_side, array_side;
    struct sort_entry *entries;
    uint64_t count, cap, limit, cut_at;
    const char *bound;       /* record: whatever does not come before it is left out; NULL */
    struct strbuf record;    /* the one being made */
    struct datum *row;
    struct sorted_run *runs;
    uint32_t run_count, run_cap, fan_in;
    struct run_head *heads;  /* a heap, while merging */
    uint32_t head_count;
    bool advance;            /* the foremost record has been given */
    struct strbuf last;      /* key of the last row given, for `same` */
    bool any;
    uint64_t given;          /* rows that went out; in memory also: the place */
    uint64_t disk_bytes, memory_most;
};

/* --- sorter_runs.c --- */
/* Is it time to write what is at hand, before `growth` more bytes are taken? */
bool sorter__is_full(const struct sorter *s, uint64_t growth);
/* Sorts what is at hand. */
enum status sorter__sort(struct sorter *s) MUST;
/* Sorts it, and writes it as a run. */
enum status sorter__write_run(struct sorter *s) MUST;
/* Merging of all runs: begins; the next record, until the one after is asked for; END_OF_DATA. */
enum status sorter__merge_begin(struct sorter *s) MUST;
enum status sorter__merge_next(struct sorter *s, const char **ret) MUST;
void sorter__free_runs(struct sorter *s, uint32_t from);

#endif
