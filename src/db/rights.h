/* Rights to tables and schemas, as GRANT gives them. Letters are PostgreSQL's of an aclitem: r SELECT, a INSERT, w UPDATE,
 * d DELETE, D TRUNCATE, U USAGE. */
#ifndef HELIOS_DB_RIGHTS_H
#define HELIOS_DB_RIGHTS_H

#include "db/session_priv.h"

/* Is it that role, or inherits from it? */
bool rights_has_role(const struct session *s, const struct role_def *r, oid_t of);
/* … or may become it, inheriting or not? */
bool rights_is_member(const struct session *s, const struct role_def *r, oid_t of);
/* What the ACL of an object grants to the role; without an ACL its owner may do everything. */
bool rights_allow(const struct session *s, const struct role_def *r, oid_t owner, const char *acl,
                  char letter);
/* Has the role one of these? `as` 0: whom the session acts as. */
bool rights_table(const struct session *s, oid_t as, const struct table_def *t, const char *any_of);
/* 42501 when the session has none of them. Catalogs are everybody's. */
enum status rights_check_table(const struct session *s, const struct table_def *t, const char *any_of) MUST;
/* May the session look for things in the schema? */
bool rights_schema(const struct session *s, const struct schema_def *d);
/* All that the plan needs: 42501 names what is missing. */
enum status rights_check_plan(const struct session *s, const struct plan *p) MUST;
/* An ACL in which another role stands for `from`, as grantee and as grantor; in the arena, or the very same. */
const char *rights_renamed(struct arena *a, const char *acl, const char *from, const char *to);

#endif
