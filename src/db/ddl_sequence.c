/* CREATE and ALTER SEQUENCE, and the sequences behind serial and identity columns.
 *
 * A change always gives the sequence a new tree: until this transaction ends nobody else knows that
 * tree, so its value can be written in the transaction and is undone with it, while nextval() of
 * others goes on with the old one (sequence.c). */
#include "db/ddl_priv.h"

struct sequence_options {
    struct sequence_def def;
    bool has_start, has_min, has_max, restarts, has_value;
    int64_t value;
    bool called;
    const struct ast_def_elem *owned_by;
};

/* --- options -------------------------------------------------------------------------------- */

static void type_bounds(type_id type, int64_t *ret_min, int64_t *ret_max)
{
    *ret_max = type == TYPE_INT2 ? INT16_MAX : type == TYPE_INT4 ? INT32_MAX : INT64_MAX;
    *ret_min = -*ret_max - 1;
}

static enum status set_type(struct ddl *d, const struct ast_def_elem *o,
                            struct sequence_options *q, bool is_new)
{
    struct bind_env env;
    type_id type;
    int32_t typmod;
    if (!o->arg || o->arg->kind != AST_TYPE_NAME)
        return FAIL(INVALID_PARAMETER_VALUE, "sequence type must be smallint, integer, or bigint");
    session__bind_env(d->s, &env, d->a, d->text);
    TRY(bind_type(&env, AST(o->arg, ast_type_name), &type, &typmod));
    if (type != TYPE_INT2 && type != TYPE_INT4 && type != TYPE_INT8)
        return FAIL(INVALID_PARAMETER_VALUE,
                    q->def.owner_kind == 'i'
                        ? "identity column type must be smallint, integer, or bigint"
                        : "sequence type must be smallint, integer, or bigint");
    int64_t min, max;
    type_bounds(q->def.type, &min, &max);
    /* Bounds that were the old type's become the new one's. */
    if (!is_new && q->def.max == max) q->has_max = false;
    if (!is_new && q->def.min == min) q->has_min = false;
    q->def.type = type;
    return OK;
}

static enum status read_option(struct ddl *d, const struct ast_def_elem *o,
                               struct sequence_options *q, bool is_new)
{
    if (strcmp(o->name, "as") == 0) return set_type(d, o, q, is_new);
    if (strcmp(o->name, "increment") == 0) {
        TRY(ddl__option_i64(o, &q->def.increment));
        if (q->def.increment == 0)
            return FAIL(INVALID_PARAMETER_VALUE, "INCREMENT must not be zero");
        return OK;
    }
    if (strcmp(o->name, "start") == 0) {
        q->has_start = true;
        return ddl__option_i64(o, &q->def.start);
    }
    if (strcmp(o->name, "restart") == 0) {
        q->restarts = true;
        q->has_value = o->arg != NULL;
        return o->arg ? ddl__option_i64(o, &q->value) : OK;
    }
    if (strcmp(o->name, "maxvalue") == 0) {
        q->has_max = o->arg != NULL;
        return o->arg ? ddl__option_i64(o, &q->def.max) : OK;
    }
    if (strcmp(o->name, "minvalue") == 0) {
        q->has_min = o->arg != NULL;
        return o->arg ? ddl__option_i64(o, &q->def.min) : OK;
    }
    if (strcmp(o->name, "cache") == 0) {
        TRY(ddl__option_i64(o, &q->def.cache));
        if (q->def.cache <= 0)
            return FAIL(INVALID_PARAMETER_VALUE, "CACHE (%lld) must be greater than zero",
                        (long long)q->def.cache);
        return OK;
    }
    if (strcmp(o->name, "cycle") == 0) return ddl__option_bool(o, &q->def.cycle);
    if (strcmp(o->name, "owned_by") == 0) {
        q->owned_by = o;
        return OK;
    }
    if (strcmp(o->name, "sequence_name") == 0) return OK; /* read by whoever names it */
    return FAIL(SYNTAX_ERROR, "sequence option \"%s\" not recognized", o->name);
}

static enum status check_bound(const char *what, int64_t value, type_id type)
{
    int64_t min, max;
    type_bounds(type, &min, &max);
    if (value >= min && value <= max) return OK;
    return FAIL(INVALID_PARAMETER_VALUE, "%s (%lld) is out of range for sequence data type %s",
                what, (long long)value, type_get(type)->sql_name);
}

static enum status check_value(const char *what, int64_t value, const struct sequence_def *s)
{
    if (value < s->min)
        return FAIL(INVALID_PARAMETER_VALUE, "%s value (%lld) cannot be less than MINVALUE (%lld)",
                    what, (long long)value, (long long)s->min);
    if (value > s->max)
        return FAIL(INVALID_PARAMETER_VALUE,
                    "%s value (%lld) cannot be greater than MAXVALUE (%lld)", what,
                    (long long)value, (long long)s->max);
    return OK;
}

/* q->def, .value and .called hold what there was, or the defaults of a new sequence. */
static enum status read_options(struct ddl *d, const struct ast_list *options,
                                struct sequence_options *q, bool is_new)
{
    struct sequence_def *s = &q->def;
    int64_t type_min, type_max;
    q->has_min = q->has_max = !is_new;
    int64_t old_value = q->value;
    for (uint32_t i = 0; options && i < options->count; i++) {
        const struct ast_def_elem *o = AST(options->items[i], ast_def_elem);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(o->name, AST(options->items[j], ast_def_elem)->name) == 0)
                return ddl__at(d, o->node.location,
                               FAIL(SYNTAX_ERROR, "conflicting or redundant options"));
        TRY(read_option(d, o, q, is_new));
    }
    type_bounds(s->type, &type_min, &type_max);
    if (!q->has_max) s->max = s->increment > 0 ? type_max : -1;
    if (!q->has_min) s->min = s->increment > 0 ? 1 : type_min;
    TRY(check_bound("MAXVALUE", s->max, s->type));
    TRY(check_bound("MINVALUE", s->min, s->type));
    if (s->min >= s->max)
        return FAIL(INVALID_PARAMETER_VALUE, "MINVALUE (%lld) must be less than MAXVALUE (%lld)",
                    (long long)s->min, (long long)s->max);
    if (is_new && !q->has_start) s->start = s->increment > 0 ? s->min : s->max;
    TRY(check_value("START", s->start, s));
    if (q->restarts || is_new) {
        if (!q->has_value) q->value = s->start;
        q->called = false;
    } else {
        q->value = old_value;
    }
    return check_value("RESTART", q->value, s);
}

/* --- owners --------------------------------------------------------------------------------- */

static enum status read_owner(struct ddl *d, const struct table_def *seq,
                              struct sequence_options *q)
{
    const char *names[4];
    const struct ast *arg = q->owned_by->arg;
    uint32_t n = arg && arg->kind == AST_LIST ? AST(arg, ast_list_node)->items.count : 0;
    if (n == 0 || n > 4) {
        FAIL(SYNTAX_ERROR, "invalid OWNED BY option");
        return error_hint("Specify OWNED BY table.column or OWNED BY NONE.");
    }
    for (uint32_t i = 0; i < n; i++)
        names[i] = AST(AST(arg, ast_list_node)->items.items[i], ast_const)->text;
    if (n == 1) {
        if (strcmp(names[0], "none") == 0) {
            q->def.owner_table = 0;
            q->def.owner_column = 0;
            q->def.owner_kind = 0;
            return OK;
        }
        FAIL(SYNTAX_ERROR, "invalid OWNED BY option");
        return error_hint("Specify OWNED BY table.column or OWNED BY NONE.");
    }
    struct name_list path = {names, n - 1};
    struct ast_range_var v = ddl__range_of(&path);
    const struct table_def *t;
    TRY(ddl__find(d, &v, 0, false, &t));
    if (t->kind != 'r')
        return FAIL(WRONG_OBJECT_TYPE,
                    "sequence cannot be owned by relation \"%s\"", t->name),
               error_detail("This operation is not supported for %ss.", ddl__kind_word(t));
    if (t->owner != seq->owner)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "sequence must have same owner as table it is linked to");
    if (t->schema != seq->schema)
        return FAIL(OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "sequence must be in same schema as table it is linked to");
    const struct column_def *c = table_column(t, slice_of(names[n - 1]));
    if (!c)
        return FAIL(UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist",
                    names[n - 1], t->name);
    q->def.owner_table = t->oid;
    q->def.owner_column = c->number;
    q->def.owner_kind = 'a';
    return OK;
}

/* --- making and changing -------------------------------------------------------------------- */

static enum status put(struct ddl *d, struct table_def *t, struct sequence_options *q)
{
    if (q->owned_by) TRY(read_owner(d, t, q));
    TRY(store_create_tree(d->s->txn, &q->def.tree));
    t->sequence = &q->def;
    TRY(ddl__put_table(d, t));
    TRY(sequence_write(d->s, ddl__table(d, t->oid), q->value, q->called));
    txn_next_command(d->s->txn);
    return OK;
}

enum status ddl__make_sequence(struct ddl *d, oid_t schema, const char *name, type_id type,
                               const struct ast_list *options, const struct sequence_owner *owner,
                               oid_t *ret)
{
    static const struct column_def columns[] = {
        {.name = "last_value", .type = TYPE_INT8, .typmod = -1, .number = 1, .not_null = true,
         .statistics_target = -1},
        {.name = "log_cnt", .type = TYPE_INT8, .typmod = -1, .number = 2, .not_null = true,
         .statistics_target = -1},
        {.name = "is_called", .type = TYPE_BOOL, .typmod = -1, .number = 3, .not_null = true,
         .statistics_target = -1},
    };
    struct sequence_options q = {.def = {.type = type, .increment = 1, .cache = 1}};
    const struct schema_def *n = catalog_schema_by_oid(d->s->catalog, schema);
    struct table_def t = {.schema = schema, .database = n->database, .owner = d->s->user_oid,
                          .name = name, .kind = 'S', .columns = columns,
                          .column_count = 3, .virtual_id = -1, .statistics = {.rows = -1}};
    t.persistence = schema == session__path(d->s)->temporary ? 't' : 'p';
    if (owner && owner->table) {
        t.owner = owner->table->owner;
        q.def.owner_table = owner->table->oid;
        q.def.owner_column = owner->column;
        q.def.owner_kind = owner->kind;
    }
    TRY(read_options(d, options, &q, true));
    TRY(ddl__new_oid(d, &t.oid));
    TRY(put(d, &t, &q));
    *ret = t.oid;
    return OK;
}

enum status ddl__change_sequence(struct ddl *d, const struct table_def *t,
                                 const struct ast_list *options)
{
    struct sequence_options q = {.def = *t->sequence};
    struct table_def changed = *t;
    TRY(ddl__lock(d, t->oid, LOCK_SHARE_ROW_EXCLUSIVE));
    TRY(sequence_freeze(d->s, t, &q.value, &q.called));
    TRY(read_options(d, options, &q, false));
    TRY(store_drop_tree(d->s->txn, t->sequence->tree));
    return put(d, &changed, &q);
}

enum status ddl__restart_sequence(struct ddl *d, const struct table_def *t)
{
    struct ast_def_elem restart = {.node = {AST_DEF_ELEM, -1}, .name = "restart"};
    struct ast *items[] = {&restart.node};
    struct ast_list options = {items, 1};
    return ddl__change_sequence(d, t, &options);
}

const struct table_def *ddl__identity_sequence(struct ddl *d, oid_t table, int16_t column)
{
    const struct table_def *t;
    size_t pos = 0;
    while (catalog_next_table(d->s->catalog, &pos, &t))
        if (t->kind == 'S' && t->sequence->owner_table == table &&
            t->sequence->owner_column == column && t->sequence->owner_kind == 'i')
            return t;
    return NULL;
}

/* --- statements ----------------------------------------------------------------------------- */

enum status ddl__create_sequence(struct ddl *d, const struct ast_sequence *n)
{
    const struct schema_def *schema;
    oid_t oid;
    TRY(ddl__creation_schema(d, n->name, &schema));
    if (n->if_not_exists && ddl__relation_exists(d, schema->oid, n->name->name))
        return session__notice(d->sink, "NOTICE", DUPLICATE_TABLE, NULL,
                               "relation \"%s\" already exists, skipping", n->name->name);
    TRY(ddl__check_free(d, schema->oid, n->name->name));
    return ddl__make_sequence(d, schema->oid, n->name->name, TYPE_INT8, &n->options, NULL, &oid);
}

enum status ddl__alter_sequence(struct ddl *d, const struct ast_sequence *n)
{
    const struct table_def *t;
    if (n->if_exists &&
        !catalog_lookup(d->s->catalog, session__path(d->s), n->name->schema, n->name->name))
        return ddl__notice(d, "relation \"%s\" does not exist, skipping", n->name->name);
    TRY(ddl__find(d, n->name, 'S', false, &t));
    TRY(ddl__own_table(d, t));
    if (t->sequence->owner_kind == 'i')
        for (uint32_t i = 0; i < n->options.count; i++)
            if (strcmp(AST(n->options.items[i], ast_def_elem)->name, "owned_by") == 0) {
                FAIL(FEATURE_NOT_SUPPORTED, "cannot change ownership of identity sequence");
                return error_detail("Sequence \"%s\" is linked to table \"%s\".", t->name,
                                    ddl__table(d, t->sequence->owner_table)->name);
            }
    return ddl__change_sequence(d, t, &n->options);
}
