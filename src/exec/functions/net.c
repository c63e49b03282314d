/* Functions on addresses: inet, cidr, macaddr, macaddr8. */
#include "types/net.h"

#include "exec/functions/text_priv.h"

#define FN(name)                                                                                   \
    static enum status name(struct call_ctx *c __attribute__((unused)),                            \
                            const struct datum *args __attribute__((unused)),                      \
                            uint32_t n __attribute__((unused)), struct datum *ret)

static struct net arg_net(const struct datum *args, uint32_t i)
{
    return net_open(&args[i].v.bytes);
}

static enum status ret_net(struct call_ctx *c, const struct net *x, struct datum *ret)
{
    return ret_bytes(ret, net_close(x, c->arena));
}

/* --- text ------------------------------------------------------------------------------------- */

FN(host)
{
    struct net x = arg_net(args, 0);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    net_address_text(&x, &b);
    return text__ret(&b, ret);
}

FN(show)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    net_to_text(TYPE_CIDR, &args[0].v.bytes, &b);
    return text__ret(&b, ret);
}

FN(inet_abbrev)
{
    struct strbuf b;
    strbuf_init(&b, c->arena);
    net_to_text(TYPE_INET, &args[0].v.bytes, &b);
    return text__ret(&b, ret);
}

FN(cidr_abbrev)
{
    struct net x = arg_net(args, 0);
    struct strbuf b;
    strbuf_init(&b, c->arena);
    net_abbreviated_text(&x, &b);
    return text__ret(&b, ret);
}

/* --- masks ------------------------------------------------------------------------------------ */

static enum status set_masklen(const struct datum *args, struct net *ret)
{
    int32_t bits = args[1].v.i32;
    *ret = arg_net(args, 0);
    if (bits == -1) bits = net_bits_max(ret);
    if (bits < 0 || bits > net_bits_max(ret))
        return FAIL(INVALID_PARAMETER_VALUE, "invalid mask length: %d", bits);
    ret->bits = (uint8_t)bits;
    return OK;
}

FN(inet_set_masklen)
{
    struct net x;
    TRY(set_masklen(args, &x));
    return ret_net(c, &x, ret);
}

FN(cidr_set_masklen)
{
    struct net x;
    TRY(set_masklen(args, &x));
    x = net_masked(&x, false);
    return ret_net(c, &x, ret);
}

FN(masklen) { return ret_i32(ret, arg_net(args, 0).bits); }
FN(family) { return ret_i32(ret, arg_net(args, 0).size == 4 ? 4 : 6); }

FN(broadcast)
{
    struct net x = arg_net(args, 0), last = net_masked(&x, true);
    return ret_net(c, &last, ret);
}

FN(network)
{
    struct net x = arg_net(args, 0), first = net_masked(&x, false);
    return ret_net(c, &first, ret);
}

/* An address of the ones left of the mask, or of those right of it. */
static enum status ones(struct call_ctx *c, const struct datum *args, bool right, struct datum *ret)
{
    struct net x = arg_net(args, 0);
    memset(x.address, right ? 0 : 0xff, sizeof x.address);
    x = net_masked(&x, right);
    x.bits = net_bits_max(&x);
    return ret_net(c, &x, ret);
}

FN(netmask) { return ones(c, args, false, ret); }
FN(hostmask) { return ones(c, args, true, ret); }

/* --- which network holds which ---------------------------------------------------------------- */

/* How many bits the two begin with alike, up to `most`. */
static uint32_t common_bits(const struct net *a, const struct net *b, uint32_t most)
{
    uint32_t n = 0;
    while (n < most && ((a->address[n / 8] ^ b->address[n / 8]) >> (7 - n % 8) & 1) == 0) n++;
    return n;
}

/* Does a lie in b? `more`: bits that a's mask must have more. */
static bool within(const struct net *a, const struct net *b, uint32_t more)
{
    return a->size == b->size && a->bits >= b->bits + more && common_bits(a, b, b->bits) == b->bits;
}

#define WITHIN(name, inner, outer, more)                                                           \
    FN(name)                                                                                       \
    {                                                                                              \
        struct net a = arg_net(args, inner), b = arg_net(args, outer);                             \
        return ret_bool(ret, within(&a, &b, more));                                                \
    }
WITHIN(sub, 0, 1, 1)
WITHIN(sub_equal, 0, 1, 0)
WITHIN(sup, 1, 0, 1)
WITHIN(sup_equal, 1, 0, 0)

FN(overlap)
{
    struct net a = arg_net(args, 0), b = arg_net(args, 1);
    return ret_bool(ret, within(&a, &b, 0) || within(&b, &a, 0));
}

FN(same_family) { return ret_bool(ret, arg_net(args, 0).size == arg_net(args, 1).size); }

FN(merge)
{
    struct net a = arg_net(args, 0), b = arg_net(args, 1);
    if (a.size != b.size)
        return FAIL(INVALID_PARAMETER_VALUE, "cannot merge addresses from different families");
    a.bits = (uint8_t)common_bits(&a, &b, a.bits < b.bits ? a.bits : b.bits);
    a = net_masked(&a, false);
    return ret_net(c, &a, ret);
}

/* --- arithmetic ------------------------------------------------------------------------------- */

FN(inet_not)
{
    struct net x = arg_net(args, 0);
    for (uint32_t i = 0; i < x.size; i++) x.address[i] = (uint8_t)~x.address[i];
    return ret_net(c, &x, ret);
}

static enum status combined(struct call_ctx *c, const struct datum *args, bool both,
                            struct datum *ret)
{
    struct net a = arg_net(args, 0), b = arg_net(args, 1);
    if (a.size != b.size)
        return FAIL(INVALID_PARAMETER_VALUE, "cannot %s inet values of different sizes",
                    both ? "AND" : "OR");
    for (uint32_t i = 0; i < a.size; i++)
        a.address[i] = both ? a.address[i] & b.address[i] : a.address[i] | b.address[i];
    if (b.bits > a.bits) a.bits = b.bits;
    return ret_net(c, &a, ret);
}

FN(inet_and) { return combined(c, args, true, ret); }
FN(inet_or) { return combined(c, args, false, ret); }

static enum status out_of_range(void)
{
    return FAIL(NUMERIC_VALUE_OUT_OF_RANGE, "result is out of range");
}

static unsigned __int128 number_of(const struct net *x)
{
    unsigned __int128 v = 0;
    for (uint32_t i = 0; i < x->size; i++) v = v << 8 | x->address[i];
    return v;
}

static enum status plus(struct call_ctx *c, struct net x, __int128 by, struct datum *ret)
{
    unsigned __int128 old = number_of(&x), sum = old + (unsigned __int128)by;
    bool wrapped = by < 0 ? sum > old : sum < old;
    if (wrapped || (x.size == 4 && sum >> 32)) return out_of_range();
    for (uint32_t i = x.size; i-- > 0; sum >>= 8) x.address[i] = (uint8_t)sum;
    return ret_net(c, &x, ret);
}

FN(inet_plus) { return plus(c, arg_net(args, 0), args[1].v.i64, ret); }
FN(plus_inet) { return plus(c, arg_net(args, 1), args[0].v.i64, ret); }
FN(inet_minus) { return plus(c, arg_net(args, 0), -(__int128)args[1].v.i64, ret); }

FN(inet_difference)
{
    struct net a = arg_net(args, 0), b = arg_net(args, 1);
    if (a.size != b.size)
        return FAIL(INVALID_PARAMETER_VALUE, "cannot subtract inet values of different sizes");
    __int128 d = (__int128)(number_of(&a) - number_of(&b));
    ret->v.i64 = (int64_t)d;
    return ret->v.i64 == d ? OK : out_of_range();
}

/* --- macaddr, macaddr8 ------------------------------------------------------------------------ */

static enum status mac_combined(const struct datum *args, bool both, struct datum *ret)
{
    char p[MAC8_BYTES];
    const char *a = bytes_data(&args[0].v.bytes), *b = bytes_data(&args[1].v.bytes);
    uint32_t len = args[0].v.bytes.len;
    for (uint32_t i = 0; i < len; i++) p[i] = both ? a[i] & b[i] : a[i] | b[i];
    return ret_bytes(ret, bytes_ref(p, len));
}

FN(mac_and) { return mac_combined(args, true, ret); }
FN(mac_or) { return mac_combined(args, false, ret); }

FN(mac_not)
{
    char p[MAC8_BYTES];
    const char *a = bytes_data(&args[0].v.bytes);
    uint32_t len = args[0].v.bytes.len;
    for (uint32_t i = 0; i < len; i++) p[i] = (char)~a[i];
    return ret_bytes(ret, bytes_ref(p, len));
}

/* The maker's three bytes stay. */
FN(mac_trunc)
{
    char p[MAC8_BYTES] = {0};
    memcpy(p, bytes_data(&args[0].v.bytes), 3);
    return ret_bytes(ret, bytes_ref(p, args[0].v.bytes.len));
}

FN(mac_set_local)
{
    char p[MAC8_BYTES];
    memcpy(p, bytes_data(&args[0].v.bytes), sizeof p);
    p[0] |= 2;
    return ret_bytes(ret, bytes_ref(p, sizeof p));
}

FN(mac_widen) { return ret_bytes(ret, mac_widened(&args[0].v.bytes)); }
FN(mac_narrow) { return mac_narrowed(&args[0].v.bytes, &ret->v.bytes); }

const struct proc_binding exec__net_functions[] = {
    {"network_host", host, NULL}, {"network_show", show, NULL},
    {"inet_abbrev", inet_abbrev, NULL}, {"cidr_abbrev", cidr_abbrev, NULL},
    {"inet_set_masklen", inet_set_masklen, NULL}, {"cidr_set_masklen", cidr_set_masklen, NULL},
    {"network_masklen", masklen, NULL}, {"network_family", family, NULL},
    {"network_broadcast", broadcast, NULL}, {"network_network", network, NULL},
    {"inet_to_cidr", network, NULL}, {"network_netmask", netmask, NULL},
    {"network_hostmask", hostmask, NULL}, {"network_sub", sub, NULL},
    {"network_subeq", sub_equal, NULL}, {"network_sup", sup, NULL},
    {"network_supeq", sup_equal, NULL}, {"network_overlap", overlap, NULL},
    {"inet_same_family", same_family, NULL}, {"inet_merge", merge, NULL},
    {"inetnot", inet_not, NULL}, {"inetand", inet_and, NULL}, {"inetor", inet_or, NULL},
    {"inetpl", inet_plus, NULL}, {"int8pl_inet_sql2631", plus_inet, NULL},
    {"inetmi_int8", inet_minus, NULL}, {"inetmi", inet_difference, NULL},
    {"macaddr_and", mac_and, NULL}, {"macaddr_or", mac_or, NULL}, {"macaddr_not", mac_not, NULL},
    {"macaddr8_and", mac_and, NULL}, {"macaddr8_or", mac_or, NULL},
    {"macaddr8_not", mac_not, NULL}, {"macaddr_trunc", mac_trunc, NULL},
    {"macaddr8_trunc", mac_trunc, NULL}, {"macaddr8_set7bit", mac_set_local, NULL},
    {"macaddrtomacaddr8", mac_widen, NULL}, {"macaddr8tomacaddr", mac_narrow, NULL},
};
BINDING_COUNT(net)
