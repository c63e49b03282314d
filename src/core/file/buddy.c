#include "core/file/blocks_priv.h"

#include "base/mem.h"

/* One bitmap an order. The lowest free chunk is found by scanning words from a hint; a file of
 * 256 MiB has 8,192 cells, so that is 128 words at worst. Splitting gives the upper halves back,
 * coalescing walks up as long as the neighbour is free. */

static uint32_t chunk_count(const struct buddy *b, unsigned order)
{
    return b->cells >> order; /* a chunk that would end beyond the last cell does not exist */
}

static bool is_free(const struct buddy *b, uint32_t chunk, unsigned order)
{
    return chunk < chunk_count(b, order) && (b->free[order][chunk / 64] >> chunk % 64 & 1);
}

static void set_free(struct buddy *b, uint32_t chunk, unsigned order)
{
    DEBUG_ASSERT(chunk < chunk_count(b, order) && !is_free(b, chunk, order));
    b->free[order][chunk / 64] |= (uint64_t)1 << chunk % 64;
    b->free_count[order]++;
    if (chunk / 64 < b->hint[order]) b->hint[order] = chunk / 64;
}

static void set_used(struct buddy *b, uint32_t chunk, unsigned order)
{
    DEBUG_ASSERT(is_free(b, chunk, order));
    b->free[order][chunk / 64] &= ~((uint64_t)1 << chunk % 64);
    b->free_count[order]--;
}

unsigned buddy__order(uint32_t blocks)
{
    unsigned order = 0;
    ASSERT(blocks > 0 && blocks <= EXTENT_BLOCKS_MAX);
    while ((uint32_t)BUDDY_CELL_BLOCKS << order < blocks) order++;
    return order;
}

void buddy__init(struct buddy *b, uint32_t cells)
{
    *b = (struct buddy){.cells = cells, .cells_free = cells};
    for (unsigned o = 0; o < BUDDY_ORDERS; o++)
        b->free[o] = mem_alloc(MEM_FILE, ((size_t)chunk_count(b, o) / 64 + 1) * sizeof(uint64_t));
    /* The largest chunks first; what is left at the end takes smaller ones. */
    uint32_t cell = 0;
    for (unsigned o = BUDDY_ORDERS; o-- > 0;)
        for (; cells - cell >= (uint32_t)1 << o; cell += (uint32_t)1 << o)
            set_free(b, cell >> o, o);
}

void buddy__release(struct buddy *b)
{
    for (unsigned o = 0; o < BUDDY_ORDERS; o++) mem_free(MEM_FILE, b->free[o]);
    *b = (struct buddy){0};
}

/* Takes the free chunk, and gives back all of it but the part that holds `cell`. */
static void split(struct buddy *b, uint32_t cell, unsigned from, unsigned order)
{
    set_used(b, cell >> from, from);
    for (unsigned o = from; o-- > order;) set_free(b, cell >> o ^ 1, o);
    b->cells_free -= (uint32_t)1 << order;
}

static uint32_t lowest_free(struct buddy *b, unsigned order)
{
    uint32_t word = b->hint[order];
    while (!b->free[order][word]) word++;
    b->hint[order] = word;
    return word * 64 + (uint32_t)__builtin_ctzll(b->free[order][word]);
}

bool buddy__allocate(struct buddy *b, unsigned order, uint32_t *ret_cell)
{
    ASSERT(order < BUDDY_ORDERS);
    for (unsigned o = order; o < BUDDY_ORDERS; o++) {
        if (!b->free_count[o]) continue;
        uint32_t cell = lowest_free(b, o) << o;
        split(b, cell, o, order);
        *ret_cell = cell;
        return true;
    }
    return false;
}

/* Inside a free chunk, or around one? */
static bool overlaps_free(const struct buddy *b, uint32_t cell, unsigned order)
{
    for (unsigned o = order; o < BUDDY_ORDERS; o++)
        if (is_free(b, cell >> o, o)) return true;
    return false;
}

void buddy__free(struct buddy *b, uint32_t cell, unsigned order)
{
    ASSERT(order < BUDDY_ORDERS && cell >> order < chunk_count(b, order));
    ASSERT(cell % ((uint32_t)1 << order) == 0 && !overlaps_free(b, cell, order));
    b->cells_free += (uint32_t)1 << order;
    uint32_t chunk = cell >> order;
    while (order + 1 < BUDDY_ORDERS && is_free(b, chunk ^ 1, order)) {
        set_used(b, chunk ^ 1, order);
        chunk >>= 1;
        order++;
    }
    set_free(b, chunk, order);
}

bool buddy__mark(struct buddy *b, uint32_t cell, unsigned order)
{
    if (order >= BUDDY_ORDERS || cell % ((uint32_t)1 << order) || cell >= b->cells) return false;
    for (unsigned o = order; o < BUDDY_ORDERS; o++) {
        if (!is_free(b, cell >> o, o)) continue;
        split(b, cell, o, order);
        return true;
    }
    return false;
}
