/* helios.storage = row, SET helios.force_format TO column: the grammar wants such words in quotes. In a text
 * that it refuses they get them, in the room of the blanks around the `=`, so that every place in the text
 * stays what it was. */
#include "sql/parse/parse_priv.h"

#include "sql/parse/scan_priv.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

static bool next_is_mark(struct scan *s, char c)
{
    struct token t;
    scan__next(s, &t);
    return t.end - t.start == 1 && t.first == c;
}

static bool take_name(struct scan *s)
{
    return next_is_mark(s, '.') &&
           (scan__take_word(s, "storage") || scan__take_word(s, "force_format") ||
            scan__take_word(s, "default_storage"));
}

/* From behind the name: ` = row`. */
static void quote(char *text, uint32_t from, struct scan *s)
{
    struct token word;
    struct scan ahead = *s;
    if (!scan__take_word(&ahead, "to") && !next_is_mark(&ahead, '=')) return;
    scan__next(&ahead, &word);
    if (!scan__is_word(&ahead, &word, "row") && !scan__is_word(&ahead, &word, "column")) return;
    uint32_t len = word.end - word.start;
    if (word.end - from < len + sizeof "=''" - 1) return;
    char *at = text + word.end - len - 3;
    memset(text + from, ' ', word.start - from);
    at[0] = '=';
    at[1] = '\'';
    memmove(at + 2, text + word.start, len);
    at[2 + len] = '\'';
    *s = ahead;
}

struct slice storage_words(struct arena *a, struct slice text)
{
    if (text.len > TEXT_BYTES_MAX) return text;
    char *made = arena_strndup(a, text.data, text.len);
    struct scan s = {made, 0, (uint32_t)text.len};
    struct token t;
    for (scan__next(&s, &t); t.kind != TOK_END && t.kind != TOK_BAD; scan__next(&s, &t)) {
        if (!scan__is_word(&s, &t, "helios")) continue;
        struct scan name = s;
        if (!take_name(&name)) continue;
        quote(made, name.at, &name);
        s = name;
    }
    return (struct slice){made, text.len};
}
