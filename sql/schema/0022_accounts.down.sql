DROP TABLE external_tokens, api_keys, recovery_codes, second_factors, forgotten_passwords, one_time_codes,
    known_addresses, tries;
DROP INDEX refresh_tokens_age;
ALTER TABLE sessions DROP COLUMN second_factor;
ALTER TABLE accounts DROP COLUMN imported_line, DROP CONSTRAINT accounts_password_hash_readable, DROP COLUMN password_scheme, DROP COLUMN phone_set_at, DROP COLUMN email_set_at, DROP COLUMN phone_verified_at, DROP COLUMN email_verified_at;
