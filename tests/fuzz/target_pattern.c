/* LIKE patterns, regular expressions and the formats of to_char. The first byte picks; then two
 * parts, subject and pattern, cut by a 0xff byte. */
#include "types/pattern.h"

#include "database.h"
#include "fuzz.h"
#include "gateway/pg/pg_priv.h"

enum { INPUT_MAX = 2048 };

const char *const fuzz_words[] = {
    "%", "_", "\\", "\\%", ".*", "(", ")", "(?:", "(?=", "(?!", "|", "[", "]", "[^", "[[:alpha:]]",
    "[[.a.]]", "[[=a=]]", "\\d", "\\w", "\\s", "\\m", "\\M", "\\y", "\\A", "\\Z", "\\1", "{1,3}",
    "{,}", "{0,255}", "*?", "+", "??", "^", "$", "(?i)", "***:", "***=", "\\u00e4", "\\x41",
    "YYYY", "YY", "MM", "Month", "DD", "DDD", "Day", "HH24", "HH12", "MI", "SS", "MS", "US", "TZ",
    "OF", "FM", "TH", "th", "\"", "J", "Q", "RM", "CC", "WW", "IYYY", "IW", "ID", "BC", "AM",
    "SSSSS", "FF3", "9", "0", ".", ",", "D", "G", "S", "MI", "PR", "L", "V", "EEEE", "PL", "SG",
    "\303\244", NULL};

static void match(struct slice subject, struct slice pattern, uint8_t what)
{
    const struct regex *r;
    struct regex_match m[4];
    bool found;
    struct slice flags = slice_make(&"icnmsxg"[(what >> 4) % 7], what >> 3 & 1);
    if (regex_compile(pattern, flags, &r) != OK) return;
    FUZZ_CHECK(regex_group_count(r) >= 0);
    size_t from = 0;
    while (from <= subject.len && regex_exec(r, subject, from, m, 4, &found) == OK && found) {
        FUZZ_CHECK(m[0].start >= (int32_t)from && m[0].end >= m[0].start);
        FUZZ_CHECK((size_t)m[0].end <= subject.len);
        from = (size_t)m[0].end + (m[0].end == m[0].start);
        while (from < subject.len && (subject.data[from] & 0xc0) == 0x80) from++;
    }
}

struct job {
    struct slice subject, pattern;
    uint8_t what;
};

/* By bound parameters, so that quoting is no matter. */
static void format(const struct job *j)
{
    static const char *const texts[] = {
        ("select to_char(timestamptz '2024-02-29 13:14:15.678901+01' + interval '1h' * length($1),"
         " $2)"),
        "select to_char(interval '-1 year 2 mons 3 days 04:05:06.789' * length($1), $2)",
        "select to_char(length($1) * -123456789.987654321, $2)",
        "select to_char(length($1)::float8 * 1e17 / 7, $2), to_char(length($1), $2)",
        "select to_char(-9223372036854775807 - 1 + length($1), $2)",
        "select regexp_replace($1, $2, '[\\1\\&]', 'g'), regexp_split_to_array($1, $2)",
        "select substring($1 from $2), $1 similar to $2",
        "select to_date($1, $2)", "select to_timestamp($1, $2)", "select to_number($1, $2)"};
    struct bound_param params[2] = {{.data = j->subject}, {.data = j->pattern}};
    struct session *s = fuzz_session(fuzz_database());
    struct fuzz_sink k;
    fuzz_sink_init(&k, s, SLICE(""));
    const char *text = texts[j->what / 4 % (sizeof texts / sizeof *texts)];
    enum status st = session_parse(s, "", slice_of(text), NULL, 0);
    if (st == OK) st = session_bind(s, "", "", params, 2);
    if (st == OK) st = session_execute(s, "", 0, &k.sink);
    fuzz_check_status(st);
    fuzz_check_status(session_sync(s, &k.sink));
    session_free(s);
}

static void run(void *arg)
{
    const struct job *j = arg;
    bool found;
    char escape = j->what & 64 ? '\\' : j->what & 128 ? '#' : 0;
    switch (j->what & 3) {
    case 0:
        (void)!like_match(j->subject, j->pattern, escape, j->what & 32, &found);
        break;
    case 1: match(j->subject, j->pattern, j->what); break;
    default: format(j); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, data + size};
    struct job j = {.what = fuzz_u8(&in)};
    if (size > INPUT_MAX) return 0;
    j.subject = fuzz_part(&in);
    j.pattern = fuzz_rest(&in);
    if (pg__check_text(j.subject) != OK || pg__check_text(j.pattern) != OK) return 0;
    fuzz_quiet();
    fuzz_on_fiber(run, &j);
    return 0;
}
