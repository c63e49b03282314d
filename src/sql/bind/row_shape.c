/* Built-in functions that make rows of JSON learn from a column definition list what the rows consist of: it is
 * handed over as a row of NULLs, one argument more than the function has. */
#include "sql/bind/query_priv.h"

void bind__add_row_shape(struct scope *s, const struct relation *r, struct expr *call)
{
    if (call->kind != EXPR_CALL || !call->call.proc || !proc_takes_shape(call->call.proc)) return;
    struct arena *a = s->env->arena;
    struct expr *row = bind__new(s, EXPR_ROW, TYPE_RECORD, -1, r->column_count);
    const char **names = ARENA_ARRAY(a, const char *, r->column_count + 1);
    struct expr **args = ARENA_ARRAY(a, struct expr *, call->arg_count + 2);
    for (uint32_t i = 0; i < r->column_count; i++) {
        struct expr *none = bind__new(s, EXPR_CONST, r->columns[i].type, -1, 0);
        none->typmod = r->columns[i].typmod;
        none->constant.null = true;
        row->args[i] = none;
        names[i] = r->columns[i].name;
    }
    row->row_names = names;
    memcpy(args, call->args, call->arg_count * sizeof *args);
    args[call->arg_count] = row;
    call->args = args;
    call->arg_count++;
}
