/* Uploads: a Content-Type, a NUL, and a body. The file lies within the body. */
#include "base/multipart.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    struct problems problems = {0};
    struct upload upload = {0};
    char boundary[MULTIPART_BOUNDARY_MAX + 1];
    const char *type = fuzz_piece(a, &data, &size);

    multipart_is_form(type);
    if (!multipart_boundary(type, boundary))
        return 0;
    DEMAND(strlen(boundary) >= 1 && strlen(boundary) <= MULTIPART_BOUNDARY_MAX);
    const char *body = (const char *)data;
    enum err e = multipart_read(a, &problems, boundary, body, size, "image", &upload);
    DEMAND((e == OK) == (problems.first == NULL));
    if (e == OK)
        DEMAND(upload.data >= body && upload.len > 0 && upload.data + upload.len <= body + size);
    return 0;
}
