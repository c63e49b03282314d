/* The way into the library and out of it.
 *
 * raw_parser() builds PostgreSQL's nodes in a memory context of its own; they are copied into our
 * arena and the context is freed, so nothing of the library's outlives the call. It reports errors
 * by a long jump to PG_exception_stack: the jump is caught here, in the frame that called, and becomes
 * a status with all its fields (the library's public interface drops SQLSTATE, detail and hint).
 *
 * The library's state is one set of thread-local variables. A fiber never leaves its thread and the
 * call never parks, so no two parses of a thread overlap. */
#include "sql/parse/parse_priv.h"

#include <setjmp.h>

#include "base/fiber.h"
#include "sql/parse/branch_priv.h"
#include "sql/parse/copy_priv.h"
#include "sql/parse/parse.h"

/* The statuses that share a class stand for the codes of it that we do not have. */
static enum status status_of(int sqlerrcode)
{
    char state[6];
    for (int i = 0; i < 5; i++) {
        state[i] = PGUNSIXBIT(sqlerrcode);
        sqlerrcode >>= 6;
    }
    state[5] = '\0';
    for (int s = OK + 1; s < STATUS_COUNT; s++)
        if (strcmp(status_sqlstate((enum status)s), state) == 0) return (enum status)s;
    if (memcmp(state, "22", 2) == 0) return DATA_EXCEPTION;
    if (memcmp(state, "42", 2) == 0) return SYNTAX_ERROR;
    if (memcmp(state, "0A", 2) == 0) return FEATURE_NOT_SUPPORTED;
    return INTERNAL_ERROR;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* "12abc": the library's scanner stops after the first byte of the junk, PostgreSQL's at its end. */
static enum status fail_junk(enum status code, const char *message, struct slice text,
                             int position)
{
    const char *quoted = strstr(message, " at or near \"");
    size_t begin = 0, end;
    for (int i = 1; i < position && begin < text.len; i++) {
        begin++;
        while (begin < text.len && ((unsigned char)text.data[begin] & 0xc0) == 0x80) begin++;
    }
    if (strncmp(message, "trailing junk after ", 20) != 0 || !quoted || position <= 0)
        return FAIL(code, "%s", message);
    end = begin + strlen(quoted) - 14; /* what stands between the quotes */
    if (end > text.len) end = text.len;
    if (is_name_byte(text.data[end - 1]))
        while (end < text.len && is_name_byte(text.data[end])) end++;
    return FAIL(code, "%.*s at or near \"%.*s\"", (int)(quoted - message), message,
                (int)(end - begin), text.data + begin);
}

/* The error that the library holds, into our slot. */
static enum status take_error(MemoryContext context, struct slice text)
{
    CurrentMemoryContext = context;
    ErrorData *e = CopyErrorData();
    FlushErrorState();
    enum status code = status_of(e->sqlerrcode);
    /* The grammar's own stack overflowed: PostgreSQL calls that a syntax error, too. */
    if (strncmp(e->message, "memory exhausted", 16) == 0) code = STATEMENT_TOO_COMPLEX;
    enum status s = fail_junk(code, e->message, text, e->cursorpos);
    if (e->detail) error_detail("%s", e->detail);
    if (e->hint) error_hint("%s", e->hint);
    if (e->cursorpos > 0) error_at(e->cursorpos);
    return s;
}

/* The long jump ends here. Kept apart so that no variable of the caller lives across it. */
static bool run_grammar(const char *text, List *volatile *ret)
{
    sigjmp_buf jump;
    sigjmp_buf *saved_jump = PG_exception_stack;
    ErrorContextCallback *saved_callbacks = error_context_stack;
    volatile bool done = false;
    if (sigsetjmp(jump, 0) == 0) {
        PG_exception_stack = &jump;
        *ret = raw_parser(text, RAW_PARSE_DEFAULT);
        done = true;
    }
    PG_exception_stack = saved_jump;
    error_context_stack = saved_callbacks;
    return done;
}

/* Without the blanks around it. */
static void trim(struct slice text, int *start, int *end)
{
    static const char blanks[] = " \t\n\r\f";
    while (*start < *end && memchr(blanks, text.data[*start], sizeof blanks - 1)) (*start)++;
    while (*end > *start && memchr(blanks, text.data[*end - 1], sizeof blanks - 1)) (*end)--;
}

static enum status copy_statements(struct arena *a, struct slice text, const List *raw,
                                   struct as_of_clauses *as_of, struct statement **ret,
                                   uint32_t *ret_count)
{
    uint32_t count = (uint32_t)list_count(raw);
    struct statement *statements = ARENA_ARRAY(a, struct statement, count);
    for (uint32_t i = 0; i < count; i++) {
        const RawStmt *r = (const RawStmt *)list_item(raw, (int)i);
        struct copy c = {.arena = a, .text = text, .start = r->stmt_location, .as_of = as_of};
        c.end = r->stmt_len ? r->stmt_location + r->stmt_len : (int)text.len;
        trim(text, &c.start, &c.end);
        TRY(copy__node(&c, r->stmt, &statements[i].ast));
        if (statements[i].ast->location < 0) statements[i].ast->location = c.start;
        statements[i].start = c.start;
        statements[i].len = c.end - c.start;
        statements[i].param_count = c.param_count;
    }
    *ret = statements;
    *ret_count = count;
    return OK;
}

static enum status parse(struct arena *a, struct slice text, struct slice grammatical,
                         struct as_of_clauses *as_of, struct statement **ret, uint32_t *ret_count)
{
    MemoryContext context = pg_query_enter_memory_context();
    List *volatile raw = NULL;
    enum status s = run_grammar(grammatical.data, &raw)
                        ? copy_statements(a, text, raw, as_of, ret, ret_count)
                        : take_error(context, grammatical);
    pg_query_exit_memory_context(context);
    return s;
}

enum status bridge__parse(struct arena *a, struct slice text, struct statement **ret,
                          uint32_t *ret_count)
{
    struct as_of_clauses as_of;
    struct branch_statements branches;
    if (fiber_stack_left() < COPY_STACK_BYTES_MIN)
        return FAIL(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    enum status s = parse(a, text, text, NULL, ret, ret_count);
    if (s != SYNTAX_ERROR) return s;
    struct error first = *error_current();
    error_clear();
    struct slice quoted = storage_words(a, text);
    if (!slice_eq(quoted, text)) {
        s = parse(a, text, quoted, NULL, ret, ret_count);
        if (s != SYNTAX_ERROR) return s;
        error_clear();
    }
    TRY(branch_stmt__find(a, text, &branches));
    if (branches.list.count) {
        s = parse(a, text, branches.blanked, NULL, ret, ret_count);
        if (s == OK) branch_stmt__place(&branches, *ret, *ret_count);
        if (s != SYNTAX_ERROR) return s;
        first = *error_current();
        error_clear();
    }
    TRY(as_of__find(a, branches.blanked, &as_of));
    if (!as_of.list.count) {
        *error_current() = first;
        return s;
    }
    TRY(parse(a, text, as_of.blanked, &as_of, ret, ret_count));
    branch_stmt__place(&branches, *ret, *ret_count);
    return as_of__check(&as_of, text);
}

enum status copy__at(const struct copy *c, int location, enum status code)
{
    if (location >= 0) error_at(sql_position(c->text, location));
    return code;
}
