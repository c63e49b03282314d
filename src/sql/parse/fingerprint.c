/* What a statement says but for its constants: the text under which its executions are counted.
 *
 * Tokens are joined by single blanks where the text has any space or comment between them; constants
 * become $n, counted on from the highest parameter that the text has. The number is that of the tokens
 * with words in lower case, so neither layout nor case nor who wrote the constants changes it. */
#include "base/hash.h"
#include "sql/parse/parse.h"
#include "sql/parse/scan_priv.h"

static bool is_constant(const struct token *t)
{
    return t->kind == TOK_NUMBER || t->kind == TOK_STRING || t->kind == TOK_OTHER_STRING;
}

static uint32_t highest_param(struct slice text)
{
    struct scan s = {text.data, 0, (uint32_t)text.len};
    struct token t;
    uint32_t highest = 0;
    int64_t n;
    for (scan__next(&s, &t); t.kind != TOK_END && t.kind != TOK_BAD; scan__next(&s, &t))
        if (t.kind == TOK_PARAM &&
            str_to_i64(slice_make(text.data + t.start + 1, t.end - t.start - 1), &n) &&
            n > highest && n < UINT16_MAX)
            highest = (uint32_t)n;
    return highest;
}

uint64_t sql_fingerprint(struct slice text, struct strbuf *out)
{
    struct scan s = {text.data, 0, (uint32_t)text.len};
    struct token t;
    uint64_t hash = 0;
    uint32_t params = highest_param(text), end = 0;
    for (scan__next(&s, &t); t.kind != TOK_END; scan__next(&s, &t)) {
        bool rest = t.kind == TOK_BAD; /* nothing is known of what follows: as it stands */
        uint32_t len = (rest ? (uint32_t)text.len : t.end) - t.start;
        char *word = NULL;
        if (t.kind == TOK_PUNCTUATION && t.first == ';') break;
        if (out->len && t.start > end) strbuf_addc(out, ' ');
        size_t at = out->len;
        if (is_constant(&t)) strbuf_addf(out, "$%u", ++params);
        else strbuf_add(out, text.data + t.start, len);
        end = t.start + len;
        if (is_constant(&t) || t.kind == TOK_PARAM) {
            hash = hash_combine(hash, TOK_PARAM);
        } else if (t.kind == TOK_WORD) {
            uint64_t h = 0;
            word = out->data + at;
            for (uint32_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)word[i];
                h = h * 0x100000001b3 + (c >= 'A' && c <= 'Z' ? c + 32u : c);
            }
            hash = hash_combine(hash, h);
        } else {
            hash = hash_combine(hash, hash_bytes(out->data + at, len));
        }
        if (rest) break;
    }
    return hash ? hash : 1;
}
