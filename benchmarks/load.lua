-- Sends the tokens of all users, one after the other; each thread begins at another one. wrk runs it as
--   wrk -s load.lua URL -- FILE
-- where FILE has a token on each line.
local threads = 0

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

function init(args)
  requests = {}
  for token in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", "/orders/4711", { ["Authorization"] = "Bearer " .. token })
  end
  last = math.floor(#requests / 2) * id
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local e = summary.errors
  print(string.format('{"requests": %d, "micros": %d, "failed": %d, "p50": %d, "p99": %d}', summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
