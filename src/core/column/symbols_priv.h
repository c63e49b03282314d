/* Strings as codes of one byte for their frequent pieces of up to 8 bytes (Boncz, Neumann, Leis,
 * "FSST: Fast Random Access String Compression", PVLDB 13(11)). One table serves many strings;
 * each string is decoded by itself. Code 255 is followed by a byte that stands for itself. */
#ifndef HELIOS_CORE_COLUMN_SYMBOLS_PRIV_H
#define HELIOS_CORE_COLUMN_SYMBOLS_PRIV_H

#include "base/str.h"

enum {
    SYMBOLS_MAX = 255,
    SYMBOL_BYTES_MAX = 8,
    SYMBOL_ESCAPE = 255,
    SYMBOLS_SLACK = 8, /* bytes beyond the end that decoding may write */
};

/* What decoding needs. Unused codes have length 0; so has the escape. */
struct symbols {
    uint64_t text[256];
    uint8_t len[256];
    uint16_t count;
};

struct symbols_encoder;

/* Learns a table from a sample. Frees with symbols__free. NULL when the sample is too small to
 * tell. */
struct symbols_encoder *symbols__learn(const struct slice *sample, uint32_t count);
/* The encoder of a table that was read. */
struct symbols_encoder *symbols__encoder(const struct symbols *table);
const struct symbols *symbols__table(const struct symbols_encoder *e);
void symbols__free(struct symbols_encoder *e);
/* Appends the codes: at most twice the length. Equal strings give equal codes. */
void symbols__encode(const struct symbols_encoder *e, struct slice s, struct strbuf *out);

/* The table's bytes: u8 count, u8 length of each, the texts. */
void symbols__store(const struct symbols *table, struct strbuf *out);
const char *symbols__load(struct slice raw, struct symbols *ret, size_t *ret_bytes);

/* Decodes into `out`, of `room` bytes and SYMBOLS_SLACK more. False when the codes are damaged
 * or the room does not suffice. */
bool symbols__decode(const struct symbols *table, struct slice codes, char *out, size_t room,
                     size_t *ret_len);

#endif
