/* The bytes that key.c writes and key_decode.c reads. */
#ifndef HELIOS_TYPES_KEY_PRIV_H
#define HELIOS_TYPES_KEY_PRIV_H

enum {
    KEY_ARRAY_END = 1, /* below both markers of an element: the shorter array is less */
    KEY_EXPONENT_BIAS = 1 << 23,
};

/* Bounds of ranges. */
enum { KEY_UNBOUNDED_LOW = 0, KEY_FINITE = 1, KEY_UNBOUNDED_HIGH = 2 };

/* Classes of numerics, in their order. */
enum {
    KEY_NINF = 0x10,
    KEY_NEGATIVE = 0x20,
    KEY_ZERO = 0x30,
    KEY_POSITIVE = 0x40,
    KEY_PINF = 0x50,
    KEY_NAN = 0x60,
};

#endif
