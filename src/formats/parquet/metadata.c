/* The footer: schema and row groups; and the headers of pages. The schema is read once; row groups,
 * of which there may be many, one at a time from the footer's bytes, so that a footer takes little
 * more memory than its size. */
#include "formats/parquet/parquet_priv.h"

/* --- schema --------------------------------------------------------------------------------- */

struct element { /* SchemaElement */
    struct leaf leaf;
    int32_t repetition, children, converted;
};

static void read_unit(struct thrift *t, const struct thrift_field *of, struct leaf *l)
{
    struct thrift_field f = {0};
    if (!thrift__enter(t, of)) return;
    while (thrift__field(t, &f)) {
        l->unit = f.id;
        thrift__skip(t, f.type);
    }
    thrift__leave(t);
}

/* What stands in a member of the LogicalType union. */
static void read_logical_fields(struct thrift *t, struct leaf *l)
{
    struct thrift_field f = {0};
    bool timed = l->logical == LOGICAL_TIME || l->logical == LOGICAL_TIMESTAMP;
    while (thrift__field(t, &f)) {
        if (l->logical == LOGICAL_DECIMAL && f.id == 1) l->scale = (int32_t)thrift__int(t, &f, 0);
        else if (l->logical == LOGICAL_DECIMAL && f.id == 2)
            l->precision = (int32_t)thrift__int(t, &f, 0);
        else if (timed && f.id == 1) l->adjusted_to_utc = thrift__bool(t, &f);
        else if (timed && f.id == 2) read_unit(t, &f, l);
        else if (l->logical == LOGICAL_INTEGER && f.id == 1)
            l->bits = (int32_t)thrift__int(t, &f, 0);
        else if (l->logical == LOGICAL_INTEGER && f.id == 2) l->is_signed = thrift__bool(t, &f);
        else thrift__skip(t, f.type);
    }
}

static void read_logical(struct thrift *t, const struct thrift_field *of, struct leaf *l)
{
    struct thrift_field f = {0};
    if (!thrift__enter(t, of)) return;
    while (thrift__field(t, &f)) {
        l->logical = f.id;
        if (!thrift__enter(t, &f)) continue;
        read_logical_fields(t, l);
        thrift__leave(t);
    }
    thrift__leave(t);
}

/* Files of before 2018, and some of today, say it so. */
static void apply_converted(struct leaf *l, int32_t converted)
{
    static const struct {
        int32_t logical, unit, bits;
        bool is_signed;
    } means[] = {
        [CONVERTED_UTF8] = {LOGICAL_STRING},
        [CONVERTED_ENUM] = {LOGICAL_ENUM},
        [CONVERTED_DECIMAL] = {LOGICAL_DECIMAL},
        [CONVERTED_DATE] = {LOGICAL_DATE},
        [CONVERTED_TIME_MILLIS] = {LOGICAL_TIME, UNIT_MILLIS},
        [CONVERTED_TIME_MICROS] = {LOGICAL_TIME, UNIT_MICROS},
        [CONVERTED_TIMESTAMP_MILLIS] = {LOGICAL_TIMESTAMP, UNIT_MILLIS},
        [CONVERTED_TIMESTAMP_MICROS] = {LOGICAL_TIMESTAMP, UNIT_MICROS},
        [CONVERTED_UINT_8] = {LOGICAL_INTEGER, 0, 8, false},
        [CONVERTED_UINT_16] = {LOGICAL_INTEGER, 0, 16, false},
        [CONVERTED_UINT_32] = {LOGICAL_INTEGER, 0, 32, false},
        [CONVERTED_UINT_64] = {LOGICAL_INTEGER, 0, 64, false},
        [CONVERTED_INT_8] = {LOGICAL_INTEGER, 0, 8, true},
        [CONVERTED_INT_16] = {LOGICAL_INTEGER, 0, 16, true},
        [CONVERTED_INT_32] = {LOGICAL_INTEGER, 0, 32, true},
        [CONVERTED_INT_64] = {LOGICAL_INTEGER, 0, 64, true},
        [CONVERTED_JSON] = {LOGICAL_JSON},
        [CONVERTED_BSON] = {LOGICAL_BSON},
        [CONVERTED_INTERVAL] = {LOGICAL_INTERVAL},
    };
    if (l->logical != LOGICAL_NONE || converted < 0 || converted > CONVERTED_INTERVAL) return;
    l->logical = means[converted].logical;
    l->unit = means[converted].unit;
    l->bits = means[converted].bits;
    l->is_signed = means[converted].is_signed;
    /* They knew no other. */
    l->adjusted_to_utc = l->logical == LOGICAL_TIMESTAMP;
}

/* A name goes into messages and statements: what is no UTF-8 in it becomes question marks. */
static const char *clean_name(struct arena *a, struct slice s)
{
    char *name = arena_strndup(a, s.data, s.len);
    for (size_t i = 0; i < s.len;) {
        unsigned char lead = (unsigned char)name[i];
        size_t n = lead > 0 && lead < 0x80 ? 1
                   : lead < 0xc2           ? 0
                   : lead < 0xe0           ? 2
                   : lead < 0xf0           ? 3
                   : lead < 0xf5           ? 4
                                           : 0;
        bool fine = n > 0 && n <= s.len - i;
        for (size_t k = 1; fine && k < n; k++) fine = ((unsigned char)name[i + k] & 0xc0) == 0x80;
        unsigned char second = fine && n > 2 ? (unsigned char)name[i + 1] : 0x90;
        fine &= !(lead == 0xe0 && second < 0xa0) && !(lead == 0xed && second > 0x9f) &&
                !(lead == 0xf4 && second > 0x8f) && !(lead == 0xf0 && second < 0x90);
        if (!fine) name[i] = '?';
        i += fine ? n : 1;
    }
    return name;
}

static void read_element(struct thrift *t, struct arena *a, struct element *e)
{
    struct thrift_field f = {0};
    *e = (struct element){.leaf = {.name = "", .physical = PHYSICAL_NONE},
                          .converted = CONVERTED_NONE};
    if (!thrift__enter(t, NULL)) return;
    while (thrift__field(t, &f)) {
        struct slice s;
        switch (f.id) {
        case 1: e->leaf.physical = (int32_t)thrift__int(t, &f, PHYSICAL_NONE); break;
        case 2: e->leaf.width = (int32_t)thrift__int(t, &f, 0); break;
        case 3: e->repetition = (int32_t)thrift__int(t, &f, 0); break;
        case 4:
            s = thrift__binary(t, &f);
            e->leaf.name = clean_name(a, s);
            break;
        case 5: e->children = (int32_t)thrift__int(t, &f, 0); break;
        case 6: e->converted = (int32_t)thrift__int(t, &f, CONVERTED_NONE); break;
        case 7: e->leaf.scale = (int32_t)thrift__int(t, &f, 0); break;
        case 8: e->leaf.precision = (int32_t)thrift__int(t, &f, 0); break;
        case 10: read_logical(t, &f, &e->leaf); break;
        default: thrift__skip(t, f.type);
        }
    }
    thrift__leave(t);
    apply_converted(&e->leaf, e->converted);
}

static const char *group_reason(const struct element *e)
{
    if (e->leaf.logical == LOGICAL_LIST || e->converted == 3) return "a list";
    if (e->leaf.logical == LOGICAL_MAP || e->converted == 1 || e->converted == 2) return "a map";
    return "a struct";
}

static enum status check_leaf(const struct leaf *l)
{
    if (l->physical < PHYSICAL_BOOLEAN || l->physical > PHYSICAL_FIXED)
        return DAMAGED("column \"%s\" has no type", l->name);
    if (l->physical == PHYSICAL_FIXED && (l->width <= 0 || l->width > 1 << 20))
        return DAMAGED("column \"%s\" has values of %d bytes", l->name, l->width);
    return OK;
}

/* The elements are the tree in preorder; open[] counts the children that are still to come. */
static enum status read_schema(struct thrift *t, uint32_t count, struct arena *a,
                               struct metadata *m)
{
    enum { DEPTH_MAX = 64 };
    int64_t open[DEPTH_MAX] = {0};
    int depth = 0;
    struct element e;
    if (count < 1 || count > PARQUET_COLUMNS_MAX)
        return FAIL(FEATURE_NOT_SUPPORTED, "Parquet files with %u columns are not supported",
                    count),
               error_detail("There must be 1 to %d.", PARQUET_COLUMNS_MAX);
    m->leaves = ARENA_ARRAY(a, struct leaf, count);
    m->columns = ARENA_ARRAY(a, struct parquet_column, count);
    m->column_leaf = ARENA_ARRAY(a, uint32_t, count);
    read_element(t, a, &e); /* the root */
    open[0] = e.children;
    for (uint32_t i = 1; i < count && !t->bad; i++) {
        read_element(t, a, &e);
        bool group = e.children > 0 || e.leaf.physical == PHYSICAL_NONE;
        while (depth > 0 && open[depth] == 0) depth--;
        if (open[depth]-- <= 0) return DAMAGED("its schema is no tree");
        if (depth == 0) {
            struct parquet_column *c = &m->columns[m->column_count];
            m->column_leaf[m->column_count++] = m->leaf_count;
            c->name = e.leaf.name;
            c->typmod = -1;
            if (group) c->reason = group_reason(&e);
            else if (e.repetition == REPEAT_REPEATED) c->reason = "a list";
            else parquet__column_type(&e.leaf, c);
            c->required = e.repetition == REPEAT_REQUIRED;
        }
        if (group) {
            if (++depth == DEPTH_MAX) return DAMAGED("its schema is more than %d deep", DEPTH_MAX);
            open[depth] = e.children;
            continue;
        }
        TRY(check_leaf(&e.leaf));
        e.leaf.optional = e.repetition == REPEAT_OPTIONAL;
        m->leaves[m->leaf_count++] = e.leaf;
    }
    return OK;
}

enum status parquet__read_metadata(struct slice footer, struct arena *a, struct metadata *ret)
{
    const uint8_t *begin = (const uint8_t *)footer.data;
    struct thrift t = {begin, begin + footer.len};
    struct thrift_field f = {0};
    bool schema = false;
    *ret = (struct metadata){0};
    while (thrift__field(&t, &f)) {
        if (f.id == 2 && !schema) {
            schema = true;
            TRY(read_schema(&t, thrift__list(&t, &f, THRIFT_STRUCT), a, ret));
        } else if (f.id == 3) {
            ret->rows = thrift__int(&t, &f, -1);
        } else if (f.id == 4 && !ret->groups) {
            struct thrift_field item = {0, THRIFT_STRUCT};
            ret->group_count = thrift__list(&t, &f, THRIFT_STRUCT);
            ret->groups = t.p;
            for (uint32_t i = 0; i < ret->group_count && !t.bad; i++) thrift__skip(&t, item.type);
        } else {
            thrift__skip(&t, f.type);
        }
    }
    if (t.bad || !schema || ret->rows < 0) return DAMAGED("its footer cannot be read");
    return OK;
}

/* --- row groups ----------------------------------------------------------------------------- */

static void read_chunk_meta(struct thrift *t, const struct thrift_field *of, struct chunk_meta *c)
{
    struct thrift_field f = {0};
    if (!thrift__enter(t, of)) return;
    while (thrift__field(t, &f)) {
        switch (f.id) {
        case 1: c->physical = (int32_t)thrift__int(t, &f, PHYSICAL_NONE); break;
        case 4: c->codec = (int32_t)thrift__int(t, &f, -1); break;
        case 5: c->values = thrift__int(t, &f, -1); break;
        case 7: c->compressed_bytes = thrift__int(t, &f, -1); break;
        case 9: c->data_offset = thrift__int(t, &f, -1); break;
        case 11: c->dictionary_offset = thrift__int(t, &f, 0); break;
        default: thrift__skip(t, f.type);
        }
    }
    thrift__leave(t);
}

static void read_chunk(struct thrift *t, struct chunk_meta *c)
{
    struct thrift_field f = {0};
    *c = (struct chunk_meta){.physical = PHYSICAL_NONE, .values = -1};
    if (!thrift__enter(t, NULL)) return;
    while (thrift__field(t, &f)) {
        if (f.id == 3) read_chunk_meta(t, &f, c);
        else thrift__skip(t, f.type);
    }
    thrift__leave(t);
}

enum status parquet__read_group(const struct metadata *m, struct slice footer, const uint8_t **at,
                                struct chunk_meta *chunks, int64_t *ret_rows)
{
    struct thrift t = {*at, (const uint8_t *)footer.data + footer.len};
    struct thrift_field f = {0};
    uint32_t count = 0;
    struct chunk_meta ignored;
    *ret_rows = -1;
    if (!thrift__enter(&t, NULL)) return DAMAGED("its footer cannot be read");
    while (thrift__field(&t, &f)) {
        if (f.id == 1) {
            uint32_t n = thrift__list(&t, &f, THRIFT_STRUCT);
            for (uint32_t i = 0; i < n && !t.bad; i++)
                read_chunk(&t, count < m->leaf_count ? &chunks[count] : &ignored), count++;
        } else if (f.id == 3) {
            *ret_rows = thrift__int(&t, &f, -1);
        } else {
            thrift__skip(&t, f.type);
        }
    }
    if (t.bad || *ret_rows < 0) return DAMAGED("its footer cannot be read");
    if (count != m->leaf_count)
        return DAMAGED("a row group has %u columns, the schema %u", count, m->leaf_count);
    *at = t.p;
    return OK;
}

/* --- pages ---------------------------------------------------------------------------------- */

static void read_data_header(struct thrift *t, const struct thrift_field *of, bool v2,
                             struct page_header *h)
{
    struct thrift_field f = {0};
    if (!thrift__enter(t, of)) return;
    while (thrift__field(t, &f)) {
        if (f.id == 1) h->values = (int32_t)thrift__int(t, &f, -1);
        else if (f.id == (v2 ? 4 : 2)) h->encoding = (int32_t)thrift__int(t, &f, -1);
        else if (!v2 && f.id == 3) h->level_encoding = (int32_t)thrift__int(t, &f, -1);
        else if (v2 && f.id == 2) h->nulls = (int32_t)thrift__int(t, &f, -1);
        else if (v2 && f.id == 5) h->definition_bytes = (int32_t)thrift__int(t, &f, -1);
        else if (v2 && f.id == 6) h->repetition_bytes = (int32_t)thrift__int(t, &f, -1);
        else if (v2 && f.id == 7) h->is_compressed = thrift__bool(t, &f);
        else thrift__skip(t, f.type);
    }
    thrift__leave(t);
}

enum status parquet__read_page_header(struct slice bytes, struct page_header *ret, size_t *ret_len)
{
    const uint8_t *begin = (const uint8_t *)bytes.data;
    struct thrift t = {begin, begin + bytes.len};
    struct thrift_field f = {0};
    *ret = (struct page_header){.type = -1, .uncompressed = -1, .compressed = -1, .values = -1,
                                .encoding = -1, .level_encoding = ENCODING_RLE,
                                .is_compressed = true};
    *ret_len = 0;
    while (thrift__field(&t, &f)) {
        switch (f.id) {
        case 1: ret->type = (int32_t)thrift__int(&t, &f, -1); break;
        case 2: ret->uncompressed = (int32_t)thrift__int(&t, &f, -1); break;
        case 3: ret->compressed = (int32_t)thrift__int(&t, &f, -1); break;
        case 4:
            ret->crc = (uint32_t)thrift__int(&t, &f, 0);
            ret->has_crc = true;
            break;
        case 5: read_data_header(&t, &f, false, ret); break;
        case 7: read_data_header(&t, &f, false, ret); break;
        case 8: read_data_header(&t, &f, true, ret); break;
        default: thrift__skip(&t, f.type);
        }
    }
    if (t.bad) return OK; /* more bytes may help */
    if (ret->type < 0 || ret->uncompressed < 0 || ret->compressed < 0)
        return DAMAGED("the header of a page cannot be read");
    *ret_len = (size_t)(t.p - begin);
    return OK;
}
