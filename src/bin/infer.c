/* Kinds of values, and the columns of CSV. A kind is only taken when all values of the sample have
 * it; whole numbers with zeros in front are codes, not numbers. */
#include "bin/infer.h"

#include "types/value.h"

void infer_init(struct infer *f, struct arena *a)
{
    *f = (struct infer){.arena = a, .delimiter = ','};
    f->columns = ARENA_ARRAY(a, struct infer_column, INFER_COLUMNS_MAX);
}

/* --- kinds ---------------------------------------------------------------------------------- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static size_t digits(struct slice s, size_t at)
{
    size_t n = 0;
    while (at + n < s.len && is_digit(s.data[at + n])) n++;
    return n;
}

static enum infer_kind number_kind(struct slice s)
{
    enum { INT8_DIGITS = 18 };
    size_t at = s.len > 0 && (s.data[0] == '-' || s.data[0] == '+'), whole = digits(s, at),
           fraction = 0;
    bool point = false;
    if (whole > 1 && s.data[at] == '0') return INFER_TEXT;
    at += whole;
    if (at < s.len && s.data[at] == '.') {
        point = true;
        fraction = digits(s, ++at);
        at += fraction;
    }
    if (whole + fraction == 0) return INFER_TEXT;
    if (at == s.len) return point || whole > INT8_DIGITS ? INFER_NUMERIC : INFER_INTEGER;
    if ((s.data[at] | 32) != 'e') return INFER_TEXT;
    at++;
    if (at < s.len && (s.data[at] == '-' || s.data[at] == '+')) at++;
    size_t exponent = digits(s, at);
    return exponent > 0 && exponent < 4 && at + exponent == s.len ? INFER_DOUBLE : INFER_TEXT;
}

static bool reads_as(type_id type, struct slice s)
{
    struct arena a;
    union value v;
    arena_init(&a, MEM_BASE);
    bool fine = value_from_text(type, -1, s, &format_default, &a, &v) == OK;
    arena_release(&a);
    return fine;
}

/* 2024-02-29, with a time behind it or not: other forms depend on who reads them. */
static enum infer_kind date_kind(struct slice s)
{
    enum { DATE_LEN = 10 };
    if (s.len < DATE_LEN || digits(s, 0) != 4 || s.data[4] != '-' || digits(s, 5) != 2 ||
        s.data[7] != '-' || digits(s, 8) != 2)
        return INFER_TEXT;
    if (s.len == DATE_LEN) return reads_as(TYPE_DATE, s) ? INFER_DATE : INFER_TEXT;
    if ((s.data[10] != ' ' && s.data[10] != 'T') || digits(s, 11) != 2 || s.len < 16)
        return INFER_TEXT;
    bool zone = s.data[s.len - 1] == 'Z';
    for (size_t i = DATE_LEN + 1; i < s.len; i++)
        if (s.data[i] == '+' || s.data[i] == '-') zone = true;
    if (!reads_as(zone ? TYPE_TIMESTAMPTZ : TYPE_TIMESTAMP, s)) return INFER_TEXT;
    return zone ? INFER_TIMESTAMPTZ : INFER_TIMESTAMP;
}

static bool is_uuid(struct slice s)
{
    enum { UUID_LEN = 36 };
    return s.len == UUID_LEN && s.data[8] == '-' && s.data[13] == '-' && reads_as(TYPE_UUID, s);
}

enum infer_kind infer_kind_of(struct slice s)
{
    if (s.len == 0 || s.len > 64) return INFER_TEXT;
    if (slice_eq_nocase(s, SLICE("true")) || slice_eq_nocase(s, SLICE("false")))
        return INFER_BOOLEAN;
    enum infer_kind kind = number_kind(s);
    if (kind == INFER_TEXT) kind = date_kind(s);
    return kind == INFER_TEXT && is_uuid(s) ? INFER_UUID : kind;
}

enum infer_kind infer_together(enum infer_kind a, enum infer_kind b)
{
    enum infer_kind low = a < b ? a : b, high = a < b ? b : a;
    if (low == INFER_NOTHING || low == high) return high;
    if (low >= INFER_INTEGER && high <= INFER_DOUBLE) return high;
    if (low >= INFER_DATE && high <= INFER_TIMESTAMPTZ) return high;
    return INFER_TEXT;
}

/* --- CSV ------------------------------------------------------------------------------------ */

struct csv { /* a reader of its fields; forgiving, as COPY will say what is wrong */
    const char *p, *end;
    char delimiter;
    bool whole; /* the last row ends at `end` even without a line end */
};

/* The next field into `text`; *ret_last: of its row. False: the sample ends within it. */
static bool next_field(struct csv *c, struct strbuf *text, bool *ret_quoted, bool *ret_last)
{
    bool inside = false;
    strbuf_clear(text);
    *ret_quoted = false;
    for (; c->p < c->end; c->p++) {
        char x = *c->p;
        if (x == '"' && inside && c->p + 1 < c->end && c->p[1] == '"') {
            strbuf_addc(text, *c->p++);
        } else if (x == '"') {
            inside = !inside;
            *ret_quoted = true;
        } else if (!inside && (x == c->delimiter || x == '\n')) {
            c->p++;
            *ret_last = x == '\n';
            if (*ret_last && text->len > 0 && text->data[text->len - 1] == '\r') text->len--;
            return true;
        } else {
            strbuf_addc(text, x);
        }
    }
    *ret_last = true;
    return c->whole && !inside;
}

/* How many fields the first rows have: 0 when they differ. */
static uint32_t width(struct slice sample, bool whole, char delimiter, struct strbuf *text)
{
    enum { ROWS = 20 };
    struct csv c = {sample.data, sample.data + sample.len, delimiter, whole};
    uint32_t first = 0, fields = 0;
    bool quoted, last;
    for (int row = 0; row < ROWS && c.p < c.end;) {
        if (!next_field(&c, text, &quoted, &last)) break;
        fields++;
        if (!last) continue;
        if (row++ == 0) first = fields;
        if (fields != first) return 0;
        fields = 0;
    }
    return first;
}

static char find_delimiter(struct slice sample, bool whole, struct strbuf *text)
{
    static const char known[] = ",;\t|";
    char best = ',';
    uint32_t most = 1;
    for (const char *p = known; *p; p++) {
        uint32_t n = width(sample, whole, *p, text);
        if (n <= most) continue;
        most = n;
        best = *p;
    }
    return best;
}

struct first_row {
    const char *texts[INFER_COLUMNS_MAX];
    enum infer_kind kinds[INFER_COLUMNS_MAX];
    uint32_t count;
};

static void note(struct infer *f, uint32_t column, enum infer_kind kind)
{
    if (column >= INFER_COLUMNS_MAX) return;
    if (column >= f->count) f->count = column + 1;
    f->columns[column].kind = infer_together(f->columns[column].kind, kind);
}

/* A first line whose fields are all words, where some column below it is something else; or all
 * words, each of them once, when everything is text. */
static bool looks_like_header(const struct infer *f, const struct first_row *row)
{
    bool other = false;
    for (uint32_t i = 0; i < row->count; i++) {
        if (row->kinds[i] != INFER_TEXT || row->texts[i][0] == '\0') return false;
        other |= i < f->count && f->columns[i].kind != INFER_TEXT;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(row->texts[i], row->texts[k]) == 0) return false;
    }
    return other || f->rows > 0;
}

static void name_columns(struct infer *f, const struct first_row *row)
{
    for (uint32_t i = 0; i < f->count; i++) {
        bool named = f->header && i < row->count && row->texts[i][0];
        f->columns[i].name = named ? row->texts[i] : arena_printf(f->arena, "column%u", i + 1);
    }
}

void infer_csv(struct infer *f, struct slice sample, bool whole, char delimiter, int header)
{
    struct first_row *row = ARENA_NEW(f->arena, struct first_row);
    struct strbuf text;
    bool quoted, last, first = true;
    uint32_t column = 0;
    strbuf_init(&text, NULL);
    if (slice_starts(sample, SLICE("\xef\xbb\xbf")))
        sample = slice_make(sample.data + 3, sample.len - 3);
    f->delimiter = delimiter ? delimiter : find_delimiter(sample, whole, &text);
    struct csv c = {sample.data, sample.data + sample.len, f->delimiter, whole};
    while (c.p < c.end && next_field(&c, &text, &quoted, &last)) {
        struct slice s = strbuf_slice(&text);
        enum infer_kind kind = s.len == 0 && !quoted ? INFER_NOTHING : infer_kind_of(s);
        if (first && column < INFER_COLUMNS_MAX) {
            row->texts[column] = arena_strndup(f->arena, s.data ? s.data : "", s.len);
            row->kinds[column] = kind;
            row->count = column + 1;
        } else if (!first) {
            note(f, column, kind);
        }
        column = last ? 0 : column + 1;
        if (last && !first) f->rows++;
        if (last) first = false;
    }
    f->header = header >= 0 ? header : looks_like_header(f, row);
    for (uint32_t i = 0; i < row->count; i++) note(f, i, f->header ? INFER_NOTHING : row->kinds[i]);
    if (!f->header && row->count > 0) f->rows++;
    name_columns(f, row);
    strbuf_release(&text);
}

/* --- as SQL --------------------------------------------------------------------------------- */

void infer_print_name(const char *name, struct strbuf *out)
{
    strbuf_addc(out, '"');
    for (; *name; name++) {
        if (*name == '"') strbuf_addc(out, '"');
        strbuf_addc(out, *name);
    }
    strbuf_addc(out, '"');
}

void infer_print_columns(const struct infer *f, struct strbuf *out)
{
    static const char *const types[] = {
        [INFER_NOTHING] = "text", [INFER_BOOLEAN] = "boolean", [INFER_INTEGER] = "bigint",
        [INFER_NUMERIC] = "numeric", [INFER_DOUBLE] = "double precision", [INFER_DATE] = "date",
        [INFER_TIMESTAMP] = "timestamp", [INFER_TIMESTAMPTZ] = "timestamptz", [INFER_UUID] = "uuid",
        [INFER_TEXT] = "text"};
    for (uint32_t i = 0; i < f->count; i++) {
        const struct infer_column *c = &f->columns[i];
        strbuf_adds(out, i > 0 ? ",\n    " : "    ");
        infer_print_name(c->name, out);
        strbuf_addf(out, " %s", f->all_text ? "text" : c->type ? c->type : types[c->kind]);
    }
}
