#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *md_of(enum digest d)
{
    switch (d) {
    case DIGEST_MD5: return EVP_md5();
    case DIGEST_SHA224: return EVP_sha224();
    case DIGEST_SHA256: return EVP_sha256();
    case DIGEST_SHA384: return EVP_sha384();
    case DIGEST_SHA512: return EVP_sha512();
    }
    UNREACHABLE();
}

size_t crypto_digest(enum digest d, struct slice data, uint8_t ret[DIGEST_BYTES_MAX])
{
    unsigned len = 0;
    ASSERT(EVP_Digest(data.data ? data.data : "", data.len, ret, &len, md_of(d), NULL) == 1);
    return len;
}

void crypto_hmac_sha256(struct slice key, struct slice data, uint8_t ret[SHA256_BYTES])
{
    unsigned len = 0;
    ASSERT(HMAC(EVP_sha256(), key.data ? key.data : "", (int)key.len,
                (const unsigned char *)(data.data ? data.data : ""), data.len, ret, &len));
    ASSERT(len == SHA256_BYTES);
}

void crypto_pbkdf2_sha256(struct slice password, struct slice salt, unsigned iterations,
                          uint8_t ret[SHA256_BYTES])
{
    ASSERT(PKCS5_PBKDF2_HMAC(password.data ? password.data : "", (int)password.len,
                             (const unsigned char *)salt.data, (int)salt.len, (int)iterations,
                             EVP_sha256(), SHA256_BYTES, ret) == 1);
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct slice data, struct strbuf *out)
{
    const uint8_t *p = (const uint8_t *)data.data;
    for (size_t i = 0; i < data.len; i += 3) {
        uint32_t have = data.len - i < 3 ? (uint32_t)(data.len - i) : 3;
        uint32_t v = (uint32_t)p[i] << 16;
        if (have > 1) v |= (uint32_t)p[i + 1] << 8;
        if (have > 2) v |= p[i + 2];
        for (uint32_t k = 0; k < 4; k++)
            strbuf_addc(out, k <= have ? alphabet[v >> (18 - 6 * k) & 63] : '=');
    }
}

static int base64_value(char c)
{
    const char *p = c ? strchr(alphabet, c) : NULL;
    return p ? (int)(p - alphabet) : -1;
}

bool base64_decode(struct slice text, struct strbuf *out)
{
    if (text.len % 4) return false;
    for (size_t i = 0; i < text.len; i += 4) {
        bool last = i + 4 == text.len;
        uint32_t v = 0, pad = 0;
        for (size_t k = 0; k < 4; k++) {
            char c = text.data[i + k];
            int d = base64_value(c);
            if (c == '=' && last && k >= 2) {
                pad++;
                d = 0;
            } else if (d < 0 || pad) {
                return false;
            }
            v = v << 6 | (uint32_t)d;
        }
        for (uint32_t k = 0; k < 3 - pad; k++) strbuf_addc(out, (char)(v >> (16 - 8 * k) & 255));
    }
    return true;
}

void scram_verifier_make(struct os *os, struct slice password, struct scram_verifier *ret)
{
    uint8_t salted[SHA256_BYTES], client_key[SHA256_BYTES], stored[DIGEST_BYTES_MAX];
    ret->iterations = SCRAM_ITERATIONS;
    ret->salt_len = SCRAM_SALT_BYTES;
    os_random(os, ret->salt, ret->salt_len);
    crypto_pbkdf2_sha256(password, slice_make(ret->salt, ret->salt_len), ret->iterations, salted);
    crypto_hmac_sha256(slice_make(salted, sizeof salted), SLICE("Client Key"), client_key);
    crypto_digest(DIGEST_SHA256, slice_make(client_key, sizeof client_key), stored);
    memcpy(ret->stored_key, stored, SHA256_BYTES);
    crypto_hmac_sha256(slice_make(salted, sizeof salted), SLICE("Server Key"), ret->server_key);
}

void scram_verifier_print(const struct scram_verifier *v, struct strbuf *out)
{
    strbuf_addf(out, "SCRAM-SHA-256$%u:", v->iterations);
    base64_encode(slice_make(v->salt, v->salt_len), out);
    strbuf_addc(out, '$');
    base64_encode(slice_make(v->stored_key, SHA256_BYTES), out);
    strbuf_addc(out, ':');
    base64_encode(slice_make(v->server_key, SHA256_BYTES), out);
}

/* The text up to `stop`, which is taken off with it. */
static bool cut(struct slice *s, char stop, struct slice *ret)
{
    const char *at = s->len ? memchr(s->data, stop, s->len) : NULL;
    if (!at) return false;
    *ret = slice_make(s->data, (size_t)(at - s->data));
    *s = slice_make(at + 1, s->len - ret->len - 1);
    return true;
}

static bool decode_into(struct slice text, uint8_t *ret, size_t min, size_t max, size_t *ret_len)
{
    struct strbuf b;
    strbuf_init(&b, NULL);
    bool ok = base64_decode(text, &b) && b.len >= min && b.len <= max;
    if (ok) {
        memcpy(ret, b.data, b.len);
        *ret_len = b.len;
    }
    strbuf_release(&b);
    return ok;
}

bool scram_verifier_parse(struct slice text, struct scram_verifier *ret)
{
    struct slice part;
    uint64_t iterations;
    size_t len;
    if (!cut(&text, '$', &part) || !slice_eq(part, SLICE("SCRAM-SHA-256"))) return false;
    if (!cut(&text, ':', &part) || !str_to_u64(part, &iterations)) return false;
    if (iterations == 0 || iterations > 1000000) return false;
    ret->iterations = (unsigned)iterations;
    if (!cut(&text, '$', &part) || !decode_into(part, ret->salt, 1, sizeof ret->salt, &ret->salt_len))
        return false;
    if (!cut(&text, ':', &part) ||
        !decode_into(part, ret->stored_key, SHA256_BYTES, SHA256_BYTES, &len))
        return false;
    return decode_into(text, ret->server_key, SHA256_BYTES, SHA256_BYTES, &len);
}
