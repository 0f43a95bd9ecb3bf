/* traceparent: what is taken has an id that we may pass on. */
#include "base/trace.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    struct trace t, again;
    char span[SPAN_ID_SIZE], parent[TRACEPARENT_SIZE];

    if (!trace_parse(fuzz_text(a, data, size), &t))
        return 0;
    DEMAND(trace_id_good(t.id));
    trace_span(span);
    DEMAND(trace_parse(trace_parent(t.id, span, t.sampled, parent), &again));
    DEMAND(strcmp(t.id, again.id) == 0 && t.sampled == again.sampled);
    return 0;
}
