DROP TABLE refresh_tokens, sessions, account_roles, accounts CASCADE;
