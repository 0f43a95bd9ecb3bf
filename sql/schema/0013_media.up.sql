-- So that the sweep of orphans finds who shows a file.
CREATE INDEX product_images_url ON product_images (url);
CREATE INDEX stores_logo_url ON stores (logo_url) WHERE logo_url IS NOT NULL;
