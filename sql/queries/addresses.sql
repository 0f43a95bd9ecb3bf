-- Takes the default from the others, so that another address can be it.
-- name: ADDRESSES_UNDEFAULT
UPDATE addresses SET is_default = false WHERE account_id = $1 AND is_default AND id <> $2

-- name: ADDRESSES_ADD
INSERT INTO addresses (id, account_id, line1, line2, city, country, postal_code, phone, is_default)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- Each value goes with a flag that says whether it was sent.
-- name: ADDRESSES_UPDATE
UPDATE addresses SET
    line1 = CASE WHEN $3 THEN $4 ELSE line1 END,
    line2 = CASE WHEN $5 THEN $6 ELSE line2 END,
    city = CASE WHEN $7 THEN $8 ELSE city END,
    country = CASE WHEN $9 THEN $10 ELSE country END,
    postal_code = CASE WHEN $11 THEN $12 ELSE postal_code END,
    phone = CASE WHEN $13 THEN $14 ELSE phone END,
    is_default = CASE WHEN $15 THEN $16 ELSE is_default END,
    updated_at = now()
WHERE id = $1 AND account_id = $2

-- name: ADDRESSES_DELETE
DELETE FROM addresses WHERE id = $1 AND account_id = $2

-- name: ADDRESSES_SHOW
SELECT id, line1, line2, city, country, postal_code, phone, is_default, created_at, updated_at
FROM addresses WHERE id = $1 AND account_id = $2

-- name: ADDRESSES_LIST
SELECT id, line1, line2, city, country, postal_code, phone, is_default, created_at, updated_at
FROM addresses WHERE account_id = $1 ORDER BY is_default DESC, created_at, id

-- As an order keeps it.
-- name: ADDRESSES_FOR_ORDER
SELECT json_strip_nulls(json_build_object('street', concat_ws(', ', line1, line2), 'city', city,
           'country', country, 'postal_code', postal_code, 'phone', phone)) AS address
FROM addresses WHERE id = $1 AND account_id = $2
