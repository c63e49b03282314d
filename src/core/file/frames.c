#include "core/file/frames.h"

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
 *  28  u32  0 */

static const char magic[4] = "HBF1";

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

enum status frame_end(struct frame_writer *w, uint32_t kind)
{
    size_t payload = frame_payload_bytes(w);
    char *at = w->out.data;
    uint32_t fields[2] = {(uint32_t)payload, crc32c(0, at + FRAME_HEADER_BYTES, payload)};
    if (payload > FRAME_PAYLOAD_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "a block of %zu bytes is too long for a backup", payload);
    memcpy(at, magic, sizeof magic);
    memcpy(at + 4, fields, sizeof fields);
    memcpy(at + 16, &w->number, 8);
    memcpy(at + 24, &kind, 4);
    uint32_t crc = header_crc(at, w->id, w->number);
    memcpy(at + 12, &crc, 4);
    TRY(file_write(w->file, at, w->out.len, w->bytes));
    w->number++;
    w->bytes += w->out.len;
    return OK;
}

void frame_writer_release(struct frame_writer *w)
{
    strbuf_release(&w->out);
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

static enum status check_header(const struct frame_reader *r, const char *head, uint32_t *ret_len)
{
    uint32_t crc, zero;
    uint64_t number;
    memcpy(ret_len, head + 4, 4);
    memcpy(&crc, head + 12, 4);
    memcpy(&number, head + 16, 8);
    memcpy(&zero, head + 28, 4);
    if (memcmp(head, magic, sizeof magic) != 0) return damaged(r, r->number, "no block begins there");
    if (crc != header_crc(head, r->id, number) || zero)
        return damaged(r, r->number, "wrong header checksum");
    if (number != r->number) return damaged(r, r->number, "a block is missing, or in another's place");
    return *ret_len > FRAME_PAYLOAD_MAX ? damaged(r, r->number, "it is too long") : OK;
}

enum status frame_read(struct frame_reader *r)
{
    char head[FRAME_HEADER_BYTES];
    uint32_t len, payload_crc;
    r->begin = r->at;
    if (r->at > r->size || r->size - r->at < sizeof head) return cut(r);
    TRY(file_read(r->file, head, sizeof head, r->at));
    TRY(check_header(r, head, &len));
    if (r->size - r->at - sizeof head < len) return cut(r);
    if (len > r->cap) {
        mem_free(MEM_FILE, r->data);
        r->data = mem_alloc(MEM_FILE, r->cap = len);
    }
    if (len) TRY(file_read(r->file, r->data, len, r->at + sizeof head));
    memcpy(&payload_crc, head + 8, 4);
    if (payload_crc != crc32c(0, r->data, len)) return damaged(r, r->number, "wrong checksum");
    memcpy(&r->kind, head + 24, 4);
    r->payload = slice_make(r->data, len);
    r->at += sizeof head + len;
    r->number++;
    return OK;
}
