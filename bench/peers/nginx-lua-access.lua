-- Whose token it is, by its SHA-256 (the token itself is kept nowhere); whether the ASP's rate allows the call, in windows of a
-- second; and how often it has called in all.
local ffi = require "ffi"
local digest = ffi.new("unsigned char[32]")

local token = ngx.var.http_x_ct_auth_token
if not token then return ngx.exit(401) end
ffi.C.SHA256(token, #token, digest)
local aspid = ngx.shared.tokens:get(ffi.string(digest, 32))
if not aspid then return ngx.exit(401) end

local limit = ngx.shared.limits:get(aspid)
local calls = ngx.shared.rates:incr(aspid .. ":" .. ngx.time(), 1, 0, 2)
if not calls then return ngx.exit(503) end
if calls > limit then return ngx.exit(429) end
ngx.shared.counts:incr(aspid, 1, 0)
