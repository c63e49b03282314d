#include "base/net.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/net_priv.h"

/* TLS over the non-blocking socket: OpenSSL says which side it waits for, and the fiber parks on
 * that. The library's error queue belongs to the thread, which fibers share: it is emptied before
 * each call and read right after. */

enum { CERTIFICATE_DAYS = 3650 };

struct tls_context {
    SSL_CTX *ctx;
    uint8_t hash[32];
};

struct tls {
    SSL *ssl;
};

static enum status fail_ssl(enum status code, const char *what)
{
    char text[256] = "unknown error";
    unsigned long e = ERR_get_error();
    if (e) ERR_error_string_n(e, text, sizeof text);
    ERR_clear_error();
    return FAIL(code, "%s: %s", what, text);
}

/* --- traffic ----------------------------------------------------------------------------------- */

/* What to do after a call that returned `r` <= 0. OK: try again. */
static enum status after(struct conn *c, int r, int failed, bool wait, int64_t deadline_us,
                         bool cancelable, const char *what)
{
    enum net_side side = SIDE_WRITE;
    switch (SSL_get_error(c->tls->ssl, r)) {
    case SSL_ERROR_WANT_READ: side = SIDE_READ; /* fall through */
    case SSL_ERROR_WANT_WRITE:
        if (!wait) return WOULD_BLOCK;
        if (side == SIDE_WRITE && !cancelable) return conn__wait_to_write(c);
        return conn__wait(c, side, deadline_us, cancelable);
    case SSL_ERROR_ZERO_RETURN: return END_OF_DATA;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return FAIL(CONNECTION_FAILURE, "%s: %s", what,
                    failed ? strerror(failed) : "end of stream");
    default: return fail_ssl(CONNECTION_FAILURE, what);
    }
}

static void before(struct conn *c)
{
    conn__clear_edge(c, SIDE_READ);
    conn__clear_edge(c, SIDE_WRITE);
    ERR_clear_error();
    errno = 0;
}

enum status tls__read(struct conn *c, void *data, size_t len, int64_t deadline_us, bool wait,
                      size_t *ret_len)
{
    if (len > INT32_MAX) len = INT32_MAX;
    for (;;) {
        before(c);
        int n = SSL_read(c->tls->ssl, data, (int)len);
        if (n > 0) {
            *ret_len = (size_t)n;
            return OK;
        }
        enum status st = after(c, n, errno, wait, deadline_us, true, "SSL receive failed");
        if (st == END_OF_DATA) {
            *ret_len = 0;
            return OK;
        }
        TRY(st);
    }
}

enum status tls__write(struct conn *c, const void *data, size_t len)
{
    for (const char *p = data; len;) {
        before(c);
        int n = SSL_write(c->tls->ssl, p, len > INT32_MAX ? INT32_MAX : (int)len);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
            continue;
        }
        enum status st = after(c, n, errno, true, 0, false, "SSL send failed");
        if (st == END_OF_DATA) return FAIL(CONNECTION_FAILURE, "SSL send failed: end of stream");
        TRY(st);
    }
    return OK;
}

enum status conn_start_tls(struct conn *c, struct tls_context *tls, int64_t deadline_us)
{
    ASSERT(!c->tls);
    SSL *ssl = SSL_new(tls->ctx);
    if (!ssl) return fail_ssl(OUT_OF_MEMORY, "could not initialize SSL connection");
    if (SSL_set_fd(ssl, c->fd) != 1) {
        SSL_free(ssl);
        return fail_ssl(INTERNAL_ERROR, "could not set SSL socket");
    }
    c->tls = mem_alloc(MEM_NET, sizeof *c->tls);
    c->tls->ssl = ssl;
    for (;;) {
        before(c);
        int r = SSL_accept(ssl);
        if (r == 1) return OK;
        enum status st =
            after(c, r, errno, true, deadline_us, true, "could not accept SSL connection");
        if (st == END_OF_DATA)
            return FAIL(CONNECTION_FAILURE, "could not accept SSL connection: end of stream");
        /* Whatever the reason: nothing can be said over half a handshake. */
        if (st == WOULD_BLOCK)
            return FAIL(CONNECTION_FAILURE, "could not accept SSL connection: timeout");
        if (st == QUERY_CANCELED)
            return FAIL(CONNECTION_FAILURE, "could not accept SSL connection: canceled");
        TRY(st);
    }
}

bool conn_is_tls(const struct conn *c)
{
    return c->tls != NULL;
}

void tls__free(struct tls *t)
{
    ERR_clear_error();
    if (SSL_is_init_finished(t->ssl)) SSL_shutdown(t->ssl); /* says goodbye; does not wait */
    SSL_free(t->ssl);
    ERR_clear_error();
    mem_free(MEM_NET, t);
}

/* --- contexts ---------------------------------------------------------------------------------- */

static enum status check_key_file(const char *key_file)
{
    struct stat st;
    if (stat(key_file, &st) != 0)
        return FAIL(CONFIG_FILE_ERROR, "could not access private key file \"%s\": %s", key_file,
                    strerror(errno));
    mode_t forbidden = st.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if (!(st.st_mode & forbidden)) return OK;
    FAIL(CONFIG_FILE_ERROR, "private key file \"%s\" has group or world access", key_file);
    return error_detail("File must have permissions u=rw (0600) or less if owned by the database "
                        "user, or permissions u=rw,g=r (0640) or less if owned by root.");
}

static enum status load(SSL_CTX *ctx, const char *cert_file, const char *key_file, uint8_t hash[32])
{
    unsigned len = 32;
    TRY(check_key_file(key_file));
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return fail_ssl(CONFIG_FILE_ERROR, "could not load server certificate file");
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return fail_ssl(CONFIG_FILE_ERROR, "could not load private key file");
    if (SSL_CTX_check_private_key(ctx) != 1)
        return fail_ssl(CONFIG_FILE_ERROR, "check of private key failed");
    if (X509_digest(SSL_CTX_get0_certificate(ctx), EVP_sha256(), hash, &len) != 1)
        return fail_ssl(INTERNAL_ERROR, "could not hash the server certificate");
    return OK;
}

enum status tls_open(const char *cert_file, const char *key_file, struct tls_context **ret)
{
    signal(SIGPIPE, SIG_IGN); /* the library writes without MSG_NOSIGNAL */
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) return fail_ssl(OUT_OF_MEMORY, "could not create SSL context");
    struct tls_context *t = mem_alloc(MEM_NET, sizeof *t);
    t->ctx = ctx;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                 SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    enum status st = load(ctx, cert_file, key_file, t->hash);
    if (st != OK) {
        tls_close(t);
        return st;
    }
    *ret = t;
    return OK;
}

void tls_close(struct tls_context *tls)
{
    if (!tls) return;
    SSL_CTX_free(tls->ctx);
    mem_free(MEM_NET, tls);
}

void tls_certificate_hash(const struct tls_context *tls, uint8_t ret[32])
{
    memcpy(ret, tls->hash, sizeof tls->hash);
}

/* --- a certificate of our own ------------------------------------------------------------------ */

/* Whole or not at all: a temporary name, then a rename. */
static enum status write_pem(const char *path, mode_t mode, EVP_PKEY *key, X509 *cert)
{
    char temporary[OS_PATH_MAX];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) {
        int failed = errno;
        if (fd >= 0) close(fd);
        return FAIL(IO_ERROR, "could not create file \"%s\": %s", temporary, strerror(failed));
    }
    int ok = cert ? PEM_write_X509(f, cert) : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    ok = ok && fflush(f) == 0 && fsync(fd) == 0;
    ok = fclose(f) == 0 && ok;
    if (ok && rename(temporary, path) == 0) return OK;
    unlink(temporary);
    return FAIL(IO_ERROR, "could not write file \"%s\"", path);
}

static enum status read_key(const char *path, EVP_PKEY **ret)
{
    FILE *f = fopen(path, "re");
    if (!f) return FAIL(IO_ERROR, "could not open file \"%s\": %s", path, strerror(errno));
    ERR_clear_error();
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    if (!key) return fail_ssl(CONFIG_FILE_ERROR, "could not read private key file");
    *ret = key;
    return OK;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool fill_certificate(X509 *cert, EVP_PKEY *key)
{
    static const unsigned char name[] = "localhost";
    uint64_t serial;
    X509_NAME *subject = X509_get_subject_name(cert);
    if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1) return false;
    return X509_set_version(cert, 2) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), CERTIFICATE_DAYS, 0, NULL) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1 && X509_set_pubkey(cert, key) == 1 &&
           add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
           add_extension(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static enum status make_certificate(const char *cert_file, EVP_PKEY *key)
{
    ERR_clear_error();
    X509 *cert = X509_new();
    enum status st = cert && fill_certificate(cert, key)
                         ? write_pem(cert_file, 0644, NULL, cert)
                         : fail_ssl(INTERNAL_ERROR, "could not make a certificate");
    X509_free(cert);
    return st;
}

enum status tls_self_signed(const char *cert_file, const char *key_file)
{
    bool have_cert = access(cert_file, F_OK) == 0, have_key = access(key_file, F_OK) == 0;
    EVP_PKEY *key = NULL;
    if (have_cert && have_key) return OK;
    if (have_cert)
        return FAIL(CONFIG_FILE_ERROR, "certificate \"%s\" has no private key file \"%s\"",
                    cert_file, key_file);
    if (have_key) {
        TRY(read_key(key_file, &key));
    } else {
        ERR_clear_error();
        key = EVP_EC_gen("P-256");
        if (!key) return fail_ssl(INTERNAL_ERROR, "could not make a private key");
    }
    enum status st = have_key ? OK : write_pem(key_file, 0600, key, NULL);
    if (st == OK) st = make_certificate(cert_file, key);
    EVP_PKEY_free(key);
    return st;
}
