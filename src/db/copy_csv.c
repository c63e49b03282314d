/* COPY FROM in CSV format (PostgreSQL 15 documentation, COPY, "CSV Format"). A row may hold
 * newlines inside quotes, so its end and its fields are found in two passes: the first looks
 * at quotes and line ends only, the second cuts and unquotes. */
#include "db/copy_priv.h"

struct csv_line {
    size_t len, next; /* from in->pos: of the row, and to the one behind it */
    bool quotes;      /* there is one in it */
    uint32_t breaks;  /* line ends inside quotes */
};

struct csv_scan { /* where the search stands, so that more input does not start it anew */
    size_t at;
    bool in_quote, escaped; /* escaped: the byte before was an escape */
};

/* --- rows ----------------------------------------------------------------------------------- */

static enum status stray(char c)
{
    if (c == '\r')
        return FAIL(BAD_COPY_FILE_FORMAT, "unquoted carriage return found in data"),
               error_hint("Use quoted CSV field to represent carriage return.");
    return FAIL(BAD_COPY_FILE_FORMAT, "unquoted newline found in data"),
           error_hint("Use quoted CSV field to represent newline.");
}

/* A line end outside quotes at d[at]: settles the style at the first one. *ret_len 0: more input is
 * needed to tell. */
static enum status line_break(struct copy_in *in, size_t at, size_t *ret_len)
{
    const char *d = in->data + in->pos;
    size_t n = in->end - in->pos;
    bool last = at + 1 == n;
    bool pair = d[at] == '\r' && !last && d[at + 1] == '\n';
    *ret_len = 0;
    if (d[at] == '\r' && last && !in->exhausted && in->eol != COPY_EOL_NL) return OK;
    enum copy_eol here = d[at] == '\n' ? COPY_EOL_NL : pair ? COPY_EOL_CRNL : COPY_EOL_CR;
    if (in->eol == COPY_EOL_UNKNOWN) in->eol = here;
    if (in->eol == COPY_EOL_CR && d[at] == '\r') here = COPY_EOL_CR;
    if (here != in->eol) return stray(d[at]);
    *ret_len = here == COPY_EOL_CRNL ? 2 : 1;
    return OK;
}

/* Bytes that the search must look at. With quote and escape alike an escaped quote just opens the
 * quotes again, so that only an escape of its own needs to be followed. */
static enum status scan_row(struct copy_in *in, struct csv_scan *s, struct csv_line *l,
                            bool *ret_found)
{
    const char *d = in->data + in->pos;
    size_t n = in->end - in->pos;
    const char quote = in->c->o.quote;
    const char escape = in->c->o.escape == quote ? '\0' : in->c->o.escape;
    *ret_found = false;
    for (; s->at < n; s->at++) {
        char c = d[s->at];
        if (escape && s->in_quote && c == escape) {
            s->escaped = !s->escaped;
            continue;
        }
        if (c == quote) {
            l->quotes = true;
            if (!s->escaped) s->in_quote = !s->in_quote;
        } else if (c == '\n' || c == '\r') {
            size_t len;
            if (s->in_quote) {
                /* Before the style is known PostgreSQL counts \r alone. */
                l->breaks += c == (in->eol == COPY_EOL_NL ? '\n' : '\r');
            } else {
                TRY(line_break(in, s->at, &len));
                if (len == 0) return OK;
                l->len = s->at;
                l->next = s->at + len;
                *ret_found = true;
                return OK;
            }
        }
        s->escaped = false;
    }
    return OK;
}

/* The common row: ends with \n, no quotes and no \r before it. */
static bool scan_plain(const struct copy_in *in, struct csv_scan *s, struct csv_line *l)
{
    const char *d = in->data + in->pos;
    size_t n = in->end - in->pos;
    const char *nl = memchr(d + s->at, '\n', n - s->at);
    size_t len = nl ? (size_t)(nl - d) : n;
    if (memchr(d + s->at, in->c->o.quote, len - s->at) || memchr(d + s->at, '\r', len - s->at))
        return false;
    s->at = len;
    l->len = len;
    l->next = len + 1;
    return nl != NULL;
}

static enum status find_row(struct copy_in *in, struct csv_line *l)
{
    struct csv_scan s = {0};
    *l = (struct csv_line){0};
    in->line_text = (struct slice){0};
    for (;;) {
        bool found = false;
        if (in->eol == COPY_EOL_NL && !l->quotes) found = scan_plain(in, &s, l);
        if (!found) TRY(scan_row(in, &s, l, &found));
        if (found) return OK;
        enum status more = copy__more(in);
        if (more == OK) continue;
        if (more != END_OF_DATA) return more;
        if (s.at < in->end - in->pos) continue; /* a \r at the end is decided now */
        if (s.at == 0) return END_OF_DATA;
        l->len = l->next = s.at;
        return OK;
    }
}

static enum status read_row(struct copy_in *in, struct csv_line *l)
{
    if (in->finished) return END_OF_DATA;
    in->line++;
    enum status result = find_row(in, l);
    if (result == END_OF_DATA) return result;
    if (result != OK) return (void)copy__where(in, NULL, (struct slice){0}), result;
    in->line_text = slice_make(in->data + in->pos, l->len);
    in->row_next = l->next;
    if (l->len == 2 && memcmp(in->line_text.data, "\\.", 2) == 0) {
        in->finished = true;
        return END_OF_DATA;
    }
    if (session_check_text(in->line_text) != OK) {
        in->line_text = (struct slice){0};
        result = copy__where(in, NULL, (struct slice){0});
        in->line += l->breaks;
        return result;
    }
    in->line += l->breaks;
    return OK;
}

/* --- fields --------------------------------------------------------------------------------- */

/* A field with quotes, from p to the delimiter or the end; its bytes go to the scratch buffer. */
static enum status quoted_field(struct copy_in *in, const char **p, const char *end,
                                struct slice *ret, bool *ret_quoted)
{
    const struct copy_options *o = &in->c->o;
    struct strbuf *b = &in->scratch;
    size_t start = b->len;
    bool in_quote = false;
    for (; *p < end; (*p)++) {
        char c = **p;
        if (!in_quote && c == o->delimiter) break;
        if (!in_quote && c == o->quote) {
            in_quote = *ret_quoted = true;
            continue;
        }
        if (in_quote && c == o->escape && *p + 1 < end &&
            ((*p)[1] == o->escape || (*p)[1] == o->quote)) {
            c = *++*p;
        } else if (in_quote && c == o->quote) {
            in_quote = false;
            continue;
        }
        b->data[b->len++] = c;
    }
    *ret = slice_make(b->data + start, b->len - start);
    if (in_quote) return FAIL(BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field");
    return OK;
}

/* Which text means NULL depends on the column and on whether it stood in quotes. */
static void settle_null(const struct copy_in *in, uint32_t i, bool quoted, struct slice *field)
{
    const struct copy *c = in->c;
    if (!slice_eq(*field, c->o.null_text)) return;
    bool null = !quoted;
    if (i < c->column_count && c->columns[i].force_not_null) null = false;
    if (i < c->column_count && c->columns[i].force_null) null = true;
    if (null) *field = (struct slice){0};
}

static enum status split(struct copy_in *in, bool quotes, uint32_t *ret_count)
{
    const struct copy_options *o = &in->c->o;
    const char *p = in->line_text.data, *end = p + in->line_text.len;
    uint32_t max = in->c->column_count + 1, count = 0;
    strbuf_clear(&in->scratch);
    if (quotes) strbuf_reserve(&in->scratch, in->line_text.len + 1);
    for (;;) {
        struct slice *field = &in->fields[count];
        bool quoted = false;
        if (quotes) {
            TRY(quoted_field(in, &p, end, field, &quoted));
        } else {
            const char *stop = memchr(p, o->delimiter, (size_t)(end - p));
            if (!stop) stop = end;
            *field = slice_make(p, (size_t)(stop - p));
            p = stop;
        }
        settle_null(in, count, quoted, field);
        count++;
        if (p == end || count == max) break;
        p++;
    }
    *ret_count = count;
    return OK;
}

enum status copy__read_csv_row(struct copy_in *in, uint32_t row)
{
    struct csv_line l;
    uint32_t count = 0;
    TRY(read_row(in, &l));
    if (in->c->column_count == 0 && l.len > 0) count = 1;
    else if (in->c->column_count > 0 && split(in, l.quotes, &count) != OK)
        return copy__where(in, NULL, (struct slice){0});
    TRY(copy__put_fields(in, row, count));
    in->pos += l.next;
    return OK;
}

enum status copy__read_csv_header(struct copy_in *in)
{
    struct csv_line l;
    uint32_t count;
    enum status result = read_row(in, &l);
    if (result == END_OF_DATA) {
        in->finished = true;
        in->line_text = SLICE("");
        l = (struct csv_line){0};
    } else if (result != OK) {
        return result;
    }
    if (in->c->o.header == COPY_HEADER_MATCH) {
        if (split(in, l.quotes, &count) != OK) return copy__where(in, NULL, (struct slice){0});
        TRY(copy__match_header(in, count));
    }
    in->pos += l.next;
    return OK;
}
