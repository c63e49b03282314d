/* Slow statements and their plans in the log, asked for as in PostgreSQL: log_min_duration_statement,
 * and auto_explain's settings. Both are worked out when a setting changes, so that a statement that is
 * not logged pays for a comparison. */
#include "db/session_priv.h"

static const char plan_prefix[] = "auto_explain.";

bool slow_log__is_setting(const char *name)
{
    return strncmp(name, plan_prefix, sizeof plan_prefix - 1) == 0 ||
           strcmp(name, "log_min_duration_statement") == 0;
}

static bool is_on(const struct session *s, const char *name)
{
    const char *v = settings_get(s, name);
    return str_eq_nocase(v, "on") || str_eq_nocase(v, "true") || str_eq_nocase(v, "yes") ||
           strcmp(v, "1") == 0;
}

void slow_log__derive(struct session *s)
{
    struct slow_log *l = &s->settings.slow;
    l->statement_us = settings_ms(s, "log_min_duration_statement") * 1000;
    l->plan_us = settings_ms(s, "auto_explain.log_min_duration") * 1000;
    l->analyze = is_on(s, "auto_explain.log_analyze");
    l->buffers = is_on(s, "auto_explain.log_buffers");
    l->wal = is_on(s, "auto_explain.log_wal");
    l->timing = is_on(s, "auto_explain.log_timing");
    l->verbose = is_on(s, "auto_explain.log_verbose");
    l->settings = is_on(s, "auto_explain.log_settings");
    l->format = EXPLAIN_FORMAT_TEXT;
    (void)explain__format(settings_get(s, "auto_explain.log_format"), &l->format);
}

void slow_log__plan(struct session *s, const struct plan *p, const struct exec_params *params,
                    const struct exec_result *r, int64_t took_us)
{
    const struct slow_log *l = &s->settings.slow;
    struct error kept = *error_current();
    struct strbuf b;
    bool counted = r->stats != NULL, text = l->format == EXPLAIN_FORMAT_TEXT;
    if (took_us < l->plan_us) return;
    struct explain_options o = {.analyze = counted, .verbose = l->verbose, .costs = true,
                                .timing = counted && l->timing, .buffers = counted && l->buffers,
                                .wal = counted && l->wal, .settings = l->settings,
                                .format = l->format, .planning_us = -1};
    char *query = arena_strndup(&s->arena, s->running_text.data, s->running_text.len);
    if (!text) o.query_text = query;
    strbuf_init(&b, &s->arena);
    enum status st = l->settings ? explain__take_settings(s, &o) : OK;
    if (st == OK)
        st = exec_explain_counted(p, &o, &s->exec, params, r->stats, took_us, &s->arena, &b);
    if (st != OK) {
        log_error(LOG_WARNING, "statement");
    } else {
        while (b.len && b.data[b.len - 1] == '\n') b.data[--b.len] = '\0';
        LOG(LOG_NOTICE, "statement", "duration: %.3f ms  plan:\n%s%s%s%s", (double)took_us / 1000.0,
            text ? "Query Text: " : "", text ? query : "", text ? "\n" : "", b.data);
    }
    *error_current() = kept;
}

void slow_log__statement(struct session *s, int64_t took_us, const char *how, const char *name,
                         struct slice text)
{
    if (took_us < s->settings.slow.statement_us) return;
    bool named = how[0] == 'e';
    LOG(LOG_NOTICE, "statement", "duration: %.3f ms  %s%s%s: %.*s", (double)took_us / 1000.0, how,
        named ? " " : "", !named ? "" : *name ? name : "<unnamed>", (int)text.len, text.data);
}
