-- Goes to psql last. Without it nothing has happened.
COMMIT;
