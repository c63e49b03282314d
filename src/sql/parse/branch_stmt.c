/* Statements about branches, which PostgreSQL's grammar does not know.
 *
 *   CREATE [DATABASE] BRANCH [IF NOT EXISTS] name [FROM { name | CURRENT }] [AS OF moment]
 *   DROP [DATABASE] BRANCH [IF EXISTS] name
 *   USE [DATABASE] BRANCH name
 *   SHOW [DATABASE] BRANCHES
 *   MERGE [DATABASE] BRANCH name INTO name [ON CONFLICT { ABORT | OURS | THEIRS }] [WITH (option = value, …)]
 *
 * A text that the grammar refuses is looked through for statements that begin so. Each is replaced by
 * CHECKPOINT and blanks, so that every place in the text stays what it was, and the rest goes to the
 * grammar; then the tree of the branch statement takes that one's place. A name is a word, an identifier in
 * double quotes, or a string. */
#include "sql/parse/branch_priv.h"

#include <ctype.h>

#include "sql/parse/as_of_priv.h"
#include "sql/parse/scan_priv.h"

#define PLACEHOLDER "CHECKPOINT"

static bool take_mark(struct scan *s, char mark)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    bool is_equals = mark == '=' && t.kind == TOK_OPERATOR && t.end - t.start == 1;
    if ((t.kind != TOK_PUNCTUATION && !is_equals) || t.first != mark) return false;
    *s = ahead;
    return true;
}

static enum status unexpected(struct slice text, struct scan *s)
{
    struct token t;
    scan__next(s, &t);
    if (t.kind == TOK_END) FAIL(SYNTAX_ERROR, "syntax error at end of input");
    else FAIL(SYNTAX_ERROR, "syntax error at or near \"%.*s\"", (int)(t.end - t.start), text.data + t.start);
    return error_at(sql_position(text, (int)t.start));
}

/* Between quotes, doubled ones once. */
static const char *unquoted(struct arena *a, struct slice quoted)
{
    struct strbuf b;
    char quote = quoted.data[0];
    strbuf_init(&b, a);
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        strbuf_addc(&b, quoted.data[i]);
        if (quoted.data[i] == quote) i++;
    }
    return b.len ? b.data : "";
}

static bool take_name(struct arena *a, struct scan *s, const char **ret)
{
    struct scan ahead = *s;
    struct token t;
    scan__next(&ahead, &t);
    struct slice word = slice_make(s->text + t.start, t.end - t.start);
    if (t.kind == TOK_WORD) {
        char *name = arena_strndup(a, word.data, word.len);
        for (char *p = name; *p; p++) *p = (char)tolower((unsigned char)*p);
        *ret = name;
    } else if ((t.kind == TOK_IDENT && word.data[0] == '"') || t.kind == TOK_STRING) {
        *ret = unquoted(a, word);
    } else {
        return false;
    }
    *s = ahead;
    return true;
}

static enum status parse_create(struct arena *a, struct slice text, struct scan *s,
                                struct ast_branch *b, int *param_count)
{
    struct as_of_moment m;
    if (scan__take_word(s, "if")) {
        if (!scan__take_word(s, "not") || !scan__take_word(s, "exists")) return unexpected(text, s);
        b->missing_ok = true;
    }
    if (!take_name(a, s, &b->name)) return unexpected(text, s);
    if (scan__take_word(s, "from") && !scan__take_word(s, "current") && !take_name(a, s, &b->other))
        return unexpected(text, s);
    if (scan__take_word(s, "as")) {
        bool found = false;
        if (scan__take_word(s, "of")) TRY(as_of__take(a, text, s, &m, param_count, &found));
        if (!found) return unexpected(text, s);
        b->as_of = m.as_of;
    }
    if (scan__take_word(s, "with"))
        return UNSUPPORTED("options of CREATE BRANCH are not supported");
    return OK;
}

static bool set_conflict(struct ast_branch *b, const char *word)
{
    static const struct {
        const char *word;
        enum branch_conflict conflict;
    } words[] = {{"abort", CONFLICT_ABORT},       {"fail", CONFLICT_ABORT},
                 {"ours", CONFLICT_OURS},         {"target_wins", CONFLICT_OURS},
                 {"theirs", CONFLICT_THEIRS},     {"branch_wins", CONFLICT_THEIRS}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!str_eq_nocase(word, words[i].word)) continue;
        b->conflict = words[i].conflict;
        return true;
    }
    return false;
}

static enum status parse_option(struct arena *a, struct slice text, struct scan *s,
                                struct ast_branch *b)
{
    const char *name, *value;
    if (!take_name(a, s, &name)) return unexpected(text, s);
    if (!take_mark(s, '=') || !take_name(a, s, &value)) return unexpected(text, s);
    bool known = false;
    if (str_eq_nocase(name, "conflict_resolution") || str_eq_nocase(name, "strategy")) {
        known = set_conflict(b, value);
    } else if (str_eq_nocase(name, "delete_branch_after")) {
        b->drop_after = str_eq_nocase(value, "true") || str_eq_nocase(value, "on");
        known = b->drop_after || str_eq_nocase(value, "false") || str_eq_nocase(value, "off");
    } else {
        return FAIL(SYNTAX_ERROR, "MERGE BRANCH option \"%s\" not recognized", name);
    }
    if (known) return OK;
    return FAIL(INVALID_PARAMETER_VALUE, "invalid value for MERGE BRANCH option \"%s\": \"%s\"", name,
                value);
}

static enum status parse_merge(struct arena *a, struct slice text, struct scan *s,
                               struct ast_branch *b)
{
    const char *word;
    if (!take_name(a, s, &b->name)) return unexpected(text, s);
    if (!scan__take_word(s, "into")) return unexpected(text, s);
    if (!take_name(a, s, &b->other)) return unexpected(text, s);
    if (scan__take_word(s, "on")) {
        struct scan at;
        if (!scan__take_word(s, "conflict")) return unexpected(text, s);
        at = *s;
        if (!take_name(a, s, &word) || !set_conflict(b, word)) return unexpected(text, &at);
    }
    if (!scan__take_word(s, "with")) return OK;
    if (!take_mark(s, '(')) return unexpected(text, s);
    do TRY(parse_option(a, text, s, b));
    while (take_mark(s, ','));
    return take_mark(s, ')') ? OK : unexpected(text, s);
}

/* Behind what it begins with. */
static enum status parse_rest(struct arena *a, struct slice text, struct scan *s,
                              struct ast_branch *b, int *param_count)
{
    switch (b->action) {
    case BRANCH_CREATE: return parse_create(a, text, s, b, param_count);
    case BRANCH_DROP:
        if (scan__take_word(s, "if")) {
            if (!scan__take_word(s, "exists")) return unexpected(text, s);
            b->missing_ok = true;
        }
        break;
    case BRANCH_SHOW: return OK;
    case BRANCH_MERGE: return parse_merge(a, text, s, b);
    case BRANCH_USE: break;
    }
    return take_name(a, s, &b->name) ? OK : unexpected(text, s);
}

static bool begins(struct scan *s, enum branch_action *ret)
{
    static const char *const words[] = {"create", "drop", "use", "show", "merge"};
    for (int i = 0; i < 5; i++) {
        struct scan ahead = *s;
        if (!scan__take_word(&ahead, words[i])) continue;
        bool database = scan__take_word(&ahead, "database");
        if (i == BRANCH_SHOW && !database) return false; /* the grammar takes that */
        if (!scan__take_word(&ahead, i == BRANCH_SHOW ? "branches" : "branch")) return false;
        *ret = (enum branch_action)i;
        *s = ahead;
        return true;
    }
    return false;
}

/* From here to behind the next semicolon; false at the end. */
static bool skip_statement(struct scan *s)
{
    struct token t;
    do scan__next(s, &t);
    while (t.kind != TOK_END && t.kind != TOK_BAD && !(t.kind == TOK_PUNCTUATION && t.first == ';'));
    return t.kind == TOK_PUNCTUATION;
}

static enum status take_statement(struct arena *a, struct slice text, struct scan *s,
                                  enum branch_action action, struct branch_statement *ret)
{
    struct scan at;
    struct token t;
    struct ast_branch *b = arena_alloc(a, sizeof *b);
    *b = (struct ast_branch){.node = {AST_BRANCH, (int)ret->start}, .action = action,
                             .as_of.location = -1};
    ret->ast = &b->node;
    TRY(parse_rest(a, text, s, b, &ret->param_count));
    at = *s;
    scan__next(s, &t);
    ret->end = at.at;
    if (t.kind == TOK_END || (t.kind == TOK_PUNCTUATION && t.first == ';')) {
        *s = at;
        return OK;
    }
    return unexpected(text, &at);
}

enum status branch_stmt__find(struct arena *a, struct slice text, struct branch_statements *ret)
{
    struct scan s = {text.data, 0, (uint32_t)text.len};
    *ret = (struct branch_statements){.blanked = text};
    do {
        struct scan ahead = s;
        struct token first;
        enum branch_action action;
        scan__next(&ahead, &first);
        ahead = s;
        if (!begins(&ahead, &action)) continue;
        struct branch_statement found = {.start = first.start};
        TRY(take_statement(a, text, &ahead, action, &found));
        ARENA_PUSH(a, &ret->list, found);
        s = ahead;
    } while (skip_statement(&s));
    if (!ret->list.count) return OK;
    char *blanked = arena_strndup(a, text.data, text.len);
    for (size_t i = 0; i < ret->list.count; i++) {
        const struct branch_statement *f = &ret->list.data[i];
        ASSERT(f->end - f->start >= sizeof PLACEHOLDER - 1);
        memset(blanked + f->start, ' ', f->end - f->start);
        memcpy(blanked + f->start, PLACEHOLDER, sizeof PLACEHOLDER - 1);
    }
    ret->blanked = slice_make(blanked, text.len);
    return OK;
}

void branch_stmt__place(const struct branch_statements *found, struct statement *st, uint32_t count)
{
    for (size_t i = 0; i < found->list.count; i++) {
        const struct branch_statement *f = &found->list.data[i];
        for (uint32_t k = 0; k < count; k++) {
            if ((int)f->start < st[k].start || (int)f->start >= st[k].start + st[k].len) continue;
            st[k].ast = f->ast;
            st[k].param_count = f->param_count;
        }
    }
}
