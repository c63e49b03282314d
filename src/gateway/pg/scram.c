#include "gateway/pg/pg_priv.h"

#include "base/crypto.h"

/* SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677; channel binding: RFC 5929).
 *
 *     client: gs2-header n=<ignored>,r=<nonce>             client-first, without header "bare"
 *     server: r=<nonce><ours>,s=<salt>,i=<iterations>      server-first
 *     client: c=<header and binding>,r=…,p=<proof>         client-final
 *     server: v=<signature>                                server-final
 *
 * A user who does not exist, or has no password, goes the same way with a salt that only this
 * server can tell from a true one, and fails at the end: nobody learns who exists. The expensive
 * part, the key derivation, is the client's. */

enum { NONCE_BYTES = 18, CLIENT_NONCE_MAX = 1024 };

struct scram {
    struct pg_conn *p;
    const char *user;
    int64_t deadline_us;
    struct scram_verifier verifier;
    bool real;          /* the verifier is the user's */
    bool plus;          /* the mechanism with channel binding was chosen */
    struct slice header, bare; /* of client-first */
    struct slice client_nonce;
    struct strbuf server_first;
    struct slice server_nonce; /* all of it: theirs and ours */
};

static void load_verifier(struct scram *s)
{
    struct login login;
    struct slice key = slice_make(s->p->client->secret, SHA256_BYTES);
    uint8_t salt[SHA256_BYTES];
    crypto_hmac_sha256(key, slice_of(s->user), salt);
    db_login(s->p->client->db, s->user, &login);
    s->real = login.exists && scram_verifier_parse(slice_of(login.password), &s->verifier);
    if (s->real) return;
    s->verifier = (struct scram_verifier){.iterations = SCRAM_ITERATIONS,
                                          .salt_len = SCRAM_SALT_BYTES};
    memcpy(s->verifier.salt, salt, SCRAM_SALT_BYTES);
    crypto_hmac_sha256(key, slice_make(salt, sizeof salt), s->verifier.stored_key);
}

static enum status fail_format(const char *detail)
{
    (void)FAIL(PROTOCOL_VIOLATION, "malformed SCRAM message");
    return error_detail("%s", detail);
}

/* The body of a 'p' message, copied, since more will be read. */
static enum status read_response(struct scram *s, struct slice *ret)
{
    struct pg_message m;
    TRY(pg__flush(&s->p->out));
    TRY(pg__read_message(&s->p->in, PG_PASSWORD_BYTES_MAX, s->deadline_us, &m));
    if (m.type != 'p')
        return FAIL(PROTOCOL_VIOLATION, "expected SASL response, got message type %d", m.type);
    *ret = slice_dup(&s->p->arena, m.body);
    return OK;
}

/* --- client-first --------------------------------------------------------------------------- */

static enum status offer(struct scram *s, struct slice *ret_first)
{
    const struct gateway_client *c = s->p->client;
    bool plus = conn_is_tls(c->conn) && c->tls_bindable;
    struct slice body, with = SLICE("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0");
    /* Two zero bytes end the list: of its last name, and its own. */
    size_t skip = plus ? 0 : sizeof "SCRAM-SHA-256-PLUS";
    TRY(pg__send_auth(&s->p->out, 10, slice_make(with.data + skip, with.len + 1 - skip)));
    TRY(read_response(s, &body));
    struct pg_cursor in = pg__cursor(body);
    const char *mechanism = pg__get_string(&in);
    uint32_t len = pg__get_u32(&in);
    s->plus = plus && strcmp(mechanism, "SCRAM-SHA-256-PLUS") == 0;
    if (!s->plus && strcmp(mechanism, "SCRAM-SHA-256") != 0)
        return FAIL(PROTOCOL_VIOLATION, "client selected an invalid SASL authentication mechanism");
    if (len != UINT32_MAX) {
        *ret_first = pg__get_bytes(&in, len);
        return pg__get_end(&in);
    }
    TRY(pg__get_end(&in));
    TRY(pg__send_auth(&s->p->out, 11, SLICE("")));
    return read_response(s, ret_first);
}

/* Takes "<key>=<value>" off, up to the comma or the end. */
static bool attribute(struct slice *in, char key, struct slice *ret)
{
    if (in->len < 2 || in->data[0] != key || in->data[1] != '=') return false;
    const char *comma = memchr(in->data, ',', in->len);
    size_t len = comma ? (size_t)(comma - in->data) : in->len;
    *ret = slice_make(in->data + 2, len - 2);
    size_t taken = comma ? len + 1 : len;
    *in = slice_make(in->data + taken, in->len - taken);
    return true;
}

static enum status check_flag(const struct scram *s, struct slice flag)
{
    bool offered = conn_is_tls(s->p->client->conn) && s->p->client->tls_bindable;
    if (slice_eq(flag, SLICE("p=tls-server-end-point")) && s->plus) return OK;
    if (s->plus || (flag.len && flag.data[0] == 'p'))
        return fail_format("The client and the selected mechanism differ about channel binding.");
    if (slice_eq(flag, SLICE("n"))) return OK;
    if (!slice_eq(flag, SLICE("y"))) return fail_format("Unexpected channel-binding flag.");
    if (!offered) return OK;
    (void)FAIL(INVALID_AUTHORIZATION, "SCRAM channel binding negotiation error");
    return error_detail("The client supports SCRAM channel binding but thinks the server does not. "
                        " However, this server does support channel binding.");
}

static enum status parse_first(struct scram *s, struct slice first)
{
    struct slice flag, in, ignored;
    const char *comma = first.len ? memchr(first.data, ',', first.len) : NULL;
    if (!comma) return fail_format("The message has no channel-binding flag.");
    flag = slice_make(first.data, (size_t)(comma - first.data));
    TRY(check_flag(s, flag));
    in = slice_make(comma + 1, first.len - flag.len - 1);
    if (in.len && in.data[0] == 'a')
        return FAIL(FEATURE_NOT_SUPPORTED,
                    "client uses authorization identity, but it is not supported");
    if (in.len == 0 || in.data[0] != ',') return fail_format("Unexpected attribute.");
    s->header = slice_make(first.data, flag.len + 2);
    s->bare = in = slice_make(in.data + 1, in.len - 1);
    if (in.len && in.data[0] == 'm')
        return FAIL(FEATURE_NOT_SUPPORTED, "client requires an unsupported SCRAM extension");
    /* The name is that of the startup packet, whatever is said here. */
    if (!attribute(&in, 'n', &ignored)) return fail_format("Attribute \"n\" expected.");
    if (!attribute(&in, 'r', &s->client_nonce) || s->client_nonce.len == 0)
        return fail_format("Attribute \"r\" expected.");
    for (size_t i = 0; i < s->client_nonce.len; i++)
        if (s->client_nonce.data[i] < 0x21 || s->client_nonce.data[i] > 0x7e)
            return fail_format("Non-printable characters in SCRAM nonce.");
    if (s->client_nonce.len > CLIENT_NONCE_MAX) return fail_format("The nonce is too long.");
    return OK;
}

static enum status send_server_first(struct scram *s)
{
    uint8_t nonce[NONCE_BYTES];
    struct strbuf *b = &s->server_first;
    os_random(os_real(), nonce, sizeof nonce);
    strbuf_init(b, &s->p->arena);
    strbuf_adds(b, "r=");
    strbuf_add(b, s->client_nonce.data, s->client_nonce.len);
    base64_encode(slice_make(nonce, sizeof nonce), b);
    size_t nonce_len = b->len - 2;
    strbuf_adds(b, ",s=");
    base64_encode(slice_make(s->verifier.salt, s->verifier.salt_len), b);
    strbuf_addf(b, ",i=%u", s->verifier.iterations);
    s->server_nonce = slice_make(b->data + 2, nonce_len);
    return pg__send_auth(&s->p->out, 11, strbuf_slice(b));
}

/* --- client-final --------------------------------------------------------------------------- */

static enum status check_binding(const struct scram *s, struct slice given)
{
    struct strbuf plain, expected;
    uint8_t hash[SHA256_BYTES];
    strbuf_init(&plain, &s->p->arena);
    strbuf_init(&expected, &s->p->arena);
    strbuf_add(&plain, s->header.data, s->header.len);
    if (s->plus) {
        tls_certificate_hash(s->p->client->tls, hash);
        strbuf_add(&plain, hash, sizeof hash);
    }
    base64_encode(strbuf_slice(&plain), &expected);
    if (slice_eq(strbuf_slice(&expected), given)) return OK;
    if (s->plus) return FAIL(INVALID_AUTHORIZATION, "SCRAM channel binding check failed");
    return FAIL(PROTOCOL_VIOLATION,
                "unexpected SCRAM channel-binding attribute in client-final-message");
}

/* The proof is ClientKey xor HMAC(StoredKey, AuthMessage); StoredKey is the hash of ClientKey. */
static bool proof_holds(const struct scram *s, const uint8_t *proof, struct slice auth_message)
{
    uint8_t key[SHA256_BYTES], stored[DIGEST_BYTES_MAX];
    struct slice stored_key = slice_make(s->verifier.stored_key, SHA256_BYTES);
    crypto_hmac_sha256(stored_key, auth_message, key);
    for (int i = 0; i < SHA256_BYTES; i++) key[i] ^= proof[i];
    crypto_digest(DIGEST_SHA256, slice_make(key, sizeof key), stored);
    bool equal = crypto_equal(stored, s->verifier.stored_key, SHA256_BYTES);
    return equal && s->real;
}

static enum status send_server_final(struct scram *s, struct slice auth_message)
{
    uint8_t signature[SHA256_BYTES];
    struct strbuf b;
    crypto_hmac_sha256(slice_make(s->verifier.server_key, SHA256_BYTES), auth_message, signature);
    strbuf_init(&b, &s->p->arena);
    strbuf_adds(&b, "v=");
    base64_encode(slice_make(signature, sizeof signature), &b);
    return pg__send_auth(&s->p->out, 12, strbuf_slice(&b));
}

static enum status finish(struct scram *s, struct slice final)
{
    struct slice in = final, binding, nonce, proof_text = {0};
    struct strbuf message, proof;
    size_t without_proof = 0;
    if (!attribute(&in, 'c', &binding)) return fail_format("Attribute \"c\" expected.");
    if (!attribute(&in, 'r', &nonce)) return fail_format("Attribute \"r\" expected.");
    /* Extensions may stand between; the proof is last. */
    for (size_t i = final.len; i-- > 3;)
        if (memcmp(final.data + i - 3, ",p=", 3) == 0) {
            without_proof = i - 3;
            proof_text = slice_make(final.data + i, final.len - i);
            break;
        }
    strbuf_init(&proof, &s->p->arena);
    if (!without_proof || !base64_decode(proof_text, &proof) || proof.len != SHA256_BYTES)
        return fail_format("Malformed proof in client-final-message.");
    TRY(check_binding(s, binding));
    if (!slice_eq(nonce, s->server_nonce)) {
        (void)FAIL(PROTOCOL_VIOLATION, "invalid SCRAM response");
        return error_detail("Nonce does not match.");
    }
    strbuf_init(&message, &s->p->arena);
    strbuf_add(&message, s->bare.data, s->bare.len);
    strbuf_addc(&message, ',');
    strbuf_add(&message, s->server_first.data, s->server_first.len);
    strbuf_addc(&message, ',');
    strbuf_add(&message, final.data, without_proof);
    if (!proof_holds(s, (const uint8_t *)proof.data, strbuf_slice(&message)))
        return FAIL(INVALID_PASSWORD, "password authentication failed for user \"%s\"", s->user);
    return send_server_final(s, strbuf_slice(&message));
}

enum status pg__scram(struct pg_conn *p, const char *user, int64_t deadline_us)
{
    struct scram s = {.p = p, .user = user, .deadline_us = deadline_us};
    struct slice first, final;
    load_verifier(&s);
    TRY(offer(&s, &first));
    TRY(parse_first(&s, first));
    TRY(send_server_first(&s));
    TRY(read_response(&s, &final));
    return finish(&s, final);
}
