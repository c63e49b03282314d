/* Inside the folder: which parts of a file are free. */
#ifndef HELIOS_CORE_FILE_BLOCKS_PRIV_H
#define HELIOS_CORE_FILE_BLOCKS_PRIV_H

#include "core/file/blocks.h"

enum {
    BUDDY_CELL_BLOCKS = EXTENT_BLOCKS_MIN, /* what the allocator counts in */
    BUDDY_ORDERS = 16,                     /* 1 … 32,768 cells: 8 … 262,144 blocks */
};

/* A binary buddy allocator over cells 0 … count-1. A chunk of order n has 2^n cells, is aligned to
 * its size, and has one bit in free[n] when it is free as a whole and not part of a larger free
 * chunk. Not thread-safe. */
struct buddy {
    uint32_t cells;
    uint32_t cells_free;
    uint64_t *free[BUDDY_ORDERS];
    uint32_t free_count[BUDDY_ORDERS];
    uint32_t hint[BUDDY_ORDERS]; /* no free chunk lies in a word before this one */
};

void buddy__init(struct buddy *b, uint32_t cells); /* all free */
void buddy__release(struct buddy *b);
/* The lowest chunk of the smallest order that will do; false when there is none. */
bool buddy__allocate(struct buddy *b, unsigned order, uint32_t *ret_cell);
void buddy__free(struct buddy *b, uint32_t cell, unsigned order);
/* Takes this very chunk; false when it is not free, misaligned or outside. */
bool buddy__mark(struct buddy *b, uint32_t cell, unsigned order);
/* Of an extent of so many blocks. */
unsigned buddy__order(uint32_t blocks);

#endif
