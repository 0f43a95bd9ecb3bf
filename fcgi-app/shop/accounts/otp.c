/*
 * RFC 4226 and RFC 6238 with the parameters that every authenticator app knows: SHA-1, six digits,
 * 30 seconds. Many ignore what else an otpauth URL may say, so there is no choice to offer. SHA-1's
 * collisions do not touch HMAC.
 *
 * Recovery codes have 80 random bits, twice what could be guessed at a rate that we permit, and
 * enough that even the thief of the database and of DATA_KEY cannot try them all.
 */
#include "shop/accounts/otp.h"

#include "base/form.h"
#include "base/id.h"
#include "io/secret.h"

#include <stdio.h>
#include <string.h>

#define TOLERANCE 1 /* steps either way */
#define GROUP 4     /* characters of a recovery code between hyphens */
#define URL_MAX 4096

void
otp_code(const uint8_t *secret, size_t len, int64_t step, char out[OTP_DIGITS + 1])
{
    uint8_t counter[8], mac[SHA1_SIZE];

    for (int i = 0; i < 8; i++)
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    secret_hmac_sha1(secret, len, counter, sizeof(counter), mac);
    const uint8_t *at = mac + (mac[SHA1_SIZE - 1] & 15);
    uint32_t n = (at[0] & 0x7fU) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    for (int i = OTP_DIGITS - 1; i >= 0; i--, n /= 10)
        out[i] = (char)('0' + n % 10);
    out[OTP_DIGITS] = '\0';
}

int64_t
otp_step(int64_t now_ms)
{
    return now_ms / OTP_STEP_MS;
}

int64_t
otp_match(const uint8_t *secret, size_t len, int64_t now_ms, int64_t last_step,
          const char code[OTP_DIGITS])
{
    int64_t found = -1;

    for (int64_t step = otp_step(now_ms) - TOLERANCE; step <= otp_step(now_ms) + TOLERANCE;
         step++) {
        char good[OTP_DIGITS + 1];

        otp_code(secret, len, step, good);
        if (secret_equal(good, code, OTP_DIGITS) && found <= last_step)
            found = step;
    }
    return found;
}

/* The canonical form of a character; NUL if it is left out. */
static char
canonical(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == ' ' || c == '-')
        return '\0';
    if (c == 'O')
        return '0';
    return c == 'I' || c == 'L' ? '1' : c;
}

enum otp_kind
otp_read(const char *typed, char out[OTP_RECOVERY_LEN + 1])
{
    size_t n = 0;

    for (; *typed != '\0'; typed++) {
        char c = canonical(*typed);

        if (c == '\0')
            continue;
        if (n == OTP_RECOVERY_LEN)
            return OTP_NONE;
        out[n++] = c;
    }
    out[n] = '\0';
    if (n == OTP_DIGITS && strspn(out, "0123456789") == n)
        return OTP_TIMED;
    if (n == OTP_RECOVERY_LEN && strspn(out, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == n)
        return OTP_RECOVERY;
    return OTP_NONE;
}

void
otp_recovery(struct arena *a, const char **code, const char **shown)
{
    char *whole = arena_alloc(a, OTP_RECOVERY_LEN + 1);
    struct text groups = text_new(a, 2 * OTP_RECOVERY_LEN);

    random_base32(whole, OTP_RECOVERY_LEN);
    for (size_t i = 0; i < OTP_RECOVERY_LEN; i += GROUP) {
        if (i > 0)
            text_putc(&groups, '-');
        text_add(&groups, whole + i, GROUP);
    }
    *code = whole;
    *shown = text_cstr(&groups);
}

static void
add_part(struct text *t, const char *part)
{
    for (; *part != '\0'; part++) {
        const char one[] = {*part, '\0'};

        if (*part != ':')
            form_escape(t, one);
    }
}

char *
otp_url(struct arena *a, const char *issuer, const char *account, const char *secret)
{
    struct text t = text_new(a, URL_MAX);

    text_puts(&t, "otpauth://totp/");
    add_part(&t, issuer);
    text_putc(&t, ':');
    add_part(&t, account);
    text_printf(&t, "?secret=%s&issuer=", secret);
    add_part(&t, issuer);
    text_printf(&t, "&algorithm=SHA1&digits=%d&period=%d", OTP_DIGITS, (int)(OTP_STEP_MS / 1000));
    return arena_strdup(a, text_cstr(&t));
}
