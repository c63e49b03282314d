/* Changing views as if they were their tables. */
#ifndef HELIOS_SQL_BIND_VIEW_TARGET_PRIV_H
#define HELIOS_SQL_BIND_VIEW_TARGET_PRIV_H

#include "sql/bind/query_priv.h"

/* The view as the statement's target: relation 0 is its table, *ret_relation what its name means. */
enum status bind__auto_view(struct scope *s, const struct table_def *t, const struct ast_range_var *rv,
                            bool visible, uint32_t *ret_relation) MUST;
/* WHERE, and the views' own conditions. */
struct expr *bind__with_view(struct scope *s, struct expr *where);
/* The column of the target table that is assigned to by this name. 42703; 0A000 of a view's that is none. */
enum status bind__target_column(const struct scope *s, const char *name, int location,
                                uint32_t *ret) MUST;
enum status bind__fixed_column(const struct scope *s, const char *name);
bool bind__has_instead(const struct table_def *t, enum command command);
enum status bind__view_query(struct scope *s, const struct table_def *t, struct query **ret) MUST;

#endif
