/* COPY FROM STDIN in its formats that are read row by row, in pieces of any size. The first byte picks format and
 * table, the second the size of a piece; then the options' letters up to a 0xff byte, then the
 * data. What was taken in is copied out again, in all formats. */
#include "database.h"
#include "fuzz.h"
#include "gateway/pg/pg_priv.h"

enum { INPUT_MAX = 1 << 15 };

const char *const fuzz_words[] = {
    "\\N", "\\.", "\\.\n", "\\t", "\\n", "\\x41", "\\101", "\\\\", "\t", "\n", "\r\n", "\r", ",",
    "\"", "\"\"", "PGCOPY\n\377\r\n", "\0\5", "\377\377", "\377\377\377\377", "1", "-1",
    "2024-02-29", "1.5", "t", "{1,2}", "id", "{\"id\": 1, \"c\": \"", "\\u00e9", "[1, null]", "{}\n", NULL};

static const char *const tables[] = {"t", "u", "t (id, c)", "q.w", "t (id, d, i)", "u (y, x)",
                                     "t (id, e, f, g, h)", "t (id, j, k, l)"};

static void statement(struct strbuf *out, uint8_t what, struct slice letters, bool in)
{
    static const char *const formats[] = {"text", "csv", "binary", "json"};
    bool csv = (what & 3) == 1, plain = (what & 3) < 2;
    strbuf_addf(out, "copy %s %s with (format %s", tables[what >> 2 & 7],
                in ? "from stdin" : "to stdout", formats[what & 3]);
    for (size_t i = 0; i < letters.len && plain; i++) {
        char c = letters.data[i], printable = letters.len > i + 1 ? letters.data[i + 1] : ';';
        if (printable <= ' ' || printable == '\'' || printable > '~') printable = '|';
        if (c == 'h') strbuf_addf(out, ", header %s", printable & 1 ? "match" : "true");
        if (c == 'd') strbuf_addf(out, ", delimiter '%c'", printable);
        if (c == 'n') strbuf_addf(out, ", null '%c'", printable);
        if (c == 'q' && csv) strbuf_addf(out, ", quote '%c'", printable);
        if (c == 'e' && csv) strbuf_addf(out, ", escape '%c'", printable);
        if (c == 'f' && csv && in) strbuf_adds(out, ", force_null (id)");
        if (c == 'F' && csv && !in) strbuf_adds(out, ", force_quote *");
    }
    strbuf_addc(out, ')');
}

static void run(void *arg)
{
    struct fuzz_input *in = arg;
    uint8_t what = fuzz_u8(in), piece = fuzz_u8(in);
    struct slice letters = fuzz_part(in);
    struct session *s = fuzz_session(fuzz_database());
    struct strbuf text;
    struct fuzz_sink k;
    if (letters.len > 6) letters.len = 6;
    strbuf_init(&text, NULL);
    strbuf_adds(&text, "begin; delete from t; delete from q.w; "
                       "insert into t (id) values (100), (200); ");
    statement(&text, what, letters, true);
    fuzz_sink_init(&k, s, fuzz_rest(in));
    k.piece = piece;
    if (fuzz_query(s, &k, strbuf_slice(&text)) == OK)
        for (uint8_t f = 0; f < 4; f++) {
            strbuf_clear(&text);
            statement(&text, (uint8_t)((what & ~3) | f), letters, false);
            k.columns = NULL;
            (void)fuzz_query(s, &k, strbuf_slice(&text));
        }
    session_free(s); /* rolls back */
    strbuf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    if (size > INPUT_MAX) return 0;
    fuzz_quiet();
    fuzz_on_fiber(run, &in);
    return 0;
}
