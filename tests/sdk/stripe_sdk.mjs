// Stripe's official SDK against soko-sim: what a shop's developer would see of Stripe, he must see here.
//
//     node stripe_sdk.mjs drive SDK_FOLDER SOKO_SIM     runs all cases, as TAP
//     node stripe_sdk.mjs sign SDK_FOLDER               a signature header for each JSON line of standard
//                                                       input: {"payload", "secret", "timestamp"}
//
// SDK_FOLDER has node_modules/stripe. `drive` starts a simulator of its own, and is the shop that its
// webhooks go to; what it was sent is in `heard`.
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [mode, folder, simulator] = process.argv.slice(2);
const require = createRequire(join(folder, 'package.json'));
const Stripe = require('stripe');
const version = JSON.parse(readFileSync(join(folder, 'node_modules/stripe/package.json'))).version;

const KEY = 'sk_test_51SokoSimulatorOfStripe';
const SECRET = 'whsec_stripe_sdk_test';
const cases = [];
const test = (name, run) => cases.push([name, run]);

let base; // the simulator's port
let stripe; // no retries of its own, unless a case asks for them
const heard = []; // {headers, body}, as they came
let refuse = 0; // so many webhooks are answered 500

// --- small things

function client(options = {}, key = KEY) {
    return new Stripe(key, { host: '127.0.0.1', port: base, protocol: 'http', maxNetworkRetries: 0, ...options });
}

async function control(method, path, body) {
    const answer = await fetch(`http://127.0.0.1:${base}/sim/${path}`,
        { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const value = await answer.json();
    assert.ok(answer.status < 400, `${method} /sim/${path}: ${answer.status} ${JSON.stringify(value)}`);
    return value;
}

const bend = (operation, match, what, times = 1) =>
    control('POST', 'rules', { provider: 'stripe', operation, match, times, do: what });

async function until(words, look) {
    const end = Date.now() + 20000; // ends a test that would never end
    for (;;) {
        const got = await look();
        if (got) return got;
        if (Date.now() > end) assert.fail(`never came true: ${words}`);
        await new Promise((go) => setTimeout(go, 10));
    }
}

let made = 0;
const reference = () => `SDK${process.pid}N${++made}`;

function intentOf(more = {}) {
    return stripe.paymentIntents.create({
        amount: 129900, currency: 'kes', metadata: { order_id: reference() },
        automatic_payment_methods: { enabled: true, allow_redirects: 'never' }, ...more,
    });
}

const paid = (card = 'pm_card_visa', more = {}) => intentOf({ confirm: true, payment_method: card, ...more });

async function fails(promise, type, wanted) {
    let error;
    try {
        await promise;
    } catch (e) {
        error = e;
    }
    assert.ok(error, 'it did not fail');
    assert.equal(error.type, type, `${error.type}: ${error.message}`);
    assert.ok(error instanceof Stripe.errors[type], 'not of the SDK\'s class');
    for (const [name, value] of Object.entries(wanted)) assert.deepEqual(error[name], value, name);
    return error;
}

const eventsOf = async (object, type) =>
    (await control('GET', `stripe/events?match=${object.id}`)).filter((e) => !type || e.type === type);

// What came of this type about this intent, as it came.
const heardOf = (intent, type) => heard.filter((h) => {
    const event = JSON.parse(h.body);
    return event.type === type && [event.data.object.id, event.data.object.payment_intent].includes(intent.id);
});
const hear = (intent, type, count = 1) => until(`${count} ${type}`, () => {
    const got = heardOf(intent, type);
    return got.length >= count && got;
});

// --- PaymentIntents

test('it is the SDK that was locked', () => assert.equal(version, '20.4.1'));

test('create gives an intent that waits for a payment method', async () => {
    const intent = await stripe.paymentIntents.create({
        amount: 129900, currency: 'kes', description: 'SOKO000042', receipt_email: 'a@example.com',
        automatic_payment_methods: { enabled: true }, metadata: { order_id: '42', attempt_id: '7' },
    });
    assert.match(intent.id, /^pi_[A-Za-z0-9]{24}$/);
    assert.ok(intent.client_secret.startsWith(`${intent.id}_secret_`));
    const { id, client_secret, created, payment_method_options, amount_details, ...rest } = intent;
    assert.ok(Math.abs(created - Date.now() / 1000) < 60);
    assert.deepEqual({ ...rest }, {
        object: 'payment_intent', amount: 129900, amount_capturable: 0, amount_received: 0, application: null,
        application_fee_amount: null, automatic_payment_methods: { enabled: true, allow_redirects: 'always' },
        canceled_at: null, cancellation_reason: null, capture_method: 'automatic_async',
        confirmation_method: 'automatic', currency: 'kes', customer: null, description: 'SOKO000042',
        last_payment_error: null, latest_charge: null, livemode: false,
        metadata: { order_id: '42', attempt_id: '7' }, next_action: null, on_behalf_of: null,
        payment_method: null, payment_method_configuration_details: null, payment_method_types: ['card'],
        processing: null, receipt_email: 'a@example.com', review: null, setup_future_usage: null,
        shipping: null, source: null, statement_descriptor: null, statement_descriptor_suffix: null,
        status: 'requires_payment_method', transfer_data: null, transfer_group: null,
    });
    assert.match(intent.lastResponse.requestId, /^req_/);
});

test('retrieve gives what create gave', async () => {
    const intent = await intentOf();
    assert.deepEqual({ ...await stripe.paymentIntents.retrieve(intent.id) }, { ...intent });
});

test('update merges metadata, and an empty value unsets', async () => {
    const intent = await intentOf({ metadata: { a: '1', b: '2' } });
    const now = await stripe.paymentIntents.update(intent.id, { amount: 99900, metadata: { b: '', c: '3' } });
    assert.equal(now.amount, 99900);
    assert.deepEqual(now.metadata, { a: '1', c: '3' });
});

test('a payment method without confirm is requires_confirmation', async () => {
    const intent = await intentOf({ payment_method: 'pm_card_visa' });
    assert.equal(intent.status, 'requires_confirmation');
    assert.match(intent.payment_method, /^pm_1/);
    assert.equal((await stripe.paymentIntents.confirm(intent.id)).status, 'succeeded');
});

test('lists go through all pages', async () => {
    const mine = new Set();
    for (let i = 0; i < 5; i++) mine.add((await intentOf()).id);
    for await (const intent of stripe.paymentIntents.list({ limit: 2 })) {
        mine.delete(intent.id);
        if (mine.size === 0) break;
    }
    assert.equal(mine.size, 0);
});

// --- each test card

for (const card of ['pm_card_visa', 'pm_card_visa_debit', 'pm_card_mastercard', 'pm_card_amex',
    'pm_card_pendingRefund', 'pm_card_refundFail', 'pm_card_createDispute', 'pm_card_createDisputeInquiry']) {
    test(`confirm with ${card} succeeds`, async () => {
        const intent = await intentOf();
        const now = await stripe.paymentIntents.confirm(intent.id,
            { payment_method: card, expand: ['latest_charge', 'payment_method'] });
        assert.equal(now.status, 'succeeded');
        assert.equal(now.amount_received, 129900);
        assert.equal(now.latest_charge.object, 'charge');
        assert.equal(now.latest_charge.payment_intent, intent.id);
        assert.ok(now.latest_charge.paid && now.latest_charge.captured);
        assert.equal(now.payment_method.type, 'card');
    });
}

for (const [card, code, decline] of [
    ['pm_card_chargeDeclined', 'card_declined', 'generic_decline'],
    ['pm_card_visa_chargeDeclined', 'card_declined', 'generic_decline'],
    ['pm_card_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
    ['pm_card_visa_chargeDeclinedLostCard', 'card_declined', 'lost_card'],
    ['pm_card_visa_chargeDeclinedStolenCard', 'card_declined', 'stolen_card'],
    ['pm_card_radarBlock', 'card_declined', 'fraudulent'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'expired_card'],
    ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc', 'incorrect_cvc'],
    ['pm_card_chargeDeclinedProcessingError', 'processing_error', 'processing_error'],
]) {
    test(`confirm with ${card} is a StripeCardError, and the intent can be paid later`, async () => {
        const intent = await intentOf();
        const error = await fails(stripe.paymentIntents.confirm(intent.id, { payment_method: card }),
            'StripeCardError', { statusCode: 402, code, decline_code: decline });
        assert.equal(error.payment_intent.id, intent.id);
        assert.match(error.charge, /^ch_/);
        const now = await stripe.paymentIntents.retrieve(intent.id);
        assert.equal(now.status, 'requires_payment_method');
        assert.equal(now.payment_method, null);
        assert.equal(now.last_payment_error.code, code);
        assert.equal((await stripe.charges.retrieve(now.latest_charge)).status, 'failed');
        const again = await stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' });
        assert.equal(again.status, 'succeeded');
        assert.equal(again.last_payment_error, null);
        assert.equal((await eventsOf(intent, 'payment_intent.payment_failed')).length, 1);
    });
}

test('a card by its number is a payment method', async () => {
    const method = await stripe.paymentMethods.create(
        { type: 'card', card: { number: '4000000000009995', exp_month: 12, exp_year: 2034, cvc: '123' } });
    assert.equal(method.card.last4, '9995');
    await fails(paid(method.id), 'StripeCardError', { decline_code: 'insufficient_funds' });
});

for (const card of ['pm_card_authenticationRequired', 'pm_card_threeDSecure2Required']) {
    test(`confirm with ${card} requires action, then succeeds`, async () => {
        const intent = await paid(card);
        assert.equal(intent.status, 'requires_action');
        assert.equal(intent.next_action.type, 'use_stripe_sdk');
        await control('POST', 'stripe/complete', { intent: intent.id, result: 'succeeded' });
        assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, 'succeeded');
        assert.equal((await eventsOf(intent, 'payment_intent.requires_action')).length, 1);
    });
}

test('an authentication that fails goes back to requires_payment_method', async () => {
    const intent = await paid('pm_card_authenticationRequired');
    await control('POST', 'stripe/complete', { intent: intent.id, result: 'failed' });
    const now = await stripe.paymentIntents.retrieve(intent.id);
    assert.equal(now.status, 'requires_payment_method');
    assert.equal(now.last_payment_error.code, 'payment_intent_authentication_failure');
});

test('with a return_url the action is a redirect', async () => {
    const intent = await paid('pm_card_authenticationRequired', { return_url: 'https://shop.example/back' });
    assert.equal(intent.next_action.redirect_to_url.return_url, 'https://shop.example/back');
});

test('off session, authentication is a StripeCardError', async () => {
    await fails(paid('pm_card_authenticationRequired', { off_session: true }), 'StripeCardError',
        { statusCode: 402, code: 'authentication_required' });
});

test('the buyer confirms with the client_secret alone', async () => {
    const intent = await intentOf({ automatic_payment_methods: { enabled: true } });
    const now = await control('POST', 'stripe/confirm',
        { intent: intent.id, client_secret: intent.client_secret, card: 'pm_card_visa' });
    assert.equal(now.status, 'succeeded');
    const wrong = await fetch(`http://127.0.0.1:${base}/sim/stripe/confirm`, { method: 'POST', body: JSON.stringify(
        { intent: intent.id, client_secret: 'pi_secret_no', card: 'pm_card_visa' }) });
    assert.equal(wrong.status, 400);
});

test('a payment may be processing first', async () => {
    const id = reference();
    await bend('confirm_intent', id, { processing_ms: null });
    const intent = await intentOf({ metadata: { order_id: id } });
    const now = await stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' });
    assert.equal(now.status, 'processing');
    await fails(stripe.paymentIntents.cancel(intent.id), 'StripeInvalidRequestError',
        { code: 'payment_intent_unexpected_state' });
    await control('POST', 'stripe/complete', { intent: intent.id, result: 'succeeded' });
    assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, 'succeeded');
});

// --- capture and cancel

test('manual capture holds first; less may be captured, more may not', async () => {
    const intent = await paid('pm_card_visa', { capture_method: 'manual' });
    assert.equal(intent.status, 'requires_capture');
    assert.equal(intent.amount_capturable, 129900);
    await fails(stripe.paymentIntents.capture(intent.id, { amount_to_capture: 129901 }),
        'StripeInvalidRequestError', { statusCode: 400, code: 'amount_too_large' });
    const now = await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 100000 });
    assert.equal(now.status, 'succeeded');
    assert.equal(now.amount_received, 100000);
    await fails(stripe.refunds.create({ payment_intent: intent.id, amount: 100001 }),
        'StripeInvalidRequestError', { statusCode: 400 });
    assert.equal((await stripe.refunds.create({ payment_intent: intent.id })).amount, 100000);
});

for (const [state, make] of [
    ['requires_payment_method', () => intentOf()],
    ['requires_confirmation', () => intentOf({ payment_method: 'pm_card_visa' })],
    ['requires_action', () => paid('pm_card_authenticationRequired')],
    ['requires_capture', () => paid('pm_card_visa', { capture_method: 'manual' })],
]) {
    test(`cancel from ${state}`, async () => {
        const intent = await make();
        assert.equal(intent.status, state);
        const now = await stripe.paymentIntents.cancel(intent.id, { cancellation_reason: 'abandoned' });
        assert.equal(now.status, 'canceled');
        assert.equal(now.cancellation_reason, 'abandoned');
        assert.ok(now.canceled_at > 0);
        const error = await fails(stripe.paymentIntents.cancel(intent.id), 'StripeInvalidRequestError',
            { statusCode: 400, code: 'payment_intent_unexpected_state' });
        assert.equal(error.payment_intent.status, 'canceled');
        await fails(stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' }),
            'StripeInvalidRequestError', { code: 'payment_intent_unexpected_state' });
        assert.equal((await eventsOf(intent, 'payment_intent.canceled')).length, 1);
    });
}

test('what succeeded cannot be cancelled, changed, captured or confirmed, and the error says so', async () => {
    const intent = await paid();
    for (const again of [
        () => stripe.paymentIntents.cancel(intent.id), () => stripe.paymentIntents.capture(intent.id),
        () => stripe.paymentIntents.update(intent.id, { amount: 100000 }),
        () => stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' }),
    ]) {
        const error = await fails(again(), 'StripeInvalidRequestError',
            { statusCode: 400, code: 'payment_intent_unexpected_state' });
        assert.equal(error.payment_intent.status, 'succeeded');
    }
});

// --- refunds

test('refunds in parts never exceed the charge', async () => {
    const intent = await paid();
    const first = await stripe.refunds.create(
        { payment_intent: intent.id, amount: 29900, reason: 'requested_by_customer', metadata: { refund_id: '9' } });
    assert.match(first.id, /^re_/);
    assert.equal(first.status, 'succeeded');
    assert.deepEqual(first.metadata, { refund_id: '9' });
    const error = await fails(stripe.refunds.create({ payment_intent: intent.id, amount: 100001 }),
        'StripeInvalidRequestError', { statusCode: 400, param: 'amount' });
    assert.match(error.message, /^Refund amount \(.*\) is greater than unrefunded amount on charge \(.*\)$/);
    assert.equal((await stripe.refunds.create({ charge: intent.latest_charge })).amount, 100000);
    await fails(stripe.refunds.create({ payment_intent: intent.id }), 'StripeInvalidRequestError',
        { statusCode: 400, code: 'charge_already_refunded' });
    const charge = await stripe.charges.retrieve(intent.latest_charge, { expand: ['refunds'] });
    assert.equal(charge.amount_refunded, 129900);
    assert.ok(charge.refunded);
    assert.equal(charge.refunds.data.length, 2);
    assert.deepEqual({ ...await stripe.refunds.retrieve(first.id) }, { ...first });
    const all = await stripe.refunds.list({ payment_intent: intent.id });
    assert.deepEqual(all.data.map((r) => r.amount), [100000, 29900]);
    const kinds = (await eventsOf(intent)).map((e) => e.type);
    assert.equal(kinds.filter((k) => k === 'charge.refunded').length, 2);
    assert.equal(kinds.filter((k) => k === 'refund.created').length, 2);
});

test('twenty refunds at once take no more than there is', async () => {
    const intent = await paid();
    const all = await Promise.allSettled(Array.from({ length: 20 }, () =>
        stripe.refunds.create({ payment_intent: intent.id, amount: 30000 })));
    assert.equal(all.filter((r) => r.status === 'fulfilled').length, 4);
    assert.equal((await stripe.charges.retrieve(intent.latest_charge)).amount_refunded, 120000);
});

test('what is not paid cannot be refunded', async () => {
    await fails(stripe.refunds.create({ payment_intent: (await intentOf()).id }), 'StripeInvalidRequestError',
        { statusCode: 400 });
});

test('a pending refund succeeds later', async () => {
    const intent = await paid('pm_card_pendingRefund');
    const refund = await stripe.refunds.create({ payment_intent: intent.id });
    assert.equal(refund.status, 'pending');
    await until('it succeeds', async () => (await stripe.refunds.retrieve(refund.id)).status === 'succeeded');
    assert.equal((await hear(intent, 'refund.updated')).length, 1);
});

test('a refund fails after it succeeded, and can be made again', async () => {
    const intent = await paid('pm_card_refundFail');
    const refund = await stripe.refunds.create({ payment_intent: intent.id });
    assert.equal(refund.status, 'succeeded');
    const now = await until('it fails', async () => {
        const r = await stripe.refunds.retrieve(refund.id);
        return r.status === 'failed' && r;
    });
    assert.equal(now.failure_reason, 'expired_or_canceled_card');
    assert.equal((await hear(intent, 'refund.failed')).length, 1);
    assert.equal((await stripe.charges.retrieve(intent.latest_charge)).amount_refunded, 0);
    assert.notEqual((await stripe.refunds.create({ payment_intent: intent.id })).id, refund.id);
});

test('a charge that was disputed is not refundable; one with an inquiry is', async () => {
    const disputed = await paid('pm_card_createDispute');
    await fails(stripe.refunds.create({ payment_intent: disputed.id }), 'StripeInvalidRequestError',
        { code: 'charge_disputed' });
    assert.equal((await eventsOf(disputed, 'charge.dispute.created'))[0].data.object.status, 'needs_response');
    const asked = await paid('pm_card_createDisputeInquiry');
    assert.equal((await stripe.refunds.create({ payment_intent: asked.id })).status, 'succeeded');
});

// --- events

test('events are listed, newest first, by type, in pages, from both ends', async () => {
    const intent = await paid();
    await stripe.refunds.create({ payment_intent: intent.id });
    const types = ['payment_intent.created', 'payment_intent.succeeded', 'charge.refunded'];
    const all = (await stripe.events.list({ types, limit: 100 })).data;
    const mine = all.filter((e) => [e.data.object.id, e.data.object.payment_intent].includes(intent.id));
    assert.deepEqual(mine.map((e) => e.type), [...types].reverse());
    const page = await stripe.events.list({ types, limit: 2 });
    assert.ok(page.has_more);
    assert.deepEqual(page.data.map((e) => e.id), all.slice(0, 2).map((e) => e.id));
    const older = await stripe.events.list({ types, limit: 2, starting_after: page.data[1].id });
    assert.deepEqual(older.data.map((e) => e.id), all.slice(2, 4).map((e) => e.id));
    const newer = await stripe.events.list({ types, limit: 1, ending_before: all[2].id });
    assert.deepEqual(newer.data.map((e) => e.id), [all[1].id]);
    assert.ok(newer.has_more);
    const one = await stripe.events.retrieve(mine[0].id);
    assert.equal(one.data.object.id, intent.latest_charge);
    assert.equal(one.api_version, '2026-10-28.endive');
});

test('an event tells the request that caused it', async () => {
    const key = reference();
    const intent = await stripe.paymentIntents.create({ amount: 129900, currency: 'kes' }, { idempotencyKey: key });
    const [event] = await eventsOf(intent, 'payment_intent.created');
    assert.deepEqual(event.request, { id: intent.lastResponse.requestId, idempotency_key: key });
});

test('what was not delivered is found by delivery_success', async () => {
    const id = reference();
    await bend('event', id, { lost: true }, null);
    const intent = await paid('pm_card_visa', { metadata: { order_id: id } });
    const other = await paid();
    await hear(other, 'payment_intent.succeeded');
    await until('the other is known as delivered', async () =>
        (await stripe.events.list({ type: 'payment_intent.succeeded', delivery_success: true })).data
            .some((e) => e.data.object.id === other.id));
    const missed = (await stripe.events.list({ type: 'payment_intent.succeeded', delivery_success: false })).data;
    assert.ok(missed.some((e) => e.data.object.id === intent.id));
    assert.ok(!missed.some((e) => e.data.object.id === other.id));
    assert.equal(heardOf(intent, 'payment_intent.succeeded').length, 0);
});

// --- idempotency

test('the same key replays the answer, and does nothing', async () => {
    const idempotencyKey = reference();
    const wanted = { amount: 129900, currency: 'kes', metadata: { order_id: idempotencyKey } };
    const first = await stripe.paymentIntents.create(wanted, { idempotencyKey });
    const again = await stripe.paymentIntents.create(wanted, { idempotencyKey });
    assert.deepEqual({ ...again }, { ...first });
    assert.equal(first.lastResponse.headers['idempotent-replayed'], undefined);
    assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
    assert.equal(again.lastResponse.headers['original-request'], first.lastResponse.requestId);
    assert.equal(again.lastResponse.idempotencyKey, idempotencyKey);
    assert.equal((await control('GET', `stripe/intents?match=${idempotencyKey}`)).length, 1);
});

test('a replay of a decline is the same decline', async () => {
    const intent = await intentOf();
    const idempotencyKey = reference();
    const confirm = () => stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_chargeDeclined' },
        { idempotencyKey });
    const first = await fails(confirm(), 'StripeCardError', { statusCode: 402 });
    const again = await fails(confirm(), 'StripeCardError', { statusCode: 402, charge: first.charge });
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.equal((await eventsOf(intent, 'charge.failed')).length, 1);
});

test('the same key with other parameters is a StripeIdempotencyError', async () => {
    const idempotencyKey = reference();
    await stripe.paymentIntents.create({ amount: 129900, currency: 'kes' }, { idempotencyKey });
    const error = await fails(stripe.paymentIntents.create({ amount: 129901, currency: 'kes' }, { idempotencyKey }),
        'StripeIdempotencyError', { statusCode: 400 });
    assert.match(error.message, /^Keys for idempotent requests can only be used with the same parameters/);
});

test('the same key at another endpoint is a StripeIdempotencyError', async () => {
    const idempotencyKey = reference();
    const intent = await stripe.paymentIntents.create({ amount: 129900, currency: 'kes' }, { idempotencyKey });
    await fails(stripe.paymentIntents.cancel(intent.id, {}, { idempotencyKey }), 'StripeIdempotencyError',
        { statusCode: 400 });
});

test('the same key in flight is a 409, and the SDK, if it may, waits for the first answer', async () => {
    const idempotencyKey = reference();
    const wanted = { amount: 129900, currency: 'kes', metadata: { order_id: idempotencyKey } };
    const rule = await bend('create_intent', idempotencyKey, { before_ms: 60000 });
    const first = stripe.paymentIntents.create(wanted, { idempotencyKey });
    await until('the first came', async () =>
        (await control('GET', `calls?match=${idempotencyKey}`)).length === 1);
    await fails(stripe.paymentIntents.create(wanted, { idempotencyKey }), 'StripeIdempotencyError',
        { statusCode: 409, code: 'idempotency_key_in_use' });
    const patient = client({ maxNetworkRetries: 5 }).paymentIntents.create(wanted, { idempotencyKey });
    await until('the third came', async () =>
        (await control('GET', `calls?match=${idempotencyKey}`)).length >= 3);
    await control('DELETE', `rules/${rule.id}`); // the first goes on
    assert.equal((await patient).id, (await first).id);
});

test('a refused parameter is not stored: the key can be used again', async () => {
    const idempotencyKey = reference();
    await fails(stripe.paymentIntents.create({ amount: 1, currency: 'kes' }, { idempotencyKey }),
        'StripeInvalidRequestError', { code: 'amount_too_small' });
    assert.equal((await stripe.paymentIntents.create({ amount: 129900, currency: 'kes' }, { idempotencyKey })).amount,
        129900);
});

test('a 500 is stored and replayed', async () => {
    const idempotencyKey = reference();
    const wanted = { amount: 129900, currency: 'kes', metadata: { order_id: idempotencyKey } };
    await bend('create_intent', idempotencyKey, { status: 500 });
    await fails(stripe.paymentIntents.create(wanted, { idempotencyKey }), 'StripeAPIError', { statusCode: 500 });
    const again = await fails(stripe.paymentIntents.create(wanted, { idempotencyKey }), 'StripeAPIError',
        { statusCode: 500 });
    assert.equal(again.headers['idempotent-replayed'], 'true');
});

for (const [words, what] of [
    ['an answer that is lost', { drop: true }], ['a 503 after the effect', { status: 503, effect: true }],
    ['a 429 that says retry', { status: 429, should_retry: 'true' }], ['a reset', { refuse_connection: true }],
]) {
    test(`${words} is repeated by the SDK, and has one effect`, async () => {
        const id = reference();
        await bend('create_intent', id, what);
        const intent = await client({ maxNetworkRetries: 2 }).paymentIntents.create(
            { amount: 129900, currency: 'kes', metadata: { order_id: id } });
        const all = await control('GET', `stripe/intents?match=${id}`);
        assert.deepEqual(all.map((i) => i.id), [intent.id]);
        assert.equal((await control('GET', `calls?match=${id}`)).length, 2);
    });
}

// --- errors

for (const [words, wanted, error] of [
    ['a missing amount', { amount: undefined }, { code: 'parameter_missing', param: 'amount' }],
    ['a missing currency', { currency: undefined }, { code: 'parameter_missing', param: 'currency' }],
    ['an unknown parameter', { colour: 'red' }, { code: 'parameter_unknown', param: 'colour' }],
    ['an unknown inner parameter', { automatic_payment_methods: { enabled: true, often: 1 } },
        { code: 'parameter_unknown', param: 'automatic_payment_methods[often]' }],
    ['an amount that is no integer', { amount: '12.50' }, { code: 'parameter_invalid_integer', param: 'amount' }],
    ['an amount of 0', { amount: 0 }, { code: 'parameter_invalid_integer', param: 'amount' }],
    ['a small amount', { amount: 6499 }, { code: 'amount_too_small', param: 'amount' }],
    ['nine digits', { amount: 100000000 }, { code: 'amount_too_large', param: 'amount' }],
    ['an empty currency', { currency: '' }, { code: 'parameter_invalid_empty', param: 'currency' }],
    ['an unknown currency', { currency: 'xyz' }, { param: 'currency' }],
    ['an unknown word', { capture_method: 'later' }, { param: 'capture_method' }],
    ['a long metadata key', { metadata: { ['k'.repeat(41)]: 'v' } }, { param: 'metadata' }],
    ['a payment method that is not there', { payment_method: 'pm_none' },
        { code: 'resource_missing', param: 'payment_method' }],
    ['confirming without return_url what may redirect', { confirm: true, payment_method: 'pm_card_visa',
        automatic_payment_methods: { enabled: true } }, { param: 'return_url' }],
    ['an impossible expand', { expand: ['latest_charge.colour'] }, { param: 'expand' }],
]) {
    test(`${words} is a StripeInvalidRequestError, 400`, async () => {
        const before = (await control('GET', 'stripe/intents')).length;
        await fails(intentOf(wanted), 'StripeInvalidRequestError', { statusCode: 400, ...error });
        assert.equal((await control('GET', 'stripe/intents')).length, before);
    });
}

test('the largest amount is taken, and a currency without decimals', async () => {
    assert.equal((await intentOf({ amount: 99999999 })).amount, 99999999);
    assert.equal((await intentOf({ amount: 700, currency: 'RWF' })).currency, 'rwf');
});

for (const [words, call] of [
    ['payment_intent', () => stripe.paymentIntents.retrieve('pi_none')],
    ['charge', () => stripe.charges.retrieve('ch_none')],
    ['refund', () => stripe.refunds.retrieve('re_none')],
    ['event', () => stripe.events.retrieve('evt_none')],
]) {
    test(`no such ${words} is a StripeInvalidRequestError, 404`, async () => {
        const error = await fails(call(), 'StripeInvalidRequestError', { statusCode: 404, code: 'resource_missing' });
        assert.match(error.message, new RegExp(`^No such ${words}: '\\w+_none'$`));
    });
}

test('a path that Stripe does not have is 404', async () => {
    await fails(stripe.rawRequest('GET', '/v1/payment_intentions'), 'StripeInvalidRequestError', { statusCode: 404 });
});

test('a wrong key is a StripeAuthenticationError, and is not shown', async () => {
    const error = await fails(client({}, 'sk_test_another_key').paymentIntents.list(), 'StripeAuthenticationError',
        { statusCode: 401 });
    assert.ok(!error.message.includes('another'));
});

test('403 and 429 have the SDK\'s classes', async () => {
    const id = reference();
    const create = () => intentOf({ metadata: { order_id: id } });
    await bend('create_intent', id, { status: 403 });
    await fails(create(), 'StripePermissionError', { statusCode: 403 });
    await bend('create_intent', id, { status: 429 });
    await fails(create(), 'StripeRateLimitError', { statusCode: 429, code: 'rate_limit' });
    await bend('create_intent', id, { status: 429, code: 'lock_timeout' });
    await fails(create(), 'StripeRateLimitError', { statusCode: 429, code: 'lock_timeout' });
});

for (const body of ['html', 'empty', 'truncated']) {
    test(`an answer that is ${body} is a StripeAPIError`, async () => {
        const id = reference();
        await bend('create_intent', id, { body });
        await fails(intentOf({ metadata: { order_id: id } }), 'StripeAPIError', {});
    });
}

test('an answer that drips comes whole', async () => {
    const id = reference();
    await bend('create_intent', id, { body: 'drip', drip_ms: 0 });
    assert.equal((await intentOf({ metadata: { order_id: id } })).amount, 129900);
});

test('any Stripe-Version is accepted, and echoed', async () => {
    for (const apiVersion of ['2020-08-27', '2024-06-20', '2026-10-28.endive']) {
        const intent = await client({ apiVersion }).paymentIntents.create({ amount: 129900, currency: 'kes' });
        assert.equal(intent.lastResponse.apiVersion, apiVersion);
    }
});

// --- webhooks

test('constructEvent accepts what the simulator sends', async () => {
    const intent = await paid();
    const [one] = await hear(intent, 'payment_intent.succeeded');
    const event = stripe.webhooks.constructEvent(one.body, one.headers['stripe-signature'], SECRET);
    assert.equal(event.object, 'event');
    assert.equal(event.data.object.id, intent.id);
    assert.equal(event.data.object.amount_received, 129900);
    assert.equal(one.path, '/webhooks/stripe');
    assert.equal(one.headers['content-type'], 'application/json; charset=utf-8');
    assert.match(one.headers['user-agent'], /^Stripe\/1\.0 /);
});

for (const [signature, good] of [['two', true], ['bad', false], ['wrong_secret', false], ['old', false],
    ['v0', false], ['none', false], ['future', true]]) {
    test(`constructEvent ${good ? 'accepts' : 'refuses'} a signature that is: ${signature}`, async () => {
        const id = reference();
        await bend('event:payment_intent.created', id, { signature });
        const intent = await intentOf({ metadata: { order_id: id } });
        const [one] = await hear(intent, 'payment_intent.created');
        const read = () => stripe.webhooks.constructEvent(one.body, one.headers['stripe-signature'], SECRET);
        if (good) {
            assert.equal(read().data.object.id, intent.id);
        } else {
            assert.throws(read, Stripe.errors.StripeSignatureVerificationError);
        }
    });
}

test('what fails is sent again, the same event with a signature of its own', async () => {
    refuse = 2;
    const intent = await intentOf();
    const all = await hear(intent, 'payment_intent.created', 3);
    const events = all.map((h) => stripe.webhooks.constructEvent(h.body, h.headers['stripe-signature'], SECRET));
    assert.equal(new Set(events.map((e) => e.id)).size, 1);
    await until('it is delivered', async () =>
        (await control('GET', `deliveries?match=${intent.id}`))[0].state === 'delivered');
    assert.deepEqual((await control('GET', `deliveries?match=${intent.id}`))[0].attempts.map((a) => a.status),
        [500, 500, 200]);
});

test('an event may lie about the amount; the API does not', async () => {
    const id = reference();
    await bend('event:payment_intent.succeeded', id, { amount: 100, currency: 'usd' });
    const intent = await paid('pm_card_visa', { metadata: { order_id: id } });
    const [one] = await hear(intent, 'payment_intent.succeeded');
    const said = JSON.parse(one.body).data.object;
    assert.deepEqual([said.amount_received, said.currency], [100, 'usd']);
    assert.equal((await stripe.paymentIntents.retrieve(intent.id)).amount_received, 129900);
});

test('the books say what was charged and what went back', async () => {
    const id = reference();
    const intent = await paid('pm_card_visa', { metadata: { order_id: id } });
    await stripe.refunds.create({ payment_intent: intent.id, amount: 29900 });
    const { charges } = (await control('GET', 'books')).stripe.KES;
    const [mine] = charges.filter((c) => c.order === id);
    assert.deepEqual([mine.ref, mine.amount, mine.refunded], [intent.latest_charge, 129900, 29900]);
});

// --- the run

async function drive() {
    const temp = mkdtempSync(join(tmpdir(), 'soko-sdk-'));
    const config = join(temp, 'sim.conf');
    writeFileSync(config, `STRIPE_SECRET_KEY=${KEY}\nSTRIPE_WEBHOOK_SECRETS=${SECRET}\n`);
    const shop = createServer((request, response) => {
        const parts = [];
        request.on('data', (part) => parts.push(part));
        request.on('end', () => {
            heard.push({ path: request.url, headers: request.headers, body: Buffer.concat(parts).toString() });
            response.writeHead(refuse > 0 ? 500 : 200).end('{}');
            refuse = Math.max(0, refuse - 1);
        });
    });
    await new Promise((go) => shop.listen(0, '127.0.0.1', go));
    const child = spawn(simulator, ['--port', '0', '--shop', `http://127.0.0.1:${shop.address().port}`,
        '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] });
    process.on('exit', () => child.kill('SIGTERM'));
    const ended = new Promise((go) => child.on('exit', (code) => go(code)));
    const lines = createInterface({ input: child.stdout });
    base = await new Promise((go, stop) => {
        child.on('exit', () => stop(new Error('soko-sim ended')));
        lines.on('line', (line) => {
            const said = JSON.parse(line);
            if (said.event === 'listening') go(said.port);
            if (said.event === 'broken') process.stderr.write(`${said.error}\n`);
        });
    });
    stripe = client();
    let failed = 0;
    console.log(`1..${cases.length}`);
    for (const [i, [name, run]] of cases.entries()) {
        try {
            await run();
            console.log(`ok ${i + 1} - ${name}`);
        } catch (e) {
            failed++;
            console.log(`not ok ${i + 1} - ${name}`);
            console.log(String(e.stack ?? e).replace(/^/gm, '# '));
        }
    }
    child.kill('SIGTERM');
    await ended;
    shop.closeAllConnections();
    shop.close();
    rmSync(temp, { recursive: true });
    process.exitCode = failed > 0 ? 1 : 0;
}

async function sign() {
    const webhooks = new Stripe(KEY).webhooks;
    for await (const line of createInterface({ input: process.stdin })) {
        console.log(webhooks.generateTestHeaderString(JSON.parse(line)));
    }
}

await { drive, sign }[mode]();
