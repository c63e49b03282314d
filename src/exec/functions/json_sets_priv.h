/* Set-returning functions on json and jsonb, whose table stands in srf.c. */
#ifndef HELIOS_EXEC_JSON_SETS_PRIV_H
#define HELIOS_EXEC_JSON_SETS_PRIV_H

#include "exec/functions/functions_priv.h"

#define SET(name)                                                                                  \
    enum status name(struct call_ctx *c, const struct datum *args __attribute__((unused)),         \
                     uint32_t n __attribute__((unused)), struct datum *ret, bool *ret_done)

#define JSON_SETS(X)                                                                               \
    X(json_set__each) X(json_set__each_text) X(json_set__elements) X(json_set__elements_text)      \
    X(json_set__keys) X(jsonb_set__each) X(jsonb_set__each_text) X(jsonb_set__elements)            \
    X(jsonb_set__elements_text) X(jsonb_set__keys)                         \
    X(json_set__records) X(jsonb_set__records) X(jsonb_set__path)
#define X(name) SET(name) MUST;
JSON_SETS(X)
#undef X

#endif
