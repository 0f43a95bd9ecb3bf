-- Of some files those that nothing shows. Whatever learns to show one must be asked here too.
-- name: MEDIA_ORPHANS
SELECT f.url FROM unnest($1::text[]) AS f (url)
WHERE NOT EXISTS (SELECT FROM product_images i WHERE i.url = f.url)
  AND NOT EXISTS (SELECT FROM stores s WHERE s.logo_url = f.url)
