/*
 * replay: main() of a fuzz target where there is no fuzzer. Feeds it each file of its corpus, one
 * test each, as TAP on stdout; with arguments, those files instead.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>

#ifndef SOKO_SRCDIR
#define SOKO_SRCDIR "."
#endif
#define INPUT_MAX ((size_t)1 << 20)

static int count;

static void
feed(const char *path)
{
    /* Exactly as long as the file: what is read behind its end is found by the sanitizer. */
    FILE *f = fopen(path, "rb");
    uint8_t *room = malloc(INPUT_MAX);

    if (f == NULL || room == NULL) {
        printf("Bail out! %s: %s\n", path, strerror(errno));
        exit(EXIT_FAILURE);
    }
    size_t size = fread(room, 1, INPUT_MAX, f);
    fclose(f);
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL)
        abort();
    memcpy(data, room, size);
    free(room);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    printf("ok %d - %s\n", ++count, path);
    fflush(stdout);
}

static int
is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* "…/fuzz_json" as the folder of json's corpus. */
static void
feed_corpus(const char *program)
{
    const char *slash = strrchr(program, '/'), *name = slash != NULL ? slash + 1 : program;
    char dir[4096], path[4352];
    struct dirent **entries;

    name = strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name;
    snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/%s", SOKO_SRCDIR, name);
    int n = scandir(dir, &entries, is_file, alphasort);
    if (n <= 0) {
        printf("Bail out! %s holds no corpus\n", dir);
        exit(EXIT_FAILURE);
    }
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        feed(path);
        free(entries[i]);
    }
    free(entries);
}

int
main(int argc, char **argv)
{
    if (argc == 1)
        feed_corpus(argv[0]);
    for (int i = 1; i < argc; i++)
        feed(argv[i]);
    printf("1..%d\n", count);
    return EXIT_SUCCESS;
}
