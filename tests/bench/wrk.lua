-- One request, again and again: METHOD PATH BODY TOKEN from the environment. Prints what a program can
-- read: answers, answers that were no 2xx, and the latency's percentiles in microseconds.
wrk.method = os.getenv("BENCH_METHOD")
wrk.path = os.getenv("BENCH_PATH")
local body, token = os.getenv("BENCH_BODY"), os.getenv("BENCH_TOKEN")
if body ~= "" then
    wrk.body = body
    wrk.headers["Content-Type"] = "application/json"
end
if token ~= "" then
    wrk.headers["Authorization"] = "Bearer " .. token
end

function done(summary, latency)
    io.write(string.format(
        "BENCH {\"requests\": %d, \"microseconds\": %d, \"refused\": %d, \"broken\": %d, \"p50\": %d, \"p99\": %d}\n",
        summary.requests, summary.duration, summary.errors.status,
        summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
