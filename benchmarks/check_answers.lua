-- wrk script: sends the given chat request with a new number in each prompt and checks every answer.
-- Arguments after "--": bearer token, body with the word NUMBER in it, text that every answer contains.
local threads = {}
function setup(thread)
  thread:set("first", #threads * 100000000)
  table.insert(threads, thread)
end

function init(args)
  errors, number, proof = 0, first, args[3]
  before, after = args[2]:match("^(.-)NUMBER(.*)$")
  wrk.method = "POST"
  wrk.headers["authorization"] = "Bearer " .. args[1]
  wrk.headers["content-type"] = "application/json"
end

function request()
  number = number + 1
  return wrk.format(nil, nil, nil, before .. number .. after)
end

function response(status, headers, body)
  if status ~= 200 or not body:find(proof, 1, true) then
    errors = errors + 1
    if errors == 1 then io.stderr:write(status .. " " .. body:sub(1, 300) .. "\n") end
  end
end

function done(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do failed = failed + thread:get("errors") end
  io.write(string.format('RESULT {"requests":%d,"seconds":%f,"errors":%d,"p50_ms":%f,"p99_ms":%f}\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
