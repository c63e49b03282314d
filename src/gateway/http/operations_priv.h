/* What the files of the operations endpoint share. */
#ifndef HELIOS_GATEWAY_HTTP_OPERATIONS_PRIV_H
#define HELIOS_GATEWAY_HTTP_OPERATIONS_PRIV_H

#include "gateway/http/server.h"

/* Memory, processor time and descriptors of the process, as the kernel counts them. */
void http__write_process_metrics(struct strbuf *out);

#endif
