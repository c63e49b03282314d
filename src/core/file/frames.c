#include "core/file/frames.h"

#include <zstd.h>

#include "base/hash.h"
#include "base/mem.h"

/* The header of a block, little-endian:
 *
 *   0  4    HBF1
 *   4  u32  payload bytes
 *   8  u32  CRC-32C of the payload
 *  12  u32  CRC-32C of the file's number (0 for block 0) and of bytes 0..11 and 16..31
 *  16  u64  number of the block, from 0
 *  24  u32  kind
 *  28  u32  bytes that the payload unpacks to with zstd; 0: it is as it is */

static const char magic[4] = "HBF1";
enum { ZSTD_LEVEL = 3, PACK_BYTES_MIN = 256 };

static uint32_t header_crc(const char *head, uint64_t id, uint64_t number)
{
    uint64_t salt = number ? id : 0;
    return crc32c(crc32c(crc32c(0, &salt, sizeof salt), head, 12), head + 16, 16);
}

/* --- writing ---------------------------------------------------------------------------------- */

void frame_begin(struct frame_writer *w)
{
    static const char header[FRAME_HEADER_BYTES];
    if (!w->out.data) strbuf_init(&w->out, NULL);
    strbuf_clear(&w->out);
    strbuf_add(&w->out, header, sizeof header);
}

size_t frame_payload_bytes(const struct frame_writer *w)
{
    return w->out.len - FRAME_HEADER_BYTES;
}

/* The block with its payload packed in w->packed, or NULL: that would not make it smaller. */
static struct strbuf *pack(struct frame_writer *w)
{
    struct strbuf *b = &w->packed;
    size_t len = frame_payload_bytes(w), room = ZSTD_compressBound(len);
    if (!w->zstd && !(w->zstd = ZSTD_createCCtx())) return NULL;
    if (!b->data) strbuf_init(b, NULL);
    strbuf_clear(b);
    strbuf_reserve(b, FRAME_HEADER_BYTES + room);
    size_t n = ZSTD_compressCCtx(w->zstd, b->data + FRAME_HEADER_BYTES, room, w->out.data + FRAME_HEADER_BYTES,
                                 len, ZSTD_LEVEL);
    if (ZSTD_isError(n) || n >= len) return NULL;
    b->len = FRAME_HEADER_BYTES + n;
    return b;
}

enum status frame_end(struct frame_writer *w, uint32_t kind)
{
    size_t payload = frame_payload_bytes(w);
    if (payload > FRAME_PAYLOAD_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a block of %zu bytes is too long for a backup", payload);
    bool small = payload < PACK_BYTES_MIN;
    struct strbuf *packed = w->compress && w->number && !small ? pack(w) : NULL, *b = packed ? packed : &w->out;
    char *at = b->data;
    uint32_t stored = (uint32_t)(b->len - FRAME_HEADER_BYTES), unpacks_to = packed ? (uint32_t)payload : 0;
    uint32_t payload_crc = crc32c(0, at + FRAME_HEADER_BYTES, stored);
    memcpy(at, magic, sizeof magic);
    memcpy(at + 4, &stored, 4);
    memcpy(at + 8, &payload_crc, 4);
    memcpy(at + 16, &w->number, 8);
    memcpy(at + 24, &kind, 4);
    memcpy(at + 28, &unpacks_to, 4);
    uint32_t crc = header_crc(at, w->id, w->number);
    memcpy(at + 12, &crc, 4);
    TRY(file_write(w->file, at, b->len, w->bytes));
    w->number++;
    w->bytes += b->len;
    return OK;
}

void frame_writer_release(struct frame_writer *w)
{
    strbuf_release(&w->out);
    strbuf_release(&w->packed);
    ZSTD_freeCCtx(w->zstd);
    w->zstd = NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum status damaged(const struct frame_reader *r, uint64_t number, const char *why)
{
    return FAIL(DATA_CORRUPTED, "%s \"%s\" is damaged in block %llu at offset %llu: %s", r->what, r->path,
                (unsigned long long)number, (unsigned long long)r->begin, why);
}

static enum status cut(const struct frame_reader *r)
{
    return FAIL(DATA_CORRUPTED, "%s \"%s\" is cut off: it ends at offset %llu, in block %llu", r->what,
                r->path, (unsigned long long)r->size, (unsigned long long)r->number);
}

enum status frame_reader_open(struct os *os, const char *what, const char *path, struct frame_reader *ret)
{
    *ret = (struct frame_reader){.what = what, .path = path};
    TRY(os_open(os, path, OPEN_READ_ONLY, &ret->file));
    return file_size(ret->file, &ret->size);
}

void frame_reader_close(struct frame_reader *r)
{
    if (r->file) file_close(r->file);
    mem_free(MEM_FILE, r->data);
    mem_free(MEM_FILE, r->unpacked);
    *r = (struct frame_reader){0};
}

void frame_seek(struct frame_reader *r, uint64_t at, uint64_t number)
{
    r->at = at;
    r->number = number;
}

enum status frame_malformed(const struct frame_reader *r, const char *why)
{
    return damaged(r, r->number - 1, why);
}

static enum status check_header(const struct frame_reader *r, const char *head, uint32_t *ret_len,
                                uint32_t *ret_unpacked)
{
    uint32_t crc;
    uint64_t number;
    memcpy(ret_len, head + 4, 4);
    memcpy(&crc, head + 12, 4);
    memcpy(&number, head + 16, 8);
    memcpy(ret_unpacked, head + 28, 4);
    if (memcmp(head, magic, sizeof magic) != 0) return damaged(r, r->number, "no block begins there");
    if (crc != header_crc(head, r->id, number))
        return damaged(r, r->number, "wrong header checksum");
    if (number != r->number) return damaged(r, r->number, "a block is missing, or in another's place");
    bool long_ = *ret_len > FRAME_PAYLOAD_MAX || *ret_unpacked > FRAME_PAYLOAD_MAX;
    return long_ ? damaged(r, r->number, "it is too long") : OK;
}

static void reserve(char **data, size_t *cap, size_t len)
{
    if (len <= *cap) return;
    mem_free(MEM_FILE, *data);
    *data = mem_alloc(MEM_FILE, *cap = len);
}

static enum status unpack(struct frame_reader *r, uint32_t len)
{
    reserve(&r->unpacked, &r->unpacked_cap, len);
    size_t n = ZSTD_decompress(r->unpacked, len, r->payload.data, r->payload.len);
    if (ZSTD_isError(n) || n != len) return damaged(r, r->number, "it does not decompress");
    r->payload = slice_make(r->unpacked, len);
    return OK;
}

enum status frame_read(struct frame_reader *r)
{
    char head[FRAME_HEADER_BYTES];
    uint32_t len, unpacked, payload_crc;
    r->begin = r->at;
    if (r->at > r->size || r->size - r->at < sizeof head) return cut(r);
    TRY(file_read(r->file, head, sizeof head, r->at));
    TRY(check_header(r, head, &len, &unpacked));
    if (r->size - r->at - sizeof head < len) return cut(r);
    reserve(&r->data, &r->cap, len);
    if (len) TRY(file_read(r->file, r->data, len, r->at + sizeof head));
    memcpy(&payload_crc, head + 8, 4);
    if (payload_crc != crc32c(0, r->data, len)) return damaged(r, r->number, "wrong checksum");
    memcpy(&r->kind, head + 24, 4);
    r->payload = slice_make(r->data, len);
    if (unpacked) TRY(unpack(r, unpacked));
    r->at += sizeof head + len;
    r->number++;
    return OK;
}
