/* The loops over lanes of one width of lane, for one level of processor. lanes.c includes this
 * once for each pair, after it has defined
 *     LANE_BITS, LANE          of a lane, and its type
 *     WORD                     what is shifted: two bytes at a time, as none is by itself
 *     KERNEL(name)             the function's name
 *     KERNEL_TARGET            the processor that the compiler may count on
 *     HITS(p, low, span)       of 64 bytes at p: bit i is lane i - low <= span
 * There is no include guard, for that reason. */

enum { KERNEL(VALUES) = LANES_GROUP / LANE_BITS };

/* A number into every lane of a word. */
#define EACH(x) ((WORD)((WORD)(LANE)(x) * (WORD)((WORD)~(WORD)0 / (LANE)~(LANE)0)))

/* The values of one row of lanes, which begins at this bit of each lane. */
KERNEL_TARGET static inline void KERNEL(row)(const LANE *src, unsigned width, unsigned lanes,
                                             unsigned bit, LANE *restrict out)
{
    const unsigned shift = bit % LANE_BITS, words = lanes / (sizeof(WORD) / sizeof(LANE));
    const WORD *low = (const WORD *)(const void *)(src + bit / LANE_BITS * lanes);
    const LANE mask = (LANE)lanes__max(width);
    WORD *to = (WORD *)(void *)out;
    const WORD low_mask = EACH(mask & (LANE)((LANE)~(LANE)0 >> shift));
    if (shift + width <= LANE_BITS) {
        for (unsigned i = 0; i < words; i++) to[i] = (WORD)(low[i] >> shift) & low_mask;
        return;
    }
    const unsigned up = LANE_BITS - shift;
    const WORD *high = low + words, high_mask = EACH(mask & (LANE)((LANE)~(LANE)0 << up));
    for (unsigned i = 0; i < words; i++)
        to[i] = ((WORD)(low[i] >> shift) & low_mask) | ((WORD)(high[i] << up) & high_mask);
}

KERNEL_TARGET static void KERNEL(unpack)(const LANE *src, unsigned width, unsigned groups,
                                         uint64_t base, LANE *restrict out)
{
    const unsigned lanes = groups * KERNEL(VALUES);
    for (unsigned r = 0; r < LANE_BITS; r++, out += lanes) {
        KERNEL(row)(src, width, lanes, r * width, out);
        if (base)
            for (unsigned i = 0; i < lanes; i++) out[i] = (LANE)(out[i] + base);
    }
}

KERNEL_TARGET static void KERNEL(range)(const LANE *src, unsigned width, unsigned groups,
                                        uint64_t low, uint64_t span, char *mask)
{
    const unsigned lanes = groups * KERNEL(VALUES);
    LANE row[LANES_GROUPS_MAX * LANES_GROUP / LANE_BITS] __attribute__((aligned(64)));
    for (unsigned r = 0; r < LANE_BITS; r++) {
        KERNEL(row)(src, width, lanes, r * width, row);
        for (unsigned i = 0; i < lanes; i += KERNEL(VALUES), mask += KERNEL(VALUES) / 8) {
            uint64_t hits = HITS(row + i, low, span);
            memcpy(mask, &hits, KERNEL(VALUES) / 8);
        }
    }
}

#if LANE_BITS < 16
KERNEL_TARGET static void KERNEL(widen16)(const LANE *restrict in, uint32_t n, uint64_t base,
                                          uint16_t *restrict out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = (uint16_t)(in[i] + base);
}
#endif
#if LANE_BITS < 32
KERNEL_TARGET static void KERNEL(widen32)(const LANE *restrict in, uint32_t n, uint64_t base,
                                          uint32_t *restrict out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = (uint32_t)(in[i] + base);
}
#endif
#if LANE_BITS < 64
KERNEL_TARGET static void KERNEL(widen64)(const LANE *restrict in, uint32_t n, uint64_t base,
                                          uint64_t *restrict out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = in[i] + base;
}
#endif

KERNEL_TARGET static void KERNEL(decode)(const void *src, unsigned width, unsigned groups,
                                         uint64_t base, unsigned out_bytes, void *out)
{
    if (out_bytes * 8 == LANE_BITS) {
        KERNEL(unpack)(src, width, groups, base, out);
        return;
    }
#if LANE_BITS < 64
    LANE narrow[LANES_VALUES_MAX] __attribute__((aligned(64)));
    uint32_t n = groups * LANES_GROUP;
    KERNEL(unpack)(src, width, groups, 0, narrow);
    if (out_bytes == 8) KERNEL(widen64)(narrow, n, base, out);
#if LANE_BITS < 32
    else if (out_bytes == 4) KERNEL(widen32)(narrow, n, base, out);
#endif
#if LANE_BITS < 16
    else if (out_bytes == 2) KERNEL(widen16)(narrow, n, base, out);
#endif
#endif
}

KERNEL_TARGET static void KERNEL(compare)(const void *src, unsigned width, unsigned groups,
                                          uint64_t low, uint64_t span, void *mask)
{
    KERNEL(range)(src, width, groups, low, span, mask);
}

#undef EACH
#undef LANE_BITS
#undef LANE
#undef WORD
#undef KERNEL
#undef HITS
