/*
 * Messages' templates: what is a fault, what becomes of a value, and that the files that we ship
 * are without fault and say what they must.
 */
#include "shop/messages.h"

#include "base/config.h"
#include "base/json.h"
#include "base/log.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#undef fail

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define MAIL(text) "Subject: x\n\n" text

#ifndef SOKO_SRCDIR
#define SOKO_SRCDIR "."
#endif
#define SHIPPED SOKO_SRCDIR "/fcgi-app/messages"

static void
configure(const char *messages_dir)
{
    setenv("SOKO_ENV", "demo", 1);
    setenv("DATABASE_URL", "postgresql://nobody@/none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("MESSAGES_DIR", messages_dir, 1);
    ck_assert(config_load(NULL, stderr));
}

/* --- faults
 * --------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *label;
    enum template t;
    enum channel c;
    const char *text;
    const char *fault; /* how it begins; NULL: none */
} faults[] = {
    {"plain", TEMPLATE_WELCOME, CHANNEL_SMS, "Welcome", NULL},
    {"a name", TEMPLATE_WELCOME, CHANNEL_SMS, "Welcome, @name@", NULL},
    {"twice", TEMPLATE_WELCOME, CHANNEL_SMS, "@name@@name@", NULL},
    {"an @", TEMPLATE_WELCOME, CHANNEL_SMS, "us@@example.com", NULL},
    {"side by side", TEMPLATE_ORDER_PLACED, CHANNEL_SMS, "@order_number@@amount@@@@currency@", NULL},
    {"nothing", TEMPLATE_WELCOME, CHANNEL_SMS, "", "is empty"},
    {"a newline", TEMPLATE_WELCOME, CHANNEL_SMS, "\n\n", "is empty"},
    {"unknown", TEMPLATE_WELCOME, CHANNEL_SMS, "Dear @nome@", "has an unknown placeholder: @nome@"},
    {"of another template", TEMPLATE_WELCOME, CHANNEL_SMS, "@order_number@", "has an unknown placeholder: @order_number@"},
    {"not of this one", TEMPLATE_ORDER_SHIPPED, CHANNEL_SMS, "@order_number@ @amount@", "has an unknown placeholder: @amount@"},
    {"not closed", TEMPLATE_WELCOME, CHANNEL_SMS, "Dear @name", "has an @ that begins no placeholder"},
    {"closed elsewhere", TEMPLATE_WELCOME, CHANNEL_SMS, "Dear @name you@", "has an @ that begins no placeholder"},
    {"capitals", TEMPLATE_WELCOME, CHANNEL_SMS, "Dear @NAME@", "has an @ that begins no placeholder"},
    {"alone at the end", TEMPLATE_WELCOME, CHANNEL_SMS, "Dear @", "has an @ that begins no placeholder"},
    {"lacks its number", TEMPLATE_ORDER_PLACED, CHANNEL_SMS, "Order successful", "lacks @order_number@"},
    {"lacks its code", TEMPLATE_VERIFY, CHANNEL_SMS, "good for @minutes@ minutes", "lacks @code@"},
    {"lacks its code too", TEMPLATE_RESET, CHANNEL_EMAIL, MAIL("@minutes@"), "lacks @code@"},
    {"a code that is none of its", TEMPLATE_WELCOME, CHANNEL_SMS, "@code@", "has an unknown placeholder: @code@"},
    {"lacks its sentence", TEMPLATE_NOTICE, CHANNEL_SMS, "Beware", "lacks @what@"},
    {"lacks its amount", TEMPLATE_REFUNDED, CHANNEL_SMS, "@order_number@ @currency@", "lacks @amount@"},
    {"160", TEMPLATE_WELCOME, CHANNEL_SMS, FIFTY FIFTY FIFTY TEN, NULL},
    {"160 and a newline", TEMPLATE_WELCOME, CHANNEL_SMS, FIFTY FIFTY FIFTY TEN "\n", NULL},
    {"161", TEMPLATE_WELCOME, CHANNEL_SMS, FIFTY FIFTY FIFTY TEN "1", "may become 161 characters"},
    {"160 with the longest name", TEMPLATE_WELCOME, CHANNEL_SMS, FIFTY FIFTY TEN TEN TEN "@name@", NULL},
    {"161 with the longest name", TEMPLATE_WELCOME, CHANNEL_SMS, FIFTY FIFTY TEN TEN TEN "1@name@", "may become 161 characters"},
    {"two for one", TEMPLATE_WELCOME, CHANNEL_SMS, FIFTY FIFTY FIFTY "12345678" "\xE2\x82\xAC", NULL},
    {"two for one, too many", TEMPLATE_WELCOME, CHANNEL_SMS, FIFTY FIFTY FIFTY "123456789" "{", "may become 161 characters"},
    {"of the alphabet", TEMPLATE_WELCOME, CHANNEL_SMS, "\xC3\xA8\xC3\x9F\xCE\xA9", NULL},
    {"not of the alphabet", TEMPLATE_WELCOME, CHANNEL_SMS, "caf\xC3\xAA", "has a character that is not of the GSM alphabet"},
    {"a backtick", TEMPLATE_WELCOME, CHANNEL_SMS, "a`b", "has a character that is not of the GSM alphabet"},
    {"a tab", TEMPLATE_WELCOME, CHANNEL_SMS, "a\tb", "has a control character"},
    {"a carriage return", TEMPLATE_WELCOME, CHANNEL_EMAIL, "Subject: x\r\n\r\ny", "has a control character"},
    {"a turned direction", TEMPLATE_WELCOME, CHANNEL_EMAIL, MAIL("\xE2\x80\xAE"), "has a control character"}, /* NOLINT(misc-misleading-bidirectional) */
    {"not UTF-8", TEMPLATE_WELCOME, CHANNEL_SMS, "caf\xE8", "is not UTF-8"},
    {"an e-mail", TEMPLATE_WELCOME, CHANNEL_EMAIL, MAIL("caf\xC3\xAA, @name@\n"), NULL},
    {"no subject", TEMPLATE_WELCOME, CHANNEL_EMAIL, "Hello\n\nyou", "must begin with a line"},
    {"an empty subject", TEMPLATE_WELCOME, CHANNEL_EMAIL, "Subject: \n\nyou", "must begin with a line"},
    {"a subject alone", TEMPLATE_WELCOME, CHANNEL_EMAIL, "Subject: x", "must begin with a line"},
    {"no empty line", TEMPLATE_WELCOME, CHANNEL_EMAIL, "Subject: x\nyou", "must have an empty line"},
    {"no body", TEMPLATE_WELCOME, CHANNEL_EMAIL, "Subject: x\n\n \n", "is empty"},
    {"a long e-mail", TEMPLATE_WELCOME, CHANNEL_EMAIL, MAIL(FIFTY FIFTY FIFTY FIFTY), NULL},
};
/* clang-format on */

START_TEST(test_faults)
{
    struct arena *a = arena_new();
    const char *got =
        messages_fault(a, faults[_i].t, faults[_i].c, faults[_i].text, strlen(faults[_i].text));
    const char *want = faults[_i].fault;

    ck_assert_msg((got == NULL) == (want == NULL), "%s: %s", faults[_i].label,
                  got != NULL ? got : "no fault");
    ck_assert_msg(want == NULL || strncmp(got, want, strlen(want)) == 0, "%s: %s", faults[_i].label,
                  got);
    arena_free(a);
}
END_TEST

START_TEST(test_a_nul_is_a_fault)
{
    struct arena *a = arena_new();

    ck_assert_str_eq(messages_fault(a, TEMPLATE_WELCOME, CHANNEL_SMS, "a\0b", 3), "is not UTF-8");
    arena_free(a);
}
END_TEST

/* --- values
 * --------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *label, *name, *sms, *email;
} values[] = {
    {"a name", "Ann Wanjiru", "Ann Wanjiru", "Ann Wanjiru"},
    {"what a form would cut", "A+B & C=D%41", "A+B & C=D%41", "A+B & C=D%41"},
    {"a placeholder", "@order_number@", "@order_number@", "@order_number@"},
    {"an @", "@", "@", "@"},
    {"a format", "%s%n", "%s%n", "%s%n"},
    {"a header", "Ann\r\nBcc: x@example.com", "Ann Bcc: x@example.com", "Ann Bcc: x@example.com"},
    {"controls", "\x01" "A\x7Fn\xC2\x85n\t", "A n n", "A n n"},
    {"a turned direction", "A\xE2\x80\xAE" "b\xE2\x81\xA9" "c\xE2\x80\xA8" "d\xEF\xBB\xBF", "A b c d", "A b c d"}, /* NOLINT(misc-misleading-bidirectional) */
    {"blanks", "  Ann   W  ", "Ann W", "Ann W"},
    {"nothing but controls", "\x01\x02", "", ""},
    {"30", TEN TEN TEN, TEN TEN TEN, TEN TEN TEN},
    {"31", TEN TEN TEN "x", TEN TEN TEN, TEN TEN TEN "x"},
    {"a blank at the end of 30", TEN TEN "012345678 xyz", TEN TEN "012345678", TEN TEN "012345678 xyz"},
    {"101", FIFTY FIFTY "x", TEN TEN TEN, FIFTY FIFTY},
    {"two for one", "{{{{{{{{{{{{{{{x", "{{{{{{{{{{{{{{{", "{{{{{{{{{{{{{{{x"},
    {"whole characters", TEN TEN "012345678\xE2\x82\xAC", TEN TEN "012345678", TEN TEN "012345678\xE2\x82\xAC"},
    {"another script", "\xE1\x8A\xA0\xE1\x89\xA0\xE1\x89\xA0", "\xE1\x8A\xA0\xE1\x89\xA0\xE1\x89\xA0", "\xE1\x8A\xA0\xE1\x89\xA0\xE1\x89\xA0"},
};
/* clang-format on */

START_TEST(test_values)
{
    struct arena *a = arena_new();
    const struct message_param params[] = {{"name", values[_i].name}};
    struct message_text out;

    ck_assert(messages_render(a, CHANNEL_SMS, "<@name@>@@\n", params, 1, &out));
    ASSERT_TEXT(out.body, arena_printf(a, "<%s>@", values[_i].sms), values[_i].label);
    ASSERT_TEXT(out.subject, NULL, values[_i].label);
    ck_assert(
        messages_render(a, CHANNEL_EMAIL, "Subject: <@name@>\n\n<@name@>\n", params, 1, &out));
    ASSERT_TEXT(out.subject, arena_printf(a, "<%s>", values[_i].email), values[_i].label);
    ASSERT_TEXT(out.body, arena_printf(a, "<%s>\n", values[_i].email), values[_i].label);
    arena_free(a);
}
END_TEST

START_TEST(test_a_value_that_is_not_given)
{
    struct arena *a = arena_new();
    const struct message_param params[] = {{"name", "Ann"}, {"currency", NULL}};
    struct message_text out;

    ck_assert(!messages_render(a, CHANNEL_SMS, "@amount@", params, 2, &out));
    ck_assert(!messages_render(a, CHANNEL_SMS, "@currency@", params, 2, &out));
    ck_assert(messages_render(a, CHANNEL_SMS, "@name@", params, 2, &out));
    arena_free(a);
}
END_TEST

/* --- the files
 * ------------------------------------------------------------------------------------ */

static const struct message_param all[] = {{"name", "Ann"},
                                           {"order_number", "ABC234"},
                                           {"amount", "12.5"},
                                           {"currency", "KES"},
                                           {"code", "012345"},
                                           {"minutes", "10"},
                                           {"what", "Your password was changed."}};

/* clang-format off */
static const struct {
    enum template t;
    const char *sms;     /* how it begins */
    const char *subject;
} shipped_texts[TEMPLATE__COUNT] = {
    {TEMPLATE_WELCOME, "Welcome to our e-commerce platform", "Welcome to our e-commerce platform"},
    {TEMPLATE_ORDER_PLACED, "Order successful", "Order successful: ABC234"},
    {TEMPLATE_ORDER_PAID, "We have received KES 12.5 for order ABC234", "Payment received for order ABC234"},
    {TEMPLATE_ORDER_SHIPPED, "Order ABC234: goods have been shipped", "Order ABC234 is on its way"},
    {TEMPLATE_REFUNDED, "We have sent KES 12.5 of order ABC234 back", "Money back for order ABC234"},
    {TEMPLATE_VERIFY, "012345 is your code to confirm this number. It is good for 10 minutes. Never tell it", "Your code to confirm this address"},
    {TEMPLATE_RESET, "012345 is your code for a new password, good for 10 minutes. Never tell it", "Your code for a new password"},
    {TEMPLATE_NOTICE, "Your password was changed. If it was not you", "Something has changed in your account"},
};
/* clang-format on */

START_TEST(test_what_we_ship)
{
    struct arena *a = arena_new();
    enum template t = shipped_texts[_i].t, again;
    struct message_text sms, email;

    configure(SHIPPED);
    ck_assert(messages_check());
    ck_assert(messages_template_parse(messages_template_name(t), &again) && again == t);
    ck_assert(messages_text(a, t, CHANNEL_SMS, all, COUNT_OF(all), &sms));
    ck_assert_msg(strncmp(sms.body, shipped_texts[_i].sms, strlen(shipped_texts[_i].sms)) == 0,
                  "%s", sms.body);
    ck_assert(strchr(sms.body, '\n') == NULL);
    ck_assert(messages_text(a, t, CHANNEL_EMAIL, all, COUNT_OF(all), &email));
    ck_assert_str_eq(email.subject, shipped_texts[_i].subject);
    arena_free(a);
}
END_TEST

/* The longest values give an SMS of one part, whatever the file. */
START_TEST(test_the_longest_sms)
{
    static const struct message_param longest[] = {{"name", FIFTY},
                                                   {"order_number", TEN "AB"},
                                                   {"amount", "9999999999999.99"},
                                                   {"currency", "KES"},
                                                   {"code", TEN},
                                                   {"minutes", TEN},
                                                   {"what", FIFTY FIFTY}};
    struct arena *a = arena_new();
    struct message_text out;

    configure(SHIPPED);
    ck_assert(messages_text(a, (enum template)_i, CHANNEL_SMS, longest, COUNT_OF(longest), &out));
    ck_assert_msg(utf8_length(out.body) <= 160, "%s", out.body);
    arena_free(a);
}
END_TEST

/* No sentence of a notice is cut. */
START_TEST(test_notices_are_told_whole)
{
    struct arena *a = arena_new();
    const char *what = messages_notice_text((enum notice)_i);
    const struct message_param params[] = {{"name", "Ann"}, {"what", what}};
    struct message_text out;

    configure(SHIPPED);
    for (int c = 0; c < CHANNEL__COUNT; c++) {
        ck_assert(messages_text(a, TEMPLATE_NOTICE, (enum channel)c, params, 2, &out));
        ck_assert_msg(strstr(out.body, what) != NULL, "%s: %s", what, out.body);
    }
    arena_free(a);
}
END_TEST

/* --- the check at the start
 * ----------------------------------------------------------------------- */

static void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    ck_assert(f != NULL);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

/* What each must have. */
static const char *const musts[TEMPLATE__COUNT] = {
    [TEMPLATE_WELCOME] = "",
    [TEMPLATE_ORDER_PLACED] = "@order_number@",
    [TEMPLATE_ORDER_PAID] = "@order_number@",
    [TEMPLATE_ORDER_SHIPPED] = "@order_number@",
    [TEMPLATE_REFUNDED] = "@order_number@@amount@@currency@",
    [TEMPLATE_VERIFY] = "@code@",
    [TEMPLATE_RESET] = "@code@",
    [TEMPLATE_NOTICE] = "@what@",
};

/* A folder of good templates. */
static const char *
own_folder(struct arena *a)
{
    static char path[] = "/tmp/soko-messages-XXXXXX";

    ck_assert(mkdtemp(path) != NULL);
    for (int t = 0; t < TEMPLATE__COUNT; t++) {
        const char *stem = arena_printf(a, "%s/%s", path, messages_template_name((enum template)t));
        const char *rest = musts[t];
        write_file(arena_printf(a, "%s.sms", stem), arena_printf(a, "x%s", rest));
        write_file(arena_printf(a, "%s.email", stem), arena_printf(a, MAIL("x%s"), rest));
    }
    return path;
}

static void
remove_folder(struct arena *a, const char *path)
{
    for (int t = 0; t < TEMPLATE__COUNT; t++) {
        for (int c = 0; c < CHANNEL__COUNT; c++)
            unlink(arena_printf(a, "%s/%s.%s", path, messages_template_name((enum template)t),
                                messages_channel_name((enum channel)c)));
    }
    ck_assert_int_eq(rmdir(path), 0);
}

static const struct {
    const char *label, *text; /* of order_paid.sms; NULL: there is none */
    const char *why;
} broken[] = {
    {"missing", NULL, "No such file"},
    {"unknown placeholder", "@order_number@ @sum@", "@sum@"},
    {"missing placeholder", "paid", "lacks @order_number@"},
    {"empty", "", "lacks @order_number@"},
};

START_TEST(test_a_fault_is_named)
{
    struct arena *a = arena_new();
    const char *path = own_folder(a);
    const char *bad = arena_printf(a, "%s/order_paid.sms", path);
    char said[4096] = "", log[] = "/tmp/soko-messages-log-XXXXXX";
    int fd = mkstemp(log);

    configure(path);
    ck_assert(fd >= 0);
    log_set_fd(fd);
    ck_assert(messages_check());
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);

    if (broken[_i].text != NULL)
        write_file(bad, broken[_i].text);
    else
        ck_assert_int_eq(unlink(bad), 0);
    ck_assert_msg(!messages_check(), "%s", broken[_i].label);
    ck_assert_int_gt(pread(fd, said, sizeof(said) - 1, 0), 0);
    log_set_fd(-1);
    ck_assert_msg(strstr(said, bad) != NULL && strstr(said, broken[_i].why) != NULL, "%s: %s",
                  broken[_i].label, said);
    close(fd);
    unlink(log);
    remove_folder(a, path);
    arena_free(a);
}
END_TEST

static void
fill(TCase *t)
{
    tcase_add_loop_test(t, test_faults, 0, COUNT_OF(faults));
    tcase_add_test(t, test_a_nul_is_a_fault);
    tcase_add_loop_test(t, test_values, 0, COUNT_OF(values));
    tcase_add_test(t, test_a_value_that_is_not_given);
    tcase_add_loop_test(t, test_what_we_ship, 0, TEMPLATE__COUNT);
    tcase_add_loop_test(t, test_the_longest_sms, 0, TEMPLATE__COUNT);
    tcase_add_loop_test(t, test_notices_are_told_whole, 0, NOTICE__COUNT);
    tcase_add_loop_test(t, test_a_fault_is_named, 0, COUNT_OF(broken));
}

int
main(void)
{
    return unit_run("messages", fill);
}
