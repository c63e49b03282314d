/* The options of COPY. Old and new syntax arrive alike, as named elements; what each may be is
 * looked at first, then how they go together, in the order in which PostgreSQL complains. */
#include "db/copy_priv.h"

enum given {
    GIVEN_FORMAT,
    GIVEN_FREEZE,
    GIVEN_DELIMITER,
    GIVEN_NULL,
    GIVEN_HEADER,
    GIVEN_QUOTE,
    GIVEN_ESCAPE,
    GIVEN_FORCE_QUOTE,
    GIVEN_FORCE_NOT_NULL,
    GIVEN_FORCE_NULL,
    GIVEN_ENCODING,
    GIVEN_ON_ERROR,
    GIVEN_REJECT_LIMIT,
    GIVEN_REJECT_TABLE,
    GIVEN_COUNT,
};

static const char *const option_names[GIVEN_COUNT] = {
    "format", "freeze",      "delimiter",      "null",       "header",  "quote",
    "escape", "force_quote", "force_not_null", "force_null", "encoding",
    "on_error", "reject_limit", "reject_table"};

struct reading {
    const struct ast_copy *ast;
    struct slice text;
    struct copy_options *o;
    const char *delimiter, *null_text, *quote, *escape;
    bool given[GIVEN_COUNT];
};

static enum status at(const struct reading *r, const struct ast_def_elem *d)
{
    if (d->node.location < 0) return error_current()->code;
    return error_at(sql_position(r->text, d->node.location));
}

static enum status string_of(const struct ast_def_elem *d, const char **ret)
{
    const struct ast_const *k = (const struct ast_const *)d->arg;
    if (!k || k->node.kind != AST_CONST)
        return FAIL(SYNTAX_ERROR, "%s requires a parameter", d->name);
    static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    if (k->type == CONST_BOOL) *ret = k->ival ? "true" : "false";
    else if (k->type == CONST_INT && k->ival >= 0 && k->ival <= 9) *ret = digits[k->ival];
    else if (k->text) *ret = k->text;
    else return FAIL(SYNTAX_ERROR, "%s requires a parameter", d->name);
    return OK;
}

/* True, false, or -1 for what is neither. */
static int boolean_of(const struct ast_def_elem *d)
{
    const struct ast_const *k = (const struct ast_const *)d->arg;
    if (!k) return 1;
    if (k->node.kind != AST_CONST) return -1;
    if (k->type == CONST_INT || k->type == CONST_BOOL)
        return k->ival == 0 || k->ival == 1 ? (int)k->ival : -1;
    if (!k->text) return -1;
    if (str_eq_nocase(k->text, "true") || str_eq_nocase(k->text, "on")) return 1;
    if (str_eq_nocase(k->text, "false") || str_eq_nocase(k->text, "off")) return 0;
    return -1;
}

static enum status read_format(struct reading *r, const struct ast_def_elem *d)
{
    const char *name;
    TRY(string_of(d, &name));
    if (strcmp(name, "text") == 0) r->o->format = COPY_TEXT;
    else if (strcmp(name, "csv") == 0) r->o->format = COPY_CSV;
    else if (strcmp(name, "binary") == 0) r->o->format = COPY_BINARY;
    else if (strcmp(name, "json") == 0) r->o->format = COPY_JSON;
    else if (strcmp(name, "parquet") == 0) r->o->format = COPY_PARQUET;
    else return FAIL(INVALID_PARAMETER_VALUE, "COPY format \"%s\" not recognized", name), at(r, d);
    return OK;
}

static enum status read_header(struct reading *r, const struct ast_def_elem *d)
{
    const struct ast_const *k = (const struct ast_const *)d->arg;
    int on = boolean_of(d);
    if (on >= 0) {
        r->o->header = on ? COPY_HEADER_LINE : COPY_HEADER_NONE;
        return OK;
    }
    if (k->node.kind == AST_CONST && k->text && str_eq_nocase(k->text, "match")) {
        if (!r->ast->from)
            return FAIL(FEATURE_NOT_SUPPORTED, "cannot use \"%s\" with HEADER in COPY TO", k->text);
        r->o->header = COPY_HEADER_MATCH;
        return OK;
    }
    return FAIL(SYNTAX_ERROR, "%s requires a Boolean value or \"match\"", d->name);
}

static enum status read_columns(const struct reading *r, const struct ast_def_elem *d,
                                const struct ast_list **ret)
{
    if (!d->arg || d->arg->kind != AST_LIST)
        return FAIL(INVALID_PARAMETER_VALUE,
                    "argument to option \"%s\" must be a list of column names", d->name),
               at(r, d);
    *ret = &AST(d->arg, ast_list_node)->items;
    return OK;
}

/* We speak UTF-8 only; SQL_ASCII would mean "do not look". */
static enum status read_encoding(const struct reading *r, const struct ast_def_elem *d)
{
    static const char *const ours[] = {"utf8", "utf-8", "unicode", "utf_8"};
    static const char *const others[] = {
        "sql_ascii", "latin1",  "latin2",  "latin9",  "win1250", "win1251", "win1252", "euc_jp",
        "sjis",      "euc_cn",  "euc_kr",  "euc_tw",  "gbk",     "gb18030", "big5",    "koi8r",
        "koi8u",     "iso88591", "iso-8859-1"};
    const struct ast_const *k = (const struct ast_const *)d->arg;
    const char *name = NULL;
    if (k && k->node.kind == AST_CONST) name = k->text;
    for (size_t i = 0; name && i < sizeof ours / sizeof *ours; i++)
        if (str_eq_nocase(name, ours[i])) return OK;
    for (size_t i = 0; name && i < sizeof others / sizeof *others; i++)
        if (str_eq_nocase(name, others[i]))
            return UNSUPPORTED("COPY with encoding \"%s\" is not supported yet",
                        name),
                   at(r, d);
    return FAIL(INVALID_PARAMETER_VALUE, "argument to option \"%s\" must be a valid encoding name",
                d->name),
           at(r, d);
}

/* --- bad rows: ON_ERROR and REJECT_LIMIT as PostgreSQL has them since 17 and 18 --------------- */

static enum status read_on_error(struct reading *r, const struct ast_def_elem *d)
{
    const char *name;
    TRY(string_of(d, &name));
    if (!r->ast->from)
        return FAIL(INVALID_PARAMETER_VALUE, "COPY %s cannot be used with %s", "ON_ERROR",
                    "COPY TO"),
               at(r, d);
    r->o->ignore_errors = str_eq_nocase(name, "ignore");
    if (r->o->ignore_errors || str_eq_nocase(name, "stop")) return OK;
    return FAIL(INVALID_PARAMETER_VALUE, "COPY %s \"%s\" not recognized", "ON_ERROR", name),
           at(r, d);
}

static enum status read_reject_limit(struct reading *r, const struct ast_def_elem *d)
{
    const struct ast_const *k = (const struct ast_const *)d->arg;
    int64_t n = 0;
    if (!k || k->node.kind != AST_CONST)
        return FAIL(SYNTAX_ERROR, "%s requires a numeric value", d->name);
    if (k->type == CONST_INT) n = k->ival;
    else if (!k->text || !str_to_i64(slice_of(k->text), &n))
        return FAIL(SYNTAX_ERROR, "%s requires a numeric value", d->name);
    if (n <= 0)
        return FAIL(INVALID_PARAMETER_VALUE, "REJECT_LIMIT (%lld) must be greater than zero",
                    (long long)n);
    r->o->reject_limit = n;
    return OK;
}

static enum status check_rejects(struct reading *r)
{
    struct copy_options *o = r->o;
    if (o->reject_table && !r->ast->from)
        return FAIL(INVALID_PARAMETER_VALUE, "COPY %s cannot be used with %s", "REJECT_TABLE",
                    "COPY TO");
    if (o->reject_table && r->given[GIVEN_ON_ERROR] && !o->ignore_errors)
        return FAIL(INVALID_PARAMETER_VALUE, "COPY %s requires %s to be set to %s", "REJECT_TABLE",
                    "ON_ERROR", "IGNORE");
    if (o->reject_table) o->ignore_errors = true;
    if (o->reject_limit && !o->ignore_errors)
        return FAIL(INVALID_PARAMETER_VALUE, "COPY %s requires %s to be set to %s", "REJECT_LIMIT",
                    "ON_ERROR", "IGNORE");
    if (o->ignore_errors && o->format == COPY_BINARY)
        return FAIL(SYNTAX_ERROR, "only ON_ERROR STOP is allowed in BINARY mode");
    return OK;
}

static enum status read_option(struct reading *r, const struct ast_def_elem *d)
{
    int which = 0;
    while (which < GIVEN_COUNT && strcmp(d->name, option_names[which]) != 0) which++;
    if (which == GIVEN_COUNT)
        return FAIL(SYNTAX_ERROR, "option \"%s\" not recognized", d->name), at(r, d);
    if (r->given[which])
        return FAIL(SYNTAX_ERROR, "conflicting or redundant options"), at(r, d);
    r->given[which] = true;
    switch ((enum given)which) {
    case GIVEN_FORMAT: return read_format(r, d);
    case GIVEN_FREEZE:
        if (boolean_of(d) >= 0) return OK;
        return FAIL(SYNTAX_ERROR, "%s requires a Boolean value", d->name);
    case GIVEN_DELIMITER: return string_of(d, &r->delimiter);
    case GIVEN_NULL: return string_of(d, &r->null_text);
    case GIVEN_HEADER: return read_header(r, d);
    case GIVEN_QUOTE: return string_of(d, &r->quote);
    case GIVEN_ESCAPE: return string_of(d, &r->escape);
    case GIVEN_FORCE_QUOTE:
        r->o->force_quote_all = d->arg && d->arg->kind == AST_STAR;
        return r->o->force_quote_all ? OK : read_columns(r, d, &r->o->force_quote);
    case GIVEN_FORCE_NOT_NULL: return read_columns(r, d, &r->o->force_not_null);
    case GIVEN_FORCE_NULL: return read_columns(r, d, &r->o->force_null);
    case GIVEN_ON_ERROR: return read_on_error(r, d);
    case GIVEN_REJECT_LIMIT: return read_reject_limit(r, d);
    case GIVEN_REJECT_TABLE: return string_of(d, &r->o->reject_table);
    default: return read_encoding(r, d);
    }
}

/* --- what goes with what -------------------------------------------------------------------- */

static enum status check_delimiter(const struct reading *r, bool csv)
{
    const char *d = r->delimiter;
    if (strlen(d) != 1)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY delimiter must be a single one-byte character");
    if (*d == '\r' || *d == '\n')
        return FAIL(INVALID_PARAMETER_VALUE,
                    "COPY delimiter cannot be newline or carriage return");
    if (strpbrk(r->null_text, "\r\n"))
        return FAIL(INVALID_PARAMETER_VALUE,
                    "COPY null representation cannot use newline or carriage return");
    /* Bytes that have a meaning behind a backslash, or that stand in \N. */
    if (!csv && strchr("\\.abcdefghijklmnopqrstuvwxyz0123456789", *d))
        return FAIL(INVALID_PARAMETER_VALUE, "COPY delimiter cannot be \"%s\"", d);
    return OK;
}

static enum status check_quotes(const struct reading *r, bool csv)
{
    if (!csv && r->quote)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY quote available only in CSV mode");
    if (csv && r->quote && strlen(r->quote) != 1)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY quote must be a single one-byte character");
    if (csv && *r->delimiter == (r->quote ? *r->quote : '"'))
        return FAIL(INVALID_PARAMETER_VALUE, "COPY delimiter and quote must be different");
    if (!csv && r->escape)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY escape available only in CSV mode");
    if (csv && r->escape && strlen(r->escape) != 1)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY escape must be a single one-byte character");
    return OK;
}

static enum status check_force(const struct reading *r, bool csv)
{
    bool from = r->ast->from;
    if (r->given[GIVEN_FORCE_QUOTE] && !csv)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY force quote available only in CSV mode");
    if (r->given[GIVEN_FORCE_QUOTE] && from)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY force quote only available using COPY TO");
    if (r->o->force_not_null && !csv)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY force not null available only in CSV mode");
    if (r->o->force_not_null && !from)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY force not null only available using COPY FROM");
    if (r->o->force_null && !csv)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY force null available only in CSV mode");
    if (r->o->force_null && !from)
        return FAIL(FEATURE_NOT_SUPPORTED, "COPY force null only available using COPY FROM");
    return OK;
}

static enum status check_options(struct reading *r)
{
    struct copy_options *o = r->o;
    static const char *const modes[] = {[COPY_BINARY] = "BINARY", [COPY_JSON] = "JSON",
                                        [COPY_PARQUET] = "PARQUET"};
    bool csv = o->format == COPY_CSV, plain = csv || o->format == COPY_TEXT;
    if (!plain && r->delimiter)
        return FAIL(SYNTAX_ERROR, "cannot specify DELIMITER in %s mode", modes[o->format]);
    if (!plain && r->null_text)
        return FAIL(SYNTAX_ERROR, "cannot specify NULL in %s mode", modes[o->format]);
    if (!r->delimiter) r->delimiter = csv ? "," : "\t";
    if (!r->null_text) r->null_text = csv ? "" : "\\N";
    TRY(check_delimiter(r, csv));
    if (!plain && o->header != COPY_HEADER_NONE)
        return FAIL(FEATURE_NOT_SUPPORTED, "cannot specify HEADER in %s mode", modes[o->format]);
    TRY(check_quotes(r, csv));
    TRY(check_force(r, csv));
    TRY(check_rejects(r));
    o->delimiter = *r->delimiter;
    o->quote = r->quote ? *r->quote : '"';
    o->escape = r->escape ? *r->escape : o->quote;
    o->null_text = slice_of(r->null_text);
    if (memchr(o->null_text.data, o->delimiter, o->null_text.len))
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "COPY delimiter must not appear in the NULL specification");
    if (csv && memchr(o->null_text.data, o->quote, o->null_text.len))
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "CSV quote character must not appear in the NULL specification");
    return OK;
}

enum status copy__options(const struct ast_copy *a, struct slice text, struct copy_options *ret)
{
    struct reading r = {.ast = a, .text = text, .o = ret};
    *ret = (struct copy_options){0};
    for (uint32_t i = 0; i < a->options.count; i++)
        TRY(read_option(&r, AST(a->options.items[i], ast_def_elem)));
    return check_options(&r);
}

/* --- FORCE_… -------------------------------------------------------------------------------- */

static enum status mark(struct copy *c, const struct ast_list *names, const char *option,
                        size_t flag_offset)
{
    for (uint32_t i = 0; names && i < names->count; i++) {
        const char *name = AST(names->items[i], ast_const)->text;
        uint32_t k = 0;
        while (k < c->column_count && strcmp(c->columns[k].name, name) != 0) k++;
        if (k == c->column_count && c->table && !table_column(c->table, slice_of(name)))
            return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", name,
                        c->table->name);
        if (k == c->column_count && !c->table)
            return FAIL(UNDEFINED_COLUMN, "column \"%s\" does not exist", name);
        if (k == c->column_count)
            return FAIL(INVALID_COLUMN_REFERENCE, "%s column \"%s\" not referenced by COPY",
                        option, name);
        *(bool *)((char *)&c->columns[k] + flag_offset) = true;
    }
    return OK;
}

enum status copy__force_columns(struct copy *c)
{
    TRY(mark(c, c->o.force_quote, "FORCE_QUOTE", offsetof(struct copy_column, force_quote)));
    TRY(mark(c, c->o.force_not_null, "FORCE_NOT_NULL",
             offsetof(struct copy_column, force_not_null)));
    TRY(mark(c, c->o.force_null, "FORCE_NULL", offsetof(struct copy_column, force_null)));
    for (uint32_t i = 0; c->o.force_quote_all && i < c->column_count; i++)
        c->columns[i].force_quote = true;
    return OK;
}
