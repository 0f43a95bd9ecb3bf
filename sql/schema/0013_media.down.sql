DROP INDEX stores_logo_url, product_images_url;
