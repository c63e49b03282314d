/* Which SQL type a column of a file has. Unsigned numbers get the next wider type; what has a
 * meaning that no SQL type has (BSON) is its bytes. */
#include "formats/parquet/parquet_priv.h"

enum { DECIMAL_BYTES_MAX = 32, PRECISION_MAX = 76, INTERVAL_BYTES = 12, UUID_BYTES = 16 };

static type_id integer_type(const struct leaf *l, bool wide)
{
    if (l->logical != LOGICAL_INTEGER) return wide ? TYPE_INT8 : TYPE_INT4;
    if (l->bits <= 8) return TYPE_INT2;
    if (l->bits <= 16) return l->is_signed ? TYPE_INT2 : TYPE_INT4;
    if (l->bits <= 32) return l->is_signed ? TYPE_INT4 : TYPE_INT8;
    return l->is_signed ? TYPE_INT8 : TYPE_NUMERIC; /* 2^64 - 1 is more than int8 holds */
}

static type_id time_type(const struct leaf *l)
{
    if (l->logical == LOGICAL_TIME) return TYPE_TIME;
    return l->adjusted_to_utc ? TYPE_TIMESTAMPTZ : TYPE_TIMESTAMP;
}

static type_id decimal_type(const struct leaf *l, struct parquet_column *c)
{
    if (l->precision < 1 || l->precision > PRECISION_MAX || l->scale < 0 ||
        l->scale > l->precision ||
        (l->physical == PHYSICAL_FIXED && l->width > DECIMAL_BYTES_MAX)) {
        c->reason = "a decimal of more than 76 digits";
        return TYPE_NONE;
    }
    c->typmod = ((l->precision << 16) | l->scale) + 4;
    return TYPE_NUMERIC;
}

static type_id fixed_type(const struct leaf *l)
{
    if (l->logical == LOGICAL_UUID && l->width == UUID_BYTES) return TYPE_UUID;
    if (l->logical == LOGICAL_INTERVAL && l->width == INTERVAL_BYTES) return TYPE_INTERVAL;
    if (l->logical == LOGICAL_FLOAT16 && l->width == 2) return TYPE_FLOAT4;
    return TYPE_BYTEA;
}

void parquet__column_type(const struct leaf *l, struct parquet_column *c)
{
    bool timed = (l->logical == LOGICAL_TIME || l->logical == LOGICAL_TIMESTAMP) &&
                 l->unit >= UNIT_MILLIS && l->unit <= UNIT_NANOS;
    c->typmod = -1;
    c->type = TYPE_NONE;
    switch (l->physical) {
    case PHYSICAL_BOOLEAN: c->type = TYPE_BOOL; return;
    case PHYSICAL_FLOAT: c->type = TYPE_FLOAT4; return;
    case PHYSICAL_DOUBLE: c->type = TYPE_FLOAT8; return;
    case PHYSICAL_INT96: c->type = TYPE_TIMESTAMP; return;
    default: break;
    }
    if (l->logical == LOGICAL_DECIMAL) {
        c->type = decimal_type(l, c);
        return;
    }
    switch (l->physical) {
    case PHYSICAL_INT32:
        c->type = l->logical == LOGICAL_DATE            ? TYPE_DATE
                  : timed && l->logical == LOGICAL_TIME ? TYPE_TIME
                                                        : integer_type(l, false);
        return;
    case PHYSICAL_INT64: c->type = timed ? time_type(l) : integer_type(l, true); return;
    case PHYSICAL_BYTE_ARRAY: {
        bool text = l->logical == LOGICAL_STRING || l->logical == LOGICAL_ENUM ||
                    l->logical == LOGICAL_JSON;
        c->type = text ? TYPE_TEXT : TYPE_BYTEA;
        return;
    }
    case PHYSICAL_FIXED: c->type = fixed_type(l); return;
    default: c->reason = "of a type that is not known"; return;
    }
}
