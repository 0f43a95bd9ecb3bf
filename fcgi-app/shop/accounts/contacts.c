/*
 * Whoever takes over a session changes the address first. So the old one is told, and not the new:
 * a changed address there, a changed number by SMS to the old number. What was not there before, or
 * is a username, is told by what there was otherwise.
 *
 * Nobody has shown that what he is called by is his own: whoever sets the number of somebody else,
 * and then another, has that one sent an SMS by us. So changes are counted by account, and those
 * that tell somebody by whom they tell, as many accounts may pass one number round.
 */
#include "shop/accounts/contacts.h"

#include "io/pg.h"
#include "shop/accounts/throttle.h"
#include "shop/audit.h"
#include "shop/messages.h"
#include "shop/stmt.h"

#include <string.h>

#define CHANGES_PER_HOUR 10

static const struct field contacts_fields[] = {
    FIELD(struct contacts, name),           FIELD(struct contacts, email),
    FIELD(struct contacts, phone),          FIELD(struct contacts, username),
    FIELD(struct contacts, email_verified), FIELD(struct contacts, phone_verified),
};
static const struct input contacts = INPUT(contacts, "Contacts", NULL);

enum err
contacts_lock(struct ctx *ctx, struct uuid account, struct contacts *out)
{
    return pg_one(ctx, CODES_CONTACTS, &contacts, out, ARG_ID(account));
}

struct password_owner
contacts_owner(const struct contacts *c)
{
    return (struct password_owner){c->name, c->email, c->phone, c->username};
}

static bool
is_same(const char *x, const char *y)
{
    return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

/* By the channel that it was itself, else by e-mail, else by SMS. */
static enum err
tell(struct ctx *ctx, struct uuid account, const struct contacts *before, enum notice what)
{
    bool by_sms = before->phone != NULL && (what == NOTICE_PHONE_CHANGED || before->email == NULL);

    const char *target = by_sms ? before->phone : before->email;
    struct try made;

    if (target == NULL)
        return OK;
    messages_notice_to(ctx, account, what, by_sms ? CHANNEL_SMS : CHANNEL_EMAIL, target);
    return throttle_take(ctx, "contact_told", target, NULL, CHANGES_PER_HOUR, &made);
}

enum err
contacts_changed(struct ctx *ctx, struct uuid account, const struct contacts *before,
                 const struct contacts *after)
{
    const struct {
        const char *what, *before, *after;
        enum notice notice;
    } changes[] = {
        {"email", before->email, after->email, NOTICE_EMAIL_CHANGED},
        {"phone", before->phone, after->phone, NOTICE_PHONE_CHANGED},
        {"username", before->username, after->username, NOTICE_USERNAME_CHANGED},
    };
    char id[UUID_TEXT_SIZE];
    struct try made;
    enum err e = OK;

    for (size_t i = 0; e == OK && i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (is_same(changes[i].before, changes[i].after))
            continue;
        audit_note(ctx, AUDIT_CONTACT_CHANGED, account, "what", changes[i].what);
        e = throttle_take(ctx, "contact", uuid_text(account, id), NULL, CHANGES_PER_HOUR, &made);
        if (e == OK)
            e = tell(ctx, account, before, changes[i].notice);
    }
    return e;
}
