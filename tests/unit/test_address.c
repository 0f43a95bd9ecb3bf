/* Who is counted as one by limits. */
#include "base/address.h"

#include "unit.h"

START_TEST(test_networks)
{
    static const struct {
        const char *address, *network;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"255.255.255.255", "255.255.255.255"},
        /* The same one, as an IPv6 socket sees it. */
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:201", "192.0.2.1"},
        {"0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"},
        /* Whoever has one has 2^64. */
        {"2001:db8:0:1::1", "2001:db8:0:1::/64"},
        {"2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"},
        {"2001:0DB8:0000:0001:0000:0000:0000:0002", "2001:db8:0:1::/64"},
        {"2001:db8:0:2::1", "2001:db8:0:2::/64"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
        {"fe80::1", "fe80::/64"},
        {"::1", "::/64"},
        {"::", "::/64"},
        /* IPv4 through NAT64, all of which shares 64 bits, and 6to4, whose every host has 2^16. */
        {"64:ff9b::192.0.2.1", "192.0.2.1"},
        {"64:ff9b::c000:202", "192.0.2.2"},
        {"64:ff9b:1::192.0.2.1", "64:ff9b:1::/64"}, /* RFC 8215: a network's own */
        {"2002:c000:201::1", "192.0.2.1"},
        {"2002:c000:201:ffff::1", "192.0.2.1"},
        {"2003:c000:201::1", "2003:c000:201::/64"},
        /* No IPv4 address in disguise: IPv4-compatible, translated. */
        {"::192.0.2.1", "::/64"},
        {"::ffff:0:192.0.2.1", "::/64"},
        /* No address: as it is. */
        {"", ""},
        {"unknown", "unknown"},
        {"unix:", "unix:"},
        {"192.0.2.1:80", "192.0.2.1:80"},
        {"[2001:db8::1]", "[2001:db8::1]"},
        {"2001:db8::1%eth0", "2001:db8::1%eth0"},
        {"2001:db8::1/64", "2001:db8::1/64"},
        {" 2001:db8::1", " 2001:db8::1"},
        {"2001:db8::1::2", "2001:db8::1::2"},
        {"::ffff:999.0.2.1", "::ffff:999.0.2.1"},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ASSERT_TEXT(address_network(a, rows[i].address), rows[i].network, rows[i].address);
    arena_free(a);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_test(tcase, test_networks);
}

int
main(void)
{
    return unit_run("address", fill);
}
