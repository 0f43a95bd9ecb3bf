/*
 * tests/integration/sale_fixture: orders with an attempt to pay them, made by the shop's own
 * statements; what may be done to them, and what may then be seen.
 */
#ifndef SOKO_TESTS_INTEGRATION_SALE_FIXTURE_H
#define SOKO_TESTS_INTEGRATION_SALE_FIXTURE_H

#include "io/tx.h"
#include "shop/orders/orders.h"
#include "shop/payments/payments.h"
#include "shop_fixture.h"

enum {
    T_ORDER = STMT__COUNT,
    T_ORDER_PAID,
    T_REASON,
    T_PAYMENT,
    T_REFUNDS,
    T_REFUND_SUM,
    T_ASKED,
    T_REFUND_NTH,
    T_EVENTS,
    T_STOCK,
    T_HEARD,
    T_RECEIPT,
    T_PAYMENTS,
    T_REFUND,
    T_REFUND_IS,
    T_REFUND_DUE,
    T_PROVIDER,
    T_BOOKED
};

static const struct pg_stmt more[] = {
    {"T_ORDER", "SELECT status AS s FROM orders WHERE id = $1", 1, false},
    {"T_ORDER_PAID", "SELECT payment_status AS s FROM orders WHERE id = $1", 1, false},
    {"T_REASON", "SELECT cancel_reason AS s FROM orders WHERE id = $1", 1, false},
    {"T_PAYMENT", "SELECT status AS s FROM payments WHERE id = $1", 1, false},
    {"T_REFUNDS",
     "SELECT count(*) AS n FROM refunds r JOIN payments p ON p.id = r.payment_id"
     " WHERE p.order_id = $1",
     1, false},
    {"T_REFUND_SUM",
     "SELECT coalesce(sum(r.amount), 0)::bigint AS n FROM refunds r"
     " JOIN payments p ON p.id = r.payment_id WHERE p.order_id = $1",
     1, false},
    {"T_ASKED",
     "SELECT count(*) AS n FROM outbox o JOIN refunds r ON r.id = o.subject"
     " JOIN payments p ON p.id = r.payment_id"
     " WHERE p.order_id = $1 AND o.event = 'refund.requested'",
     1, false},
    {"T_REFUND_NTH",
     "SELECT r.id::text AS s FROM refunds r JOIN payments p ON p.id = r.payment_id"
     " WHERE p.order_id = $1 ORDER BY r.created_at, r.id OFFSET $2::bigint LIMIT 1",
     2, false},
    {"T_EVENTS", "SELECT count(*) AS n FROM order_events WHERE order_id = $1 AND event = $2", 2,
     false},
    {"T_STOCK", "SELECT available AS n FROM product_stock WHERE product_id = $1", 1, false},
    {"T_HEARD", "SELECT count(*) AS n FROM provider_events WHERE payment_id = $1", 1, false},
    {"T_RECEIPT", "SELECT receipt AS s FROM payments WHERE id = $1", 1, false},
    {"T_PAYMENTS", "SELECT count(*) AS n FROM payments WHERE order_id = $1", 1, false},
    {"T_REFUND", "SELECT status AS s FROM refunds WHERE id = $1", 1, false},
    {"T_REFUND_IS",
     "SELECT concat_ws(' ', status, channel, sent_amount, attempt, provider_ref, failure) AS s"
     " FROM refunds WHERE id = $1",
     1, false},
    {"T_REFUND_DUE", "UPDATE refunds SET ask_at = now() WHERE id = $1", 1, false},
    {"T_PROVIDER",
     "UPDATE payments SET provider = $2, provider_ref = 'pi_' || left(id::text, 8) || "
     "right(id::text, 12),"
     " phone = '+254712345678', receipt = right(id::text, 12) WHERE id = $1",
     2, false},
    {"T_BOOKED", "SELECT count(*) AS n FROM ledger_transactions WHERE subject = $1 AND kind = $2",
     2, false},
};

#define PARTS_MAX 2
#define STOCK 10
#define NOT_DUE INT64_C(3600000) /* an order's time to be paid, from now */

/* An order of one unit from each of its stores. */
struct sale {
    struct uuid order, buyer, payment;
    struct uuid stores[PARTS_MAX], products[PARTS_MAX];
    int64_t amounts[PARTS_MAX], total;
    size_t parts;
    int64_t expires_in; /* ms from now */
};

static struct party us;
static struct ctx *ctx;

static inline struct uuid
new_id(void)
{
    return uuid_v7(clock_ms());
}

static inline const char *
new_name(struct arena *a)
{
    char id[UUID_TEXT_SIZE];

    return arena_printf(a, "test-%s", uuid_text(new_id(), id));
}

/* --- rows ------------------------------------------------------------------------------------- */

static inline struct uuid
add_account(struct ctx *c)
{
    struct uuid id = new_id();

    pg_queue(c, ACCOUNTS_ADD, ARG_ID(id), ARG_TEXT("Test"), ARG_NULL, ARG_NULL,
             ARG_TEXT(new_name(c->arena)), ARG_TEXT(NO_PASSWORD));
    return id;
}

static inline enum err
sell_work(struct ctx *c, void *arg)
{
    struct sale *s = arg;
    struct uuid category = new_id();
    const char *names[PARTS_MAX] = {"A", "B"};
    const int64_t ones[PARTS_MAX] = {1, 1};

    s->order = new_id();
    s->buyer = add_account(c);
    pg_queue(c, CATALOG_CATEGORY_ADD, ARG_ID(category), ARG_NULL, ARG_TEXT(new_name(c->arena)));
    s->total = 0;
    for (size_t i = 0; i < s->parts; i++) {
        s->stores[i] = new_id();
        s->products[i] = new_id();
        s->total += s->amounts[i];
        pg_queue(c, STORES_ADD, ARG_ID(s->stores[i]), ARG_ID(add_account(c)),
                 ARG_TEXT(new_name(c->arena)), ARG_TEXT(""));
        pg_queue(c, CATALOG_PRODUCT_ADD, ARG_ID(s->products[i]), ARG_ID(s->stores[i]),
                 ARG_ID(category), ARG_TEXT(names[i]), ARG_TEXT(""), ARG_INT(s->amounts[i]),
                 ARG_TEXT("KES"), ARG_NULL, ARG_NULL, ARG_BOOL(true));
        pg_queue(c, CATALOG_STOCK_ADD, ARG_ID(s->products[i]), ARG_INT(STOCK));
    }
    char number[11];
    random_base32(number, sizeof(number) - 1);
    pg_queue(c, ORDERS_ADD, ARG_ID(s->order), ARG_TEXT(number), ARG_ID(s->buyer),
             ARG_TEXT("simulated"), ARG_TEXT("KES"), ARG_INT(s->total), ARG_TEXT("\"here\""),
             ARG_NULL, ARG_TIME(clock_ms() + s->expires_in));
    pg_queue(c, ORDERS_ADD_PARTS, ARG_ID(s->order), ARG_IDS(s->stores, s->parts),
             ARG_INTS(s->amounts, s->parts), ARG_INT(conf->commission_bp));
    pg_queue(c, ORDERS_ADD_LINES, ARG_ID(s->order), ARG_IDS(s->stores, s->parts),
             ARG_IDS(s->products, s->parts), ARG_TEXTS(names, s->parts),
             ARG_INTS(s->amounts, s->parts), ARG_INTS(ones, s->parts));
    return pg_run(c, CATALOG_STOCK_TAKE, ARG_IDS(s->products, s->parts), ARG_INTS(ones, s->parts));
}

struct attempt {
    struct uuid id, order;
    int64_t amount;
};

static inline enum err
attempt_work(struct ctx *c, void *arg)
{
    const struct attempt *a = arg;

    return pg_run(c, PAYMENTS_ADD, ARG_ID(a->id), ARG_ID(a->order), ARG_TEXT("simulated"),
                  ARG_INT(a->amount), ARG_TEXT("KES"), ARG_INT(a->amount), ARG_NULL, ARG_NULL,
                  ARG_NULL, ARG_ORIGIN(c));
}

static inline struct uuid
add_attempt(const struct sale *s)
{
    struct attempt a = {new_id(), s->order, s->total};

    ck_assert_int_eq(tx_run(ctx, attempt_work, &a), OK);
    return a.id;
}

/* A sale with an attempt to pay all of it. */
static inline struct sale
sell(int64_t first, int64_t second, int64_t expires_in)
{
    struct sale s = {
        .amounts = {first, second}, .parts = second > 0 ? 2 : 1, .expires_in = expires_in};

    ck_assert_int_eq(tx_run(ctx, sell_work, &s), OK);
    s.payment = add_attempt(&s);
    return s;
}

/* --- what is done to them --------------------------------------------------------------------- */

static inline enum err
settle_work(struct ctx *c, void *arg)
{
    return payments_settle(c, arg);
}

static inline struct verdict
verdict(struct uuid payment, const char *event, enum outcome outcome, int64_t amount)
{
    return (struct verdict){.payment = payment,
                            .provider = "simulated",
                            .event_id = event,
                            .outcome = outcome,
                            .amount = amount,
                            .currency = "KES"};
}

/* An event's id of our own, so that no other test has heard it. */
static inline const char *
event_of(struct uuid payment, int n)
{
    char id[UUID_TEXT_SIZE];

    return arena_printf(ctx->arena, "%s/%d", uuid_text(payment, id), n);
}

static inline void
paid(struct uuid payment, int64_t amount, int event)
{
    struct verdict v = verdict(payment, event_of(payment, event), OUTCOME_PAID, amount);

    ck_assert_int_eq(tx_run(ctx, settle_work, &v), OK);
}

static inline enum err
cancel_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;
    struct order o;

    enum err e = orders_lock(c, s->order, s->buyer, &o);
    return e != OK ? e : orders_cancel_all(c, &o, MOVER_BUYER);
}

static inline enum err
cancel_first_part_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;
    struct order o;

    enum err e = orders_lock_for_store(c, s->order, s->stores[0], &o);
    for (size_t i = 0; e == OK && i < o.part_count; i++) {
        if (uuid_equal(o.parts[i].store_id, s->stores[0]))
            e = orders_move_part(c, &o, i, PART_CANCELLED, MOVER_SELLER, NULL);
    }
    return e;
}

static inline enum err
expire_work(struct ctx *c, void *arg)
{
    const struct sale *s = arg;

    return payments_expire(c, s->order);
}

struct handing {
    enum err (*consumer)(struct ctx *, const struct delivery *);
    struct delivery delivery;
};

static inline enum err
handing_work(struct ctx *c, void *arg)
{
    const struct handing *h = arg;

    return h->consumer(c, &h->delivery);
}

static inline void
hand(enum err (*consumer)(struct ctx *, const struct delivery *), struct uuid subject)
{
    struct handing h = {consumer, {.subject = subject}};

    ck_assert_int_eq(tx_run(ctx, handing_work, &h), OK);
}

/* The provider simulated pays at once: nobody need be called. */
static inline enum err
pay_refund_work(struct ctx *c, void *arg)
{
    const struct handing *h = arg;
    void *step;

    enum err e = refunds_start(c, &h->delivery, &step);
    ck_assert_ptr_null(step);
    return e;
}

/* All refunds of an order are paid back, each asked for twice. */
static inline void
pay_refunds(const struct sale *s)
{
    int64_t n = NUMBER(ctx, T_REFUNDS, ARG_ID(s->order));

    for (int64_t i = 0; i < 2 * n; i++) {
        const char *id = STRING(ctx, T_REFUND_NTH, ARG_ID(s->order), ARG_INT(i / 2));
        struct uuid refund;

        ck_assert(uuid_parse(id, strlen(id), &refund));
        struct handing h = {.delivery = {.subject = refund}};
        ck_assert_int_eq(tx_run(ctx, pay_refund_work, &h), OK);
    }
}

/* --- what is seen ----------------------------------------------------------------------------- */

#define SEE_TEXT(stmt, id, want)                                                                   \
    do {                                                                                           \
        const char *seen_ = STRING(ctx, (stmt), ARG_ID(id));                                       \
        ck_assert_msg(seen_ != NULL && strcmp(seen_, (want)) == 0, "%s: %s is %s, not %s", label,  \
                      #stmt, seen_ == NULL ? "null" : seen_, (want));                              \
    } while (0)
#define SEE_NUMBER(want, stmt, ...)                                                                \
    do {                                                                                           \
        int64_t seen_ = NUMBER(ctx, (stmt), __VA_ARGS__);                                          \
        ck_assert_msg(seen_ == (want), "%s: %s is %lld, not %lld", label, #stmt, (long long)seen_, \
                      (long long)(want));                                                          \
    } while (0)

static inline void
see_refunds(const char *label, const struct sale *s, int64_t count, int64_t sum)
{
    SEE_NUMBER(count, T_REFUNDS, ARG_ID(s->order));
    SEE_NUMBER(sum, T_REFUND_SUM, ARG_ID(s->order));
    SEE_NUMBER(count, T_ASKED, ARG_ID(s->order));
}

static inline void
see_order(const char *label, const struct sale *s, const char *status, const char *payment_status)
{
    SEE_TEXT(T_ORDER, s->order, status);
    SEE_TEXT(T_ORDER_PAID, s->order, payment_status);
}

/* Whether the sale's goods are out, or back again: all of them, once. */
static inline void
see_stock(const char *label, const struct sale *s, int64_t want)
{
    for (size_t i = 0; i < s->parts; i++)
        SEE_NUMBER(want, T_STOCK, ARG_ID(s->products[i]));
}

/* --- at once ---------------------------------------------------------------------------------- */

/* Each runner is a process with a connection of its own; they are let go together. */
struct runner {
    enum err (*work)(struct ctx *, void *);
    void *arg;
};

static inline void
run_one(const struct runner *r, int ready, int gate)
{
    struct party mine;
    char none;

    shop_party(&mine, STMTS(more));
    if (write(ready, "x", 1) != 1 || read(gate, &none, 1) != 0)
        _exit(1);
    _exit(tx_run(&mine.ctx, r->work, r->arg) == OK ? 0 : 2);
}

static inline void
run_together(const struct runner *runners, size_t count)
{
    int ready[2], gate[2];
    pid_t pids[8];
    char none;

    ck_assert_uint_le(count, sizeof(pids) / sizeof(pids[0]));
    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(gate), 0);
    for (size_t i = 0; i < count; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) {
            close(gate[1]);
            run_one(&runners[i], ready[1], gate[0]);
        }
    }
    close(ready[1]);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(read(ready[0], &none, 1), 1);
    close(gate[1]);
    for (size_t i = 0; i < count; i++)
        expect_child(pids[i]);
    close(ready[0]);
    close(gate[0]);
}

static inline void
setup(void)
{
    shop_config(NULL);
    shop_party(&us, STMTS(more));
    ctx = &us.ctx;
}

static inline void
teardown(void)
{
    party_end(&us);
}

#endif
