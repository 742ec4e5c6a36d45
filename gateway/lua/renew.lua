-- Extends the leases of holds that exist; answers the ids of those that do not.
-- KEYS: 1 leases.  ARGV: 1 now, ms ("" = the store's clock) · 2 lease ms · 3 … request ids.
local lease_end = whole(now_ms(ARGV[1]) + tonumber(ARGV[2]))
local missing = {}
for i = 3, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[1], lease_end, ARGV[i])
  else
    missing[#missing + 1] = ARGV[i]
  end
end
return missing
