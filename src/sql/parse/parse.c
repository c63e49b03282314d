#include "sql/parse/parse.h"

#include "sql/parse/parse_priv.h"

/* Length of the valid UTF-8 sequence at s, or 0. As in PostgreSQL: no overlong forms, no
 * surrogates, nothing above U+10FFFF. */
static size_t sequence_bytes(const unsigned char *s, size_t left)
{
    static const struct {
        unsigned char lead_min, lead_max, second_min, second_max, bytes;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (s[0] < forms[i].lead_min || s[0] > forms[i].lead_max) continue;
        size_t n = forms[i].bytes;
        if (left < n || s[1] < forms[i].second_min || s[1] > forms[i].second_max) return 0;
        for (size_t k = 2; k < n; k++)
            if ((s[k] & 0xc0) != 0x80) return 0;
        return n;
    }
    return 0;
}

/* PostgreSQL names as many bytes as the lead byte promises. */
static enum status bad_sequence(const unsigned char *s, size_t left)
{
    size_t n = s[0] >= 0xf0 && s[0] < 0xf8 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 1;
    char hex[24] = "";
    if (s[0] >= 0xf8) n = 1;
    if (n > left) n = left;
    for (size_t i = 0; i < n; i++) {
        static const char digits[] = "0123456789abcdef";
        char *p = hex + i * 5;
        memcpy(p, " 0x", 3);
        p[3] = digits[s[i] >> 4];
        p[4] = digits[s[i] & 15];
        p[5] = '\0';
    }
    return FAIL(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\":%s", hex);
}

static enum status check_utf8(struct slice text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    size_t i = 0;
    while (i < text.len) {
        uint64_t word;
        if (i + 8 <= text.len) {
            memcpy(&word, s + i, 8);
            /* Eight ASCII bytes, none of them zero. */
            if (((word | (word - 0x0101010101010101)) & 0x8080808080808080) == 0) {
                i += 8;
                continue;
            }
        }
        size_t n = s[i] > 0 && s[i] < 0x80 ? 1 : sequence_bytes(s + i, text.len - i);
        if (n == 0) return bad_sequence(s + i, text.len - i);
        i += n;
    }
    return OK;
}

enum status sql_parse(struct arena *a, struct slice text, struct statement **ret,
                      uint32_t *ret_count)
{
    if (text.len > SQL_TEXT_BYTES_MAX)
        return FAIL(PROGRAM_LIMIT_EXCEEDED, "query string is too long: %zu bytes, at most %d",
                    text.len, SQL_TEXT_BYTES_MAX);
    ASSERT(text.data && text.data[text.len] == '\0');
    TRY(check_utf8(text));
    return bridge__parse(a, text, ret, ret_count);
}

enum status sql_parse_expression(struct arena *a, struct slice text, struct ast **ret)
{
    struct strbuf b;
    struct statement *statements;
    uint32_t count;
    strbuf_init(&b, a);
    strbuf_adds(&b, "SELECT ");
    strbuf_add(&b, text.data, text.len);
    TRY(sql_parse(a, strbuf_slice(&b), &statements, &count));
    if (count == 1 && statements[0].ast->kind == AST_SELECT) {
        const struct ast_select *s = AST(statements[0].ast, ast_select);
        bool bare = s->op == SETOP_NONE && !s->distinct && s->targets.count == 1 &&
                    s->from.count + s->group_by.count + s->order_by.count + s->windows.count +
                            s->locking.count == 0 &&
                    !s->where && !s->having && !s->limit && !s->offset && !s->into;
        if (bare && !AST(s->targets.items[0], ast_target)->name) {
            *ret = AST(s->targets.items[0], ast_target)->value;
            return OK;
        }
    }
    return FAIL(SYNTAX_ERROR, "not a single expression: %.*s", (int)text.len, text.data);
}

int sql_position(struct slice text, int byte_offset)
{
    int position = 1;
    if (byte_offset < 0) return 0;
    for (size_t i = 0; i < (size_t)byte_offset && i < text.len; i++)
        position += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return position;
}
