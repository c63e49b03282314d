/* Addresses of networks and of their cards: inet, cidr, macaddr, macaddr8. Their bytes order as memcmp does:
 *
 *   inet, cidr   u8 family (4, 6) | network: the address with the bits right of the mask cleared |
 *                u8 bits of the mask | address         (10 or 34 bytes)
 *   macaddr      6 bytes, macaddr8 8 bytes, as they are written
 *
 * A cidr is an inet whose address is the network. */
#ifndef HELIOS_TYPES_NET_H
#define HELIOS_TYPES_NET_H

#include "types/value.h"

enum { NET_BYTES_MAX = 16, MAC_BYTES = 6, MAC8_BYTES = 8 };

struct net {
    uint8_t size; /* of the address: 4 or 16 */
    uint8_t bits; /* of the mask, at most 8 × size */
    uint8_t address[NET_BYTES_MAX];
};

struct net net_open(const struct bytes *b);
struct bytes net_close(const struct net *n, struct arena *a);
static inline uint8_t net_bits_max(const struct net *n) { return (uint8_t)(n->size * 8); }
/* Clears, or sets, what lies right of the mask. */
struct net net_masked(const struct net *n, bool set);
/* As text, without the mask; as cidr abbreviates it, with the mask. */
void net_address_text(const struct net *n, struct strbuf *out);
void net_abbreviated_text(const struct net *n, struct strbuf *out);

enum status net_from_text(type_id type, struct slice text, struct arena *a, struct bytes *ret) MUST;
void net_to_text(type_id type, const struct bytes *b, struct strbuf *out);
enum status net_from_binary(type_id type, struct slice s, struct arena *a, struct bytes *ret) MUST;
void net_to_binary(type_id type, const struct bytes *b, struct strbuf *out);

/* Of macaddr and macaddr8. */
enum status mac_from_text(type_id type, struct slice text, struct arena *a,
                          struct bytes *ret) MUST;
void mac_to_text(const struct bytes *b, struct strbuf *out);
enum status mac_from_binary(type_id type, struct slice s, struct bytes *ret) MUST;
/* FF FE in the middle; back only when it is there. */
struct bytes mac_widened(const struct bytes *b);
enum status mac_narrowed(const struct bytes *b, struct bytes *ret) MUST;

#endif
