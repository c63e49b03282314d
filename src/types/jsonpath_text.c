/* jsonpath beyond its grammar: what may not stand where, flags of LIKE_REGEX, and the canonical text. */
#include "types/jsonpath.h"

#include "base/fiber.h"
#include "types/json.h"
#include "types/jsonpath_priv.h"
#include "types/numeric.h"

enum { STACK_MIN = 64 << 10 };
static const char flag_letters[] = "ismxq";

enum status path__read_flags(struct slice s, uint32_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *found = strchr(flag_letters, s.data[i]);
        if (found && *found) {
            *ret |= 1u << (found - flag_letters);
            continue;
        }
        uint8_t c = (uint8_t)s.data[i];
        int len = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        (void)FAIL(SYNTAX_ERROR, "invalid input syntax for type jsonpath");
        return error_detail("Unrecognized flag character \"%.*s\" in LIKE_REGEX predicate.", len,
                            s.data + i);
    }
    return OK;
}

enum status jsonpath_regex_flags(uint32_t flags, char *ret)
{
    bool quoted = flags & PATH_FLAG_Q;
    if (flags & PATH_FLAG_X && !quoted)
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "XQuery \"x\" flag (expanded regular expressions) is not implemented");
    if (quoted) *ret++ = 'q';
    else if (flags & PATH_FLAG_S) *ret++ = flags & PATH_FLAG_M ? 'w' : 's';
    else *ret++ = flags & PATH_FLAG_M ? 'n' : 'p';
    if (flags & PATH_FLAG_I) *ret++ = 'i';
    *ret = '\0';
    return OK;
}

enum status path__check(const struct jsonpath_item *i, uint32_t filters, bool subscript)
{
    for (; i; i = i->next) {
        if (fiber_stack_left() < STACK_MIN)
            return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
        if (i->kind == PATH_CURRENT && !filters)
            return FAIL(SYNTAX_ERROR, "@ is not allowed in root expressions");
        if (i->kind == PATH_LAST && !subscript)
            return FAIL(SYNTAX_ERROR, "LAST is allowed only in array subscripts");
        if (i->left) TRY(path__check(i->left, filters + (i->kind == PATH_FILTER), subscript));
        if (i->right) TRY(path__check(i->right, filters, subscript));
        for (uint32_t k = 0; k < i->subscript_count; k++) {
            TRY(path__check(i->subscripts[k].from, filters, true));
            if (i->subscripts[k].to) TRY(path__check(i->subscripts[k].to, filters, true));
        }
    }
    return OK;
}

/* --- text ------------------------------------------------------------------------------------- */

const char *jsonpath_operation(enum jsonpath_kind kind)
{
    static const char *const names[] = {
        [PATH_AND] = "&&", [PATH_OR] = "||", [PATH_EQ] = "==", [PATH_NE] = "!=", [PATH_LT] = "<",
        [PATH_GT] = ">", [PATH_LE] = "<=", [PATH_GE] = ">=", [PATH_ADD] = "+", [PATH_SUB] = "-",
        [PATH_MUL] = "*", [PATH_DIV] = "/", [PATH_MOD] = "%", [PATH_PLUS] = "+", [PATH_MINUS] = "-",
        [PATH_STARTS_WITH] = "starts with", [PATH_TYPE] = "type", [PATH_SIZE] = "size",
        [PATH_ABS] = "abs", [PATH_FLOOR] = "floor", [PATH_CEILING] = "ceiling",
        [PATH_DOUBLE] = "double", [PATH_DATETIME] = "datetime", [PATH_KEYVALUE] = "keyvalue"};
    return names[kind];
}

static int priority(enum jsonpath_kind kind)
{
    switch (kind) {
    case PATH_OR: return 0;
    case PATH_AND: return 1;
    case PATH_EQ:
    case PATH_NE:
    case PATH_LT:
    case PATH_GT:
    case PATH_LE:
    case PATH_GE:
    case PATH_STARTS_WITH: return 2;
    case PATH_ADD:
    case PATH_SUB: return 3;
    case PATH_MUL:
    case PATH_DIV:
    case PATH_MOD: return 4;
    case PATH_PLUS:
    case PATH_MINUS: return 5;
    default: return 6;
    }
}

static void print(const struct jsonpath_item *i, bool in_key, bool brackets, struct strbuf *out);

static void operand(const struct jsonpath_item *of, const struct jsonpath_item *i,
                    struct strbuf *out)
{
    print(i, false, priority(i->kind) <= priority(of->kind), out);
}

static void print_level(int32_t level, struct strbuf *out)
{
    if (level == JSONPATH_LAST) strbuf_adds(out, "last");
    else strbuf_addf(out, "%d", level);
}

static void print_any(const struct jsonpath_item *i, struct strbuf *out)
{
    strbuf_adds(out, "**");
    if (i->first == 0 && i->last == JSONPATH_LAST) return;
    strbuf_addc(out, '{');
    print_level(i->first, out);
    if (i->first != i->last) {
        strbuf_adds(out, " to ");
        print_level(i->last, out);
    }
    strbuf_addc(out, '}');
}

static void print_subscripts(const struct jsonpath_item *i, struct strbuf *out)
{
    strbuf_addc(out, '[');
    for (uint32_t k = 0; k < i->subscript_count; k++) {
        if (k) strbuf_addc(out, ',');
        print(i->subscripts[k].from, false, false, out);
        if (!i->subscripts[k].to) continue;
        strbuf_adds(out, " to ");
        print(i->subscripts[k].to, false, false, out);
    }
    strbuf_addc(out, ']');
}

static void print_number(const struct jsonpath_item *i, struct strbuf *out)
{
    if (i->next) strbuf_addc(out, '(');
    numeric_to_text(&i->number, out);
    if (i->next) strbuf_addc(out, ')');
}

/* Operators, with their operands. */
static void print_operation(const struct jsonpath_item *i, bool brackets, struct strbuf *out)
{
    if (brackets) strbuf_addc(out, '(');
    if (i->kind == PATH_PLUS || i->kind == PATH_MINUS) {
        strbuf_adds(out, jsonpath_operation(i->kind));
        operand(i, i->left, out);
    } else if (i->kind == PATH_LIKE_REGEX) {
        operand(i, i->left, out);
        strbuf_adds(out, " like_regex ");
        json_quote(i->text, out);
        if (i->flags) strbuf_adds(out, " flag \"");
        for (int k = 0; flag_letters[k]; k++)
            if (i->flags & 1u << k) strbuf_addc(out, flag_letters[k]);
        if (i->flags) strbuf_addc(out, '"');
    } else {
        operand(i, i->left, out);
        strbuf_addf(out, " %s ", jsonpath_operation(i->kind));
        operand(i, i->right, out);
    }
    if (brackets) strbuf_addc(out, ')');
}

static void print_with(const char *open, const struct jsonpath_item *in, const char *close,
                       struct strbuf *out)
{
    strbuf_adds(out, open);
    print(in, false, false, out);
    strbuf_adds(out, close);
}

static void print_method(const struct jsonpath_item *i, struct strbuf *out)
{
    strbuf_addf(out, ".%s(", jsonpath_operation(i->kind));
    if (i->kind == PATH_DATETIME && i->text.data) json_quote(i->text, out);
    strbuf_addc(out, ')');
}

static void print_one(const struct jsonpath_item *i, bool in_key, bool brackets, struct strbuf *out)
{
    switch (i->kind) {
    case PATH_NULL: strbuf_adds(out, "null"); return;
    case PATH_BOOL: strbuf_adds(out, i->truth ? "true" : "false"); return;
    case PATH_STRING: json_quote(i->text, out); return;
    case PATH_NUMBER: print_number(i, out); return;
    case PATH_VARIABLE:
        strbuf_addc(out, '$');
        json_quote(i->text, out);
        return;
    case PATH_ROOT: strbuf_addc(out, '$'); return;
    case PATH_CURRENT: strbuf_addc(out, '@'); return;
    case PATH_LAST: strbuf_adds(out, "last"); return;
    case PATH_NOT: print_with("!(", i->left, ")", out); return;
    case PATH_IS_UNKNOWN: print_with("(", i->left, ") is unknown", out); return;
    case PATH_EXISTS: print_with("exists (", i->left, ")", out); return;
    case PATH_FILTER: print_with("?(", i->left, ")", out); return;
    case PATH_ANY_ARRAY: strbuf_adds(out, "[*]"); return;
    case PATH_INDEX: print_subscripts(i, out); return;
    default: break;
    }
    if (i->kind >= PATH_TYPE) {
        print_method(i, out);
    } else if (i->kind == PATH_KEY || i->kind == PATH_ANY_KEY || i->kind == PATH_ANY) {
        if (in_key) strbuf_addc(out, '.');
        if (i->kind == PATH_KEY) json_quote(i->text, out);
        else if (i->kind == PATH_ANY) print_any(i, out);
        else strbuf_addc(out, '*');
    } else {
        print_operation(i, brackets, out);
    }
}

/* The parser bounds how deep it recurses. */
static void print(const struct jsonpath_item *i, bool in_key, bool brackets, struct strbuf *out)
{
    print_one(i, in_key, brackets, out);
    for (i = i->next; i; i = i->next) print_one(i, true, true, out);
}

void jsonpath_to_text(const struct jsonpath *p, struct strbuf *out)
{
    if (!p->lax) strbuf_adds(out, "strict ");
    print(p->root, false, true, out);
}

enum status jsonpath_from_text(struct slice text, struct arena *a, struct bytes *ret)
{
    struct jsonpath p;
    TRY(jsonpath_parse(text, a, &p));
    *ret = bytes_from_slice(a, text);
    return OK;
}

/* It was parsed before; where there is no stack to do so again, the text as it is tells the same. */
void jsonpath_print(struct slice value, struct strbuf *out)
{
    struct arena a;
    struct jsonpath p;
    arena_init(&a, MEM_QUERY);
    if (jsonpath_parse(value, &a, &p) == OK) jsonpath_to_text(&p, out);
    else strbuf_add(out, value.data, value.len);
    arena_release(&a);
}
