/* Sources and their order, every way to be wrong, and that a fault names its variable. */
#include "base/config_table.h"

#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/soko-config-XXXXXX", file[64], faults[8192];

static void
put_file(const char *path, const char *data, size_t len)
{
    FILE *out = fopen(path, "w");

    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(data, 1, len, out), len);
    ck_assert_int_eq(fclose(out), 0);
}

static void
put_text(const char *path, const char *text)
{
    put_file(path, text, strlen(text));
}

static void
set_required(void)
{
    setenv("DATABASE_URL", "dbname=soko", 1);
    setenv("TOKEN_KEY", "0123456789abcdef0123456789abcdef", 1);
    setenv("DATA_KEY", "0123456789abcdef0123456789abcdef", 1);
}

static void
set_up(void)
{
    static char *none[] = {NULL};

    environ = none;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/soko.conf", dir);
    set_required();
}

static void
tear_down(void)
{
    char path[128];

    unlink(file);
    snprintf(path, sizeof path, "%s/TOKEN_KEY", dir);
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* Loads; the faults as one text. */
static bool
load(const char *from)
{
    FILE *err;

    memset(faults, 0, sizeof faults);
    err = fmemopen(faults, sizeof faults - 1, "w");
    ck_assert_ptr_nonnull(err);
    bool ok = config_load(from, err);
    fclose(err);
    ck_assert_msg(ok == (faults[0] == '\0'), "%s", faults);
    return ok;
}

START_TEST(test_defaults)
{
    char buf[CONFIG_VALUE_SIZE];

    ck_assert_ptr_null(config_value("SOKO_ENV", buf, sizeof buf));
    ck_assert(!config_is_demo());
    ck_assert_msg(load(NULL), "%s", faults);
    ck_assert_str_eq(conf->soko_env, "production");
    ck_assert_str_eq(conf->database_url, "dbname=soko");
    ck_assert_int_eq(conf->statement_timeout.ms, 5000);
    ck_assert_int_eq(conf->access_token_ttl.ms, 900000);
    ck_assert_int_eq(conf->refresh_token_ttl.ms, INT64_C(604800000));
    ck_assert_int_eq(conf->limit_login, 10);
    ck_assert_int_eq(conf->jobs_batch, 16);
    ck_assert_int_eq(conf->upload_max_size.bytes, 5 * 1024 * 1024);
    ck_assert_int_eq(config_default("UPLOAD_MAX_SIZE"), 5 * 1024 * 1024);
    ck_assert_int_eq(config_default("MEDIA_GRACE"), INT64_C(86400000));
    ck_assert_str_eq(conf->fault_dir, "");
    ck_assert(!config_is_demo());
}
END_TEST

START_TEST(test_values)
{
    static const struct {
        const char *name, *value, *fault; /* NULL: taken, and printed as `value` */
    } rows[] = {
        {"SOKO_ENV", "demo", NULL},
        {"SOKO_ENV", "dem", "SOKO_ENV: must be one of production|demo, not \"dem\" (environment)"},
        {"SOKO_ENV", "", "SOKO_ENV: must be one of production|demo, not \"\" (environment)"},
        {"SOKO_ENV", "production|demo",
         "SOKO_ENV: must be one of production|demo, not \"production|demo\" (environment)"},
        {"LOG_LEVEL", "error", NULL},
        {"LOG_LEVEL", "info|warn",
         "LOG_LEVEL: must be one of debug|info|warn|error, not \"info|warn\" (environment)"},
        {"LIMIT_PUBLIC", "0", NULL},
        {"LIMIT_PUBLIC", "1000000", NULL},
        {"LIMIT_PUBLIC", "1000001",
         "LIMIT_PUBLIC: must be from 0 to 1000000, not \"1000001\" (environment)"},
        {"LIMIT_PUBLIC", "-1", "LIMIT_PUBLIC: must be a whole number, not \"-1\" (environment)"},
        {"LIMIT_PUBLIC", "1.5", "LIMIT_PUBLIC: must be a whole number, not \"1.5\" (environment)"},
        {"LIMIT_PUBLIC", "60s", "LIMIT_PUBLIC: must be a whole number, not \"60s\" (environment)"},
        {"LIMIT_PUBLIC", "", "LIMIT_PUBLIC: must be a whole number, not \"\" (environment)"},
        {"LIMIT_PUBLIC", "99999999999999999999",
         "LIMIT_PUBLIC: is too large, not \"99999999999999999999\" (environment)"},
        {"PASSWORD_COST", "12", "PASSWORD_COST: must be from 1 to 11, not \"12\" (environment)"},
        {"REDIS_TIMEOUT", "250ms", NULL},
        {"REDIS_TIMEOUT", "30s", NULL},
        {"ORDER_PAYMENT_TTL", "90min", NULL},
        {"ORDER_PAYMENT_TTL", "25h", NULL},
        {"ORDER_PAYMENT_TTL", "7d", NULL},
        {"REFRESH_GRACE", "0ms", NULL},
        {"REDIS_TIMEOUT", "5",
         "REDIS_TIMEOUT: needs a unit: ms, s, min, h or d, not \"5\" "
         "(environment)"},
        {"REDIS_TIMEOUT", "5m",
         "REDIS_TIMEOUT: has an unknown unit: use ms, s, min, h or d, not "
         "\"5m\" (environment)"},
        {"REDIS_TIMEOUT", "5 s",
         "REDIS_TIMEOUT: has an unknown unit: use ms, s, min, h or d, not "
         "\"5 s\" (environment)"},
        {"REDIS_TIMEOUT", "s",
         "REDIS_TIMEOUT: must be a number with a unit, such as 250ms, 30s, "
         "15min, 7d, not \"s\" (environment)"},
        {"REDIS_TIMEOUT", "0ms",
         "REDIS_TIMEOUT: must be from 1ms to 1min, not \"0ms\" "
         "(environment)"},
        {"REDIS_TIMEOUT", "106751991168d",
         "REDIS_TIMEOUT: is too large, not \"106751991168d\" "
         "(environment)"},
        {"STATEMENT_TIMEOUT", "10s",
         "STATEMENT_TIMEOUT: 10s must be less than WORKER_DEADLINE, "
         "which is 10s"},
        {"PROVIDER_TIMEOUT", "9999ms", NULL},
        {"PROVIDER_TIMEOUT", "10s",
         "PROVIDER_TIMEOUT: 10s must be less than WORKER_DEADLINE, which is 10s"},
        {"MEDIA_DIR", "/srv/media", NULL},
        {"MEDIA_DIR", "media", "MEDIA_DIR: must be an absolute path, not \"media\""},
        {"TLS_CERTIFICATE", "/etc/a b.pem",
         "TLS_CERTIFICATE: must be of letters, digits and /._+@:~=- alone, as nginx reads it, not "
         "\"/etc/a b.pem\""},
        {"NGINX_ACCESS_LOG", "off", "NGINX_ACCESS_LOG: must be an absolute path, not \"off\""},
        {"APP_HOSTS", "10.0.0.5,app2",
         "APP_HOSTS: \"app2\" is no address of a host: 10.0.0.5, or fd00::5, or local"},
        {"APP_HOSTS", "10.0.0.5, fd00::6,local", NULL},
        {"NGINX_LISTEN", "443,[::]",
         "NGINX_LISTEN: \"[::]\" has no good port: 443, or 192.0.2.7:443, or [::]:443"},
        {"NGINX_LISTEN_HTTP", "", NULL},
        {"MAINTENANCE_ALLOW", "0.0.0.0/0",
         "MAINTENANCE_ALLOW: \"0.0.0.0/0\" is too wide: a network is /8 or narrower"},
        {"UPLOAD_MAX_SIZE", "1K", NULL},
        {"UPLOAD_MAX_SIZE", "64M", NULL},
        {"UPLOAD_MAX_SIZE", "1025", NULL},
        {"UPLOAD_MAX_SIZE", "5G",
         "UPLOAD_MAX_SIZE: has an unknown unit: use K or M, not \"5G\" (environment)"},
        {"UPLOAD_MAX_SIZE", "65M",
         "UPLOAD_MAX_SIZE: must be from 1K to 64M, not \"65M\" (environment)"},
        {"SQL_DIR", "/srv/sql", NULL},
        {"SQL_DIR", "", "SQL_DIR: must not be empty, not \"\" (environment)"},
        {"SQL_DIR", "/a\nb", "SQL_DIR: contains a control character, not \"/a\nb\" (environment)"},
        {"SQL_DIR", "/\xff", "SQL_DIR: is not valid UTF-8, not \"/\xff\" (environment)"},
        /* Secrets are never repeated. */
        {"TOKEN_KEY", "short", "TOKEN_KEY: must have at least 32 characters (environment)"},
        {"TOKEN_KEY", "", "TOKEN_KEY: must not be empty (environment)"},
        {"DATABASE_URL", "", "DATABASE_URL: must not be empty (environment)"},
    };
    char buf[CONFIG_VALUE_SIZE];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        setenv(rows[i].name, rows[i].value, 1);
        bool ok = load(NULL);
        if (rows[i].fault != NULL) {
            size_t len = strlen(rows[i].fault);

            ck_assert_msg(!ok && strncmp(faults, rows[i].fault, len) == 0 &&
                              strcmp(faults + len, "\n") == 0,
                          "got %s, want %s", faults, rows[i].fault);
        } else {
            ck_assert_msg(ok, "%s", faults);
            ASSERT_TEXT(config_value(rows[i].name, buf, sizeof buf), rows[i].value, rows[i].name);
        }
        unsetenv(rows[i].name);
        set_required();
    }
}
END_TEST

START_TEST(test_all_faults)
{
    unsetenv("DATABASE_URL");
    unsetenv("TOKEN_KEY");
    unsetenv("DATA_KEY");
    setenv("LIMIT_LOGIN", "x", 1);
    ck_assert(!load(NULL));
    ck_assert_str_eq(faults, "DATABASE_URL: is missing: set it in the environment, in the file of "
                             "--config, or as a credential\n"
                             "TOKEN_KEY: is missing: set it in the environment, in the file of "
                             "--config, or as a credential\n"
                             "DATA_KEY: is missing: set it in the environment, in the file of "
                             "--config, or as a credential\n"
                             "LIMIT_LOGIN: must be a whole number, not \"x\" (environment)\n");
    ck_assert_ptr_null(conf);
}
END_TEST

START_TEST(test_lines)
{
    static const struct {
        const char *line;
        const char *want;  /* SQL_DIR if it is taken */
        const char *fault; /* what the fault contains, if not */
    } rows[] = {
        {"# comment\n; comment\n\n \t\nSQL_DIR=/x\n", "/x", NULL},
        {"SQL_DIR=/x", "/x", NULL},
        {"SQL_DIR=/x\r\n", "/x", NULL},
        {"  SQL_DIR = /x  \n", "/x", NULL},
        {"SQL_DIR=/x y\n", "/x y", NULL},
        {"SQL_DIR=/x # y\n", "/x # y", NULL},
        {"SQL_DIR=\" /x \"\n", " /x ", NULL},
        {"SQL_DIR=' /x\\ '  \n", " /x\\ ", NULL},
        {"SQL_DIR=\"a\\\"b\\\\c\\$d\\e\"\n", "a\"b\\c$d\\e", NULL},
        {"SQL_DIR=a\\ \\\\b\\ \n", "a \\b ", NULL},
        {"SQL_DIR=a=b\n", "a=b", NULL},
        {"SQL_DIR=/x\nSQL_DIR=/y\n", "/y", NULL},
        {"SQL_DIR=/x\\\n/y\n", NULL, "SQL_DIR: has a continuation line"},
        {"SQL_DIR=\"/x\n", NULL, "SQL_DIR: has no closing quote"},
        {"SQL_DIR='/x\\'y'\n", NULL, "SQL_DIR: has text after its closing quote"},
        {"SQL_DIR\n", NULL, "/soko.conf:1: is not NAME=value"},
        {"\nSQL_DRI=/x\n", NULL, "SQL_DRI: is not a setting ("},
        {"sql_dir=/x\n", NULL, "sql_dir: is not a setting ("},
        {"=x\n", NULL, ": is not a setting ("},
        {"export SQL_DIR=/x\n", NULL, "export SQL_DIR: is not a setting ("},
        {"TOKEN_KEY=\nc2VzYW1lb3BlbnRoeXNlbGZvcGVudGh5c2VsZm9wZW50aA=\n", NULL,
         "/soko.conf:2: is not NAME=value"},
        {"postgresql://u:sesame@h/x?sslmode=require\n", NULL, "/soko.conf:1: is not NAME=value"},
        {"SQL_DIR=\n", NULL, "SQL_DIR: must not be empty"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put_text(file, rows[i].line);
        bool ok = load(file);
        ck_assert_msg(ok == (rows[i].want != NULL), "%s: %s", rows[i].line, faults);
        if (ok)
            ASSERT_TEXT(conf->sql_dir, rows[i].want, rows[i].line);
        else
            ck_assert_msg(strstr(faults, rows[i].fault) != NULL, "%s", faults);
    }
    put_file(file, "SQL_DIR=/x\0y\n", 13);
    ck_assert(!load(file));
    ck_assert_ptr_nonnull(strstr(faults, ":1: contains a NUL byte"));

    static char big[20000] = "SQL_DIR=";
    memset(big + 8, 'x', sizeof big - 8);
    put_file(file, big, sizeof big);
    ck_assert(!load(file));
    ck_assert_ptr_nonnull(strstr(faults, ":1: is too long"));
    ck_assert(!load("/nonexistent/soko.conf"));
    ck_assert_str_eq(faults, "/nonexistent/soko.conf: No such file or directory\n");
    ck_assert(!load("/tmp"));
}
END_TEST

START_TEST(test_sources)
{
    char path[128];

    snprintf(path, sizeof path, "%s/TOKEN_KEY", dir);
    unsetenv("TOKEN_KEY");
    put_text(file, "TOKEN_KEY=file file file file file 012345678\nLIMIT_LOGIN=1\nJOBS_BATCH=x\n");
    setenv("JOBS_BATCH", "5", 1); /* what a later source replaces does no harm */
    ck_assert_msg(load(file), "%s", faults);
    ck_assert_str_eq(conf->token_key, "file file file file file 012345678");
    ck_assert_int_eq(conf->limit_login, 1);
    ck_assert_int_eq(conf->jobs_batch, 5);

    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    put_file(path, "cred cred cred cred cred 012345678\n", 35);
    setenv("LIMIT_LOGIN", "2", 1);
    ck_assert_msg(load(file), "%s", faults);
    ck_assert_str_eq(conf->token_key, "cred cred cred cred cred 012345678");
    ck_assert_int_eq(conf->limit_login, 2);

    setenv("TOKEN_KEY", "env env env env env env 0123456789", 1);
    ck_assert_msg(load(file), "%s", faults);
    ck_assert_str_eq(conf->token_key, "env env env env env env 0123456789");

    put_file(path, "cred\0cred cred cred cred 012345678\n", 35);
    ck_assert(!load(file));
    ck_assert_ptr_nonnull(strstr(faults, "TOKEN_KEY: "));
}
END_TEST

START_TEST(test_reload)
{
    const struct config *first;

    ck_assert(load(NULL));
    first = conf;
    setenv("SOKO_ENV", "demo", 1);
    ck_assert(load(NULL));
    ck_assert(config_is_demo());
    ck_assert_str_eq(first->soko_env, "production"); /* still there */
    first = conf;
    setenv("SOKO_ENV", "x", 1);
    for (int i = 0; i < 5; i++)
        ck_assert(!load(NULL));
    ck_assert_ptr_eq(conf, first);
    setenv("SOKO_ENV", "production", 1);
    for (int i = 0; i < 5; i++)
        ck_assert(load(NULL));
    ck_assert(!config_is_demo());
}
END_TEST

START_TEST(test_value)
{
    char buf[CONFIG_VALUE_SIZE];

    ck_assert(load(NULL));
    ck_assert_str_eq(config_value("ACCESS_TOKEN_TTL", buf, sizeof buf), "15min");
    ck_assert_str_eq(config_value("IDEMPOTENCY_TTL", buf, sizeof buf), "1d");
    ck_assert_str_eq(config_value("WORKER_MAX_REQUESTS", buf, sizeof buf), "100000");
    ck_assert_str_eq(config_value("FAULT_DIR", buf, sizeof buf), "");
    ck_assert_ptr_null(config_value("TOKEN_KEY", buf, sizeof buf));
    ck_assert_ptr_null(config_value("DATABASE_URL", buf, sizeof buf));
    ck_assert_ptr_null(config_value("REDIS_ADDRESS", buf, sizeof buf));
    ck_assert_ptr_null(config_value("access_token_ttl", buf, sizeof buf));
    ck_assert_ptr_null(config_value("", buf, sizeof buf));
}
END_TEST

static const char *
no_sesame(const char *value)
{
    return strstr(value, "sesame") != NULL ? "opens nothing" : NULL;
}

START_TEST(test_checks_of_others)
{
    config_check_by("DATABASE_URL", no_sesame);
    ck_assert_msg(load(NULL), "%s", faults);
    setenv("DATABASE_URL", "dbname=sesame", 1);
    ck_assert(!load(NULL));
    ck_assert_str_eq(faults, "DATABASE_URL: opens nothing (environment)\n");
    setenv("DATABASE_URL", "", 1);
    ck_assert(!load(NULL));
    ck_assert_str_eq(faults, "DATABASE_URL: must not be empty (environment)\n");
}
END_TEST

static struct config seen; /* its texts are gone with a load that fails */
static char seen_text[64];

static void
look(const struct config *c, struct config_load *l)
{
    seen = *c;
    snprintf(seen_text, sizeof seen_text, "%s|%s", c->database_url, c->token_key);
    config_fault(l, "LIMIT_LOGIN", "is %lld", (long long)c->limit_login);
    config_fault(l, "TOKEN_KEY", "is never right");
}

/* Who looks at all together sees what is wrong too, and adds to what was told, not to what it was
 * told of. */
START_TEST(test_checks_of_all)
{
    config_check_all_by(look);
    ck_assert(!load(NULL));
    ck_assert_str_eq(faults, "LIMIT_LOGIN: is 10\nTOKEN_KEY: is never right\n");
    ck_assert_ptr_null(conf);

    setenv("TOKEN_KEY", "short", 1);
    setenv("LIMIT_LOGIN", "x", 1);
    setenv("WORKER_DEADLINE", "1", 1);
    unsetenv("DATABASE_URL");
    ck_assert(!load(NULL));
    ck_assert_str_eq(faults, "DATABASE_URL: is missing: set it in the environment, in the file of "
                             "--config, or as a credential\n"
                             "TOKEN_KEY: must have at least 32 characters (environment)\n"
                             "LIMIT_LOGIN: must be a whole number, not \"x\" (environment)\n"
                             "WORKER_DEADLINE: needs a unit: ms, s, min, h or d, not \"1\" "
                             "(environment)\n");
    ck_assert_str_eq(seen_text, "|short");
    ck_assert_int_eq(seen.limit_login, 10);
    ck_assert_int_eq(seen.worker_deadline.ms, 10000);

    /* A bad number gives no cause for another fault. */
    setenv("STATEMENT_TIMEOUT", "20s", 1);
    ck_assert(!load(NULL));
    ck_assert_ptr_null(strstr(faults, "STATEMENT_TIMEOUT"));
}
END_TEST

START_TEST(test_hole_36_no_secret_has_a_default)
{
    static const char *const known[] = {"",
                                        "secret",
                                        "your-secret-key",
                                        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                                        "                                ",
                                        "changemechangemechangemechangeme",
                                        "secret-secret-secret-secret-secret"};
    size_t keys = 0;
    char name[NAME_SIZE];

    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        config_env_name(s, name);
        if (!s->secret)
            continue;
        /* Not there: what needs it is not offered. Redis has an address, and no password in it. */
        ck_assert_msg(s->def == NULL || s->def[0] == '\0' ||
                          (strcmp(name, "REDIS_ADDRESS") == 0 && strchr(s->def, '@') == NULL),
                      "%s has a default", name);
        if (s->def != NULL || s->min < 32)
            continue;
        keys++;
        for (size_t k = 0; k < COUNT_OF(known); k++) {
            setenv(name, known[k], 1);
            ck_assert_msg(!load(NULL), "%s=%s was taken", name, known[k]);
            ck_assert_msg(strncmp(faults, name, strlen(name)) == 0, "%s: %s", name, faults);
        }
        unsetenv(name);
        ck_assert(!load(NULL));
        set_required();
        ck_assert_msg(load(NULL), "%s", faults);
    }
    ck_assert_uint_eq(keys, 2);
}
END_TEST

/* Lists are looked at entry by entry, and the entry is named. */
START_TEST(test_lists)
{
    setenv("TRUSTED_PROXIES", "10.0.0.0/8, ::1", 1);
    setenv("CORS_ORIGINS", "https://a.example,http://localhost:3000,", 1);
    ck_assert_msg(load(NULL), "%s", faults);
    ck_assert_str_eq(conf->trusted_proxies, "10.0.0.0/8, ::1");

    setenv("TRUSTED_PROXIES", "10.0.0.7,0.0.0.0/0,proxy", 1);
    setenv("CORS_ORIGINS", "https://a.example,*,,null", 1);
    ck_assert(!load(NULL));
    ck_assert_str_eq(
        faults,
        "TRUSTED_PROXIES: \"0.0.0.0/0\" is too wide: a network is /8 or narrower\n"
        "TRUSTED_PROXIES: \"proxy\" is no address and no network: 10.0.0.7, 10.0.0.0/8, fd00::/8\n"
        "CORS_ORIGINS: \"*\" has a wildcard: name each origin\n"
        "CORS_ORIGINS: \"\" is no origin: https://shop.example.com, or http://localhost:3000\n"
        "CORS_ORIGINS: \"null\" is no origin: every page that hides where it is from says so\n");
    ck_assert_str_eq(conf->trusted_proxies, "10.0.0.0/8, ::1");
}
END_TEST

/* FILE.d/ is read after FILE, by name; what does not end in .conf is somebody's copy. */
START_TEST(test_folder)
{
    static const char *const names[] = {"a.conf", "b.conf", "b.conf.old", ".c.conf"};
    char folder[96], path[4][160];

    snprintf(folder, sizeof folder, "%s.d", file);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < 4; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    put_text(file, "LIMIT_PUBLIC=1\nLIMIT_LOGIN=1\nJOBS_BATCH=1\n");
    put_text(path[0], "LIMIT_LOGIN=2\nJOBS_BATCH=2\n");
    put_text(path[1], "JOBS_BATCH=3\n");
    put_text(path[2], "JOBS_BATCH=4\n");
    put_text(path[3], "JOBS_BATCH=5\n");
    ck_assert_msg(load(file), "%s", faults);
    ck_assert_int_eq(conf->limit_public, 1);
    ck_assert_int_eq(conf->limit_login, 2);
    ck_assert_int_eq(conf->jobs_batch, 3);

    char expected[256];
    put_text(path[1], "\nJOBS_BATCH=x\n");
    snprintf(expected, sizeof expected, "JOBS_BATCH: must be a whole number, not \"x\" (%s:2)\n",
             path[1]);
    ck_assert(!load(file));
    ck_assert_str_eq(faults, expected);

    for (size_t i = 0; i < 4; i++)
        unlink(path[i]);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* Secrets where systemd hands out none: a folder, and one that wins; an empty file is no value. */
START_TEST(test_folders_of_secrets)
{
    char key[160], over[96], over_key[160];

    unsetenv("TOKEN_KEY");
    snprintf(key, sizeof key, "%s/TOKEN_KEY", dir);
    snprintf(over, sizeof over, "%s/owner", dir);
    snprintf(over_key, sizeof over_key, "%s/TOKEN_KEY", over);
    put_text(key, "00112233445566778899aabbccddeeff\n");
    config_credentials_in(dir, NULL);
    ck_assert_msg(load(NULL), "%s", faults);
    ck_assert_str_eq(conf->token_key, "00112233445566778899aabbccddeeff");

    config_credentials_in(dir, over); /* which does not exist */
    ck_assert_msg(load(NULL), "%s", faults);
    ck_assert_int_eq(mkdir(over, 0700), 0);
    put_text(over_key, "ffeeddccbbaa99887766554433221100");
    ck_assert_msg(load(NULL), "%s", faults);
    ck_assert_str_eq(conf->token_key, "ffeeddccbbaa99887766554433221100");
    put_text(over_key, "\n");
    ck_assert_msg(load(NULL), "%s", faults);
    ck_assert_str_eq(conf->token_key, "00112233445566778899aabbccddeeff");

    setenv("CREDENTIALS_DIRECTORY", over, 1); /* systemd's word is the last */
    ck_assert(!load(NULL));
    ck_assert_ptr_nonnull(strstr(faults, "TOKEN_KEY: is missing"));
    config_credentials_in(NULL, NULL);
    unlink(over_key);
    ck_assert_int_eq(rmdir(over), 0);
}
END_TEST

START_TEST(test_without_secrets)
{
    unsetenv("TOKEN_KEY");
    unsetenv("DATABASE_URL");
    ck_assert(!load(NULL));
    config_without_secrets();
    ck_assert_msg(load(NULL), "%s", faults);
    ck_assert_str_eq(conf->token_key, "");
    ck_assert_str_eq(conf->database_url, "");
    setenv("TOKEN_KEY", "short", 1); /* one that is there must be good all the same */
    ck_assert(!load(NULL));
}
END_TEST

START_TEST(test_prints)
{
    static char help[40000];
    FILE *out = fopen(file, "w");

    config_example(out);
    fclose(out);
    ck_assert_msg(load(file), "%s", faults);
    unsetenv("TOKEN_KEY"); /* which it does not set, being a secret */
    ck_assert(!load(file));
    ck_assert_str_eq(faults, "TOKEN_KEY: is missing: set it in the environment, in the file of "
                             "--config, or as a credential\n");

    out = fmemopen(help, sizeof help, "w");
    config_help(out);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(help, "STATEMENT_TIMEOUT, default 5s (1ms to 1h)\n"));
    ck_assert_ptr_nonnull(strstr(help, "TOKEN_KEY *, required (at least 32 characters)\n"));
    ck_assert_ptr_nonnull(strstr(help, "SOKO_ENV, default production (production, demo)\n"));
    for (const char *line = help; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_msg(strcspn(line, "\n") <= 100, "%s", line);
}
END_TEST

static void
fill(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, test_defaults);
    tcase_add_test(tcase, test_values);
    tcase_add_test(tcase, test_all_faults);
    tcase_add_test(tcase, test_lines);
    tcase_add_test(tcase, test_sources);
    tcase_add_test(tcase, test_reload);
    tcase_add_test(tcase, test_value);
    tcase_add_test(tcase, test_checks_of_others);
    tcase_add_test(tcase, test_checks_of_all);
    tcase_add_test(tcase, test_hole_36_no_secret_has_a_default);
    tcase_add_test(tcase, test_lists);
    tcase_add_test(tcase, test_folder);
    tcase_add_test(tcase, test_folders_of_secrets);
    tcase_add_test(tcase, test_without_secrets);
    tcase_add_test(tcase, test_prints);
}

int
main(void)
{
    return unit_run("config", fill);
}
