DROP TABLE product_images, product_stock, products, categories CASCADE;
