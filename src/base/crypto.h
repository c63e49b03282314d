/* Hashes and keyed hashes (OpenSSL's), base64, and SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677). */
#ifndef HELIOS_BASE_CRYPTO_H
#define HELIOS_BASE_CRYPTO_H

#include "base/os.h"
#include "base/str.h"

enum digest { DIGEST_MD5, DIGEST_SHA224, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
enum { DIGEST_BYTES_MAX = 64, SHA256_BYTES = 32, SCRAM_ITERATIONS = 4096, SCRAM_SALT_BYTES = 16 };

/* Returns the digest's length in bytes. */
size_t crypto_digest(enum digest d, struct slice data, uint8_t ret[DIGEST_BYTES_MAX]);
void crypto_hmac_sha256(struct slice key, struct slice data, uint8_t ret[SHA256_BYTES]);
/* About a millisecond for 4,096 rounds: not on a loop that others wait for. */
void crypto_pbkdf2_sha256(struct slice password, struct slice salt, unsigned iterations,
                          uint8_t ret[SHA256_BYTES]);
bool crypto_equal(const void *a, const void *b, size_t len); /* in constant time */

void base64_encode(struct slice data, struct strbuf *out);
/* False when malformed. */
bool base64_decode(struct slice text, struct strbuf *out);

/* What is kept of a password: "SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>". */
struct scram_verifier {
    unsigned iterations;
    uint8_t salt[64];
    size_t salt_len;
    uint8_t stored_key[SHA256_BYTES], server_key[SHA256_BYTES];
};
void scram_verifier_make(struct os *os, struct slice password, struct scram_verifier *ret);
void scram_verifier_print(const struct scram_verifier *v, struct strbuf *out);
bool scram_verifier_parse(struct slice text, struct scram_verifier *ret);

#endif
