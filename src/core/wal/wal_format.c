#include "core/wal/wal_priv.h"

#include <stdio.h>

#include "base/hash.h"

/* The header of a record, little-endian:
 *
 *   0  u32  CRC-32C of the LSN (8 bytes) and bytes 4..39
 *   4  u32  kind
 *   8  u32  payload bytes
 *  12  u32  CRC-32C of the payload
 *  16  u64  commit timestamp
 *  24  u64  LSN of the first record of the flush
 *  32  u32  epoch
 *  36  u32  0
 *
 * Its position is part of the checksum, so that what a recycled file still holds is never taken for
 * a record. The payload has a checksum of its own: it is computed before the position is known,
 * outside of any lock, and a torn header shows before a length in it is believed. */

_Static_assert(WAL_HEADER_BYTES % WAL_ALIGN == 0, "headers are aligned");

uint64_t wal__skip(uint64_t lsn)
{
    uint64_t left = WAL_BLOCK_BYTES - lsn % WAL_BLOCK_BYTES;
    return left < WAL_HEADER_BYTES ? lsn + left : lsn;
}

static uint32_t header_crc(const char *bytes, uint64_t lsn)
{
    return crc32c(crc32c(0, &lsn, sizeof lsn), bytes + 4, WAL_HEADER_BYTES - 4);
}

static void put(char *out, const void *value, size_t len)
{
    memcpy(out, value, len);
}

void wal__put_header(char out[WAL_HEADER_BYTES], const struct wal_header *h, uint64_t lsn)
{
    memset(out, 0, WAL_HEADER_BYTES);
    put(out + 4, &h->kind, 4);
    put(out + 8, &h->len, 4);
    put(out + 12, &h->payload_crc, 4);
    put(out + 16, &h->ts, 8);
    put(out + 24, &h->flush, 8);
    put(out + 32, &h->epoch, 4);
    uint32_t crc = header_crc(out, lsn);
    put(out, &crc, 4);
}

bool wal__get_header(const char in[WAL_HEADER_BYTES], uint64_t lsn, struct wal_header *ret)
{
    struct wal_header h;
    uint32_t crc, zero;
    memcpy(&crc, in, 4);
    if (crc != header_crc(in, lsn)) return false;
    memcpy(&h.kind, in + 4, 4);
    memcpy(&h.len, in + 8, 4);
    memcpy(&h.payload_crc, in + 12, 4);
    memcpy(&h.ts, in + 16, 8);
    memcpy(&h.flush, in + 24, 8);
    memcpy(&h.epoch, in + 32, 4);
    memcpy(&zero, in + 36, 4);
    if (h.kind < WAL_RECORD || h.kind > WAL_RESUME || h.len > WAL_RECORD_BYTES_MAX) return false;
    if (zero || h.flush > lsn || h.flush % WAL_BLOCK_BYTES) return false;
    *ret = h;
    return true;
}

/* --- names ------------------------------------------------------------------------------------ */

const char *wal__path(const struct wal *w, const char *name, char *buf)
{
    int n = snprintf(buf, OS_PATH_MAX, "%s/%s", w->dir, name);
    ASSERT(n > 0 && n < OS_PATH_MAX);
    return buf;
}

const char *wal__file_path(const struct wal *w, uint64_t start, char *buf)
{
    char name[32];
    snprintf(name, sizeof name, "%016llx.wal", (unsigned long long)start);
    return wal__path(w, name, buf);
}

bool wal__parse_name(const char *name, uint64_t *ret_start)
{
    uint64_t start = 0;
    if (strlen(name) != 20 || strcmp(name + 16, ".wal") != 0) return false;
    for (int i = 0; i < 16; i++) {
        char c = name[i];
        if (c >= '0' && c <= '9') start = start << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f') start = start << 4 | (uint64_t)(c - 'a' + 10);
        else return false;
    }
    *ret_start = start;
    return true;
}
