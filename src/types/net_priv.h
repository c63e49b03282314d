/* How addresses are read: net_parse.c, for net.c. */
#ifndef HELIOS_TYPES_NET_PRIV_H
#define HELIOS_TYPES_NET_PRIV_H

#include "types/net.h"

/* False: that is none. *ret is zero before. */
bool net__read_v4(struct slice text, struct net *ret);
/* Without a mask, its class tells it; hexadecimal digits after 0x are taken too. */
bool net__read_v4_cidr(struct slice text, struct net *ret);
bool net__read_v6(struct slice text, struct net *ret);

#endif
