/* What the files of the folder share: names of the format's numbers, cursors over bytes, the
 * codecs, decoders of values. */
#ifndef HELIOS_FORMATS_PARQUET_PARQUET_PRIV_H
#define HELIOS_FORMATS_PARQUET_PARQUET_PRIV_H

#include "formats/parquet/parquet.h"

enum {
    FOOTER_BYTES_MAX = 256 << 20,
    PAGE_BYTES_MAX = 256 << 20,
    PAGE_HEADER_BYTES_MAX = 1 << 20,
};

enum physical_type {
    PHYSICAL_BOOLEAN,
    PHYSICAL_INT32,
    PHYSICAL_INT64,
    PHYSICAL_INT96,
    PHYSICAL_FLOAT,
    PHYSICAL_DOUBLE,
    PHYSICAL_BYTE_ARRAY,
    PHYSICAL_FIXED,
    PHYSICAL_NONE = -1,
};
enum encoding {
    ENCODING_PLAIN = 0,
    ENCODING_PLAIN_DICTIONARY = 2,
    ENCODING_RLE = 3,
    ENCODING_DELTA_BINARY = 5,
    ENCODING_DELTA_LENGTH = 6,
    ENCODING_DELTA_BYTES = 7,
    ENCODING_RLE_DICTIONARY = 8,
    ENCODING_BYTE_STREAM_SPLIT = 9,
};
enum codec {
    CODEC_NONE = 0,
    CODEC_SNAPPY = 1,
    CODEC_GZIP = 2,
    CODEC_ZSTD = 6,
    CODEC_LZ4_RAW = 7,
};
enum page_type { PAGE_DATA = 0, PAGE_INDEX = 1, PAGE_DICTIONARY = 2, PAGE_DATA_V2 = 3 };
enum repetition { REPEAT_REQUIRED, REPEAT_OPTIONAL, REPEAT_REPEATED };
/* ConvertedType, the older of the two ways in which a column says what it means. */
enum converted {
    CONVERTED_NONE = -1,
    CONVERTED_UTF8 = 0,
    CONVERTED_ENUM = 4,
    CONVERTED_DECIMAL = 5,
    CONVERTED_DATE = 6,
    CONVERTED_TIME_MILLIS = 7,
    CONVERTED_TIME_MICROS = 8,
    CONVERTED_TIMESTAMP_MILLIS = 9,
    CONVERTED_TIMESTAMP_MICROS = 10,
    CONVERTED_UINT_8 = 11,
    CONVERTED_UINT_16 = 12,
    CONVERTED_UINT_32 = 13,
    CONVERTED_UINT_64 = 14,
    CONVERTED_INT_8 = 15,
    CONVERTED_INT_16 = 16,
    CONVERTED_INT_32 = 17,
    CONVERTED_INT_64 = 18,
    CONVERTED_JSON = 19,
    CONVERTED_BSON = 20,
    CONVERTED_INTERVAL = 21,
};
/* Field numbers of the LogicalType union. */
enum logical {
    LOGICAL_NONE = 0,
    LOGICAL_STRING = 1,
    LOGICAL_MAP = 2,
    LOGICAL_LIST = 3,
    LOGICAL_ENUM = 4,
    LOGICAL_DECIMAL = 5,
    LOGICAL_DATE = 6,
    LOGICAL_TIME = 7,
    LOGICAL_TIMESTAMP = 8,
    LOGICAL_INTERVAL = 9, /* not in the union: of ConvertedType alone */
    LOGICAL_INTEGER = 10,
    LOGICAL_UNKNOWN = 11,
    LOGICAL_JSON = 12,
    LOGICAL_BSON = 13,
    LOGICAL_UUID = 14,
    LOGICAL_FLOAT16 = 15,
};
enum time_unit { UNIT_MILLIS = 1, UNIT_MICROS = 2, UNIT_NANOS = 3 };

/* A column as the schema describes it. */
struct leaf {
    const char *name;
    int32_t physical;   /* enum physical_type */
    int32_t width;      /* bytes of a FIXED */
    int32_t logical;    /* enum logical */
    int32_t scale, precision, unit, bits;
    bool adjusted_to_utc, is_signed, optional;
    bool nested;
    const char *reason; /* nested: why */
};

/* --- thrift.c: the compact protocol of Apache Thrift ---------------------------------------- */

enum thrift_type {
    THRIFT_STOP, THRIFT_TRUE, THRIFT_FALSE, THRIFT_BYTE, THRIFT_I16, THRIFT_I32, THRIFT_I64,
    THRIFT_DOUBLE, THRIFT_BINARY, THRIFT_LIST, THRIFT_SET, THRIFT_MAP, THRIFT_STRUCT,
};
struct thrift {
    const uint8_t *p, *end;
    bool bad;          /* malformed, or cut off: nothing more is read */
    int depth;
};
struct thrift_field {
    int32_t id;
    enum thrift_type type;
};
/* The next field of a struct; false at its end. *f starts as {0}. */
bool thrift__field(struct thrift *t, struct thrift_field *f);
/* Each reads the value of field f, or skips it and gives `otherwise` when it is of another type. */
int64_t thrift__int(struct thrift *t, const struct thrift_field *f, int64_t otherwise);
bool thrift__bool(struct thrift *t, const struct thrift_field *f);
struct slice thrift__binary(struct thrift *t, const struct thrift_field *f);
/* The number of elements of a list, 0 when it is none or of other elements than `want`. */
uint32_t thrift__list(struct thrift *t, const struct thrift_field *f, enum thrift_type want);
struct slice thrift__element_binary(struct thrift *t);
/* Into a struct (a field's, or a list's element: f NULL); false, skipped, when it is none. */
bool thrift__enter(struct thrift *t, const struct thrift_field *f);
void thrift__leave(struct thrift *t);
void thrift__skip(struct thrift *t, enum thrift_type type);

/* Writing: into a buffer; `last` is the id of the struct's field before. */
struct thrift_out {
    struct strbuf *b;
    int32_t last[8];
    int depth;
};
void thrift__put_int(struct thrift_out *o, int32_t id, enum thrift_type type, int64_t v);
void thrift__put_bool(struct thrift_out *o, int32_t id, bool v);
void thrift__put_binary(struct thrift_out *o, int32_t id, struct slice s);
void thrift__put_list(struct thrift_out *o, int32_t id, enum thrift_type of, uint32_t count);
void thrift__put_element_int(struct thrift_out *o, int64_t v);
void thrift__put_element_binary(struct thrift_out *o, struct slice s);
void thrift__put_struct(struct thrift_out *o,
                        int32_t id); /* id 0: a list's element, or the outermost */
void thrift__put_end(struct thrift_out *o);

/* --- metadata.c ----------------------------------------------------------------------------- */

struct chunk_meta { /* of a column in a row group */
    int32_t physical, codec;
    int64_t values, compressed_bytes, data_offset, dictionary_offset; /* 0: no dictionary */
};
struct metadata {
    struct leaf *leaves; /* all, nested ones too: chunks are counted so */
    uint32_t leaf_count;
    struct parquet_column *columns; /* of the top: nested ones are one each */
    uint32_t *column_leaf;          /* the first leaf of each */
    uint32_t column_count;
    int64_t rows;
    const uint8_t *groups; /* where the list's first element begins, in the footer */
    uint32_t group_count;
};
enum status parquet__read_metadata(struct slice footer, struct arena *a, struct metadata *ret) MUST;
/* One row group: chunks[leaf_count]. Moves *at to the next. */
enum status parquet__read_group(const struct metadata *m, struct slice footer, const uint8_t **at,
                                struct chunk_meta *chunks, int64_t *ret_rows) MUST;

struct page_header {
    int32_t type, uncompressed, compressed, values, encoding, level_encoding;
    bool has_crc;
    uint32_t crc;
    int32_t nulls, definition_bytes, repetition_bytes; /* of v2 */
    bool is_compressed;
};
/* *ret_len 0: the bytes end within it, or are none. */
enum status parquet__read_page_header(struct slice bytes, struct page_header *ret,
                                      size_t *ret_len) MUST;

/* --- logical.c ------------------------------------------------------------------------------ */

/* Which SQL type the column is; TYPE_NONE and a reason when there is none. */
void parquet__column_type(const struct leaf *l, struct parquet_column *ret);

/* --- codec.c -------------------------------------------------------------------------------- */

/* Exactly `out_len` bytes must come out; BAD_COPY_FILE_FORMAT otherwise. */
enum status parquet__decompress(int32_t codec, struct slice in, char *out, size_t out_len) MUST;
/* Zstandard. */
void parquet__compress(struct slice in, struct strbuf *out);
uint32_t parquet__crc32(struct slice s);
/* Snappy (github.com/google/snappy, format_description.txt); false when it is damaged. */
bool parquet__snappy(struct slice in, char *out, size_t out_len);

/* --- decode.c: runs of values --------------------------------------------------------------- */

/* The hybrid of run-length and bit-packed runs, of values of `width` bits (0..32). */
struct hybrid {
    const uint8_t *p, *end;
    unsigned width;
    uint32_t run;      /* values left of a run of equal ones */
    uint32_t value;
    uint32_t packed;   /* values left of a packed run */
    uint64_t bit;      /* where the next of them begins, from p */
};
void parquet__hybrid_init(struct hybrid *h, struct slice s, unsigned width);
/* False: the bytes end before. */
bool parquet__hybrid_next(struct hybrid *h, uint32_t *out, uint32_t count);

/* DELTA_BINARY_PACKED. */
struct delta {
    const uint8_t *p, *end;
    uint64_t block_values, mini_values;
    uint32_t minis;
    uint64_t left;         /* values not given yet, the first among them */
    int64_t value, min_delta;
    const uint8_t *widths; /* of the block's miniblocks */
    uint32_t mini;         /* the one being read */
    uint64_t mini_left;    /* of its values */
    uint64_t bit;
    bool started;
};
bool parquet__delta_init(struct delta *d, struct slice s);
bool parquet__delta_next(struct delta *d, int64_t *out, uint32_t count);
/* To the end of it: where what follows begins; NULL when damaged. */
const uint8_t *parquet__delta_end(struct delta *d);

/* --- values.c: the values of one page, dense (without NULLs) -------------------------------- */

struct values {
    const struct leaf *leaf;
    int32_t encoding;
    uint32_t width;              /* bytes of a fixed-size value */
    const uint8_t *p, *end;      /* PLAIN */
    uint32_t bit;                /* of a boolean */
    struct hybrid hybrid;        /* dictionary codes, booleans */
    struct delta delta, prefix;  /* numbers, or lengths */
    uint64_t split_count, split_at; /* BYTE_STREAM_SPLIT */
    struct strbuf last;          /* DELTA_BYTE_ARRAY: the value before */
};
enum status parquet__values_init(struct values *v, const struct leaf *l, int32_t encoding,
                                 struct slice bytes) MUST;
/* The next `count`: codes of a dictionary, or fixed-size values one after the other into `fixed`
 * (booleans are a byte each), or strings into `strings`, in the page or the arena. */
enum status parquet__values_codes(struct values *v, uint32_t *out, uint32_t count) MUST;
enum status parquet__values_fixed(struct values *v, char *fixed, uint32_t count) MUST;
enum status parquet__values_strings(struct values *v, struct slice *strings, uint32_t count,
                                    struct arena *a) MUST;
static inline bool encoding_is_dictionary(int32_t encoding)
{
    return encoding == ENCODING_PLAIN_DICTIONARY || encoding == ENCODING_RLE_DICTIONARY;
}
/* Bytes of a value in `fixed`; 0: a string. */
uint32_t parquet__fixed_width(const struct leaf *l);

/* --- convert.c: what they mean -------------------------------------------------------------- */

/* dst[i] := the SQL value of the i-th, `width` bytes a value (enum rep's). Strings go into the
 * arena. */
enum status parquet__convert_fixed(const struct leaf *l, type_id type, const char *fixed,
                                   uint32_t count, void *dst, struct arena *a) MUST;
enum status parquet__convert_strings(const struct leaf *l, type_id type,
                                     const struct slice *strings, uint32_t count, void *dst,
                                     struct arena *a) MUST;

/* --- chunk.c: a column of a row group ------------------------------------------------------- */

struct budget {
    uint64_t used, max;
};
/* A buffer that counts. */
struct buffer {
    char *data;
    size_t cap;
};
enum status parquet__buffer_need(struct budget *m, struct buffer *b, size_t bytes, bool keep) MUST;
void parquet__buffer_release(struct budget *m, struct buffer *b);

struct chunk {
    const struct leaf *leaf;
    type_id type;
    uint32_t value_width; /* in a vector */
    struct file *file;
    uint64_t file_bytes, *bytes_read;
    struct budget *memory;
    int32_t codec;
    uint64_t pos, end;     /* of the file: what is not in the window yet */
    struct buffer window;
    size_t window_at, window_len;
    struct buffer page;    /* decompressed */
    struct buffer dictionary,
        dictionary_values; /* its bytes; its values as they go into a vector */
    uint32_t dictionary_count;
    bool has_dictionary;
    int64_t values_left;   /* of the chunk, beyond this page */
    uint32_t page_left;    /* rows of this page */
    bool has_levels;
    struct hybrid levels;
    struct values values;
    struct arena arena;    /* of the dictionary's strings that had to be made */
};
void parquet__chunk_init(struct chunk *c);
void parquet__chunk_release(struct chunk *c);
enum status parquet__chunk_begin(struct chunk *c, const struct chunk_meta *m) MUST;
enum status parquet__chunk_next(struct chunk *c, struct vec *v, uint32_t at, uint32_t count,
                                struct arena *a) MUST;

#define DAMAGED(...) FAIL(BAD_COPY_FILE_FORMAT, "the Parquet file is damaged: " __VA_ARGS__)

#endif
