/* Compression of pages. A page says how many bytes it will be, and never more are made of it: a
 * small file cannot fill memory. */
#include "formats/parquet/parquet_priv.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <lz4.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 3 };

/* --- snappy --------------------------------------------------------------------------------- */

/* The length in front, and the copies that follow each other until it is reached. */
static bool snappy_length(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 35 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;
        *ret |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return true;
    }
    return false;
}

static uint32_t little(const uint8_t *p, unsigned bytes)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes; i++) v |= (uint32_t)p[i] << (8 * i);
    return v;
}

bool parquet__snappy(struct slice in, char *out, size_t out_len)
{
    const uint8_t *p = (const uint8_t *)in.data, *end = p + in.len;
    size_t at = 0;
    uint64_t promised;
    if (!snappy_length(&p, end, &promised) || promised != out_len) return false;
    while (p < end) {
        uint8_t tag = *p++;
        size_t len, offset;
        unsigned extra;
        if ((tag & 3) == 0) { /* literal */
            len = tag >> 2;
            extra = len >= 60 ? (unsigned)len - 59 : 0;
            if ((size_t)(end - p) < extra) return false;
            if (extra) len = little(p, extra);
            len++;
            p += extra;
            if (len > (size_t)(end - p) || len > out_len - at) return false;
            memcpy(out + at, p, len);
            p += len;
            at += len;
            continue;
        }
        extra = (tag & 3) == 3 ? 4 : tag & 3;
        if ((size_t)(end - p) < extra) return false;
        offset = little(p, extra);
        p += extra;
        len = (size_t)(tag >> 2) + 1;
        if ((tag & 3) == 1) {
            len = (tag >> 2 & 7) + 4;
            offset |= (size_t)(tag >> 5) << 8;
        }
        if (offset == 0 || offset > at || len > out_len - at) return false;
        if (offset >= len) {
            memcpy(out + at, out + at - offset, len);
            at += len;
        } else {
            for (; len > 0; len--, at++) out[at] = out[at - offset];
        }
    }
    return at == out_len;
}

/* --- the others ----------------------------------------------------------------------------- */

/* One or more members, as gzip files have them. */
static bool gunzip(struct slice in, char *out, size_t out_len)
{
    struct inflate_state *s = mem_alloc(MEM_QUERY, sizeof *s);
    bool fine = true;
    size_t done = 0;
    const char *p = in.data, *end = p + in.len;
    while (fine && p < end && done < out_len) {
        isal_inflate_init(s);
        s->crc_flag = ISAL_GZIP;
        s->next_in = (uint8_t *)(uintptr_t)p;
        s->avail_in = (uint32_t)(end - p);
        s->next_out = (uint8_t *)out + done;
        s->avail_out = (uint32_t)(out_len - done);
        fine = isal_inflate(s) == ISAL_DECOMP_OK && s->block_state == ISAL_BLOCK_FINISH;
        p = end - s->avail_in;
        done = out_len - s->avail_out;
    }
    mem_free(MEM_QUERY, s);
    return fine && done == out_len;
}

static bool unlz4(struct slice in, char *out, size_t out_len)
{
    return LZ4_decompress_safe(in.data, out, (int)in.len, (int)out_len) == (int)out_len;
}

static bool unzstd(struct slice in, char *out, size_t out_len)
{
    return ZSTD_decompress(out, out_len, in.data, in.len) == out_len;
}

enum status parquet__decompress(int32_t codec, struct slice in, char *out, size_t out_len)
{
    static const char *const others[] = {[3] = "LZO", [4] = "BROTLI", [5] = "LZ4 (of Hadoop)"};
    bool fine = false;
    switch (codec) {
    case CODEC_NONE:
        fine = in.len == out_len;
        if (fine && in.len > 0) memcpy(out, in.data, in.len);
        break;
    case CODEC_SNAPPY: fine = parquet__snappy(in, out, out_len); break;
    case CODEC_GZIP: fine = gunzip(in, out, out_len); break;
    case CODEC_ZSTD: fine = unzstd(in, out, out_len); break;
    case CODEC_LZ4_RAW: fine = unlz4(in, out, out_len); break;
    case 3:
    case 4:
    case 5:
        return FAIL(FEATURE_NOT_SUPPORTED, "Parquet compression %s is not supported",
                    others[codec]),
               error_hint("Write the file with zstd, snappy, gzip or LZ4_RAW.");
    default: return DAMAGED("compression %d is not known", codec);
    }
    return fine ? OK : DAMAGED("a page cannot be decompressed");
}

void parquet__compress(struct slice in, struct strbuf *out)
{
    size_t max = ZSTD_compressBound(in.len);
    strbuf_reserve(out, max);
    size_t n = ZSTD_compress(out->data + out->len, max, in.data, in.len, ZSTD_LEVEL);
    ASSERT(!ZSTD_isError(n)); /* there is room enough */
    out->len += n;
    out->data[out->len] = '\0';
}

uint32_t parquet__crc32(struct slice s)
{
    return crc32_gzip_refl(0, (const unsigned char *)s.data, s.len);
}
