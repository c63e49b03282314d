/* The pages of a column: its dictionary, if it has one, and one page of data of version 1, which
 * every reader knows; both compressed by Zstandard, and with a checksum. */
#include "formats/parquet/write_priv.h"

/* --- the hybrid of runs --------------------------------------------------------------------- */

static void put_varint(struct strbuf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) strbuf_addc(b, (char)(v | 0x80));
    strbuf_addc(b, (char)v);
}

static uint32_t run_at(const uint32_t *values, uint32_t at, uint32_t count)
{
    uint32_t i = at + 1;
    while (i < count && values[i] == values[at]) i++;
    return i - at;
}

static void put_run(struct strbuf *b, uint32_t value, uint32_t run, unsigned width)
{
    put_varint(b, (uint64_t)run << 1);
    for (unsigned i = 0; i < width; i += 8) strbuf_addc(b, (char)(value >> i));
}

/* Groups of eight; the last one is filled with zeros. */
static void put_packed(struct strbuf *b, const uint32_t *values, uint32_t count, unsigned width)
{
    uint64_t bits = 0;
    unsigned held = 0;
    uint32_t groups = (count + 7) / 8;
    put_varint(b, (uint64_t)groups << 1 | 1);
    for (uint32_t i = 0; i < groups * 8; i++) {
        bits |= (uint64_t)(i < count ? values[i] : 0) << held;
        for (held += width; held >= 8; held -= 8, bits >>= 8) strbuf_addc(b, (char)bits);
    }
}

void parquet__hybrid_write(struct strbuf *b, const uint32_t *values, uint32_t count, unsigned width)
{
    enum { RUN_MIN = 8 };
    for (uint32_t i = 0; i < count;) {
        uint32_t run = run_at(values, i, count), end = i;
        if (run >= RUN_MIN) {
            put_run(b, values[i], run, width);
            i += run;
            continue;
        }
        while (end < count &&
               run_at(values, end, end + RUN_MIN < count ? end + RUN_MIN : count) < RUN_MIN)
            end += 8;
        if (end > count) end = count;
        put_packed(b, values + i, end - i, width);
        i = end;
    }
}

/* --- pages ---------------------------------------------------------------------------------- */

static void put_page(struct strbuf *out, struct slice bytes, bool dictionary, int32_t encoding,
                     uint32_t values, struct written_chunk *w)
{
    struct strbuf packed, header;
    struct thrift_out o = {.b = &header};
    strbuf_init(&packed, NULL);
    strbuf_init(&header, NULL);
    parquet__compress(bytes, &packed);
    thrift__put_struct(&o, 0);
    thrift__put_int(&o, 1, THRIFT_I32, dictionary ? PAGE_DICTIONARY : PAGE_DATA);
    thrift__put_int(&o, 2, THRIFT_I32, (int64_t)bytes.len);
    thrift__put_int(&o, 3, THRIFT_I32, (int64_t)packed.len);
    thrift__put_int(&o, 4, THRIFT_I32, (int32_t)parquet__crc32(strbuf_slice(&packed)));
    thrift__put_struct(&o, dictionary ? 7 : 5);
    thrift__put_int(&o, 1, THRIFT_I32, values);
    thrift__put_int(&o, 2, THRIFT_I32, encoding);
    if (!dictionary) {
        thrift__put_int(&o, 3, THRIFT_I32, ENCODING_RLE);
        thrift__put_int(&o, 4, THRIFT_I32, ENCODING_RLE);
    }
    thrift__put_end(&o);
    thrift__put_end(&o);
    strbuf_add(out, header.data, header.len);
    strbuf_add(out, packed.data, packed.len);
    w->uncompressed += (int64_t)(header.len + bytes.len);
    w->compressed += (int64_t)(header.len + packed.len);
    strbuf_release(&packed);
    strbuf_release(&header);
}

static void add_levels(const struct column_out *c, struct strbuf *b)
{
    size_t at = b->len;
    uint32_t rows = (uint32_t)c->levels.len, len;
    uint32_t *levels = mem_alloc(MEM_QUERY, (rows + 1) * sizeof *levels);
    for (uint32_t i = 0; i < rows; i++) levels[i] = (uint32_t)c->levels.data[i];
    strbuf_add(b, "\0\0\0\0", 4);
    parquet__hybrid_write(b, levels, rows, 1);
    len = (uint32_t)(b->len - at - 4);
    memcpy(b->data + at, &len, sizeof len);
    mem_free(MEM_QUERY, levels);
}

static void add_booleans(const struct column_out *c, struct strbuf *b)
{
    unsigned char bits = 0;
    for (uint32_t i = 0; i < c->value_count; i++) {
        bits |= (unsigned char)((c->plain.data[i] != 0) << (i % 8));
        if (i % 8 < 7 && i + 1 < c->value_count) continue;
        strbuf_addc(b, (char)bits);
        bits = 0;
    }
}

void parquet__write_pages(struct column_out *c, struct strbuf *out, struct strbuf *scratch,
                          struct written_chunk *ret)
{
    bool dictionary = c->dictionary && c->value_count > 0;
    *ret = (struct written_chunk){.dictionary = dictionary};
    if (dictionary) {
        ret->dictionary_offset = (int64_t)out->len;
        put_page(out, strbuf_slice(&c->plain), true, ENCODING_PLAIN, c->entry_count, ret);
    }
    ret->data_offset = (int64_t)out->len;
    strbuf_clear(scratch);
    if (c->leaf.optional) add_levels(c, scratch);
    if (dictionary) {
        unsigned width = c->entry_count < 2 ? 0 : 32 - (unsigned)__builtin_clz(c->entry_count - 1);
        strbuf_addc(scratch, (char)width);
        parquet__hybrid_write(scratch, (const uint32_t *)(const void *)c->codes.data,
                              c->value_count, width);
    } else if (c->form == FORM_BOOL) {
        add_booleans(c, scratch);
    } else {
        strbuf_add(scratch, c->plain.data, c->plain.len);
    }
    put_page(out, strbuf_slice(scratch), false,
             dictionary ? ENCODING_RLE_DICTIONARY : ENCODING_PLAIN, c->value_count + c->null_count,
             ret);
}
