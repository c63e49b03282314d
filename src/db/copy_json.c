/* COPY FROM in JSON format: a line is an object (RFC 8259), its keys are columns. Values become the
 * text that a column's type is read from, so that they go into vectors like those of text and csv.
 * A key that is missing is NULL. Keys that name no column are an error, unless columns were listed:
 * then they are passed over. */
#include "db/copy_priv.h"

enum { DEPTH_MAX = 200 };

struct json_line {
    struct copy_in *in;
    const char *p, *end;
    size_t bytes; /* of the line */
};

static enum status wrong(const struct json_line *l, const char *expected)
{
    FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s", "json");
    if (l->p >= l->end)
        return error_detail("The line ends where %s is expected; each line must be a whole object.",
                            expected);
    return error_detail("Expected %s at byte %zu of the line.", expected,
                        l->bytes - (size_t)(l->end - l->p) + 1);
}

static inline void skip_blanks(struct json_line *l)
{
    while (l->p < l->end && (*l->p == ' ' || *l->p == '\t' || *l->p == '\r')) l->p++;
}

static inline bool take(struct json_line *l, char c)
{
    if (l->p == l->end || *l->p != c) return false;
    l->p++;
    return true;
}

/* --- strings -------------------------------------------------------------------------------- */

/* What is made of a line never takes more than twice its bytes: slices of it must stay. */
static struct strbuf *scratch(struct json_line *l)
{
    struct strbuf *b = &l->in->scratch;
    if (b->len == 0) strbuf_reserve(b, 2 * l->bytes + 16);
    return b;
}

static enum status hex4(struct json_line *l, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++, l->p++) {
        if (l->p == l->end) return wrong(l, "a hexadecimal digit");
        unsigned char c = (unsigned char)*l->p;
        unsigned digit = c >= '0' && c <= '9'                 ? c - '0'
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                              : 16;
        if (digit > 15) return wrong(l, "a hexadecimal digit");
        v = v << 4 | digit;
    }
    *ret = v;
    return OK;
}

static void add_utf8(struct strbuf *b, uint32_t c)
{
    if (c < 0x80) {
        strbuf_addc(b, (char)c);
    } else if (c < 0x800) {
        strbuf_addc(b, (char)(0xc0 | c >> 6));
        strbuf_addc(b, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        strbuf_addc(b, (char)(0xe0 | c >> 12));
        strbuf_addc(b, (char)(0x80 | (c >> 6 & 63)));
        strbuf_addc(b, (char)(0x80 | (c & 63)));
    } else {
        strbuf_addc(b, (char)(0xf0 | c >> 18));
        strbuf_addc(b, (char)(0x80 | (c >> 12 & 63)));
        strbuf_addc(b, (char)(0x80 | (c >> 6 & 63)));
        strbuf_addc(b, (char)(0x80 | (c & 63)));
    }
}

/* Behind \u. */
static enum status unicode(struct json_line *l, struct strbuf *b)
{
    uint32_t c, low;
    TRY(hex4(l, &c));
    if (c == 0)
        return FAIL(INVALID_TEXT_REPRESENTATION, "unsupported Unicode escape sequence"),
               error_detail("\\u0000 cannot be converted to text.");
    if (c >= 0xdc00 && c < 0xe000)
        return FAIL(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s", "json"),
               error_detail("Unicode low surrogate must follow a high surrogate.");
    if (c >= 0xd800 && c < 0xdc00) {
        if (!take(l, '\\') || !take(l, 'u')) return wrong(l, "a Unicode low surrogate");
        TRY(hex4(l, &low));
        if (low < 0xdc00 || low >= 0xe000) return wrong(l, "a Unicode low surrogate");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    add_utf8(b, c);
    return OK;
}

static enum status escape(struct json_line *l, struct strbuf *b)
{
    if (l->p == l->end) return wrong(l, "an escape");
    char c = *l->p++;
    switch (c) {
    case 'b': strbuf_addc(b, '\b'); return OK;
    case 'f': strbuf_addc(b, '\f'); return OK;
    case 'n': strbuf_addc(b, '\n'); return OK;
    case 'r': strbuf_addc(b, '\r'); return OK;
    case 't': strbuf_addc(b, '\t'); return OK;
    case '"':
    case '\\':
    case '/': strbuf_addc(b, c); return OK;
    case 'u': return unicode(l, b);
    default: l->p--; return wrong(l, "an escape of b, f, n, r, t, u, \", \\ or /");
    }
}

/* Behind the opening quote. Without escapes it is a piece of the line. */
static enum status string(struct json_line *l, struct slice *ret)
{
    const char *start = l->p;
    while (l->p < l->end && *l->p != '"' && *l->p != '\\' && (unsigned char)*l->p >= 0x20) l->p++;
    if (l->p < l->end && *l->p == '"') {
        *ret = slice_make(start, (size_t)(l->p++ - start));
        return OK;
    }
    struct strbuf *b = scratch(l);
    size_t begin = b->len;
    strbuf_add(b, start, (size_t)(l->p - start));
    while (!take(l, '"')) {
        if (l->p == l->end) return wrong(l, "the end of a string");
        if ((unsigned char)*l->p < 0x20)
            return wrong(l, "an escape in place of a control character");
        if (take(l, '\\')) TRY(escape(l, b));
        else strbuf_addc(b, *l->p++);
    }
    *ret = slice_make(b->data + begin, b->len - begin);
    return OK;
}

static enum status skip_string(struct json_line *l)
{
    size_t kept = l->in->scratch.len;
    struct slice ignored;
    TRY(string(l, &ignored));
    l->in->scratch.len = kept;
    return OK;
}

/* --- other values --------------------------------------------------------------------------- */

static bool digits(struct json_line *l)
{
    const char *start = l->p;
    while (l->p < l->end && *l->p >= '0' && *l->p <= '9') l->p++;
    return l->p > start;
}

static enum status number(struct json_line *l)
{
    take(l, '-');
    if (!take(l, '0') && !digits(l)) return wrong(l, "a value");
    if (take(l, '.') && !digits(l)) return wrong(l, "a digit");
    if (take(l, 'e') || take(l, 'E')) {
        if (!take(l, '+')) take(l, '-');
        if (!digits(l)) return wrong(l, "a digit");
    }
    return OK;
}

static bool word(struct json_line *l, struct slice w)
{
    if ((size_t)(l->end - l->p) < w.len || memcmp(l->p, w.data, w.len) != 0) return false;
    l->p += w.len;
    return true;
}

static enum status skip_value(struct json_line *l, int depth);

static enum status skip_container(struct json_line *l, bool object, int depth)
{
    const char close = object ? '}' : ']';
    if (depth == DEPTH_MAX)
        return FAIL(STATEMENT_TOO_COMPLEX, "JSON is nested more than %d deep", DEPTH_MAX);
    skip_blanks(l);
    if (take(l, close)) return OK;
    for (;;) {
        skip_blanks(l);
        if (object) {
            if (!take(l, '"')) return wrong(l, "a key");
            TRY(skip_string(l));
            skip_blanks(l);
            if (!take(l, ':')) return wrong(l, "\":\"");
            skip_blanks(l);
        }
        TRY(skip_value(l, depth + 1));
        skip_blanks(l);
        if (take(l, close)) return OK;
        if (!take(l, ',')) return wrong(l, object ? "\",\" or \"}\"" : "\",\" or \"]\"");
    }
}

static enum status skip_value(struct json_line *l, int depth)
{
    if (take(l, '"')) return skip_string(l);
    if (take(l, '{')) return skip_container(l, true, depth);
    if (take(l, '[')) return skip_container(l, false, depth);
    if (word(l, SLICE("true")) || word(l, SLICE("false")) || word(l, SLICE("null"))) return OK;
    return number(l);
}

/* A quoted element of an array's text. */
static void add_element(struct strbuf *b, struct slice s)
{
    strbuf_addc(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '"' || s.data[i] == '\\') strbuf_addc(b, '\\');
        strbuf_addc(b, s.data[i]);
    }
    strbuf_addc(b, '"');
}

/* A JSON array as the text of an SQL array, behind its bracket. The elements are made beside it:
 * what is needed for them is not known before they were unescaped. */
static enum status array(struct json_line *l, struct strbuf *b, int depth)
{
    if (depth == DEPTH_MAX)
        return FAIL(STATEMENT_TOO_COMPLEX, "JSON is nested more than %d deep", DEPTH_MAX);
    strbuf_addc(b, '{');
    skip_blanks(l);
    for (bool first = true; !(first && take(l, ']')); first = false) {
        const char *start;
        struct slice s;
        skip_blanks(l);
        start = l->p;
        if (take(l, '[')) {
            TRY(array(l, b, depth + 1));
        } else if (take(l, '"')) {
            size_t kept = l->in->scratch.len;
            TRY(string(l, &s));
            add_element(b, s);
            l->in->scratch.len = kept;
        } else {
            bool object = l->p < l->end && *l->p == '{';
            TRY(skip_value(l, depth + 1));
            s = slice_make(start, (size_t)(l->p - start));
            if (object) add_element(b, s);
            else strbuf_add(b, s.data, s.len);
        }
        skip_blanks(l);
        if (take(l, ']')) break;
        if (!take(l, ',')) return wrong(l, "\",\" or \"]\"");
        strbuf_addc(b, ',');
    }
    strbuf_addc(b, '}');
    return OK;
}

/* --- lines ---------------------------------------------------------------------------------- */

static enum status value(struct json_line *l, const struct copy_column *c, struct slice *ret)
{
    const char *start = l->p;
    bool json = c && copy__is_json(c->type); /* keeps its quotes */
    if (!json && take(l, '"')) return string(l, ret);
    if (word(l, SLICE("null"))) return *ret = (struct slice){0}, OK;
    if (c && l->p < l->end && *l->p == '[' && type_is_array(c->type)) {
        struct strbuf text;
        l->p++;
        strbuf_init(&text, NULL);
        enum status result = array(l, &text, 0);
        if (result == OK) *ret = slice_dup(&l->in->values, strbuf_slice(&text));
        strbuf_release(&text);
        return result;
    }
    TRY(skip_value(l, 0));
    *ret = slice_make(start, (size_t)(l->p - start));
    return OK;
}

/* Lines mostly have their keys in one order: the column of the key at that place is tried first. */
static enum status find_column(struct json_line *l, struct slice key, uint32_t place, uint32_t *ret)
{
    struct copy_in *in = l->in;
    const struct copy *c = in->c;
    uint32_t *guess = place < c->column_count ? &in->key_columns[place] : NULL;
    if (guess && slice_eq(key, c->columns[*guess].name_slice)) return *ret = *guess, OK;
    for (uint32_t i = 0; i < c->column_count; i++) {
        if (!slice_eq(key, c->columns[i].name_slice)) continue;
        if (guess) *guess = i;
        *ret = i;
        return OK;
    }
    *ret = UINT32_MAX;
    if (c->ast->columns.count > 0) return OK;
    enum { SHOWN = 200 };
    size_t shown = key.len < SHOWN ? key.len : SHOWN;
    while (shown < key.len && shown > 0 && ((unsigned char)key.data[shown] & 0xc0) == 0x80) shown--;
    FAIL(BAD_COPY_FILE_FORMAT, "key \"%.*s\" is no column of \"%s\"", (int)shown, key.data,
         c->table->name);
    return error_hint("List the columns that are to be read, and other keys are passed over.");
}

static enum status object(struct json_line *l)
{
    struct copy_in *in = l->in;
    if (!take(l, '{')) return wrong(l, "\"{\"");
    skip_blanks(l);
    if (take(l, '}')) return OK;
    for (uint32_t place = 0;; place++) {
        struct slice key, text;
        uint32_t column;
        skip_blanks(l);
        if (!take(l, '"')) return wrong(l, "a key");
        TRY(string(l, &key));
        skip_blanks(l);
        if (!take(l, ':')) return wrong(l, "\":\"");
        skip_blanks(l);
        TRY(find_column(l, key, place, &column));
        bool known = column != UINT32_MAX;
        TRY(value(l, known ? &in->c->columns[column] : NULL, &text));
        if (known) in->fields[column] = text;
        skip_blanks(l);
        if (take(l, '}')) return OK;
        if (!take(l, ',')) return wrong(l, "\",\" or \"}\"");
    }
}

static enum status read_object(struct copy_in *in)
{
    struct json_line l = {in, in->line_text.data, in->line_text.data + in->line_text.len,
                          in->line_text.len};
    memset(in->fields, 0, in->c->column_count * sizeof *in->fields);
    strbuf_clear(&in->scratch);
    skip_blanks(&l);
    if (l.p < l.end && *l.p == '[')
        return FAIL(BAD_COPY_FILE_FORMAT, "a line of JSON must be an object"),
               error_hint("Write one object a line, without an array around them.");
    TRY(object(&l));
    skip_blanks(&l);
    return l.p == l.end ? OK : wrong(&l, "the end of the line");
}

static bool is_blank(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] != ' ' && s.data[i] != '\t' && s.data[i] != '\r') return false;
    return true;
}

/* The next line that is not empty; *ret_next: bytes from in->pos to the one behind it. */
static enum status next_line(struct copy_in *in, size_t *ret_next)
{
    for (;; in->pos += *ret_next) {
        size_t at = 0;
        const char *nl = NULL;
        in->line++;
        in->line_text = (struct slice){0};
        while (!nl) {
            nl = memchr(in->data + in->pos + at, '\n', in->end - in->pos - at);
            at = in->end - in->pos;
            if (nl) break;
            enum status more = copy__more(in);
            if (more == END_OF_DATA && at == 0) return END_OF_DATA;
            if (more == END_OF_DATA) break;
            if (more != OK) return copy__where(in, NULL, (struct slice){0});
        }
        size_t len = nl ? (size_t)(nl - (in->data + in->pos)) : at;
        *ret_next = nl ? len + 1 : len;
        in->row_next = *ret_next;
        in->line_text = slice_make(in->data + in->pos, len);
        if (in->line == 1 && slice_starts(in->line_text, SLICE("\xef\xbb\xbf")))
            in->line_text = slice_make(in->line_text.data + 3, len - 3);
        if (!is_blank(in->line_text)) return OK;
    }
}

enum status copy__read_json_row(struct copy_in *in, uint32_t row)
{
    size_t next;
    struct slice none = {0};
    TRY(next_line(in, &next));
    if (session_check_text(in->line_text) != OK) {
        in->line_text = none;
        return copy__where(in, NULL, none);
    }
    if (read_object(in) != OK) return copy__where(in, NULL, none);
    TRY(copy__put_fields(in, row, in->c->column_count));
    in->pos += next;
    return OK;
}

void copy__begin_json_in(struct copy_in *in)
{
    struct copy *c = in->c;
    in->key_columns = ARENA_ARRAY(&c->s->arena, uint32_t, c->column_count);
    for (uint32_t i = 0; i < c->column_count; i++) {
        in->key_columns[i] = i;
        c->columns[i].name_slice = slice_of(c->columns[i].name);
    }
}
