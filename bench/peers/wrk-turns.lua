-- Those who call take turns: a line of headers for each, parted by bars.
local identities, turn, before = {}, 0, nil
function init()
    for line in io.lines("identities") do
        identities[#identities + 1] = line:gsub("|", "\r\n") .. "\r\n\r\n"
    end
    before = wrk.format():sub(1, -3)
end

function request()
    turn = turn % #identities + 1
    return before .. identities[turn]
end
