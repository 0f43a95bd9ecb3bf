/*
 * io/token: access tokens by libjwt.
 *
 * libjwt 1.10 was written to be handed tokens of friends: it base64-decodes and parses the JSON
 * before it verifies, it takes any HMAC that the header names, and it leaves exp to the caller. So
 * the text is looked at here first (length, alphabet, three parts that are not empty), and every
 * claim that we rely on is looked at afterwards; what is left to libjwt is encoding and the HMAC.
 * All refusals look alike: a caller who is told what was wrong learns how to do better.
 */
#include "io/token.h"

#include "base/log.h"

#include <errno.h>
#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#define TYP "access"
#define SKEW_MS INT64_C(60000)            /* by which another host's clock may be ahead */
#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static void
release(void *jwt)
{
    jwt_free(jwt);
}

static void
die(const char *what)
{
    log_event(LOG_ERROR, EVENT("token.failed"), TEXT("error.message", what));
    abort();
}

static int
key_length(const char *key)
{
    size_t len = key == NULL ? 0 : strlen(key);

    if (len < TOKEN_KEY_MIN || len > 4096)
        die("the token key is too short or too long");
    return (int)len;
}

/* Three parts in base64url, and nothing but them. */
static bool
well_formed(const char *s)
{
    int dots = 0;
    size_t part = 0, len = 0;

    for (; *s != '\0'; s++) {
        if (++len > TOKEN_MAX)
            return false;
        if (*s == '.') {
            if (part == 0)
                return false;
            dots++;
            part = 0;
        } else if ((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') ||
                   (*s >= '0' && *s <= '9') || *s == '-' || *s == '_') {
            part++;
        } else {
            return false;
        }
    }
    return dots == 2 && part > 0;
}

static bool
grant_id(jwt_t *jwt, const char *name, struct uuid *out)
{
    const char *s = jwt_get_grant(jwt, name);

    return s != NULL && uuid_parse(s, strlen(s), out) && !uuid_is_nil(*out);
}

static bool
grant_seconds(jwt_t *jwt, const char *name, int64_t *ms)
{
    errno = 0;
    int64_t n = jwt_get_grant_int(jwt, name);
    if (errno != 0 || n <= 0 || n > SECONDS_MAX)
        return false;
    *ms = n * 1000;
    return true;
}

const char *
token_issue(struct arena *a, const char *key, const struct token_claims *claims)
{
    char account[UUID_TEXT_SIZE], session[UUID_TEXT_SIZE];
    int key_len = key_length(key);
    jwt_t *jwt;

    if (jwt_new(&jwt) != 0)
        die("out of memory");
    if (jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)key, key_len) != 0 ||
        jwt_add_grant(jwt, "sub", uuid_text(claims->account, account)) != 0 ||
        jwt_add_grant(jwt, "sid", uuid_text(claims->session, session)) != 0 ||
        jwt_add_grant(jwt, "role", role_name(claims->role)) != 0 ||
        jwt_add_grant(jwt, "typ", TYP) != 0 ||
        jwt_add_grant_int(jwt, "iat", (long)(claims->issued_ms / 1000)) != 0 ||
        jwt_add_grant_int(jwt, "exp", (long)(claims->expires_ms / 1000)) != 0)
        die("libjwt refuses a claim");
    char *text = jwt_encode_str(jwt);
    if (text == NULL)
        die("libjwt cannot encode");
    const char *copy = arena_strdup(a, text);
    free(text);
    jwt_free(jwt);
    return copy;
}

enum err
token_check(struct arena *a, const char *key, const char *text, int64_t now_ms,
            struct token_claims *claims)
{
    int key_len = key_length(key);
    struct token_claims c = {0};
    jwt_t *jwt = NULL;

    if (text == NULL || !well_formed(text) ||
        jwt_decode(&jwt, text, (const unsigned char *)key, key_len) != 0 || jwt == NULL)
        return ERR_UNAUTHORIZED;
    arena_defer(a, release, jwt);

    const char *typ = jwt_get_grant(jwt, "typ");
    c.role = role_parse(jwt_get_grant(jwt, "role"));
    if (jwt_get_alg(jwt) != JWT_ALG_HS256 || typ == NULL || strcmp(typ, TYP) != 0 ||
        !grant_id(jwt, "sub", &c.account) || !grant_id(jwt, "sid", &c.session) ||
        c.role == ROLE_NONE || !grant_seconds(jwt, "iat", &c.issued_ms) ||
        !grant_seconds(jwt, "exp", &c.expires_ms) || c.expires_ms <= now_ms ||
        c.issued_ms > now_ms + SKEW_MS)
        return ERR_UNAUTHORIZED;
    *claims = c;
    return OK;
}
