/* Bodies: what json_read() takes is what json-c prints again, and nothing that it takes is more. */
#include "base/json.h"
#include "base/json_get.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    struct problems problems = {0};
    struct json_object *tree = NULL, *again = NULL;

    enum err e = json_read(a, &problems, (const char *)data, size, &tree);
    DEMAND((e == OK) == (problems.first == NULL));
    if (e != OK)
        return 0;
    DEMAND(utf8_valid((const char *)data, size));
    const char *printed = json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PLAIN |
                                                                   JSON_C_TO_STRING_NOSLASHESCAPE);
    DEMAND(json_read(a, &problems, printed, strlen(printed), &again) == OK);
    DEMAND(json_object_equal(tree, again));
    for (size_t i = 0; i < json_get_count(tree) && i < 8; i++)
        json_get_own_word(json_get_item(tree, i));
    return 0;
}
