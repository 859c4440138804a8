-- Reads who may call: lines of SHA-256 of the token in hexadecimal, aspid, and calls per second.
local ffi = require "ffi"
ffi.cdef "unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);"

local tokens, limits = ngx.shared.tokens, ngx.shared.limits
for line in io.lines("@ASPS@") do
    local digest, aspid, limit = line:match("^(%S+) (%S+) (%S+)$")
    local bytes = digest:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end)
    assert(tokens:safe_set(bytes, aspid))
    assert(limits:safe_set(aspid, tonumber(limit)))
end
