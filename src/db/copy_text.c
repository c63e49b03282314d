/* COPY FROM in text format (PostgreSQL 15 documentation, COPY, "Text Format"): lines of
 * fields, with backslash escapes. Loads of millions of rows come this way, so nothing is done
 * a byte at a time that memchr can do: a line without a backslash is found and cut by it
 * alone. Fields are slices of the input, values go from them straight into the batch's
 * vectors. */
#include "db/copy_priv.h"

/* --- lines ---------------------------------------------------------------------------------- */

struct line {
    size_t len, next;   /* from in->pos: of the line, and to the one behind it */
    bool backslash;     /* there is one in it */
    bool marker;        /* it is \. alone */
};

static enum status stray(char c)
{
    if (c == '\r')
        return FAIL(BAD_COPY_FILE_FORMAT, "literal carriage return found in data"),
               error_hint("Use \"\\r\" to represent carriage return.");
    return FAIL(BAD_COPY_FILE_FORMAT, "literal newline found in data"),
           error_hint("Use \"\\n\" to represent newline.");
}

/* The end of a line at d[at], which is \r or \n: settles the style at the first one. *ret_len
 * 0: more input is needed to tell. */
static enum status line_break(struct copy_in *in, size_t at, size_t *ret_len)
{
    const char *d = in->data + in->pos;
    size_t n = in->end - in->pos;
    bool pair = d[at] == '\r' && at + 1 < n && d[at + 1] == '\n';
    *ret_len = 0;
    if (d[at] == '\r' && at + 1 == n && !in->exhausted && in->eol != COPY_EOL_NL) return OK;
    if (in->eol == COPY_EOL_UNKNOWN)
        in->eol = d[at] == '\n' ? COPY_EOL_NL : pair ? COPY_EOL_CRNL : COPY_EOL_CR;
    enum copy_eol here = d[at] == '\n' ? COPY_EOL_NL : pair ? COPY_EOL_CRNL : COPY_EOL_CR;
    /* With \r alone a \n behind it is the next line's, and stray there. */
    if (in->eol == COPY_EOL_CR && d[at] == '\r') here = COPY_EOL_CR;
    if (here != in->eol) return stray(d[at]);
    *ret_len = here == COPY_EOL_CRNL ? 2 : 1;
    return OK;
}

/* A backslash and a dot at d[at]: must end a line. */
static enum status end_marker(struct copy_in *in, size_t at, bool *ret_more)
{
    const char *d = in->data + in->pos;
    size_t n = in->end - in->pos;
    *ret_more = false;
    if (at + 2 >= n && !in->exhausted) {
        *ret_more = true;
        return OK;
    }
    if (at + 2 >= n || (d[at + 2] != '\n' && d[at + 2] != '\r'))
        return FAIL(BAD_COPY_FILE_FORMAT, "end-of-copy marker corrupt");
    if (in->eol == COPY_EOL_UNKNOWN) return OK;
    if ((d[at + 2] == '\n') != (in->eol == COPY_EOL_NL))
        return FAIL(BAD_COPY_FILE_FORMAT,
                    "end-of-copy marker does not match previous newline style");
    return OK;
}

/* From d[*at] on, a byte at a time. *ret_found false: more input is needed, and *at is where
 * to go on. */
static enum status find_carefully(struct copy_in *in, size_t *at, struct line *l, bool *ret_found)
{
    const char *d = in->data + in->pos;
    size_t n = in->end - in->pos;
    *ret_found = true;
    while (*at < n) {
        size_t i = *at, len;
        if (d[i] == '\\') {
            bool more;
            l->backslash = true;
            if (i + 1 == n && !in->exhausted) break;
            if (i + 1 < n && d[i + 1] == '.') {
                TRY(end_marker(in, i, &more));
                if (more) break;
                *at = i + 2;
                TRY(line_break(in, *at, &len));
                if (len == 0) return *at = i, *ret_found = false, OK;
                *l = (struct line){i, i + 2 + len, true, i == 0};
                return OK;
            }
            *at = i + 2 < n ? i + 2 : n;
        } else if (d[i] == '\n' || d[i] == '\r') {
            TRY(line_break(in, i, &len));
            if (len == 0) break;
            l->len = i;
            l->next = i + len;
            return OK;
        } else {
            (*at)++;
        }
    }
    *ret_found = false;
    return OK;
}

/* The whole line in one go, when it ends with \n and has neither backslash nor \r. */
static bool find_plain(const struct copy_in *in, size_t *at, struct line *l)
{
    const char *d = in->data + in->pos;
    size_t n = in->end - in->pos;
    const char *nl = memchr(d + *at, '\n', n - *at);
    size_t len = nl ? (size_t)(nl - d) : n;
    if (memchr(d + *at, '\\', len - *at) || memchr(d + *at, '\r', len - *at)) return false;
    *at = len;
    l->len = len;
    l->next = len + 1;
    return nl != NULL;
}

static enum status find_line(struct copy_in *in, struct line *l)
{
    size_t at = 0;
    *l = (struct line){0};
    in->line_text = (struct slice){0};
    for (;;) {
        bool found = false;
        if (in->eol == COPY_EOL_NL && !l->backslash) found = find_plain(in, &at, l);
        if (!found) TRY(find_carefully(in, &at, l, &found));
        if (found) break;
        enum status more = copy__more(in);
        if (more == OK) continue;
        if (more != END_OF_DATA) return more;
        if (at < in->end - in->pos) continue; /* what was undecided is not any more */
        if (at == 0) return END_OF_DATA;
        l->len = l->next = at;                /* the last line, without its newline */
        break;
    }
    in->finished = l->marker;
    return l->marker ? END_OF_DATA : OK;
}

/* The next line, valid UTF-8, at in->pos; in->line_text. The caller moves on by l->next. */
static enum status read_line(struct copy_in *in, struct line *l)
{
    if (in->finished) return END_OF_DATA;
    in->line++;
    enum status result = find_line(in, l);
    if (result == END_OF_DATA) return result;
    if (result != OK) return (void)copy__where(in, NULL, (struct slice){0}), result;
    in->line_text = slice_make(in->data + in->pos, l->len);
    in->row_next = l->next;
    if (session_check_text(in->line_text) != OK) {
        in->line_text = (struct slice){0};
        return copy__where(in, NULL, (struct slice){0});
    }
    return OK;
}

/* --- fields --------------------------------------------------------------------------------- */

static int octal_digit(char c) { return c >= '0' && c <= '7' ? c - '0' : -1; }

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The byte that an escape stands for; *p is behind the backslash, and is moved behind the
 * escape. */
static unsigned char escape(const char **p, const char *end)
{
    char c = *(*p)++;
    int v = octal_digit(c), digit;
    if (v >= 0) {
        for (int i = 0; i < 2 && *p < end && (digit = octal_digit(**p)) >= 0; i++, (*p)++)
            v = v * 8 + digit;
        return (unsigned char)(v & 0xff);
    }
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    case 'x':
        if (*p >= end || (v = hex_digit(**p)) < 0) return 'x';
        (*p)++;
        if (*p < end && (digit = hex_digit(**p)) >= 0) v = v * 16 + digit, (*p)++;
        return (unsigned char)v;
    default: return (unsigned char)c;
    }
}

/* The bytes of a field that has escapes; in the scratch buffer, which has the room. */
static enum status unescape(struct copy_in *in, struct slice raw, struct slice *ret)
{
    struct strbuf *b = &in->scratch;
    size_t start = b->len;
    bool look = false;
    for (const char *p = raw.data, *end = raw.data + raw.len; p < end;) {
        unsigned char c = (unsigned char)*p++;
        if (c == '\\' && p < end) {
            c = escape(&p, end);
            look |= c == 0 || c >= 0x80;
        }
        b->data[b->len++] = (char)c;
    }
    *ret = slice_make(b->data + start, b->len - start);
    return look ? session_check_text(*ret) : OK;
}

/* The end of a field that may have escaped delimiters. */
static const char *field_end(const char *p, const char *end, char delimiter, bool *ret_escapes)
{
    *ret_escapes = false;
    for (; p < end && *p != delimiter; p++)
        if (*p == '\\') {
            *ret_escapes = true;
            if (++p == end) break;
        }
    return p;
}

/* Cuts the line into in->fields; no more than one too many. */
static enum status split(struct copy_in *in, bool backslash, uint32_t *ret_count)
{
    const struct copy_options *o = &in->c->o;
    const char *p = in->line_text.data, *end = p + in->line_text.len;
    uint32_t max = in->c->column_count + 1, count = 0;
    strbuf_clear(&in->scratch);
    if (backslash) strbuf_reserve(&in->scratch, in->line_text.len + 1);
    for (;;) {
        bool escapes = false;
        const char *stop;
        if (!backslash) {
            stop = memchr(p, o->delimiter, (size_t)(end - p));
            if (!stop) stop = end;
        } else {
            stop = field_end(p, end, o->delimiter, &escapes);
        }
        struct slice raw = slice_make(p, (size_t)(stop - p));
        struct slice *field = &in->fields[count++];
        if (slice_eq(raw, o->null_text)) *field = (struct slice){0};
        else if (escapes) TRY(unescape(in, raw, field));
        else *field = raw;
        if (stop == end || count == max) break;
        p = stop + 1;
    }
    *ret_count = count;
    return OK;
}

enum status copy__read_text_row(struct copy_in *in, uint32_t row)
{
    struct line l;
    uint32_t count = 0;
    TRY(read_line(in, &l));
    if (in->c->column_count == 0 && l.len > 0) count = 1;
    else if (in->c->column_count > 0 && split(in, l.backslash, &count) != OK)
        return copy__where(in, NULL, (struct slice){0});
    TRY(copy__put_fields(in, row, count));
    in->pos += l.next;
    return OK;
}

enum status copy__read_text_header(struct copy_in *in)
{
    struct line l;
    uint32_t count;
    enum status result = read_line(in, &l);
    if (result == END_OF_DATA) {
        in->finished = true;
        in->line_text = SLICE("");
        l = (struct line){0};
    } else if (result != OK) {
        return result;
    }
    if (in->c->o.header == COPY_HEADER_MATCH) {
        if (split(in, l.backslash, &count) != OK)
            return copy__where(in, NULL, (struct slice){0});
        TRY(copy__match_header(in, count));
    }
    in->pos += l.next;
    return OK;
}
