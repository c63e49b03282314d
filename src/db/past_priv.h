/* Time travel, as the database sees it (past.c). */
#ifndef HELIOS_DB_PAST_PRIV_H
#define HELIOS_DB_PAST_PRIV_H

#include "db/plan_cache.h"
#include "db/session_priv.h"

#define PAST_RETENTION_OPTION "helios.version_retention" /* of a table */

struct past *past_new(void);
void past_free(struct past *p);
/* A retention as the server setting is written. */
bool past_read_retention(const char *text, int64_t *ret_us);
/* In µs; 0: none. */
int64_t db__table_retention(struct db *db, const struct table_def *t);
/* `old` was the published catalog until the commit at ts. NULL: there was none in this process. */
void past_published(struct past *p, struct catalog *old, uint64_t ts);
/* A reference to the catalog as of a commit timestamp. Within a transaction. */
enum status session__catalog_at(struct session *s, uint64_t ts, struct catalog **ret) MUST;
/* Fills in what a binder asks about the past. */
void past_bind_env(struct session *s, struct bind_env *env);
/* The moments that were bound, and the catalogs that were looked up since, go to the plan. */
void past_give_moments(struct session *s, const struct bind_env *env, struct cached_plan *p);
void past_forget_catalogs(struct session *s);
/* May the plan, made with the session's catalog, be run for its moments as they are now, with
 * s->moment_params? Then s->moments is when they are. False, too, if one is an error: binding meets it. */
bool past_fits(struct session *s, const struct cached_plan *p);
/* s->moments for the plan that was asked about last or made since: in the arena; NULL: as it was made. */
const uint64_t *past_take_moments(struct session *s, const struct cached_plan *p, struct arena *a);
/* helios.as_of: what a value means (0: now), and its canonical form. */
enum status past_read_setting(struct session *s, const char *value, uint64_t *ret_ts,
                              struct strbuf *canonical) MUST;
/* What was committed at or before a time (µs since 2000-01-01 UTC), and back. */
uint64_t past_ts(int64_t us);
int64_t past_time(uint64_t ts);

#endif
