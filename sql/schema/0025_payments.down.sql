DROP INDEX refunds_for_a_person;
DROP INDEX payments_in_review;
