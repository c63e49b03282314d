/* The messages of a client that is logged in. An input is a list of messages, each a byte of
 * kind, two bytes of length, a body; kind 0 takes the bytes as they are, so frames may lie. With
 * libFuzzer a mutator of its own moves, doubles, drops and cuts whole messages. */
#include "fuzz.h"
#include "wire.h"

#include "words_sql.h"

enum { HEAD_BYTES = 3, MESSAGES_MAX = 256, INPUT_MAX = 1 << 15 };

static const char start[] =
    "\0\0\0\x4b\0\3\0\0user\0postgres\0database\0postgres\0"
    "options\0-c statement_timeout=400\0\0";

/* How many bytes of the input the message at `p` takes, head included. */
static size_t message_bytes(const uint8_t *p, const uint8_t *end)
{
    if (end - p < HEAD_BYTES) return (size_t)(end - p);
    size_t n = HEAD_BYTES + ((size_t)p[1] << 8 | p[2]);
    return n < (size_t)(end - p) ? n : (size_t)(end - p);
}

static void add_message(struct strbuf *out, const uint8_t *p, size_t len)
{
    if (len < HEAD_BYTES) return;
    if (p[0] != 0) {
        uint32_t n = __builtin_bswap32((uint32_t)(len - HEAD_BYTES + 4));
        strbuf_addc(out, (char)p[0]);
        strbuf_add(out, &n, 4);
    }
    strbuf_add(out, p + HEAD_BYTES, len - HEAD_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf out;
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    strbuf_init(&out, NULL);
    strbuf_add(&out, start, sizeof start - 1);
    out.data[3] = (char)(sizeof start - 1);
    for (const uint8_t *p = data, *end = data + size; p < end;) {
        size_t n = message_bytes(p, end);
        add_message(&out, p, n);
        p += n;
    }
    struct slice answer = wire_talk(strbuf_slice(&out), false);
    FUZZ_CHECK(wire_check_answer(answer) >= 1); /* at least the login's */
    strbuf_release(&out);
    return 0;
}

/* --- for libFuzzer -------------------------------------------------------------------------- */

#ifdef HELIOS_LIBFUZZER
#include <stdlib.h>

#include "base/random.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint8_t *at[MESSAGES_MAX], *copy;
    size_t len[MESSAGES_MAX], n = 0;
    struct rng r;
    rng_seed(&r, seed);
    for (uint8_t *p = data; p < data + size && n < MESSAGES_MAX; p += len[n++]) {
        at[n] = p;
        len[n] = message_bytes(p, data + size);
    }
    if (n == 0) return LLVMFuzzerMutate(data, size, max);
    size_t i = rng_below(&r, n), j = rng_below(&r, n);
    size_t rest = (size_t)(data + size - at[i]) - len[i];
    switch (rng_below(&r, 5)) {
    case 0: /* the body of one */
        if (len[i] < HEAD_BYTES || size + 64 > max) break;
        copy = memcpy(malloc(len[i] + 64), at[i], len[i]);
        size_t body = LLVMFuzzerMutate(copy + HEAD_BYTES, len[i] - HEAD_BYTES,
                                       len[i] - HEAD_BYTES + 64);
        copy[1] = (uint8_t)(body >> 8), copy[2] = (uint8_t)body;
        memmove(at[i] + HEAD_BYTES + body, at[i] + len[i], rest);
        memcpy(at[i], copy, HEAD_BYTES + body);
        free(copy);
        return size - len[i] + HEAD_BYTES + body;
    case 1: /* the kind of one */
        at[i][0] = (uint8_t) "QPBDECSHFdcfXp"[rng_below(&r, 14)];
        return size;
    case 2: /* one again, elsewhere */
        if (size + len[j] > max) break;
        copy = memcpy(malloc(len[j] + 1), at[j], len[j]);
        memmove(at[i] + len[j], at[i], rest + len[i]);
        memcpy(at[i], copy, len[j]);
        free(copy);
        return size + len[j];
    case 3: /* one away */
        memmove(at[i], at[i] + len[i], rest);
        return size - len[i];
    }
    return LLVMFuzzerMutate(data, size, max);
}
#endif
