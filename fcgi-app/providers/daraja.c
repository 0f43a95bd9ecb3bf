/* STUB: replaced by its owner before this branch lands. */
#include "providers/daraja.h"
enum heard daraja_fetch_token(struct ctx *ctx, const char **token, int64_t *expires_s,
                              struct refusal *why)
{ (void)ctx; (void)token; (void)expires_s; (void)why; return HEARD_NOT_SENT; }
int64_t daraja_whole(int64_t minor)
{ (void)minor; return 0; }
enum heard daraja_push(struct ctx *ctx, const struct daraja_auth *auth,
                       const struct daraja_push_in *in, struct daraja_push *out,
                       struct refusal *why)
{ (void)ctx; (void)auth; (void)in; (void)out; (void)why; return HEARD_NOT_SENT; }
enum daraja_word daraja_stk_word(const char *result_code)
{ (void)result_code; return 0; }
enum heard daraja_query(struct ctx *ctx, const struct daraja_auth *auth, const char *checkout_id,
                        enum daraja_word *word, const char **code)
{ (void)ctx; (void)auth; (void)checkout_id; (void)word; (void)code; return HEARD_NOT_SENT; }
enum heard daraja_pull(struct ctx *ctx, const struct daraja_auth *auth, int64_t from_ms,
                       int64_t until_ms, struct daraja_receipt **out, size_t *count)
{ (void)ctx; (void)auth; (void)from_ms; (void)until_ms; (void)out; (void)count; return HEARD_NOT_SENT; }
enum heard daraja_reverse(struct ctx *ctx, const struct daraja_auth *auth,
                          const struct daraja_reversal_in *in, struct daraja_sent *out,
                          struct refusal *why)
{ (void)ctx; (void)auth; (void)in; (void)out; (void)why; return HEARD_NOT_SENT; }
enum heard daraja_pay(struct ctx *ctx, const struct daraja_auth *auth,
                      const struct daraja_payout_in *in, struct daraja_sent *out,
                      struct refusal *why)
{ (void)ctx; (void)auth; (void)in; (void)out; (void)why; return HEARD_NOT_SENT; }
enum heard daraja_ask_status(struct ctx *ctx, const struct daraja_auth *auth, const char *receipt,
                             const char *conversation, const char *result, const char *timeout)
{ (void)ctx; (void)auth; (void)receipt; (void)conversation; (void)result; (void)timeout; return HEARD_NOT_SENT; }
bool daraja_callback_read(struct ctx *ctx, const void *body, size_t len,
                          struct daraja_callback *out)
{ (void)ctx; (void)body; (void)len; (void)out; return false; }
bool daraja_result_read(struct ctx *ctx, const void *body, size_t len, struct daraja_result *out)
{ (void)ctx; (void)body; (void)len; (void)out; return false; }
bool daraja_c2b_read(struct ctx *ctx, const void *body, size_t len, struct daraja_c2b *out)
{ (void)ctx; (void)body; (void)len; (void)out; return false; }
bool daraja_address_listed(const char *list, const char *address)
{ (void)list; (void)address; return false; }
