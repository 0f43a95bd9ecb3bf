DROP INDEX products_export;
DROP TABLE product_imports;
