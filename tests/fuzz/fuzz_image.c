/* Images: what passes is one of three kinds, and no larger than we show. */
#include "base/image.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image image = {0};

    if (image_read(data, size, &image) != NULL)
        return 0;
    DEMAND(image.kind != IMAGE_NONE && image_extension(image.kind)[0] != '\0');
    DEMAND(image.width >= 1 && image.width <= IMAGE_SIDE_MAX);
    DEMAND(image.height >= 1 && image.height <= IMAGE_SIDE_MAX);
    DEMAND((uint64_t)image.width * image.height <= IMAGE_AREA_MAX);
    return 0;
}
