/* Named points where a test may stop, fail or kill: POINT("wal.before_sync"). All names are listed
 * in base/points.def. In release builds a point is nothing. */
#ifndef HELIOS_BASE_POINT_H
#define HELIOS_BASE_POINT_H

#include <stdint.h>

#include "base/status.h"

#ifdef HELIOS_POINTS
/* The action armed for that point, if its turn has come. */
enum status point_hit(const char *name);
/* HELIOS_POINT=name:nth:action from the environment, action kill | error | pause. */
void point_arm(const char *name, uint64_t nth, void (*action)(void *ctx), void *ctx);
void point_disarm_all(void);
#define POINT(name) ((void)point_hit(name))
#define POINT_TRY(name) TRY(point_hit(name))
#else
#define POINT(name) ((void)0)
#define POINT_TRY(name) ((void)0)
#endif

#endif
