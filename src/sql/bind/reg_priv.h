/* Names as values of the reg types: what regobject.c and regsignature.c share. */
#ifndef HELIOS_SQL_BIND_REG_PRIV_H
#define HELIOS_SQL_BIND_REG_PRIV_H

#include "sql/bind/resolve_priv.h"

enum { NAME_PARTS_MAX = 3 };

/* "a"."b".c */
struct reg_parts {
    const char *names[NAME_PARTS_MAX];
    uint32_t count;
};

struct slice bind__reg_trim(struct slice s);
enum status bind__reg_split(struct scope *s, struct slice text, struct reg_parts *ret) MUST;
enum status bind__reg_type(struct scope *s, struct slice text, oid_t *ret) MUST;
/* name(types), name(types) of an operator, an operator's name alone, a collation */
enum status bind__read_procedure(struct scope *s, struct slice text, oid_t *ret) MUST;
enum status bind__read_operator(struct scope *s, struct slice text, oid_t *ret) MUST;
enum status bind__read_oper(struct slice text, oid_t *ret) MUST;
enum status bind__read_collation(const struct reg_parts *p, oid_t *ret) MUST;

#endif
