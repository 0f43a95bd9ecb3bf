/* io/secret against known answers: FIPS 180-4, RFC 4648, and hashes made by other programs. */
#include "io/secret.h"

#include "certificate.h"
#include "harness.h"

#include <sys/resource.h>

static struct arena *a;

static void
setup(void)
{
    a = arena_new();
}

static void
teardown(void)
{
    arena_free(a);
}

static const struct {
    const char *data, *digest;
} digests[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

START_TEST(sha256_known_answers)
{
    uint8_t out[SHA256_SIZE];

    secret_sha256(digests[_i].data, strlen(digests[_i].data), out);
    ck_assert_str_eq(secret_hex(a, out, sizeof out), digests[_i].digest);
}
END_TEST

/* RFC 4231, cases 1, 2, 6 (its key longer than a block) and one without key and data. */
static const struct {
    size_t key_len;
    const char *key, *one, *two, *mac;
} macs[] = {
    {20, "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", "Hi ",
     "There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {4, "Jefe", "what do ya want for nothing?", "",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {131, NULL, "Test Using Larger Than Block-Size Key", " - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {0, "", "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
};

START_TEST(hmac_known_answers)
{
    char long_key[131];
    uint8_t out[SHA256_SIZE];
    const struct secret_piece pieces[] = {{macs[_i].one, strlen(macs[_i].one)},
                                          {macs[_i].two, strlen(macs[_i].two)}};

    memset(long_key, 0xaa, sizeof long_key);
    secret_hmac_sha256(macs[_i].key == NULL ? long_key : macs[_i].key, macs[_i].key_len, pieces, 2,
                       out);
    ck_assert_str_eq(secret_hex(a, out, sizeof out), macs[_i].mac);
}
END_TEST

/* RFC 2202, cases 1, 2 and 6 of HMAC-SHA-1. */
static const struct {
    size_t key_len;
    const char *key, *data, *mac;
} sha1_macs[] = {
    {20, "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
     "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
    {4, "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
    {80, NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
     "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
};

START_TEST(hmac_sha1_known_answers)
{
    char long_key[80];
    uint8_t out[SHA1_SIZE];

    memset(long_key, 0xaa, sizeof long_key);
    secret_hmac_sha1(sha1_macs[_i].key == NULL ? long_key : sha1_macs[_i].key,
                     sha1_macs[_i].key_len, sha1_macs[_i].data, strlen(sha1_macs[_i].data), out);
    ck_assert_str_eq(secret_hex(a, out, sizeof out), sha1_macs[_i].mac);
}
END_TEST

START_TEST(hex_of_nothing_is_empty)
{
    ck_assert_str_eq(secret_hex(a, "", 0), "");
    ck_assert_str_eq(secret_hex(a, "\x00\xff\x7f", 3), "00ff7f");
}
END_TEST

/* clang-format off */
static const struct {
    const char *hex;
    size_t len;
    bool good;
} unhexes[] = {
    {"", 0, true}, {"00", 1, true}, {"00ff7f", 3, true},
    {"0", 0, false}, {"0g", 0, false}, {"g0", 0, false}, {" 0", 0, false}, {"FF", 0, false}, {NULL, 0, false},
};
/* clang-format on */

START_TEST(digits_of_hex_are_bytes)
{
    size_t len = 99;
    const uint8_t *out = secret_unhex(a, unhexes[_i].hex, &len);

    ck_assert((out != NULL) == unhexes[_i].good);
    ck_assert_uint_eq(len, unhexes[_i].len);
    if (out != NULL)
        ck_assert_str_eq(secret_hex(a, out, len), unhexes[_i].hex);
}
END_TEST

/* Each digit stands at each place, some 2,000 times of 20,000: 1,600 is nine deviations away. */
START_TEST(digits_are_as_likely_as_each_other)
{
    int seen[6][10] = {{0}};
    char out[7];

    for (int i = 0; i < 20000; i++) {
        secret_digits(out, 6);
        ck_assert_uint_eq(strspn(out, "0123456789"), 6);
        ck_assert_int_eq(out[6], 0);
        for (int p = 0; p < 6; p++)
            seen[p][out[p] - '0']++;
    }
    for (int p = 0; p < 6; p++) {
        for (int d = 0; d < 10; d++)
            ck_assert_msg(seen[p][d] > 1600 && seen[p][d] < 2400, "%d at place %d: %d", d, p,
                          seen[p][d]);
    }
}
END_TEST

START_TEST(tokens_are_base64url_and_differ)
{
    const char *one = secret_token(a), *two = secret_token(a);

    ck_assert_uint_eq(strlen(one), 43);
    ck_assert_str_ne(one, two);
    for (int i = 0; i < 200; i++) {
        const char *t = secret_token(a);
        ck_assert_uint_eq(
            strspn(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
        ck_assert_uint_eq(strlen(t), 43);
    }
}
END_TEST

START_TEST(equal_compares)
{
    ck_assert(secret_equal("abcd", "abcd", 4));
    ck_assert(!secret_equal("abcd", "abce", 4));
    ck_assert(secret_equal("abcd", "abce", 3));
    ck_assert(secret_equal("", "x", 0));
}
END_TEST

START_TEST(passwords_round_trip)
{
    const char *hash = password_hash(a, "p\xc3\xa4ssword \"1\"", 1);

    ck_assert(strncmp(hash, "$y$", 3) == 0);
    ck_assert(password_check("p\xc3\xa4ssword \"1\"", hash));
    ck_assert(!password_check("password \"1\"", hash));
    ck_assert(!password_check("", hash));
    ck_assert_str_ne(hash, password_hash(a, "p\xc3\xa4ssword \"1\"", 1));
}
END_TEST

static char *
repeat(char c, size_t n)
{
    char *s = arena_alloc(a, n + 1);

    memset(s, c, n);
    return s;
}

START_TEST(long_passwords_do_not_abort)
{
    static const size_t lengths[] = {510, 511, 512, 513, 2000};
    char *password = repeat('x', lengths[_i]), *longer = repeat('x', lengths[_i] + 1);
    const char *hash = password_hash(a, password, 1);

    ck_assert(password_check(password, hash));
    ck_assert(!password_check(longer, hash));
}
END_TEST

/* The test vectors of crypt_blowfish. */
static const struct {
    const char *password, *hash;
    bool good;
} bcrypts[] = {
    {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true},
    {"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", true},
    {"U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true},
    {"U*V", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", false},
    {"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", true},
    {"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", true},
    {"\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", false},
    /* Of Go's x/crypto/bcrypt and of PHP's manual. */
    {"allmine", "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", true},
    {"allyours", "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", false},
    {"rasmuslerdorf", "$2a$07$usesomesillystringfore2uDLvp1Ii2e./U9C8sBjqp8I90dH6hi", true},
};

START_TEST(bcrypt_of_older_systems)
{
    ck_assert(password_check(bcrypts[_i].password, bcrypts[_i].hash) == bcrypts[_i].good);
}
END_TEST

START_TEST(bcrypt_sees_72_bytes)
{
    const char *hash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
    char *password = repeat('a', 600);

    memcpy(password, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
           72);
    ck_assert(password_check(password, hash));
    password[71]++;
    ck_assert(!password_check(password, hash));
}
END_TEST

static const char *const unreadable[] = {
    "",
    "*",
    "*0",
    "$y$",
    "$y$j9T$",
    "$2a$",
    "$2a$05$short",
    "$1$abc$def",
    "plain",
    "$2y$05$x",
    "$y$zzzzzzzzzz$aaaa$bbbb",
    "$6$salt$hash",
};

START_TEST(unreadable_hashes_never_match)
{
    ck_assert(!password_check("", unreadable[_i]));
    ck_assert(!password_check("plain", unreadable[_i]));
    ck_assert(!password_check(unreadable[_i], unreadable[_i]));
}
END_TEST

START_TEST(old_hashes_are_known)
{
    const char *one = password_hash(a, "x", 1), *two = password_hash(a, "x", 2);

    ck_assert(!password_is_old(one, 1));
    ck_assert(password_is_old(one, 2));
    ck_assert(password_is_old(two, 1));
    ck_assert(!password_is_old(two, 2));
    ck_assert(password_is_old(bcrypts[0].hash, 1));
    ck_assert(password_is_old("", 1));
    ck_assert(password_is_old("$y$", 5));
}
END_TEST

/* What can be brought over from elsewhere. */
static const struct {
    const char *hash, *fault; /* a part of it, or NULL */
} hashes[] = {
    {"$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", NULL},
    {"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", NULL},
    {"$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", NULL},
    {"$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", NULL},
    {"$2b$14$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", NULL},
    {"$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "cost"},
    {"$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "cost"},
    {"$2b$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWX", "cut"},
    {"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe", "cut"},
    {"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW", "cut"},
    {"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO W", "cut"},
    {"$2b$05$", "cut"},
    {"$2b$", "cut"},
    {"$2b$05$CCCCCCCCCCCCCCCCCCCCCCE5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "salt"},
    {"$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "is no"},
    {"$y$j9T$bPih7Bj/ee151sfiu3QLU0$5muJqG5JbqWt9nX.uMhyo3NP2SB2zocrKlKwIIRjjS3", NULL},
    {"$y$j75$8Beio9PjjHj2ksd1vmf0q.$svkSpvsORBRLTh7dowS1ggPXCRg3or5DubwCCgWc3m4", NULL},
    {"$y$jDT$fjrwACLUQ45GVRGRBTUTZ1$px5BfBBa8gXKVY/zLvbtV51NmjO28VnzmtC/fk8QG77", NULL},
    {"$y$jET$9umc5HYjJDyVVuMZ6gRUo/$9wENdatBWUJmvVKdRec00AAiWw6qL8tDffZ5eNgrDA.", "parameters"},
    {"$y$jzT$9umc5HYjJDyVVuMZ6gRUo/$9wENdatBWUJmvVKdRec00AAiWw6qL8tDffZ5eNgrDA.", "parameters"},
    {"$y$j9T$bPih7Bj/ee151sfiu3QLU0$5muJqG5JbqWt9nX.uMhyo3NP2SB2zocrKlKwIIRjjS", "cut"},
    {"$y$j9T$$5muJqG5JbqWt9nX.uMhyo3NP2SB2zocrKlKwIIRjjS3", "cut"},
    {"$y$j9T$bPih7Bj/ee151sfiu3QLU0", "cut"},
    {"$6$salt$hash", "is no"},
    {"plain text", "is no"},
    {"", "is no"},
};

START_TEST(hashes_from_elsewhere)
{
    const char *fault = password_hash_fault(hashes[_i].hash);

    ck_assert_msg((fault == NULL) == (hashes[_i].fault == NULL), "%s: %s", hashes[_i].hash,
                  fault != NULL ? fault : "nothing");
    ck_assert(fault == NULL || strstr(fault, hashes[_i].fault) != NULL);
}
END_TEST

/* Every hash that we make could be brought over, and costs what its scheme costs. */
START_TEST(our_own_hashes_have_no_fault)
{
    const char *hash = password_hash(a, "x", _i);

    ck_assert(password_hash_fault(hash) == NULL);
    ck_assert(strncmp(hash, password_scheme(a, _i), strlen(password_scheme(a, _i))) == 0);
}
END_TEST

START_TEST(a_burn_knows_every_scheme_that_a_hash_may_have)
{
    int fd = log_capture();

    for (int cost = 1; cost <= 4; cost++)
        password_burn("x", password_scheme(a, cost));
    password_burn("x", "$2b$04$");
    ck_assert_str_eq(log_captured(fd), "");
    fd = log_capture();
    password_burn("x", "$9$");
    ck_assert(strstr(log_captured(fd), "password.scheme_unknown") != NULL);
}
END_TEST

/* RFC 4648 section 10. */
static const char *const base64s[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xfe?", "//4/"},
};

START_TEST(base64_known_answers)
{
    ck_assert_str_eq(secret_base64(a, base64s[_i][0], strlen(base64s[_i][0])), base64s[_i][1]);
}
END_TEST

START_TEST(what_is_encrypted_only_the_key_reads)
{
    static const char *const texts[] = {"Safaricom999!*!", "x", "p\xc3\xa4ss\nword"};
    EVP_PKEY *key = EVP_RSA_gen(2048), *other = EVP_RSA_gen(2048);
    char path[32], plain[256];

    certificate_write(key, path);
    for (size_t i = 0; i < 3; i++) {
        const char *one = secret_rsa_encrypt(a, path, texts[i], strlen(texts[i]));
        const char *two = secret_rsa_encrypt(a, path, texts[i], strlen(texts[i]));

        ck_assert_ptr_nonnull(one);
        ck_assert_uint_eq(strlen(one), 344);
        ck_assert_str_ne(one, two);
        ck_assert_int_eq(certificate_decrypt(key, one, plain, sizeof plain),
                         (long)strlen(texts[i]));
        ck_assert_str_eq(plain, texts[i]);
        ck_assert_int_eq(certificate_decrypt(key, two, plain, sizeof plain),
                         (long)strlen(texts[i]));
        if (certificate_decrypt(other, one, plain, sizeof plain) >= 0)
            ck_assert_str_ne(plain, texts[i]);
    }
    unlink(path);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}
END_TEST

START_TEST(what_cannot_encrypt_says_so)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
    char path[32], data[246] = {0};

    int log = log_capture();
    certificate_write(ec, path);
    ck_assert_ptr_null(secret_rsa_encrypt(a, path, "secret", 6));
    unlink(path);
    ck_assert_ptr_null(secret_rsa_encrypt(a, path, "secret", 6));
    ck_assert_ptr_null(secret_rsa_encrypt(a, "", "secret", 6));
    ck_assert_ptr_null(secret_rsa_encrypt(a, "/dev/null", "secret", 6));
    ck_assert_ptr_null(secret_rsa_encrypt(a, "/", "secret", 6));
    certificate_write(rsa, path);
    ck_assert_ptr_null(secret_rsa_encrypt(a, path, data, 246));
    ck_assert_ptr_nonnull(secret_rsa_encrypt(a, path, data, 245));
    unlink(path);
    const char *said = log_captured(log);
    ck_assert_ptr_nonnull(strstr(said, "secret.certificate"));
    ck_assert_ptr_null(strstr(said, "secret\""));
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}
END_TEST

/* Whatever its length and its letters: a text that nobody has sealed is refused, and no more. */
START_TEST(a_seal_is_known_again_and_nothing_else_is)
{
    static const char *const others[] = {"AAAAAAAAAAAAAAAAAAAA==", "    AAAAAAAAAAAAAAAAAAAAAA",
                                         "AAAAAAAAAAAAAAAAAAAA+/", "AAAAAAAAAAAAAAAAAAAAA\n",
                                         "=====================",  ""};
    static const char key[] = "0123456789abcdef0123456789abcdef";
    const char *text = "CATALOG_LIST 12.50 0190a6c3-0000-7000-8000-000000000001";
    char guess[1100];

    for (size_t len = strlen(text); len > 0; len--) {
        const char *cut = arena_strndup(a, text, len);
        ck_assert_str_eq(secret_unseal(a, key, secret_seal(a, key, cut)), cut);
        ck_assert_ptr_null(secret_unseal(a, "another key, as long as the other", cut));
    }
    for (size_t len = 0; len < sizeof guess; len++) {
        memset(guess, 'A', len);
        guess[len] = '\0';
        ck_assert_ptr_null(secret_unseal(a, key, guess));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_ptr_null(secret_unseal(a, key, others[i]));
}
END_TEST

int
main(void)
{
    /* SIGABRT of a die() test would dump. */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});

    Suite *s = suite_create("secret");
    TCase *t = tcase_create("secret");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, sha256_known_answers, 0, 3);
    tcase_add_loop_test(t, hmac_known_answers, 0, (int)(sizeof macs / sizeof macs[0]));
    tcase_add_loop_test(t, hmac_sha1_known_answers, 0,
                        (int)(sizeof sha1_macs / sizeof sha1_macs[0]));
    tcase_add_test(t, hex_of_nothing_is_empty);
    tcase_add_loop_test(t, digits_of_hex_are_bytes, 0, 9);
    tcase_add_test(t, digits_are_as_likely_as_each_other);
    tcase_add_test(t, tokens_are_base64url_and_differ);
    tcase_add_test(t, equal_compares);
    tcase_add_test(t, passwords_round_trip);
    tcase_add_loop_test(t, long_passwords_do_not_abort, 0, 5);
    tcase_add_loop_test(t, bcrypt_of_older_systems, 0, 5);
    tcase_add_test(t, bcrypt_sees_72_bytes);
    tcase_add_loop_test(t, hashes_from_elsewhere, 0, sizeof hashes / sizeof hashes[0]);
    tcase_add_loop_test(t, our_own_hashes_have_no_fault, 1, 5);
    tcase_add_test(t, a_burn_knows_every_scheme_that_a_hash_may_have);
    tcase_add_loop_test(t, unreadable_hashes_never_match, 0,
                        (int)(sizeof unreadable / sizeof unreadable[0]));
    tcase_add_test(t, old_hashes_are_known);
    tcase_add_loop_test(t, base64_known_answers, 0, 8);
    tcase_add_test(t, a_seal_is_known_again_and_nothing_else_is);
    tcase_add_test(t, what_is_encrypted_only_the_key_reads);
    tcase_add_test(t, what_cannot_encrypt_says_so);
    suite_add_tcase(s, t);
    return run_suite(s);
}
