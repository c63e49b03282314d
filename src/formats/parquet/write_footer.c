/* The footer of a file that is written: schema, row groups with statistics, and who made it. */
#include "formats/parquet/write_priv.h"

/* --- schema --------------------------------------------------------------------------------- */

/* What older readers know. */
static int32_t converted_of(const struct leaf *l)
{
    switch (l->logical) {
    case LOGICAL_STRING: return CONVERTED_UTF8;
    case LOGICAL_DECIMAL: return CONVERTED_DECIMAL;
    case LOGICAL_DATE: return CONVERTED_DATE;
    case LOGICAL_JSON: return CONVERTED_JSON;
    case LOGICAL_TIMESTAMP: return l->adjusted_to_utc ? CONVERTED_TIMESTAMP_MICROS : CONVERTED_NONE;
    case LOGICAL_INTEGER:
        return l->bits == 16   ? CONVERTED_INT_16
               : l->bits == 32 ? CONVERTED_INT_32
                               : CONVERTED_INT_64;
    default: return CONVERTED_NONE;
    }
}

static void put_unit(struct thrift_out *o, const struct leaf *l)
{
    thrift__put_bool(o, 1, l->adjusted_to_utc);
    thrift__put_struct(o, 2);
    thrift__put_struct(o, l->unit);
    thrift__put_end(o);
    thrift__put_end(o);
}

static void put_logical(struct thrift_out *o, const struct leaf *l)
{
    thrift__put_struct(o, 10);
    thrift__put_struct(o, l->logical);
    if (l->logical == LOGICAL_DECIMAL) {
        thrift__put_int(o, 1, THRIFT_I32, l->scale);
        thrift__put_int(o, 2, THRIFT_I32, l->precision);
    } else if (l->logical == LOGICAL_INTEGER) {
        thrift__put_int(o, 1, THRIFT_BYTE, l->bits);
        thrift__put_bool(o, 2, l->is_signed);
    } else if (l->logical == LOGICAL_TIME || l->logical == LOGICAL_TIMESTAMP) {
        put_unit(o, l);
    }
    thrift__put_end(o);
    thrift__put_end(o);
}

static void put_element(struct thrift_out *o, const struct leaf *l)
{
    int32_t converted = converted_of(l);
    thrift__put_struct(o, 0);
    thrift__put_int(o, 1, THRIFT_I32, l->physical);
    if (l->physical == PHYSICAL_FIXED) thrift__put_int(o, 2, THRIFT_I32, l->width);
    thrift__put_int(o, 3, THRIFT_I32, l->optional ? REPEAT_OPTIONAL : REPEAT_REQUIRED);
    thrift__put_binary(o, 4, slice_of(l->name));
    if (converted != CONVERTED_NONE) thrift__put_int(o, 6, THRIFT_I32, converted);
    if (l->logical == LOGICAL_DECIMAL) {
        thrift__put_int(o, 7, THRIFT_I32, l->scale);
        thrift__put_int(o, 8, THRIFT_I32, l->precision);
    }
    if (l->logical != LOGICAL_NONE) put_logical(o, l);
    thrift__put_end(o);
}

/* --- row groups ----------------------------------------------------------------------------- */

/* A bound as PLAIN writes it. */
static void put_bound(struct thrift_out *o, int32_t id, const struct column_out *c, bool max)
{
    const struct statistic *s = &c->statistic;
    int64_t i = max ? s->max : s->min;
    double d = max ? s->fmax : s->fmin;
    float f = (float)d;
    bool b = i != 0;
    struct slice bytes;
    if (d == 0 && c->form == FORM_F64) d = max ? 0.0 : -0.0;
    if (d == 0) f = max ? 0.0f : -0.0f;
    switch (c->leaf.physical) {
    case PHYSICAL_BOOLEAN: bytes = slice_make(&b, 1); break;
    case PHYSICAL_INT32: bytes = slice_make(&i, 4); break;
    case PHYSICAL_INT64: bytes = slice_make(&i, 8); break;
    case PHYSICAL_FLOAT: bytes = slice_make(&f, 4); break;
    case PHYSICAL_DOUBLE: bytes = slice_make(&d, 8); break;
    default:
        bytes = max ? slice_make(s->max_bytes, s->max_len) : slice_make(s->min_bytes, s->min_len);
    }
    thrift__put_binary(o, id, bytes);
}

static void put_statistics(struct thrift_out *o, const struct column_out *c)
{
    thrift__put_struct(o, 12);
    thrift__put_int(o, 3, THRIFT_I64, c->null_count);
    if (c->statistic.any && !c->statistic.none) {
        put_bound(o, 5, c, true);
        put_bound(o, 6, c, false);
    }
    thrift__put_end(o);
}

static void put_chunk(struct thrift_out *o, const struct column_out *c,
                      const struct written_chunk *w, int64_t base)
{
    thrift__put_struct(o, 0);
    thrift__put_int(o, 2, THRIFT_I64, 0); /* file_offset: of metadata that is not there */
    thrift__put_struct(o, 3);
    thrift__put_int(o, 1, THRIFT_I32, c->leaf.physical);
    thrift__put_list(o, 2, THRIFT_I32, w->dictionary ? 3 : 2);
    thrift__put_element_int(o, ENCODING_PLAIN);
    thrift__put_element_int(o, ENCODING_RLE);
    if (w->dictionary) thrift__put_element_int(o, ENCODING_RLE_DICTIONARY);
    thrift__put_list(o, 3, THRIFT_BINARY, 1);
    thrift__put_element_binary(o, slice_of(c->name));
    thrift__put_int(o, 4, THRIFT_I32, CODEC_ZSTD);
    thrift__put_int(o, 5, THRIFT_I64, (int64_t)c->value_count + c->null_count);
    thrift__put_int(o, 6, THRIFT_I64, w->uncompressed);
    thrift__put_int(o, 7, THRIFT_I64, w->compressed);
    thrift__put_int(o, 9, THRIFT_I64, base + w->data_offset);
    if (w->dictionary) thrift__put_int(o, 11, THRIFT_I64, base + w->dictionary_offset);
    put_statistics(o, c);
    thrift__put_end(o);
    thrift__put_end(o);
}

void parquet__write_group(struct thrift_out *o, const struct column_out *columns, uint32_t count,
                          const struct written_chunk *chunks, int64_t base, int64_t rows)
{
    int64_t bytes = 0;
    thrift__put_struct(o, 0);
    thrift__put_list(o, 1, THRIFT_STRUCT, count);
    for (uint32_t i = 0; i < count; i++) {
        put_chunk(o, &columns[i], &chunks[i], base);
        bytes += chunks[i].uncompressed;
    }
    thrift__put_int(o, 2, THRIFT_I64, bytes);
    thrift__put_int(o, 3, THRIFT_I64, rows);
    thrift__put_end(o);
}

void parquet__write_footer(struct strbuf *b, const struct column_out *columns, uint32_t count,
                           struct slice groups, uint32_t group_count, int64_t rows)
{
    struct thrift_out o = {.b = b};
    size_t at = b->len;
    thrift__put_struct(&o, 0);
    thrift__put_int(&o, 1, THRIFT_I32, 2);
    thrift__put_list(&o, 2, THRIFT_STRUCT, count + 1);
    thrift__put_struct(&o, 0);
    thrift__put_binary(&o, 4, SLICE("schema"));
    thrift__put_int(&o, 5, THRIFT_I32, count);
    thrift__put_end(&o);
    for (uint32_t i = 0; i < count; i++) put_element(&o, &columns[i].leaf);
    thrift__put_int(&o, 3, THRIFT_I64, rows);
    thrift__put_list(&o, 4, THRIFT_STRUCT, group_count);
    strbuf_add(b, groups.data, groups.len);
    thrift__put_binary(&o, 6, SLICE("HeliosDB version 0.1.0"));
    thrift__put_list(&o, 7, THRIFT_STRUCT, count); /* ColumnOrder: as the type defines it */
    for (uint32_t i = 0; i < count; i++) {
        thrift__put_struct(&o, 0);
        thrift__put_struct(&o, 1);
        thrift__put_end(&o);
        thrift__put_end(&o);
    }
    thrift__put_end(&o);
    uint32_t len = (uint32_t)(b->len - at);
    strbuf_add(b, &len, sizeof len);
    strbuf_adds(b, "PAR1");
}
