/*
 * shop/accounts/otp: codes of the second factor, without I/O: what a code is, how one is read, and
 * whether it fits.
 */
#ifndef SOKO_SHOP_ACCOUNTS_OTP_H
#define SOKO_SHOP_ACCOUNTS_OTP_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

#define OTP_SECRET_SIZE 20 /* bytes: as many as SHA-1 gives (RFC 4226, section 4, R6) */
#define OTP_DIGITS 6
#define OTP_STEP_MS INT64_C(30000)
#define OTP_RECOVERY_LEN 16 /* characters of a recovery code, 80 bits */

/* HOTP (RFC 4226): the code of a counter, which for TOTP (RFC 6238) is the time step. */
void otp_code(const uint8_t *secret, size_t len, int64_t step, char out[OTP_DIGITS + 1]);

/* The time step of an instant. */
int64_t otp_step(int64_t now_ms);

/* The step whose code this is: that of now, of before or of after, and rather one later than
 * `last_step`, which are those that were not taken yet; -1 if there is none. Takes the same time
 * whichever it is. */
int64_t otp_match(const uint8_t *secret, size_t len, int64_t now_ms, int64_t last_step,
                  const char code[OTP_DIGITS]);

enum otp_kind { OTP_NONE, OTP_TIMED, OTP_RECOVERY };

/* What somebody typed, made canonical in `out`: blanks and hyphens are left out, small letters are
 * capital ones, and of letters that Crockford's base 32 does not have, O is 0, I and L are 1. */
enum otp_kind otp_read(const char *typed, char out[OTP_RECOVERY_LEN + 1]);

/* A new recovery code: *code as otp_read() gives it, *shown in groups; in the arena. */
void otp_recovery(struct arena *a, const char **code, const char **shown);

/* What an authenticator app reads, most often from a QR code ("Key Uri Format" of Google
 * Authenticator). `secret` is in base 32. Everything is percent-encoded; a colon, which parts
 * issuer and account there, is left out of both. */
char *otp_url(struct arena *a, const char *issuer, const char *account, const char *secret);

#endif
