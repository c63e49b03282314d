/* Statements cut from text: by example, and independent of where lines end. */
#include "shell/splitter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Statements of `text` fed in pieces of `step` bytes at line ends; joined by '|', rest after '>'.
 */
static void cut(const char *text, struct strbuf *out, char *ret_prompt)
{
    struct splitter s;
    splitter_init(&s);
    struct slice in = slice_of(text);
    while (in.len) {
        const char *nl = memchr(in.data, '\n', in.len);
        struct slice line = slice_make(in.data, nl ? (size_t)(nl - in.data) + 1 : in.len);
        while (line.len) {
            size_t used = 0;
            enum split got = splitter_feed(&s, line, &used);
            if (got == SPLIT_STATEMENT) {
                strbuf_add(out, s.text.data, s.text.len);
                strbuf_addc(out, '|');
                splitter_reset(&s);
            } else if (got == SPLIT_COMMAND) {
                strbuf_adds(out, "<cmd>");
                used = line.len;
            }
            line = slice_make(line.data + used, line.len - used);
            in = slice_make(in.data + used, in.len - used);
        }
    }
    strbuf_addc(out, '>');
    if (s.text.len) strbuf_add(out, s.text.data, s.text.len);
    *ret_prompt = splitter_prompt(&s);
    splitter_release(&s);
}

static void check(const char *text, const char *expected, char prompt)
{
    struct strbuf out;
    char got;
    strbuf_init(&out, NULL);
    cut(text, &out, &got);
    assert_string_equal(out.data, expected);
    assert_int_equal(got, prompt);
    strbuf_release(&out);
}

static void examples(void **state)
{
    (void)state;
    check("select 1; select 2;", "select 1| select 2|>", '=');
    check("select ';' as a;", "select ';' as a|>", '=');
    check("select 'it''s;';x", "select 'it''s;'|>x", '-');
    check("select E'\\';' ;", "select E'\\';' |>", '=');
    check("select '\\';", "select '\\'|>", '=');
    check("select \"a;b\";", "select \"a;b\"|>", '=');
    check("select $$a;b$$;", "select $$a;b$$|>", '=');
    check("select $x$ $$;$y$; $x$;", "select $x$ $$;$y$; $x$|>", '=');
    check("select $1;", "select $1|>", '=');
    check("select a$b$;", "select a$b$|>", '=');
    check("select (1;2);", "select (1;2)|>", '=');
    check("select 1 -- a;b\n;", "select 1 -- a;b\n|>", '=');
    check("select /* ; /* ; */ ; */ 1;", "select /* ; /* ; */ ; */ 1|>", '=');
    check("select 1 \\gx\n", "<cmd>>select 1 ", '-');
    check("create function f() returns int begin atomic select 1; select case when true then 1 "
          "end; end;",
          "create function f() returns int begin atomic select 1; select case when true then 1 "
          "end; end|>",
          '=');
    check("begin; end;", "begin| end|>", '=');
    check("select 'a\n", ">select 'a\n", '\'');
    check("select \"a", ">select \"a", '"');
    check("select $q$ x", ">select $q$ x", '$');
    check("/* x", ">/* x", '*');
    check("select (", ">select (", '(');
    check("-- only\n", ">-- only\n", '=');
}

static void flat(const char *sql, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, NULL);
    splitter_flatten(slice_of(sql), &out);
    assert_string_equal(out.data, expected);
    strbuf_release(&out);
}

static void flattening(void **state)
{
    (void)state;
    flat("select 1,\n  2", "select 1,   2");
    flat("select 'a\nb'", "select 'a\nb'");
    flat("select 1 -- one\n, 2", "select 1 /* one */ , 2");
    flat("select 1 -- a */ b\n, 2", "select 1  , 2");
}

/* Pieces lose no byte, whatever the bytes are. */
static void pieces_cover_all(void **state)
{
    (void)state;
    unsigned seed = 20261121, r = seed;
    printf("seed %u\n", seed);
    static const char alphabet[] = "ab'\"$;-/*\\\n()eE \xC3\x01";
    for (int round = 0; round < 20000; round++) {
        char text[40];
        size_t len = 1 + (r = r * 1103515245 + 12345) / 65536 % sizeof(text);
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[(r = r * 1103515245 + 12345) / 65536 % (sizeof(alphabet) - 1)];
        for (size_t i = 0; i < len;) {
            enum split_piece kind;
            size_t n = splitter_piece(slice_make(text + i, len - i), &kind);
            assert_true(n > 0 && n <= len - i);
            i += n;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(flattening),
                                       cmocka_unit_test(pieces_cover_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
