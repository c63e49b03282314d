#include "db/activity.h"

#include <string.h>

/* A sequence lock (Boehm, "Can seqlocks get along with programming language memory models?", 2012): a
 * statement's begin must cost a copy and no more, and readers are few and can try again. */

enum { TRIES_MAX = 1000 };

void activity_text_set(struct activity_text *t, struct slice text)
{
    size_t len = text.len < ACTIVITY_BYTES - 1 ? text.len : ACTIVITY_BYTES - 1;
    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80) len--;
    uint32_t version = t->version;
    __atomic_store_n(&t->version, version + 1, __ATOMIC_RELAXED);
    for (size_t at = 0; at <= len; at += sizeof(uint64_t)) { /* the NUL comes in the last word */
        uint64_t word = 0;
        size_t left = len - at;
        if (left) memcpy(&word, text.data + at, left < sizeof word ? left : sizeof word);
        __atomic_store_n(&t->words[at / sizeof word], word, __ATOMIC_RELEASE); /* after the odd version */
    }
    __atomic_store_n(&t->version, version + 2, __ATOMIC_RELEASE);
}

bool activity_text_get(const struct activity_text *t, char ret[ACTIVITY_BYTES])
{
    for (int n = 0; n < TRIES_MAX; n++) {
        uint32_t before = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
        for (size_t w = 0; w < ACTIVITY_BYTES / sizeof(uint64_t); w++) {
            uint64_t word = __atomic_load_n(&t->words[w], __ATOMIC_ACQUIRE); /* before the second look */
            memcpy(ret + w * sizeof word, &word, sizeof word);
        }
        ret[ACTIVITY_BYTES - 1] = '\0';
        if (before % 2 == 0 && __atomic_load_n(&t->version, __ATOMIC_RELAXED) == before) return true;
    }
    return false;
}
