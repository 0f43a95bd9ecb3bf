-- How money and times look in JSON that PostgreSQL builds itself (nested parts of an answer). Held
-- against base/money.c by tests/integration/test_sql.c.

CREATE OR REPLACE FUNCTION money_scale(currency text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN currency IN ('BIF', 'ISK', 'JPY', 'KRW', 'RWF', 'XAF', 'XOF') THEN 0
        WHEN currency IN ('BHD', 'KWD', 'TND') THEN 3
        ELSE 2
    END;

-- The shortest exact form: 1250 KES is "12.5".
CREATE OR REPLACE FUNCTION money_text(amount bigint, currency text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN trim_scale(amount::numeric / 10::numeric ^ money_scale(currency))::text;

CREATE OR REPLACE FUNCTION api_time(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
