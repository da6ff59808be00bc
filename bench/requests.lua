-- As votes.lua, but the file holds whole requests: a line with a length in bytes, and then these bytes.
dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "votes.lua")

function init(args)
  requests, at = {}, 0
  local file = io.open(os.getenv("BENCH_BODIES"), "rb")
  for length in file:lines() do
    requests[#requests + 1] = file:read(tonumber(length))
  end
  file:close()
end
