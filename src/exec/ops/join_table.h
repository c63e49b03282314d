/* The table that a hash join probes: made once from all entries of the build side, then sealed.
 *
 * "Unchained" (Birler et al., DaMoN 2024): a directory slot holds where its entries end and 16 bits
 * that tell most misses; entries of a slot lie side by side. Keys that fit 64 bits are compared there
 * (packed); of others the entry has the hash, and the join compares the columns. Packed keys that lie
 * close together need no hash: they are positions in an array (direct).
 *
 * After join_table_seal nothing changes, so that threads may share a table; what a probe needs is the
 * caller's. */
#ifndef HELIOS_EXEC_OPS_JOIN_TABLE_H
#define HELIOS_EXEC_OPS_JOIN_TABLE_H

#include "exec/execution.h"
#include "types/vec.h"

struct join_entry {
    uint64_t key; /* packed: the key; else its hash */
    uint32_t row;
};

enum join_table_form {
    JOIN_TABLE_HASHED,
    JOIN_TABLE_DIRECT,        /* slot: key - min; its entries are `rows` between two `ends` */
    JOIN_TABLE_DIRECT_UNIQUE, /* rows[key - min]: row + 1; 0 none */
};

struct entry_block {
    struct entry_block *next;
    uint32_t count, cap;
    struct join_entry entries[];
};

struct join_table {
    bool packed;
    enum join_table_form form;
    uint64_t count;
    struct entry_block *blocks, *last; /* before it is sealed */
    int64_t min, max;                  /* packed; of an empty table min > max */
    uint64_t *ends;                    /* HASHED: ends[-1] is 0; end << 16 | tag */
    uint32_t shift;                    /* HASHED: slot is hash >> shift */
    struct join_entry *entries;
    uint32_t *rows, *starts;           /* DIRECT… */
    uint32_t part_shift;               /* a slot's part, while threads fill it together */
};

/* What a key's columns make of it. */
struct join_keys {
    uint32_t count;
    const type_id *types;
    bool packed;
};

struct join_keys join_keys_of(const type_id *types, uint32_t count);
/* Of the selected rows: those without NULL keys into `rows` and their keys (packed) or hashes into
 * `keys`, which both have room for BATCH_ROWS. Returns how many; *ret_null: a key was NULL. */
uint32_t join_keys_read(const struct join_keys *k, const struct vec *columns, const uint16_t *sel,
                        uint32_t count, uint16_t *rows, uint64_t *keys, bool *ret_null);
static inline uint64_t join_key_hash(bool packed, uint64_t key)
{
    if (!packed) return key;
    key *= 0x9e3779b97f4a7c15u;
    key ^= key >> 32;
    key *= 0xd6e8feb86659fd93u;
    return key ^ key >> 32;
}

void join_table_init(struct join_table *t, bool packed);
/* Row first_row + i has keys[i]. */
void join_table_add(struct join_table *t, struct arena *staging, const uint64_t *keys,
                    uint32_t first_row, uint32_t count);
/* Entries as they will lie; bytes that sealing takes. */
uint64_t join_table_bytes(uint64_t count);
/* As many slots for that many entries, hashed: 1 << this. */
uint32_t join_table_slot_bits(uint64_t count);
/* Do its packed keys lie close together? */
bool join_table_is_direct(const struct join_table *t, uint64_t *ret_range);
/* x asks for cancellation; NULL: nobody does. */
enum status join_table_seal(struct join_table *t, struct execution *x, struct arena *a) MUST;
/* --- by several threads (join_table_together.c) --- */

/* Tables of several threads, which are not sealed, become one: join_table_plan by one of them, _divide by
 * each with its own, _fill by whoever takes a part; one step after another. */
enum { JOIN_TABLE_PARTS = 64 };

/* A thread's entries in order of their parts; of part p those in [starts[p], starts[p + 1]). */
struct join_entries {
    struct join_entry *entries;
    uint64_t starts[JOIN_TABLE_PARTS + 1];
};

/* Before that, `t` has all that counts of them: join_table_count. Decides the form, and makes room in
 * `a`. With `again` keys that come twice are known to. Returns the number of parts. */
void join_table_count(struct join_table *t, const struct join_table *of);
uint32_t join_table_plan(struct join_table *t, struct arena *a, bool again);
enum status join_table_divide(const struct join_table *t, const struct join_table *mine,
                              uint32_t first_row, struct execution *x, struct arena *a,
                              struct join_entries *ret) MUST;
/* *ret_twice: a key came twice, so that all must be planned and filled again. */
enum status join_table_fill(struct join_table *t, struct execution *x,
                            const struct join_entries *const *of, uint32_t count, uint32_t part,
                            bool *ret_twice) MUST;
/* What counts are there become beginnings, in slots [from, to): entries before `first` come first. */
enum status join_table_sum(struct join_table *t, struct execution *x, uint64_t from, uint64_t to,
                           uint64_t first) MUST;

uint64_t join_table_slots(const struct join_table *t);

static inline uint32_t join_table_tag(uint64_t hash)
{
    return 1u << (hash & 15) | 1u << (hash >> 4 & 15) | 1u << (hash >> 8 & 15);
}

/* Narrows candidates to those that may match: sel[k] := i of keys[i], with entries [from[k], to[k])
 * to look at (positions in `entries` or, direct, in `rows`). May be done in place. */
uint32_t join_table_find(const struct join_table *t, const uint64_t *keys, uint32_t count,
                         uint16_t *sel, uint32_t *from, uint32_t *to);
/* The same question alone, for scans: of rows[i] those whose keys[i] may match go to `out`. */
uint32_t join_table_filter(const struct join_table *t, const uint64_t *keys, const uint16_t *rows,
                           uint32_t count, uint16_t *out);

#endif
