/*
 * The list is a sorted array of pointers into the file's text, in lower case: john's 3,500 lines
 * take half a millisecond to read, and twelve comparisons to look at. Whether the file has changed
 * costs a stat() a new password, which costs a hash anyway.
 *
 * It is state of the process, as its connections are: the table's `check` has no other place to
 * find it. A list that cannot be read stops the start; one that is damaged later leaves the old one
 * in force, and says so.
 *
 * Rejected: a Bloom filter (refuses good passwords), and asking a service over the network (tells
 * it something of each).
 */
#include "shop/accounts/passwords.h"

#include "base/arena.h"
#include "base/config.h"
#include "base/json.h"
#include "base/log.h"
#include "base/phone.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX ((off_t)32 << 20)
#define COMMENT "#!comment"

struct list {
    struct arena *arena; /* NULL: none was read */
    const char *path;
    struct stat file;
    const char **words;
    size_t count;
};

static struct list list;

static int
by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* The whole file; NULL, and why, if it cannot be read. */
static char *
read_text(struct arena *a, int fd, off_t size, const char **why)
{
    char *text = arena_alloc(a, (size_t)size + 1);
    off_t have = 0;
    ssize_t n = 1;

    while (have < size && (n = read(fd, text + have, (size_t)(size - have))) > 0)
        have += n;
    if (n < 0) {
        *why = strerror(errno);
        return NULL;
    }
    text[have] = '\0';
    if (strlen(text) != (size_t)have) {
        *why = "is no text";
        return NULL;
    }
    return text;
}

static void
split(struct list *l, char *text)
{
    size_t lines = 1;

    for (const char *s = text; *s != '\0'; s++)
        lines += *s == '\n';
    l->words = arena_array(l->arena, lines, sizeof(*l->words));
    for (char *s = text, *next; s != NULL; s = next) {
        next = strchr(s, '\n');
        if (next != NULL)
            *next++ = '\0';
        s[strcspn(s, "\r")] = '\0';
        if (*s == '\0' || strncmp(s, COMMENT, strlen(COMMENT)) == 0)
            continue;
        l->words[l->count++] = s;
        for (; *s != '\0'; s++)
            *s = (char)tolower((unsigned char)*s);
    }
    qsort(l->words, l->count, sizeof(*l->words), by_text);
}

/* Puts the list of `path` in force; NULL, or why it cannot be: then the old one stays. */
static const char *
load(const char *path)
{
    struct list fresh = {.arena = arena_new()};
    const char *why = NULL;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &fresh.file) != 0)
        why = strerror(errno);
    else if (!S_ISREG(fresh.file.st_mode))
        why = "is no file";
    else if (fresh.file.st_size > LIST_MAX)
        why = "is longer than 32 MiB";
    else
        text = read_text(fresh.arena, fd, fresh.file.st_size, &why);
    if (fd >= 0)
        close(fd);
    if (text == NULL) {
        arena_free(fresh.arena);
        return why;
    }
    fresh.path = arena_strdup(fresh.arena, path);
    split(&fresh, text);
    if (list.arena != NULL)
        arena_free(list.arena);
    list = fresh;
    return NULL;
}

static bool
has_changed(const char *path)
{
    struct stat now;

    if (list.arena == NULL || strcmp(path, list.path) != 0 || stat(path, &now) != 0)
        return true;
    return now.st_ino != list.file.st_ino || now.st_dev != list.file.st_dev ||
           now.st_size != list.file.st_size || now.st_mtim.tv_sec != list.file.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != list.file.st_mtim.tv_nsec;
}

static bool
is_common(const char *password)
{
    const char *path = conf->password_deny_list;

    if (path[0] == '\0')
        return false;
    const char *why = has_changed(path) ? load(path) : NULL;
    if (why != NULL)
        log_event(LOG_ERROR, EVENT("password.deny_list"), TEXT("file.path", path),
                  TEXT("error.message", why));
    if (list.arena == NULL)
        return false;
    struct arena *a = arena_new();
    char *word = arena_strdup(a, password);
    for (char *s = word; *s != '\0'; s++)
        *s = (char)tolower((unsigned char)*s);
    const char *key = word;
    bool found = bsearch(&key, list.words, list.count, sizeof(*list.words), by_text) != NULL;
    arena_free(a);
    return found;
}

void
passwords_check(struct input_errors *errors, const char *field, const char *password,
                const struct password_owner *owner)
{
    if (password == NULL)
        return;
    if ((int64_t)utf8_length(password) < conf->password_min_length)
        input_reject(errors, field, "must have at least %d characters",
                     (int)conf->password_min_length);
    else if (is_common(password))
        input_reject(errors, field, "is too common");
    else if (passwords_is_own(password, owner))
        input_reject(errors, field, PASSWORD_IS_OWN);
}

static bool
is_alike(const char *password, const char *called)
{
    return called != NULL && strcasecmp(password, called) == 0;
}

bool
passwords_is_own(const char *password, const struct password_owner *owner)
{
    char phone[PHONE_SIZE];

    return is_alike(password, owner->name) || is_alike(password, owner->email) ||
           is_alike(password, owner->phone) || is_alike(password, owner->username) ||
           (phone_normalise(password, phone) && is_alike(phone, owner->phone));
}

const char *
passwords_list_fault(const char *path)
{
    if (path[0] == '\0' || load(path) == NULL)
        return NULL;
    return "must be a text file that can be read, one password a line, at most 32 MiB; or empty";
}
