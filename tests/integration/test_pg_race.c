/*
 * io/pg_race: a list of hosts, of which some refuse and some say nothing. Hosts are folders of
 * sockets here; one that is silent has a socket at which somebody listens and nobody accepts.
 */
#include "pg_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct pg_stmt table[] = {TX_ROWS, {"ONE", "select 1 as n", 0, false}};

static char silent_folder[] = "/tmp/soko-silent-XXXXXX";
static char silent_socket[sizeof silent_folder + 32];
static int silent_fd;
static struct party us;

static void
setup(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    ck_assert_ptr_nonnull(mkdtemp(silent_folder));
    snprintf(silent_socket, sizeof silent_socket, "%s/.s.PGSQL.5432", silent_folder);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", silent_socket);
    silent_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(silent_fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(silent_fd, 64), 0);
    party_new(&us, STMTS(table), NULL);
    us.options.connect_ms = 1500;
}

static void
teardown(void)
{
    party_end(&us);
    close(silent_fd);
    unlink(silent_socket);
    rmdir(silent_folder);
}

/* The folder in postgresql://soko_app@/soko?host=FOLDER. */
static const char *
good_folder(void)
{
    const char *at = strstr(us.options.url, "host=");

    ck_assert_ptr_nonnull(at);
    return arena_strndup(us.ctx.arena, at + 5, strcspn(at + 5, "&"));
}

/* What it comes to with these hosts: G the server, S one that says nothing, N none at all. */
static enum err
open_of(const char *hosts, const char *more)
{
    struct text list = text_new(us.ctx.arena, 4096);
    struct pg_options o = us.options;

    for (const char *h = hosts; *h != '\0'; h++) {
        if (h != hosts)
            text_putc(&list, ',');
        text_puts(&list, *h == 'G' ? good_folder() : *h == 'S' ? silent_folder : "/nonexistent");
    }
    o.url = arena_printf(us.ctx.arena, "postgresql:///soko?user=soko_app&host=%s%s",
                         text_cstr(&list), more);
    struct pg *pg = pg_new(&o);
    enum err e = pg_open(pg);
    pg_free(pg);
    return e;
}

static const struct {
    const char *hosts, *more;
    enum err err;
} cases[] = {
    {"GN", "", OK},
    {"NG", "", OK},
    {"SG", "", OK},
    {"SNSG", "", OK},
    {"NNNNNNNG", "", OK},
    {"NNNNNNNNNNG", "", OK}, /* too many for us: libpq's own way */
    {"NN", "", ERR_SERVICE_UNAVAILABLE},
    {"SS", "", ERR_SERVICE_UNAVAILABLE},
    {"NS", "", ERR_SERVICE_UNAVAILABLE},
    {"SG", "&target_session_attrs=read-write", OK},
    {"SG", "&target_session_attrs=primary", OK},
    {"SG", "&target_session_attrs=any", OK},
    {"GS", "&target_session_attrs=standby", ERR_SERVICE_UNAVAILABLE},
    {"GN", "&target_session_attrs=read-only", ERR_SERVICE_UNAVAILABLE},
    {"NG", "&target_session_attrs=prefer-standby", OK},
    {"GS", "&target_session_attrs=prefer-standby", OK},
    {"GN", "&target_session_attrs=whatever", ERR_SERVICE_UNAVAILABLE},
    {"NG", "&port=5432", OK},
    {"NG", "&port=1,5432", OK},
    {"GN", "&port=1,5432", ERR_SERVICE_UNAVAILABLE},
    {"NG", "&port=1,2,5432", ERR_SERVICE_UNAVAILABLE},
};

START_TEST(the_first_that_is_wanted_wins)
{
    ck_assert_msg(open_of(cases[_i].hosts, cases[_i].more) == cases[_i].err, "%s %s",
                  cases[_i].hosts, cases[_i].more);
}
END_TEST

START_TEST(an_outage_of_a_list_quotes_no_password)
{
    struct pg_options o = us.options;
    int log = log_capture();

    o.url = "postgresql://u:sesame@/soko?host=/nonexistent,/nonexistent2";
    struct pg *pg = pg_new(&o);
    ck_assert_int_eq(pg_open(pg), ERR_SERVICE_UNAVAILABLE);
    pg_free(pg);
    const char *said = log_captured(log);
    ck_assert_ptr_nonnull(strstr(said, "pg.unavailable"));
    ck_assert_ptr_null(strstr(said, "sesame"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("pg_race");
    TCase *t = tcase_create("pg_race");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, the_first_that_is_wanted_wins, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(t, an_outage_of_a_list_quotes_no_password);
    suite_add_tcase(s, t);
    return run_suite(s);
}
