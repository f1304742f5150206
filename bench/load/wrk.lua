-- Sends prepared bodies in turn, and prints what wrk measured as one line of JSON.
-- A PATH with {expire} is asked with each number of minutes from 1 to 1,440 in turn, so that no two calls next to each other are alike.
-- Arguments: METHOD, PATH, the file of bodies ("-": none), milliseconds each connection waits between requests (0: none).
local requests = {}
local place = 0
local waitMs = 0

function init(args)
  local method, path, file = args[1], args[2], args[3]
  waitMs = tonumber(args[4])
  if path:find("{expire}", 1, true) then
    for minutes = 1, 1440 do requests[minutes] = wrk.format(method, (path:gsub("{expire}", minutes))) end
  elseif file == "-" then
    requests[1] = wrk.format(method, path)
  else
    local bodies = assert(io.open(file, "rb"))
    while true do
      local length = bodies:read("*n")
      if not length then break end
      bodies:read(1)
      requests[#requests + 1] = wrk.format(method, path, nil, bodies:read(length))
    end
    bodies:close()
  end
  math.randomseed(1)
  -- wrk asks for a wait before every request, which costs; so only when there is one.
  if waitMs > 0 then
    delay = function() return math.floor(math.random() * 2 * waitMs + 0.5) end
  end
end

function request()
  place = place % #requests + 1
  return requests[place]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"bytes":%d,"p50Ms":%f,"p99Ms":%f,"p999Ms":%f,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
