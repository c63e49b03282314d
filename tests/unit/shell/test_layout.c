/* Widths, escaping, and tables: no value can act on a terminal, and every line is as wide as told.
 */
#include "shell/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shell/width.h"

static void widths(void **state)
{
    (void)state;
    assert_int_equal(width_text(SLICE("abc")), 3);
    assert_int_equal(width_text(SLICE("日本語")), 6);
    assert_int_equal(width_text(SLICE("e\u0301")), 1);
    assert_int_equal(width_text(SLICE("한글")), 4);
    assert_int_equal(width_text(SLICE("ｆｕ")), 4);
    assert_int_equal(width_text(SLICE("🙂")), 2);
    assert_int_equal(width_text(SLICE("é─")), 2);
    int cells;
    assert_int_equal(width_fit(SLICE("日本語"), 5, &cells), 6);
    assert_int_equal(cells, 4);
    assert_int_equal(width_fit(SLICE("日"), 1, &cells), 3); /* at least one character */
}

static void escape(struct slice s, const char *expected)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    strbuf_reserve(&b, 1);
    width_escape(&b, s, "");
    assert_string_equal(b.data, expected);
    strbuf_release(&b);
}

static void escapes(void **state)
{
    (void)state;
    escape(SLICE("a\033[31mb"), "a\\x1B[31mb");
    escape(SLICE("a\nb\tc\r"), "a\\nb\\tc\\r");
    escape(SLICE("\0"), "\\x00");
    escape(SLICE("\177\302\233"), "\\x7F\\u009B");
    escape(SLICE("\233\377"), "\\x9B\\xFF");
    escape(SLICE("\u202Eevil\u2066"), "\\u202Eevil\\u2066");
    escape(SLICE("\355\240\200"), "\\xED\\xA0\\x80"); /* a surrogate */
    escape(SLICE("Grüße 日本"), "Grüße 日本");
}

static char *table(struct style style, bool screen, int n, const struct backend_column *c, int rows,
                   const char *const *values, size_t *ret_len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, ret_len);
    struct writer w;
    struct format form;
    writer_init(&w, f, screen, 0);
    format_begin(&form, &style, &w, NULL, n, c);
    for (int i = 0; i < rows; i++) {
        int lengths[8];
        for (int k = 0; k < n; k++)
            lengths[k] = values[i * n + k] ? (int)strlen(values[i * n + k]) : 0;
        format_row(&form, values + i * n, lengths);
    }
    format_end(&form, true);
    assert_true(writer_end(&w));
    writer_release(&w);
    fclose(f);
    return text;
}

static const struct backend_column two[] = {{.name = "n", .number = true}, {.name = "text"}};

static void alignment(void **state)
{
    (void)state;
    const char *values[] = {"1", "日本", "100", NULL, NULL, "a\nb"};
    size_t len;
    char *t = table((struct style){.mode = MODE_TABLE}, true, 2, two, 3, values, &len);
    assert_string_equal(t, "┌──────┬──────┐\n"
                           "│  n   │ text │\n"
                           "├──────┼──────┤\n"
                           "│    1 │ 日本 │\n"
                           "│  100 │ NULL │\n"
                           "│ NULL │ a   ↵│\n"
                           "│      │ b    │\n"
                           "└──────┴──────┘\n"
                           "(3 rows)\n");
    free(t);
}

static void wrapping(void **state)
{
    (void)state;
    const char *values[] = {"1", "abcdefghijklmnopqrstuvwxyz"};
    size_t len;
    char *t = table((struct style){.mode = MODE_TABLE, .width = 20, .ascii = true}, true, 2, two, 1,
                    values, &len);
    assert_string_equal(t, "+---+--------------+\n"
                           "| n |     text     |\n"
                           "+---+--------------+\n"
                           "| 1 | abcdefghijkl.|\n"
                           "|   | mnopqrstuvwx.|\n"
                           "|   | yz           |\n"
                           "+---+--------------+\n"
                           "(1 row)\n");
    free(t);
}

static void cutting(void **state)
{
    (void)state;
    const char *values[] = {"1", "a", "2", "b", "3", "c"};
    size_t len;
    char *t =
        table((struct style){.mode = MODE_TABLE, .rows_max = 2}, true, 2, two, 3, values, &len);
    assert_non_null(strstr(t, "(2 of 3 rows shown; \\pset maxrows 0 shows all)"));
    assert_null(strstr(t, "│ c"));
    free(t);
}

/* Whatever bytes come, the screen sees no control character but the line ends of the layout. */
static void nothing_acts(void **state)
{
    (void)state;
    unsigned seed = 7, r = seed;
    printf("seed %u\n", seed);
    for (int round = 0; round < 400; round++) {
        char a[33], b[33];
        for (int i = 0; i < 32; i++) {
            a[i] = (char)(1 + (r = r * 1103515245 + 12345) / 65536 % 255);
            b[i] = (char)(1 + (r = r * 1103515245 + 12345) / 65536 % 255);
        }
        a[32] = b[32] = '\0';
        struct backend_column c[] = {{.name = a}, {.name = b, .number = true}};
        const char *values[] = {b, a, a, NULL};
        for (int m = 0; m < MODE_COUNT; m++) {
            size_t len;
            struct style style = {.mode = (enum mode)m, .width = round % 60};
            char *t = table(style, true, 2, c, 2, values, &len);
            for (size_t i = 0, n; i < len; i += n) {
                int32_t ch = width_decode(slice_make(t + i, len - i), &n);
                assert_true(ch == '\n' || ch == '\t' || (ch >= 0x20 && width_char(ch) >= 0));
            }
            free(t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths),  cmocka_unit_test(escapes), cmocka_unit_test(alignment),
        cmocka_unit_test(wrapping), cmocka_unit_test(cutting), cmocka_unit_test(nothing_acts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
