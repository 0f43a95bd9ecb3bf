/*
 * Which new passwords are refused: a table against a list of our own, the list that changes under a
 * running process, and one that cannot be read.
 */
#include "shop/accounts/passwords.h"

#include "base/config.h"
#include "base/json.h"
#include "base/text.h"
#include "shop/accounts/accounts.h"

#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#undef fail

#define LIST "/tmp/soko-passwords-XXXXXX"

static char path[] = LIST;

static void
write_list(const char *text)
{
    FILE *f = fopen(path, "w");

    ck_assert(f != NULL);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

static void
configure(const char *list)
{
    setenv("DATABASE_URL", "postgresql://nobody@/none", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("PASSWORD_DENY_LIST", list, 1);
    ck_assert(config_load(NULL, stderr));
}

static void
set_up(void)
{
    memcpy(path, LIST, sizeof path);
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void
tear_down(void)
{
    unlink(path);
}

/* What registering with it is told, or NULL. */
static const char *
told(struct arena *a, const char *password)
{
    struct text body = text_new(a, 4096);
    struct problems problems = {0};
    struct json_object *json;
    void *in;

    text_puts(&body,
              "{\"name\":\"Ann Wanjiru\",\"email\":\"ann@example.com\",\"phone\":\"0712345678\"");
    text_puts(&body, ",\"username\":\"wanjiru.ann\"");
    text_member(&body, "password", password);
    text_putc(&body, '}');
    ck_assert_int_eq(json_read(a, &problems, body.data, body.len, &json), OK);
    if (input_from_json(a, &problems, accounts_register.in, json, &in) == OK)
        return NULL;
    ck_assert_str_eq(problems.first->field, "password");
    ck_assert_ptr_null(problems.first->next);
    return problems.first->message;
}

#define SHORT "must have at least 8 characters"
#define COMMON "is too common"

/* clang-format off */
static const struct {
    const char *password, *told;
} cases[] = {
    {"a good password", NULL},
    {"seven77", SHORT},
    {"letmein1", COMMON}, {"LetMeIn1", COMMON}, {"LETMEIN1", COMMON}, {"letmein", SHORT}, {"letmein11", NULL}, {" letmein1", NULL},
    {"capitals", COMMON}, {"windows-line", COMMON}, {"windows-line\r", NULL},
    {"the last line", COMMON}, {"#!comment: none", NULL}, {"#not a comment", COMMON},
    {"\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4", COMMON},
    {"ann wanjiru", PASSWORD_IS_OWN}, {"Ann@Example.com", PASSWORD_IS_OWN}, {"+254712345678", PASSWORD_IS_OWN},
    {"0712345678", PASSWORD_IS_OWN}, {"0712 345 678", PASSWORD_IS_OWN}, {"254712345678", PASSWORD_IS_OWN},
    {"Wanjiru.Ann", PASSWORD_IS_OWN}, {"0712345679", NULL}, {"ann@example.com!", NULL},
};
/* clang-format on */

START_TEST(test_what_is_refused)
{
    struct arena *a = arena_new();

    write_list(
        "#!comment: none\n\nletmein1\nCAPITALS\nwindows-line\r\n#not a comment\n"
        "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\nzzz\nthe last line");
    configure(path);
    ASSERT_TEXT(told(a, cases[_i].password), cases[_i].told, cases[_i].password);
    arena_free(a);
}
END_TEST

START_TEST(test_a_list_that_changes)
{
    struct arena *a = arena_new();

    write_list("first-one\n");
    configure(path);
    ASSERT_TEXT(told(a, "first-one"), COMMON, "as it was read");
    write_list("second-one\n");
    ASSERT_TEXT(told(a, "second-one"), COMMON, "as it is now");
    ASSERT_TEXT(told(a, "first-one"), NULL, "what is gone");
    write_list(""); /* while somebody edits it */
    ASSERT_TEXT(told(a, "second-one"), NULL, "an empty list");
    write_list("third-one\n");
    ASSERT_TEXT(told(a, "third-one"), COMMON, "written again");
    ck_assert_int_eq(unlink(path), 0);
    ASSERT_TEXT(told(a, "third-one"), COMMON, "the old list stays in force");
    configure("");
    ASSERT_TEXT(told(a, "third-one"), NULL, "no list");
    arena_free(a);
}
END_TEST

START_TEST(test_a_list_that_cannot_be_read)
{
    ck_assert_ptr_null(passwords_list_fault(""));
    ck_assert_ptr_null(passwords_list_fault(path));
    ck_assert_ptr_nonnull(passwords_list_fault("/nonexistent/list"));
    ck_assert_ptr_nonnull(passwords_list_fault("/tmp"));
    ck_assert_ptr_nonnull(passwords_list_fault("/dev/zero"));
    ck_assert_int_eq(truncate(path, 4), 0);
    ck_assert_ptr_nonnull(passwords_list_fault(path)); /* NULs: no text */
    ck_assert_int_eq(truncate(path, (33 << 20)), 0);
    ck_assert_ptr_nonnull(passwords_list_fault(path));
}
END_TEST

static void
fill(TCase *t)
{
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, test_what_is_refused, 0, COUNT_OF(cases));
    tcase_add_test(t, test_a_list_that_changes);
    tcase_add_test(t, test_a_list_that_cannot_be_read);
}

int
main(void)
{
    return unit_run("passwords", fill);
}
