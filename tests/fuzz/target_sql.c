/* SQL texts: normaliser, parser, binder, planner and executor, on a small database. One input is
 * what a client may send as one simple query; run twice, so that the plan cache is met too. A
 * second part, behind a 0xff byte, is data for COPY … FROM STDIN. */
#include "database.h"
#include "fuzz.h"
#include "gateway/pg/pg_priv.h"
#include "sql/parse/parse.h"

#include "words_sql.h"

enum { TEXT_BYTES_MAX = 8192 };

/* What is normalised has a parameter for every literal, and parses when the text did. */
static void check_normalized(struct slice text)
{
    struct literal literals[LITERALS_MAX];
    uint32_t count = 0;
    struct strbuf out;
    strbuf_init(&out, NULL);
    if (sql_normalize(text, &out, literals, &count)) {
        FUZZ_CHECK(count <= LITERALS_MAX);
        for (uint32_t i = 0; i < count; i++)
            FUZZ_CHECK(literals[i].text.data >= text.data &&
                       literals[i].text.data + literals[i].text.len <= text.data + text.len);
    }
    struct arena a;
    struct statement *statements;
    uint32_t plain = 0, normal = 0;
    arena_init(&a, MEM_TEST);
    if (count && sql_parse(&a, text, &statements, &plain) == OK)
        if (sql_parse(&a, strbuf_slice(&out), &statements, &normal) != OK || plain != normal)
            fuzz_fail("normalised text does not parse alike: %s -> %s", text.data, out.data);
    arena_release(&a);
    strbuf_release(&out);
}

static void run(void *arg)
{
    struct fuzz_input *in = arg;
    struct slice text = fuzz_part(in), copy = fuzz_rest(in);
    struct fuzz_sink k;
    struct session *s = fuzz_session(fuzz_database());
    struct arena a;
    arena_init(&a, MEM_TEST);
    text.data = arena_strndup(&a, text.data, text.len);
    bool sent = pg__check_text(text) == OK; /* the gateway lets no other through */
    if (sent) check_normalized(text);
    for (int i = 0; sent && i < 2; i++) {
        fuzz_sink_init(&k, s, copy);
        (void)fuzz_query(s, &k, text);
    }
    session_free(s);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    if (size > TEXT_BYTES_MAX) return 0;
    fuzz_quiet();
    fuzz_on_fiber(run, &in);
    return 0;
}
