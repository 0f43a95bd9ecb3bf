/* Request targets: the way of a path through the route table, and of a query through its decoder.
 */
#include "base/form.h"
#include "fuzz.h"
#include "routes.h"

static void
demand_same_path(const struct route *r, const char *path)
{
    const char *at = r->path;

    for (; *at != '\0' && *path != '\0'; at += strcspn(at, "/"), path += strcspn(path, "/")) {
        DEMAND(*at == '/' && *path == '/');
        at++;
        path++;
        if (*at != ':')
            DEMAND(strcspn(at, "/") == strcspn(path, "/") &&
                   memcmp(at, path, strcspn(at, "/")) == 0);
    }
    DEMAND(*at == '\0' && *path == '\0');
}

static void
walk(struct arena *a, const char *path)
{
    char *scratch = arena_alloc(a, strlen(path) + 1);

    for (enum method m = METHOD_OTHER; m <= OPTIONS; m++) {
        const char *ids[ROUTE_IDS_MAX] = {NULL};
        unsigned allow = 0;
        const struct route *r = route_find(routes, routes_count, m, path, scratch, ids, &allow);

        if (r == NULL)
            continue;
        demand_same_path(r, path);
        for (size_t i = 0; i < ROUTE_IDS_MAX && r->ids[i] != ID_NONE; i++)
            DEMAND(ids[i] != NULL && strchr(ids[i], '/') == NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    char *uri = fuzz_text(a, data, size), *out;
    char *mark = strchr(uri, '?');
    size_t out_len;

    if (mark != NULL)
        *mark = '\0';
    walk(a, uri);
    const char *query = mark != NULL ? mark + 1 : "";
    form_get(a, query, strlen(query), "page");
    if (form_decode(a, query, strlen(query), &out, &out_len) != NULL)
        return 0;
    DEMAND(out_len <= strlen(query) && out[out_len] == '\0');
    if (strlen(out) == out_len) {
        struct text t = text_new(a, 4 * size + 16);
        char *again;
        size_t again_len;

        form_escape(&t, out);
        DEMAND(form_decode(a, t.data, t.len, &again, &again_len) == NULL);
        DEMAND(again_len == out_len && memcmp(again, out, out_len) == 0);
    }
    return 0;
}
