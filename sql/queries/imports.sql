-- name: IMPORTS_SHOW
SELECT byte_offset, line_number, added, changed, same, refused, report_bytes,
       finished_at IS NOT NULL AS finished, api_time(finished_at) AS finished_at
FROM product_imports WHERE head = $1 AND size = $2

-- Begins an import, or begins it again from the first line.
-- name: IMPORTS_BEGIN
INSERT INTO product_imports (head, size, byte_offset, line_number) VALUES ($1, $2, $3, $4)
ON CONFLICT (head, size) DO UPDATE SET
    byte_offset = excluded.byte_offset, line_number = excluded.line_number, added = 0, changed = 0, same = 0,
    refused = 0, report_bytes = 0, started_at = now(), updated_at = now(), finished_at = NULL

-- Moves an import on from $3, and says if another has done so meanwhile. $4 and $5 where it stands now,
-- $6 to $9 more of each, $10 bytes of the report, $11 whether that was all.
-- name: IMPORTS_ADVANCE
WITH moved AS (
    UPDATE product_imports SET
        byte_offset = $4, line_number = $5, added = added + $6, changed = changed + $7, same = same + $8,
        refused = refused + $9, report_bytes = $10, updated_at = now(),
        finished_at = CASE WHEN $11::boolean THEN now() END
    WHERE head = $1 AND size = $2 AND byte_offset = $3 AND finished_at IS NULL
    RETURNING 1
)
SELECT CASE WHEN NOT EXISTS (SELECT FROM moved) THEN 'CONFLICT' END AS outcome,
       'another sokoctl is importing this file' AS message
