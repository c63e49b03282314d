/* Functions that ask the session: names, settings, sequences, time to sleep; and the table of the
 * functions that belong to no type. What needs the catalog beyond names is not bound at all: calls
 * without code go to the session's system_function. */
#include "exec/functions/inspect_priv.h"

#include "base/fiber.h"
#include "base/os.h"
#include "types/datetime.h"

static enum status ret_text(struct call_ctx *c, const char *s, struct datum *ret)
{
    return s ? ret_bytes(ret, bytes_copy(c->arena, s, (uint32_t)strlen(s))) : ret_null(ret);
}

/* --- names ------------------------------------------------------------------------------------ */

static SCALAR(version)
{
    const char *number = NULL;
    TRY(c->session->setting(c->session->ctx, "server_version", false, c->arena, &number));
#if defined(__aarch64__)
    const char *machine = "aarch64-unknown-linux-gnu";
#else
    const char *machine = "x86_64-pc-linux-gnu";
#endif
    return ret_slice(ret, slice_of(arena_printf(c->arena, "PostgreSQL %s on %s, compiled by gcc, "
                                                          "64-bit", number, machine)));
}

static SCALAR(current_user) { return ret_text(c, c->session->user, ret); }
static SCALAR(session_user) { return ret_text(c, c->session->session_user, ret); }
static SCALAR(current_database) { return ret_text(c, c->session->database, ret); }
static SCALAR(trigger_depth) { return ret_i32(ret, (int32_t)c->session->trigger_depth); }
static SCALAR(backend_pid) { return ret_i32(ret, (int32_t)c->session->backend_pid); }

static const char *schema_name(struct call_ctx *c, uint32_t i)
{
    const struct schema_def *s =
        catalog_schema_by_oid(c->session->catalog, c->session->path->schemas[i]);
    return s ? s->name : NULL;
}

static SCALAR(current_schema)
{
    const struct search_path *path = c->session->path;
    for (uint32_t i = 0; i < path->count; i++) {
        const char *name = schema_name(c, i);
        if (name) return ret_text(c, name, ret);
    }
    return ret_null(ret);
}

/* With pg_catalog in front, where the path does not list it, when `implicit`. */
static SCALAR(current_schemas)
{
    const struct search_path *path = c->session->path;
    struct datum *names = ARENA_ARRAY(c->arena, struct datum, path->count + 2);
    uint32_t count = 0;
    const struct schema_def *temporary =
        catalog_schema_by_oid(c->session->catalog, path->temporary);
    if (args[0].v.b && temporary && !path->temporary_listed)
        names[count++].v.bytes = bytes_copy(c->arena, temporary->name, (uint32_t)strlen(temporary->name));
    if (args[0].v.b && !path->pg_catalog_listed)
        names[count++].v.bytes = bytes_ref("pg_catalog", sizeof "pg_catalog" - 1);
    for (uint32_t i = 0; i < path->count; i++) {
        const char *name = schema_name(c, i);
        if (name) names[count++].v.bytes = bytes_copy(c->arena, name, (uint32_t)strlen(name));
    }
    return ret_bytes(ret, array_make(c->arena, TYPE_NAME, names, count));
}

static SCALAR(is_other_temp_schema)
{
    static const char prefix[] = "pg_temp_";
    const struct schema_def *d = catalog_schema_by_oid(c->session->catalog, args[0].v.u32);
    bool temporary = d && strncmp(d->name, prefix, sizeof prefix - 1) == 0;
    return ret_bool(ret, temporary && d->oid != c->session->path->temporary);
}

/* --- settings --------------------------------------------------------------------------------- */

static const char *c_string(struct call_ctx *c, const struct datum *d)
{
    return arena_strndup(c->arena, bytes_data(&d->v.bytes), d->v.bytes.len);
}

static SCALAR(current_setting)
{
    const char *value = NULL;
    bool missing_ok = n > 1 && args[1].v.b;
    TRY(c->session->setting(c->session->ctx, c_string(c, &args[0]), missing_ok, c->arena, &value));
    return ret_text(c, value, ret);
}

/* A NULL value is the default, a NULL is_local false. */
static SCALAR(set_config)
{
    if (args[0].null) return FAIL(NULL_VALUE_NOT_ALLOWED, "SET requires parameter name");
    const char *value = NULL;
    TRY(c->session->set_setting(c->session->ctx, c_string(c, &args[0]),
                                args[1].null ? NULL : c_string(c, &args[1]),
                                !args[2].null && args[2].v.b, c->arena, &value));
    return ret_text(c, value, ret);
}

/* --- sequences -------------------------------------------------------------------------------- */

static SCALAR(nextval)
{
    return c->session->nextval(c->session->ctx, args[0].v.u32, &ret->v.i64);
}
static SCALAR(currval)
{
    return c->session->currval(c->session->ctx, args[0].v.u32, &ret->v.i64);
}
static SCALAR(lastval) { return c->session->lastval(c->session->ctx, &ret->v.i64); }

static SCALAR(setval)
{
    bool is_called = n < 3 || args[2].v.b;
    TRY(c->session->setval(c->session->ctx, args[0].v.u32, args[1].v.i64, is_called));
    ret->v.i64 = args[1].v.i64;
    return OK;
}

/* --- time ------------------------------------------------------------------------------------- */

/* A wake that was meant for something else does not end it. Seconds beyond a year are a year. */
static SCALAR(sleep_seconds)
{
    double seconds = args[0].v.f64;
    if (!(seconds > 0)) return OK;
    const double longest = 365.0 * 24 * 3600;
    if (seconds > longest) seconds = longest;
    int64_t until = os_monotonic_us(os_real()) + (int64_t)(seconds * US_PER_SECOND) + 1;
    struct waiter *w = c->session->waiter ? c->session->waiter : waiter_self();
    while (os_monotonic_us(os_real()) < until) {
        waiter_set_reason(w, "Timeout:PgSleep");
        enum park_result r = waiter_park(w, until);
        waiter_set_reason(w, NULL);
        if (r == PARK_CANCELED)
            return FAIL(QUERY_CANCELED, "canceling statement due to user request");
    }
    return OK;
}

/* --- uuid ------------------------------------------------------------------------------------- */

/* Version 4 of RFC 4122: random but for version and variant. */
static SCALAR(random_uuid)
{
    os_random(os_real(), ret->v.uuid, sizeof ret->v.uuid);
    ret->v.uuid[6] = (uint8_t)((ret->v.uuid[6] & 0x0f) | 0x40);
    ret->v.uuid[8] = (uint8_t)((ret->v.uuid[8] & 0x3f) | 0x80);
    return OK;
}

static SCALAR(client_encoding) { return ret_slice(ret, SLICE("UTF8")); }
static SCALAR(no_value) { return ret_null(ret); }
static SCALAR(always_false) { return ret_bool(ret, false); }

/* --- the table -------------------------------------------------------------------------------- */

const struct proc_binding exec__misc_functions[] = {
    {"pgsql_version", version, NULL},
    {"current_user", current_user, NULL},
    {"session_user", session_user, NULL},
    {"current_database", current_database, NULL},
    {"current_schema", current_schema, NULL},
    {"current_schemas", current_schemas, NULL},
    {"pg_backend_pid", backend_pid, NULL},
    {"pg_trigger_depth", trigger_depth, NULL},
    {"show_config_by_name", current_setting, NULL},
    {"show_config_by_name_missing_ok", current_setting, NULL},
    {"set_config_by_name", set_config, NULL},
    {"nextval_oid", nextval, NULL},
    {"currval_oid", currval, NULL},
    {"lastval", lastval, NULL},
    {"setval_oid", setval, NULL},
    {"setval3_oid", setval, NULL},
    {"pg_sleep", sleep_seconds, NULL},
    {"gen_random_uuid", random_uuid, NULL},
    {"pg_client_encoding", client_encoding, NULL},
    {"getdatabaseencoding", client_encoding, NULL},
    {"inet_client_port", no_value, NULL},
    {"inet_server_port", no_value, NULL},
    {"pg_is_in_recovery", always_false, NULL},
    {"pg_is_other_temp_schema", is_other_temp_schema, NULL},
    {"pg_typeof", inspect__typeof, NULL},
    {"pg_num_nulls", inspect__nulls, NULL},
    {"pg_num_nonnulls", inspect__nonnulls, NULL},
    {"pg_column_size", inspect__column_size, NULL},
    {"pg_size_pretty", inspect__size_pretty, NULL},
    {"pg_size_pretty_numeric", inspect__size_pretty_numeric, NULL},
    {"pg_size_bytes", inspect__size_bytes, NULL},
    {"PG_char_to_encoding", inspect__encoding_number, NULL},
    {"PG_encoding_to_char", inspect__encoding_name, NULL},
    {"hashint4", inspect__hash_int4, NULL},
    {"hashint8", inspect__hash_int8, NULL},
    {"hashtext", inspect__hash_text, NULL},
};
BINDING_COUNT(misc)
