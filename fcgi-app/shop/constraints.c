/*
 * Truth is in the constraints; this table gives it words. What is missing here is our own mistake,
 * and is answered as such (500).
 */
#include "shop/constraints.h"

const struct pg_constraint constraints[] = {
    {"accounts_email_key", ERR_CONFLICT, "email", "is taken"},
    {"accounts_phone_key", ERR_CONFLICT, "phone", "is taken"},
    {"accounts_username_key", ERR_CONFLICT, "username", "is taken"},
    {"accounts_reachable", ERR_VALIDATION, "email",
     "an account needs an e-mail address, a phone number or a username"},
    {"stores_owner_key", ERR_CONFLICT, NULL, "this account has a store already"},
    {"stores_name_key", ERR_CONFLICT, "name", "is taken"},
    {"categories_name_key", ERR_CONFLICT, "name", "is taken"},
    {"categories_parent_fkey", ERR_VALIDATION, "parent_id", "is not a known category"},
    {"products_category_fkey", ERR_VALIDATION, "category_id", "is not a known category"},
    {"products_sku_key", ERR_CONFLICT, "sku", "is taken in this store"},
    {"product_stock_available_check", ERR_INSUFFICIENT_STOCK, NULL, NULL},
    {"orders_number_key", ERR_RERUN, NULL, NULL},    /* a random name, taken by chance */
    {"payments_receipt_key", ERR_RERUN, NULL, NULL}, /* another was quicker: look again */
    {"reviews_one_each", ERR_CONFLICT, NULL, "you have reviewed this product already"},
    {NULL, OK, NULL, NULL},
};
