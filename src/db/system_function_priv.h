/* Calls of system functions, which need the session and its catalog: shared by the files that hold
 * them. */
#ifndef HELIOS_DB_SYSTEM_FUNCTION_PRIV_H
#define HELIOS_DB_SYSTEM_FUNCTION_PRIV_H

#include "db/system_priv.h"

struct sys_call {
    struct session *s;
    const struct proc_def *proc;
    const struct datum *args;
    uint32_t n;
    struct arena *a;
    struct datum *ret;
};
typedef enum status (*sys_function)(struct sys_call *c);
struct sys_binding {
    const char *symbol;
    sys_function function;
};

static inline oid_t sys_arg_oid(const struct sys_call *c, uint32_t i) { return c->args[i].v.u32; }
static inline bool sys_arg_bool(const struct sys_call *c, uint32_t i) { return c->args[i].v.b; }
static inline const char *sys_arg_text(const struct sys_call *c, uint32_t i)
{
    struct slice s = bytes_slice(&c->args[i].v.bytes);
    return arena_strndup(c->a, s.data, s.len);
}
static inline enum status sys_ret_null(struct sys_call *c)
{
    *c->ret = (struct datum){.null = true};
    return OK;
}
static inline enum status sys_ret_text(struct sys_call *c, const char *text)
{
    if (!text) return sys_ret_null(c);
    *c->ret = (struct datum){.v.bytes = bytes_ref(text, (uint32_t)strlen(text))};
    return OK;
}
static inline enum status sys_ret_bool(struct sys_call *c, bool b)
{
    *c->ret = (struct datum){.v.b = b};
    return OK;
}
static inline enum status sys_ret_oid(struct sys_call *c, oid_t oid)
{
    *c->ret = (struct datum){.v.u32 = oid};
    return OK;
}
static inline enum status sys_ret_int8(struct sys_call *c, int64_t i)
{
    *c->ret = (struct datum){.v.i64 = i};
    return OK;
}

/* Names (system_name.c), privileges (system_privilege.c), sizes and sessions (system_info.c). */
extern const struct sys_binding sys_name_functions[];
extern const uint32_t sys_name_function_count;
extern const struct sys_binding sys_info_functions[];
extern const uint32_t sys_info_function_count;
extern const struct sys_binding sys_past_functions[];
extern const uint32_t sys_past_function_count;
extern const struct sys_binding sys_advisory_functions[];
extern const uint32_t sys_advisory_function_count;
extern const struct sys_binding sys_notify_functions[];
extern const uint32_t sys_notify_function_count;
enum status sys_stat_statements_reset(struct sys_call *c) MUST; /* stat_statements.c */
/* has_…_privilege and pg_has_role, told apart by the symbol. */
enum status sys_has_privilege(struct sys_call *c) MUST;
enum status sys_backup(struct sys_call *c) MUST; /* backup.c */
enum status sys_backup_incremental(struct sys_call *c) MUST;
enum status sys_backup_compressed(struct sys_call *c) MUST;
enum status sys_backup_incremental_compressed(struct sys_call *c) MUST;
enum status sys_switch_log(struct sys_call *c) MUST;
enum status sys_current_lsn(struct sys_call *c) MUST;
enum status sys_export_snapshot(struct sys_call *c) MUST; /* snapshot_export.c */
enum status sys_has_role(struct sys_call *c) MUST;
enum status sys_acldefault(struct sys_call *c) MUST;

/* Functions and triggers of the catalog (pg_proc.c). */
const struct function_def *sys_function_arg(struct sys_call *c); /* the first argument's; NULL */
enum status sys_function_arguments(struct sys_call *c, const struct function_def *f, bool identity,
                                   const char **ret) MUST;
const char *sys_function_result(struct sys_call *c, const struct function_def *f);
enum status sys_functiondef(struct sys_call *c, const struct function_def *f) MUST;
enum status sys_triggerdef(struct sys_call *c) MUST;

/* The relation that a text like `public."T"` names: *ret_table or *ret_index; both NULL when there
 * is none, with the parts for a message. */
struct sys_relation_ref {
    const char *schema, *name; /* schema NULL: none written */
    const struct table_def *table;
    const struct index_def *index;
};
enum status sys_find_relation(struct session *s, const char *text, struct arena *a,
                              struct sys_relation_ref *ret) MUST;
/* 42P01 with the name as it was written. */
enum status sys_no_relation(const struct sys_relation_ref *r) MUST;

/* The function that a text like "app.add(integer)" names; an error when there is none
 * (system_procedure.c). */
enum status sys_find_procedure(struct session *s, const char *text, struct arena *a,
                               oid_t *ret) MUST;

/* --- system_view.c --- */
enum status sys_relation_is_updatable(struct sys_call *c) MUST;
enum status sys_column_is_updatable(struct sys_call *c) MUST;

#endif
