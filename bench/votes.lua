-- Posts each line of the file named in the environment as a delivery, in order, and then again from the
-- first. All requests are written out before the clock starts.
function init(args)
  requests, at = {}, 0
  for line in io.lines(os.getenv("BENCH_BODIES")) do
    requests[#requests + 1] = wrk.format("POST", "/webhooks/gamemonitoring", nil, line)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.3f, "not_2xx": %d, "broken": %d, "median_ms": %.2f, "p99_ms": %.2f}\n',
    summary.requests, summary.duration / 1e6, failed.status,
    failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
