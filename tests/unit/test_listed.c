/* Whom nginx may believe, and which pages may call. */
#include "base/listed.h"

#include "unit.h"

START_TEST(test_entries)
{
    static const struct {
        const char *list, *entries[5];
    } rows[] = {
        {"", {NULL}},     {"a", {"a"}},      {"a,b", {"a", "b"}},      {" a , b ", {"a", "b"}},
        {"a,", {"a"}},    {",a", {"", "a"}}, {"a,,b", {"a", "", "b"}}, {"a,\t,b", {"a", "", "b"}},
        {"a b", {"a b"}},
    };
    struct arena *a = arena_new();

    ck_assert_ptr_null(listed_next(a, &(const char *){NULL}));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *at = rows[i].list;
        size_t n = 0;

        for (const char *one; (one = listed_next(a, &at)) != NULL; n++)
            ASSERT_TEXT(one, rows[i].entries[n], rows[i].list);
        ck_assert_msg(rows[i].entries[n] == NULL, "%s: only %zu", rows[i].list, n);
        ck_assert_ptr_null(at);
    }
    arena_free(a);
}
END_TEST

struct row {
    const char *entry, *fault; /* a part of it; NULL: it is good */
};

static void
hold(const struct row *rows, size_t count, const char *(*fault)(const char *))
{
    for (size_t i = 0; i < count; i++) {
        const char *got = fault(rows[i].entry), *want = rows[i].fault;

        ck_assert_msg((got == NULL) == (want == NULL) && (got == NULL || strstr(got, want) != NULL),
                      "\"%s\": got \"%s\", want \"%s\"", rows[i].entry,
                      got != NULL ? got : "(good)", want != NULL ? want : "(good)");
    }
}

START_TEST(test_networks)
{
    static const struct row rows[] = {
        {"10.0.0.7", NULL},
        {"10.0.0.0/8", NULL},
        {"192.168.4.0/22", NULL},
        {"192.0.2.1/32", NULL},
        {"::1", NULL},
        {"fc00::/7", NULL},
        {"2400:cb00::/32", NULL},
        {"2001:db8::1/128", NULL},
        {"0.0.0.0/0", "too wide"},
        {"::/0", "too wide"},
        {"0.0.0.0/1", "too wide"},
        {"128.0.0.0/1", "too wide"},
        {"10.0.0.0/7", "too wide"},
        {"::/6", "too wide"},
        {"10.0.0.1/8", "is no network"},
        {"10.0.0.128/24", "is no network"},
        {"fd00::1/8", "is no network"},
        {"10.0.0.0/33", "number of bits"},
        {"fd00::/129", "number of bits"},
        {"10.0.0.0/", "number of bits"},
        {"10.0.0.0/08", "number of bits"},
        {"10.0.0.0/+8", "number of bits"},
        {"10.0.0.0/8x", "number of bits"},
        {"10.0.0.0/8/8", "number of bits"},
        {"10.0.0.0/255.0.0.0", "number of bits"},
        {"10.0.0.0/4294967304", "number of bits"},
        {"::ffff:10.0.0.7", "write it as one"},
        {"::ffff:0:0/96", "write it as one"},
        {"", "is no address"},
        {"proxy.example.com", "is no address"},
        {"unix:", "is no address"},
        {"10.0.0", "is no address"},
        {"10.0.0.256", "is no address"},
        {"10.0.0.7:80", "is no address"},
        {"[::1]", "is no address"},
        {"10.0.0.7;", "is no address"},
        {"10.0.0.7 10.0.0.8", "is no address"},
        {"/8", "is no address"},
        {"0000000000000000000000000000000000000000000000000000000000000000", "is no address"},
    };

    hold(rows, COUNT_OF(rows), listed_network_fault);
}
END_TEST

#define LABEL "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk." /* 64 */

START_TEST(test_origins)
{
    static const struct row rows[] = {
        {"https://shop.example.com", NULL},
        {"https://shop.example.com:8443", NULL},
        {"https://xn--bcher-kva.example", NULL},
        {"https://192.0.2.1", NULL},
        {"https://localhost:65535", NULL},
        {"https://[::1]:3000", NULL},
        {"http://localhost", NULL},
        {"http://localhost:3000", NULL},
        {"http://127.0.0.1:5173", NULL},
        {"http://[::1]:3000", NULL},
        {"*", "wildcard"},
        {"https://*", "wildcard"},
        {"https://*.example.com", "wildcard"},
        {"null", "hides where it is from"},
        {"https://Shop.example.com", "lower case"},
        {"HTTPS://shop.example.com", "lower case"},
        {"", "is no origin"},
        {"shop.example.com", "is no origin"},
        {"//shop.example.com", "is no origin"},
        {"ftp://shop.example.com", "is no origin"},
        {"file://", "is no origin"},
        {"https:/shop.example.com", "is no origin"},
        {"chrome-extension://abc", "is no origin"},
        {"http://shop.example.com", "must begin with https"},
        {"http://localhost.example.com", "must begin with https"},
        {"http://192.168.1.7", "must begin with https"},
        {"https://shop.example.com/", "has a path"},
        {"https://shop.example.com/a", "has a path"},
        {"https://shop.example.com:8443/", "port"},
        {"https://shop.example.com:443", "browsers leave out"},
        {"http://localhost:80", "browsers leave out"},
        {"https://localhost:80", NULL},
        {"https://shop.example.com:", "port"},
        {"https://shop.example.com:0", "port"},
        {"https://shop.example.com:08443", "port"},
        {"https://shop.example.com:65536", "port"},
        {"https://shop.example.com:4294967739", "port"},
        {"https://shop.example.com:x", "port"},
        {"https://", "host name"},
        {"https://:8443", "host name"},
        {"https://a@shop.example.com", "host name"},
        {"https://shop.example.com?a", "host name"},
        {"https://shop.example.com#a", "host name"},
        {"https://shop example.com", "host name"},
        {"https://shop.example.com\" 1; evil", "host name"},
        {"https://shop_example.com", "host name"},
        {"https://b\xc3\xbc"
         "cher.example",
         "host name"},
        {"https://.example.com", "host name"},
        {"https://example.com.", "host name"},
        {"https://a..b", "host name"},
        {"https://-a.example", "host name"},
        {"https://a-.example", "host name"},
        {"https://[2001:db8::1]", "host name"},
        {"https://[::1", "host name"},
        {"https://[::1]x", "port"},
        {"https://" LABEL LABEL LABEL LABEL "example", "host name"},
    };

    hold(rows, COUNT_OF(rows), listed_origin_fault);
}
END_TEST

START_TEST(test_hosts)
{
    static const struct row rows[] = {
        {"10.0.0.5", NULL},
        {"fd00::5", NULL},
        {"local", NULL},
        {"127.0.0.1", NULL},
        {"", "no address"},
        {"app1", "no address"},
        {"10.0.0.5:9001", "no address"},
        {"[fd00::5]", "no address"},
        {"10.0.0.0/24", "no address"},
        {"10.0.0.5;", "no address"},
        {"unix:/run/x", "no address"},
        {"Local", "no address"},
    };

    hold(rows, COUNT_OF(rows), listed_host_fault);
}
END_TEST

START_TEST(test_listens)
{
    static const struct row rows[] = {
        {"443", NULL},
        {"192.0.2.7:443", NULL},
        {"[::]:443", NULL},
        {"[2001:db8::7]:8443", NULL},
        {"65535", NULL},
        {"", "no good port"},
        {"0", "no good port"},
        {"65536", "no good port"},
        {"0443", "no good port"},
        {"443 ssl", "no good port"},
        {"443;", "no good port"},
        {"192.0.2.7", "no good port"},
        {"::", "no good port"},
        {"[::]", "no good port"},
        {":443", "no good address"},
        {"*:443", "no good address"},
        {"::443", "no good address"},
        {"[]:443", "no good address"},
        {"[192.0.2.7]:443", "no good address"},
        {"localhost:443", "no good address"},
    };

    hold(rows, COUNT_OF(rows), listed_listen_fault);
}
END_TEST

START_TEST(test_paths)
{
    static const struct row rows[] = {
        {"/etc/letsencrypt/live/shop.example.com-0001/fullchain.pem", NULL},
        {"/", NULL},
        {"", "absolute"},
        {"etc/x", "absolute"},
        {"/a b", "alone"},
        {"/a;b", "alone"},
        {"/a$b", "alone"},
        {"/a{b", "alone"},
        {"/a#b", "alone"},
        {"/a'b", "alone"},
        {"/a\"b", "alone"},
        {"/a\\b", "alone"},
        {"/a*b", "alone"},
        {"/b\xc3\xbc", "alone"},
        {"syslog:server=unix:/dev/log", "absolute"},
    };
    static const struct row logs[] = {
        {"/var/log/nginx/soko-access.log", NULL},
        {"syslog:server=unix:/dev/log,tag=soko,nohostname", NULL},
        {"syslog:server=[2001:db8::1]:514,facility=local7", NULL},
        {"syslog:unix:/dev/log", "absolute"},
        {"syslog:server=a b", "alone"},
        {"syslog:server=a;", "alone"},
        {"off", "absolute"},
    };

    hold(rows, COUNT_OF(rows), listed_path_fault);
    hold(logs, COUNT_OF(logs), listed_log_fault);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_entries);
    tcase_add_test(tcase, test_networks);
    tcase_add_test(tcase, test_origins);
    tcase_add_test(tcase, test_hosts);
    tcase_add_test(tcase, test_listens);
    tcase_add_test(tcase, test_paths);
}

int
main(void)
{
    return unit_run("listed", fill);
}
