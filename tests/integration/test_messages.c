/*
 * Messages from their cause to their end, on real rows, with a provider that plays a script: who is
 * written to, what becomes of a message after each thing that a provider can do, that none is sent
 * more than twice, and that reports mean the same in any order.
 */
#include "base/clock.h"
#include "io/http_out.h"
#include "io/tx.h"
#include "providers/outside.h"
#include "shop/messages.h"
#include "shop_fixture.h"
#include "wire_server.h"

enum {
    T_MESSAGES = STMT__COUNT,
    T_EVENTS,
    T_ID,
    T_RECIPIENT,
    T_TAKE,
    T_ATTEMPTS,
    T_LOSE,
    T_STATUS,
    T_UNSURE,
    T_REF,
    T_FAILURE,
    T_IS_SENT,
    T_MOVE_PHONE,
    T_SEALED,
    T_AGE,
    T_PARAMS
};

static const struct pg_stmt more[] = {
    {"T_MESSAGES", "SELECT count(*) AS n FROM messages WHERE account_id = $1 AND channel = $2", 2,
     false},
    {"T_EVENTS",
     "SELECT count(*) AS n FROM outbox WHERE trace_id = $1 AND event = 'message.queued'"
     " AND lane = 'messages'",
     1, false},
    {"T_ID", "SELECT id::text AS s FROM messages WHERE account_id = $1 AND channel = $2", 2, false},
    {"T_RECIPIENT", "SELECT recipient AS s FROM messages WHERE id = $1", 1, false},
    {"T_TAKE", "UPDATE outbox SET attempts = attempts + 1 WHERE subject = $1 RETURNING id AS n", 1,
     false},
    {"T_ATTEMPTS", "SELECT attempts AS n FROM outbox WHERE subject = $1", 1, false},
    {"T_LOSE", "UPDATE outbox SET attempts = attempts + 1 WHERE subject = $1", 1, false},
    {"T_STATUS", "SELECT status AS s FROM messages WHERE id = $1", 1, false},
    {"T_UNSURE", "SELECT unsure AS n FROM messages WHERE id = $1", 1, false},
    {"T_REF", "SELECT provider_ref AS s FROM messages WHERE id = $1", 1, false},
    {"T_FAILURE", "SELECT failure AS s FROM messages WHERE id = $1", 1, false},
    {"T_IS_SENT", "UPDATE messages SET status = 'sent', provider_ref = $2 WHERE id = $1", 2, false},
    {"T_MOVE_PHONE", "UPDATE accounts SET phone = $2 WHERE id = $1", 2, false},
    {"T_SEALED", "SELECT count(*) AS n FROM messages WHERE id = $1 AND sealed_params IS NOT NULL",
     1, false},
    {"T_AGE", "UPDATE messages SET send_until = now() WHERE id = $1", 1, false},
    {"T_PARAMS", "SELECT params::text AS s FROM messages WHERE id = $1", 1, false},
};

static struct party us;
static struct ctx *ctx;

/* --- people
 * --------------------------------------------------------------------------------------- */

static const char *
any_phone(void)
{
    uint64_t n;

    random_bytes(&n, sizeof(n));
    return arena_printf(ctx->arena, "+2547%08d", (int)(n % 100000000));
}

static const char *
any_email(void)
{
    char id[UUID_TEXT_SIZE];

    return arena_printf(ctx->arena, "%s@example.com", uuid_text(uuid_v7(clock_ms()), id));
}

struct person {
    struct uuid id;
    const char *name, *phone, *email;
    enum template t;
};

static enum err
tell_work(struct ctx *c, void *arg)
{
    const struct person *p = arg;
    char id[UUID_TEXT_SIZE];

    pg_queue(c, ACCOUNTS_ADD, ARG_ID(p->id), ARG_TEXT(p->name), ARG_TEXT(p->email),
             ARG_TEXT(p->phone), ARG_TEXT(arena_printf(c->arena, "u%s", uuid_text(p->id, id))),
             ARG_TEXT(NO_PASSWORD));
    if (p->t == TEMPLATE_WELCOME)
        messages_send(c, p->id, p->t, NULL, 0);
    else
        messages_send_order(c, p->id, p->t, "ABC\"234", 1250, "KES");
    return OK;
}

/* An account, and a message to it. The trace id is its own, so that its events can be counted. */
static struct person
tell(const char *phone, const char *email, enum template t)
{
    struct person p = {uuid_v7(clock_ms()), "Ann", phone, email, t};
    char id[UUID_TEXT_SIZE];

    ctx->trace_id = arena_strdup(ctx->arena, uuid_text(p.id, id));
    ck_assert_int_eq(tx_run(ctx, tell_work, &p), OK);
    return p;
}

static struct uuid
message_of(const struct person *p, const char *channel)
{
    const char *s = STRING(ctx, T_ID, ARG_ID(p->id), ARG_TEXT(channel));
    struct uuid id;

    ck_assert(uuid_parse(s, strlen(s), &id));
    return id;
}

static struct uuid
new_sms(void)
{
    struct person p = tell(any_phone(), NULL, TEMPLATE_WELCOME);
    return message_of(&p, "sms");
}

/* A code by SMS, to somebody whom the account does not name. */
static enum err
tell_secret_work(struct ctx *c, void *arg)
{
    const struct message_param secrets[] = {{"code", "012345"}, {"minutes", "10"}};
    const struct uuid *account = arg;

    messages_send_to(c, *account, TEMPLATE_VERIFY, CHANNEL_SMS, any_phone(), secrets, 2,
                     clock_ms() + 600000);
    return OK;
}

static struct uuid
new_secret(void)
{
    struct person p = tell(NULL, NULL, TEMPLATE_WELCOME);

    ck_assert_int_eq(tx_run(ctx, tell_secret_work, &p.id), OK);
    return message_of(&p, "sms");
}

/* --- what jobs.c does
 * ----------------------------------------------------------------------------- */

struct
try {
    struct delivery delivery;
    void *step;
};

static enum err
start_work(struct ctx *c, void *arg)
{
    struct try *t = arg;

    return messages_start(c, &t->delivery, &t->step);
}

static enum err
finish_work(struct ctx *c, void *arg)
{
    struct try *t = arg;

    return messages_finish(c, t->step);
}

static struct try
start(struct uuid id)
{
    struct try t = {.delivery = {.id = NUMBER(ctx, T_TAKE, ARG_ID(id)),
                                 .subject = id,
                                 .attempts = NUMBER(ctx, T_ATTEMPTS, ARG_ID(id))}};

    ctx->now_ms = clock_ms();
    ck_assert_int_eq(tx_run(ctx, start_work, &t), OK);
    return t;
}

static enum err
deliver(struct uuid id)
{
    struct try t = start(id);

    if (t.step == NULL)
        return OK;
    ck_assert_int_eq(messages_call(ctx, t.step), OK);
    return tx_run(ctx, finish_work, &t);
}

#define SEE(stmt, id, want)                                                                        \
    do {                                                                                           \
        const char *seen_ = STRING(ctx, (stmt), ARG_ID(id)), *want_ = (want);                      \
        ck_assert_msg((seen_ == NULL) == (want_ == NULL) &&                                        \
                          (seen_ == NULL || strcmp(seen_, want_) == 0),                            \
                      "%s: %s is %s, not %s", label, #stmt, seen_ == NULL ? "null" : seen_,        \
                      want_ == NULL ? "null" : want_);                                             \
    } while (0)

/* --- who is written to
 * ---------------------------------------------------------------------------- */

static const struct {
    bool phone, email;
} reachable[] = {{true, true}, {true, false}, {false, true}, {false, false}};

START_TEST(test_who_is_written_to)
{
    struct person p = tell(reachable[_i].phone ? any_phone() : NULL,
                           reachable[_i].email ? any_email() : NULL, TEMPLATE_WELCOME);

    ck_assert_int_eq(NUMBER(ctx, T_MESSAGES, ARG_ID(p.id), ARG_TEXT("sms")), reachable[_i].phone);
    ck_assert_int_eq(NUMBER(ctx, T_MESSAGES, ARG_ID(p.id), ARG_TEXT("email")), reachable[_i].email);
    ck_assert_int_eq(NUMBER(ctx, T_EVENTS, ARG_TEXT(ctx->trace_id)), 2);
}
END_TEST

START_TEST(test_an_event_without_its_row_is_done)
{
    struct try t = {.delivery = {.id = 1, .subject = uuid_v7(clock_ms()), .attempts = 1}};

    ck_assert_int_eq(tx_run(ctx, start_work, &t), OK);
    ck_assert_ptr_null(t.step);
}
END_TEST

START_TEST(test_what_is_said_goes_where_it_was_said_to)
{
    const char *label = "recipient", *phone = any_phone();
    struct person p = tell(phone, NULL, TEMPLATE_ORDER_PAID);
    struct uuid id = message_of(&p, "sms");

    ck_assert_int_eq(pg_touch(ctx, T_MOVE_PHONE, NULL, ARG_ID(p.id), ARG_TEXT(any_phone())), OK);
    SEE(T_RECIPIENT, id, phone);
    SEE(T_PARAMS, id, "{\"order_number\":\"ABC\\\"234\",\"amount\":\"12.5\",\"currency\":\"KES\"}");
}
END_TEST

/* --- what becomes of it
 * --------------------------------------------------------------------------- */

#define RECIPIENT(code, status, id)                                                                \
    "{\"SMSMessageData\":{\"Message\":\"Sent to 1/1\",\"Recipients\":[{\"statusCode\":" code       \
    ",\"number\":\"+254711000000\",\"status\":\"" status                                           \
    "\",\"cost\":\"KES 0.8\",\"messageId\":\"" id "\"}]}}"

struct answer {
    int status; /* 0: none at all */
    const char *body;
};
#define TAKEN                                                                                      \
    {                                                                                              \
        201, RECIPIENT("101", "Success", "ATXid_1")                                                \
    }
#define HANGS                                                                                      \
    {                                                                                              \
        0, WIRE_HANG                                                                               \
    }
#define BUSY                                                                                       \
    {                                                                                              \
        201, RECIPIENT("500", "InternalServerError", "None")                                       \
    }

/* clang-format off */
static const struct {
    const char *label;
    struct answer answers[4]; /* one a delivery, until the status is 0 and the body NULL */
    const char *status, *ref, *failure;
    int64_t unsure;
    int sent; /* how often it left our house */
    bool again; /* whether the last delivery is to be tried again */
} outcomes[] = {
    {"taken", {TAKEN}, "sent", "ATXid_1", NULL, 1, 1, false},
    {"delivered twice", {TAKEN, TAKEN}, "sent", "ATXid_1", NULL, 1, 1, false},
    {"refused for good", {{201, RECIPIENT("403", "InvalidPhoneNumber", "None")}}, "failed", NULL, "InvalidPhoneNumber", 1, 1, false},
    {"refused for good is not repeated", {{201, RECIPIENT("406", "UserInBlacklist", "None")}, TAKEN}, "failed", NULL, "UserInBlacklist", 1, 1, false},
    {"busy", {BUSY}, "queued", NULL, NULL, 0, 1, true},
    {"busy, busy, taken", {BUSY, BUSY, TAKEN}, "sent", "ATXid_1", NULL, 1, 3, false},
    {"our key is wrong", {{401, "The supplied authentication is invalid"}}, "queued", NULL, NULL, 0, 1, true},
    {"nobody knows", {HANGS}, "sending", NULL, NULL, 1, 1, true},
    {"nobody knows, then taken", {HANGS, TAKEN}, "sent", "ATXid_1", NULL, 2, 2, false},
    {"nobody knows, then busy", {HANGS, BUSY}, "queued", NULL, NULL, 1, 2, true},
    {"nobody knows, busy, taken", {HANGS, BUSY, TAKEN}, "sent", "ATXid_1", NULL, 2, 3, false},
    {"nobody knows, twice", {HANGS, HANGS}, "failed", NULL, "unknown", 2, 2, false},
    {"nobody knows, and never a third time", {HANGS, HANGS, TAKEN}, "failed", NULL, "unknown", 2, 2, false},
};
/* clang-format on */

static enum err
sweep_work(struct ctx *c, void *arg)
{
    (void)arg;
    return messages_sweep(c);
}

START_TEST(test_what_becomes_of_it)
{
    const char *label = outcomes[_i].label;
    struct uuid id = new_secret();
    enum err e = OK;

    for (int n = 0; n < 4 && outcomes[_i].answers[n].body != NULL; n++) {
        const struct answer *a = &outcomes[_i].answers[n];
        if (a->status == 0)
            wire_says(n, a->body);
        else
            wire_replies(n, a->status, "Content-Type: application/json\r\n", a->body);
    }
    for (int n = 0; n < 4 && outcomes[_i].answers[n].body != NULL; n++)
        e = deliver(id);
    ck_assert_msg((e != OK) == outcomes[_i].again, "%s: %s", label, err_code(e));
    SEE(T_STATUS, id, outcomes[_i].status);
    SEE(T_REF, id, outcomes[_i].ref);
    SEE(T_FAILURE, id, outcomes[_i].failure);
    /* What is sealed stays while it may be needed, and no longer. */
    bool over =
        strcmp(outcomes[_i].status, "sent") == 0 || strcmp(outcomes[_i].status, "failed") == 0;
    ck_assert_int_eq(NUMBER(ctx, T_SEALED, ARG_ID(id)), over ? 0 : 1);
    SEE(T_PARAMS, id, "{}");
    ck_assert_int_eq(NUMBER(ctx, T_UNSURE, ARG_ID(id)), outcomes[_i].unsure);
    ck_assert_int_eq(atomic_load(&wire->requests), outcomes[_i].sent);
}
END_TEST

START_TEST(test_what_is_late_is_not_sent)
{
    const char *label = "late";
    struct uuid id = new_secret(), swept = new_secret(), young = new_secret();

    wire_replies_from(0, 201, RECIPIENT("101", "Success", "ATXid_1"));
    ck_assert_int_eq(pg_touch(ctx, T_AGE, NULL, ARG_ID(id)), OK);
    ck_assert_int_eq(deliver(id), OK);
    SEE(T_STATUS, id, "failed");
    SEE(T_FAILURE, id, "late");
    ck_assert_int_eq(NUMBER(ctx, T_SEALED, ARG_ID(id)), 0);
    ck_assert_int_eq(pg_touch(ctx, T_AGE, NULL, ARG_ID(swept)), OK);
    ck_assert_int_eq(tx_run(ctx, sweep_work, NULL), OK);
    ck_assert_int_eq(NUMBER(ctx, T_SEALED, ARG_ID(swept)), 0);
    ck_assert_int_eq(NUMBER(ctx, T_SEALED, ARG_ID(young)), 1);
    ck_assert_int_eq(deliver(swept), OK);
    SEE(T_FAILURE, swept, "late");
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

/* Nobody listens at the port. */
START_TEST(test_down)
{
    const char *label = "down";
    struct uuid id = new_sms();

    wire_stop();
    ck_assert_int_ne(deliver(id), OK);
    ck_assert_int_ne(deliver(id), OK);
    SEE(T_STATUS, id, "queued");
    ck_assert_int_eq(NUMBER(ctx, T_UNSURE, ARG_ID(id)), 0);
    wire_start(); /* for the teardown to end */
}
END_TEST

/* Whoever dies between start and finish may have sent it. */
START_TEST(test_a_crash_while_sending)
{
    const char *label = "crash";
    struct uuid id = new_sms();

    wire_replies_from(0, 201, RECIPIENT("101", "Success", "ATXid_1"));
    for (int n = 0; n < 2; n++) {
        ck_assert_ptr_nonnull(start(id).step);
        SEE(T_STATUS, id, "sending");
    }
    ck_assert_int_eq(deliver(id), OK);
    SEE(T_STATUS, id, "failed");
    SEE(T_FAILURE, id, "unknown");
    ck_assert_int_eq(atomic_load(&wire->requests), 0);
}
END_TEST

START_TEST(test_a_lease_that_is_lost)
{
    const char *label = "lease";
    struct uuid id = new_sms();
    struct try t = {
        .delivery = {.id = NUMBER(ctx, T_TAKE, ARG_ID(id)), .subject = id, .attempts = 1}};

    ck_assert_int_eq(pg_touch(ctx, T_LOSE, NULL, ARG_ID(id)), OK);
    ck_assert_int_eq(tx_run(ctx, start_work, &t), OK);
    ck_assert_ptr_null(t.step);
    SEE(T_STATUS, id, "queued");
}
END_TEST

START_TEST(test_a_channel_that_is_not_configured)
{
    const char *label = "off";
    struct person p = tell(NULL, any_email(), TEMPLATE_WELCOME);
    struct uuid id = message_of(&p, "email");

    ck_assert_int_eq(deliver(id), OK);
    SEE(T_STATUS, id, "off");
    ck_assert_int_eq(deliver(id), OK);
    SEE(T_STATUS, id, "off");
}
END_TEST

/* --- reports
 * -------------------------------------------------------------------------------------- */

static const struct {
    const char *words, *status;
} reports[] = {
    {"d", "delivered"},  {"f", "failed"},     {"dd", "delivered"},  {"ff", "failed"},
    {"df", "delivered"}, {"fd", "delivered"}, {"fdf", "delivered"}, {"dfdf", "delivered"},
};

START_TEST(test_reports)
{
    const char *label = reports[_i].words;
    struct uuid id = new_sms();
    char ref[UUID_TEXT_SIZE];

    uuid_text(id, ref);
    ck_assert_int_eq(pg_touch(ctx, T_IS_SENT, NULL, ARG_ID(id), ARG_TEXT(ref)), OK);
    for (const char *w = label; *w != '\0'; w++)
        ck_assert_int_eq(pg_touch(ctx, MESSAGES_REPORT, NULL, ARG_TEXT(ref),
                                  ARG_TEXT(*w == 'd' ? "delivered" : "failed"),
                                  *w == 'd' ? ARG_NULL : ARG_TEXT("Failed")),
                         OK);
    SEE(T_STATUS, id, reports[_i].status);
    SEE(T_FAILURE, id, strcmp(reports[_i].status, "failed") == 0 ? "Failed" : NULL);
}
END_TEST

static void
setup(void)
{
    static char base[64], dir[4096];

    wire_start();
    snprintf(base, sizeof(base), "AT_BASE_URL=http://127.0.0.1:%d", wire_port);
    snprintf(dir, sizeof(dir), "MESSAGES_DIR=%s/../fcgi-app/messages", env_or_fail("SOKO_SQL_DIR"));
    const char *const settings[] = {base,
                                    dir,
                                    "AT_USERNAME=sandbox",
                                    "AT_API_KEY=atsk_test",
                                    "PROVIDER_TIMEOUT=500ms",
                                    "PROVIDER_FAILURES=1000",
                                    NULL};
    shop_config(settings);
    shop_party(&us, STMTS(more));
    ctx = &us.ctx;
    ctx->http = http_out_new("Soko/test");
    ck_assert_ptr_nonnull(ctx->http);
}

static void
teardown(void)
{
    wire_stop();
    http_out_free(ctx->http);
    party_end(&us);
}

int
main(void)
{
    Suite *suite = suite_create("messages");
    TCase *t = tcase_create("messages");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_who_is_written_to, 0, sizeof(reachable) / sizeof(reachable[0]));
    tcase_add_test(t, test_an_event_without_its_row_is_done);
    tcase_add_test(t, test_what_is_said_goes_where_it_was_said_to);
    tcase_add_loop_test(t, test_what_becomes_of_it, 0, sizeof(outcomes) / sizeof(outcomes[0]));
    tcase_add_test(t, test_what_is_late_is_not_sent);
    tcase_add_test(t, test_down);
    tcase_add_test(t, test_a_crash_while_sending);
    tcase_add_test(t, test_a_lease_that_is_lost);
    tcase_add_test(t, test_a_channel_that_is_not_configured);
    tcase_add_loop_test(t, test_reports, 0, sizeof(reports) / sizeof(reports[0]));
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
