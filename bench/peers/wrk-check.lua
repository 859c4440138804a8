-- Looks at the first answers, then stops.
local file = assert(io.open("expected", "rb"))
local expected = file:read("*a")
file:close()
local threads = {}
function setup(thread) threads[#threads + 1] = thread end

all, equal, least, most = 0, 0, 1000, 0
function response(status, _, body)
    all = all + 1
    if body == expected then equal = equal + 1 end
    least, most = math.min(least, status), math.max(most, status)
    if all >= 64 then wrk.thread:stop() end
end

function done()
    local thread = threads[1]
    print(string.format('{"all":%d,"equal":%d,"least":%d,"most":%d}', thread:get("all"), thread:get("equal"),
        thread:get("least"), thread:get("most")))
end
