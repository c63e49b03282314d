/* Functions of srf.c that ask the session for all of their rows. */
#ifndef HELIOS_EXEC_FUNCTIONS_SESSION_ROWS_PRIV_H
#define HELIOS_EXEC_FUNCTIONS_SESSION_ROWS_PRIV_H

#include "exec/functions/functions_priv.h"

enum status session_rows__channels(struct call_ctx *c, const struct datum *args, uint32_t n,
                                   struct datum *ret, bool *ret_done);
enum status session_rows__versions(struct call_ctx *c, const struct datum *args, uint32_t n,
                                   struct datum *ret, bool *ret_done);

#endif
