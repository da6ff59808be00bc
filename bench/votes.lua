-- Posts each line of the file named in the environment as a delivery, every one once.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  bodies, at = {}, 0
  local step = tonumber(os.getenv("BENCH_THREADS"))
  local row = 0
  for line in io.lines(os.getenv("BENCH_BODIES")) do
    if row % step == number then bodies[#bodies + 1] = line end
    row = row + 1
  end
end

function request()
  at = at % #bodies + 1
  return wrk.format("POST", "/webhooks/gamemonitoring", nil, bodies[at])
end

function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.3f, "not_2xx": %d, "broken": %d, "median_ms": %.2f, "p99_ms": %.2f}\n',
    summary.requests, summary.duration / 1e6, failed.status,
    failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
