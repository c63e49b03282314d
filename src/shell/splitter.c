/* A hand-written scanner over bytes. Only ASCII has meaning; bytes from 128 on are parts of names.
 */
#include "shell/splitter.h"

#include <ctype.h>

void splitter_init(struct splitter *s)
{
    memset(s, 0, sizeof(*s));
    strbuf_init(&s->text, NULL);
    strbuf_reserve(&s->text, 256);
    strbuf_clear(&s->text);
}

void splitter_release(struct splitter *s) { strbuf_release(&s->text); }

void splitter_reset(struct splitter *s)
{
    struct strbuf kept = s->text;
    memset(s, 0, sizeof(*s));
    s->text = kept;
    strbuf_clear(&s->text);
}

static bool word_start(unsigned char c) { return isalpha(c) || c == '_' || c >= 128; }
static bool word_part(unsigned char c) { return isalnum(c) || c == '_' || c == '$' || c >= 128; }

static size_t word_length(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && word_part((unsigned char)p[i])) i++;
    return i;
}

/* Length of an opening dollar quote at p, both dollars included; 0: it is none. */
static size_t dollar_length(const char *p, size_t n)
{
    size_t i = 1;
    if (n > 1 && isdigit((unsigned char)p[1])) return 0;
    while (i < n && word_part((unsigned char)p[i]) && p[i] != '$') i++;
    return i < n && p[i] == '$' && i + 1 < SPLIT_TAG_MAX ? i + 1 : 0;
}

static bool in_routine(const struct splitter *s)
{
    if (strcmp(s->words[0], "create") != 0) return false;
    const char *w = s->words[1];
    if (strcmp(w, "or") == 0) return s->word_count > 2; /* CREATE OR REPLACE */
    return strcmp(w, "function") == 0 || strcmp(w, "procedure") == 0;
}

/* Counts BEGIN ATOMIC, CASE and END inside CREATE FUNCTION, whose body holds semicolons. */
static void saw_word(struct splitter *s, const char *p, size_t n)
{
    char low[12] = {0};
    if (n >= sizeof(low)) n = sizeof(low) - 1;
    for (size_t i = 0; i < n; i++) low[i] = (char)tolower((unsigned char)p[i]);
    if (s->word_count < 3) {
        memcpy(s->words[s->word_count], low, sizeof(low));
        s->word_count++;
    } else if (s->parens == 0 && in_routine(s)) {
        if (strcmp(low, "begin") == 0) s->begins++;
        else if (strcmp(low, "case") == 0 && s->begins > 0) s->begins++;
        else if (strcmp(low, "end") == 0 && s->begins > 0) s->begins--;
    }
}

/* One piece inside an open quote or comment; returns bytes used. */
static size_t feed_open(struct splitter *s, const char *p, size_t n)
{
    size_t tag;
    switch (s->state) {
    case SPLIT_ESCAPE_STRING:
        if (s->escaped) s->escaped = false;
        else if (*p == '\\') s->escaped = true;
        else if (*p == '\'') s->state = SPLIT_PLAIN;
        return 1;
    case SPLIT_STRING:
        if (*p == '\'') s->state = SPLIT_PLAIN;
        return 1;
    case SPLIT_NAME:
        if (*p == '"') s->state = SPLIT_PLAIN;
        return 1;
    case SPLIT_DOLLAR:
        tag = strlen(s->tag);
        if (n < tag || memcmp(p, s->tag, tag) != 0) return 1;
        s->state = SPLIT_PLAIN;
        return tag;
    case SPLIT_COMMENT:
        if (n > 1 && p[0] == '/' && p[1] == '*') return s->comments++, 2;
        if (n > 1 && p[0] == '*' && p[1] == '/') {
            if (--s->comments == 0) s->state = SPLIT_PLAIN;
            return 2;
        }
        return 1;
    case SPLIT_PLAIN: break;
    }
    return 1;
}

/* One piece outside of quotes; may open one. */
static size_t feed_plain(struct splitter *s, const char *p, size_t n)
{
    if (word_start((unsigned char)*p)) {
        size_t len = word_length(p, n);
        saw_word(s, p, len);
        s->content = true;
        if (len == 1 && (*p == 'e' || *p == 'E') && n > 1 && p[1] == '\'') {
            s->state = SPLIT_ESCAPE_STRING;
            return 2;
        }
        return len;
    }
    if (isdigit((unsigned char)*p)) {
        s->content = true;
        return word_length(p, n);
    }
    if (*p == '/' && n > 1 && p[1] == '*') {
        s->state = SPLIT_COMMENT;
        s->comments = 1;
        return 2;
    }
    if (*p == '-' && n > 1 && p[1] == '-') {
        const char *end = memchr(p, '\n', n);
        return end ? (size_t)(end - p) : n;
    }
    if (!isspace((unsigned char)*p)) s->content = true;
    switch (*p) {
    case '\'': s->state = SPLIT_STRING; return 1;
    case '"': s->state = SPLIT_NAME; return 1;
    case '(': s->parens++; return 1;
    case ')': s->parens -= s->parens > 0; return 1;
    case '$': {
        size_t tag = dollar_length(p, n);
        if (tag == 0) return 1;
        memcpy(s->tag, p, tag);
        s->tag[tag] = '\0';
        s->state = SPLIT_DOLLAR;
        return tag;
    }
    default: return 1;
    }
}

enum split splitter_feed(struct splitter *s, struct slice input, size_t *ret_used)
{
    size_t i = 0;
    while (i < input.len && s->text.len < SPLIT_TEXT_MAX) {
        const char *p = input.data + i;
        if (s->state == SPLIT_PLAIN) {
            if (*p == '\\') {
                *ret_used = i;
                return SPLIT_COMMAND;
            }
            if (*p == ';' && s->parens == 0 && s->begins == 0) {
                *ret_used = i + 1;
                return SPLIT_STATEMENT;
            }
        }
        size_t n = input.len - i;
        size_t used = s->state == SPLIT_PLAIN ? feed_plain(s, p, n) : feed_open(s, p, n);
        strbuf_add(&s->text, p, used);
        i += used;
    }
    *ret_used = input.len;
    return SPLIT_MORE;
}

char splitter_prompt(const struct splitter *s)
{
    switch (s->state) {
    case SPLIT_STRING:
    case SPLIT_ESCAPE_STRING: return '\'';
    case SPLIT_NAME: return '"';
    case SPLIT_DOLLAR: return '$';
    case SPLIT_COMMENT: return '*';
    case SPLIT_PLAIN: break;
    }
    if (s->parens > 0) return '(';
    return s->content ? '-' : '=';
}

size_t splitter_piece(struct slice in, enum split_piece *ret_kind)
{
    struct splitter s = {0};
    const char *p = in.data;
    bool comment = in.len > 1 && ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*'));
    size_t used = feed_plain(&s, p, in.len);
    *ret_kind = comment ? PIECE_COMMENT
                : s.state != SPLIT_PLAIN ? PIECE_QUOTE
                : word_start((unsigned char)*p) ? PIECE_WORD
                                                : PIECE_OTHER;
    while (s.state != SPLIT_PLAIN && used < in.len) used += feed_open(&s, p + used, in.len - used);
    return used;
}

void splitter_flatten(struct slice sql, struct strbuf *out)
{
    for (size_t i = 0; i < sql.len;) {
        enum split_piece kind;
        size_t n = splitter_piece(slice_make(sql.data + i, sql.len - i), &kind);
        const char *p = sql.data + i;
        if (kind == PIECE_COMMENT && p[0] == '-') {
            /* Its end is the line's end: on one line it needs the other form, where that can hold
             * it. */
            if (!memmem(p, n, "*/", 2) && !memmem(p, n, "/*", 2))
                strbuf_addf(out, "/*%.*s */", (int)(n - 2), p + 2);
        } else if (n == 1 && *p == '\n') {
            strbuf_addc(out, ' ');
        } else {
            strbuf_add(out, p, n);
        }
        i += n;
    }
}
