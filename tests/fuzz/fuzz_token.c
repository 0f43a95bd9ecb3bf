/* Bearer tokens: nobody makes one without the key, and what is made with it can be bent nowhere. An
 * input is XORed onto a good token from its first byte's place on; one that begins with a letter is
 * taken as a token itself. */
#include "fuzz.h"
#include "io/token.h"

#define KEY "3f9c0a71d2b84e56a1c7f0e9b8d62345"
#define NOW 1790000000000

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    struct token_claims claims = {.account = {{1}},
                                  .session = {{2}},
                                  .role = ROLE_BUYER,
                                  .issued_ms = NOW,
                                  .expires_ms = NOW + 60000};
    struct token_claims read;
    char *text = fuzz_text(a, data, size);

    DEMAND(token_check(a, KEY, text, NOW, &read) != OK);
    char *good = arena_strdup(a, token_issue(a, KEY, &claims));
    DEMAND(token_check(a, KEY, good, NOW, &read) == OK);
    char *bent = arena_strdup(a, good);
    size_t at = size > 0 ? data[0] : 0;
    for (size_t i = 1; i < size && bent[at] != '\0'; i++, at++)
        bent[at] = (char)(bent[at] ^ (data[i] & 0x7f));
    /* base64url has spare bits in its last character: another text, the same bytes. */
    if (token_check(a, KEY, bent, NOW, &read) == OK)
        DEMAND(memcmp(&read.account, &claims.account, sizeof read.account) == 0 &&
               memcmp(&read.session, &claims.session, sizeof read.session) == 0 &&
               read.role == ROLE_BUYER && read.expires_ms == claims.expires_ms);
    return 0;
}
