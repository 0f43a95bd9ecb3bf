-- Goes to psql behind what pg_restore wrote, once that has ended well; commit.sql follows.
--
-- What was waiting when the backup was taken may have been done since. What moves money or speaks to people is held
-- until a person has looked whether it was: `sokoctl outbox list` shows it. Questions to providers are not held: to
-- ask again does no harm, and is how the shop learns what became of payments since.
SET search_path = public;
UPDATE outbox SET parked_at = now(), last_error = 'held by sokoctl restore: look whether it was done'
WHERE parked_at IS NULL
  AND consumer IN ('refunds_send', 'payments_refund_order', 'payments_refund_part', 'messages_send', 'reset_send');
-- A refund that failed would be tried again by itself. One that was under way is looked for before it is repeated.
UPDATE refunds SET ask_at = NULL WHERE status = 'failed' AND NOT reversed AND ask_at IS NOT NULL;
UPDATE refunds SET times_asked = 1 WHERE status = 'sending' AND times_asked = 0;
-- Sessions that were ended since would live again, and Redis may know of others: everybody signs in anew.
UPDATE sessions SET ended_at = now(), end_reason = 'restored' WHERE ended_at IS NULL;
-- Codes that were used since would count again.
UPDATE one_time_codes SET expires_at = now() WHERE expires_at > now();
