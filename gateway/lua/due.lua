-- What has to be done about holds whose worker is gone, in bounded portions, and the sweeping of what is too old to
-- matter. Moves no money.
-- KEYS: 1 holds · 2 leases · 3 tombstones · 4 expired · 5 expired_at · 6 rowless.
-- ARGV: 1 now, ms ("" = the store's clock) · 2 portion · 3 ms for which expired holds wait for a late receipt.
-- Answers: now · due holds · rowless entries, each {id, created, choices, prompt, granted, money, name, carry,
-- nano-neurons}.
local TOMBSTONE_MS = 60000
local now, portion = now_ms(ARGV[1]), tonumber(ARGV[2])

local function facts(id, packed)
  local record = cmsgpack.unpack(packed)
  return {id, record[CREATED], record[CHOICES], record[PROMPT], record[GRANTED], whole(record[AMOUNTS][1]),
    record[NAME], record[CARRY], whole(record[AMOUNTS][5] or 0)}
end

local due = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now), 'LIMIT', 0, portion)) do
  local packed = redis.call('HGET', KEYS[1], id)
  if packed then due[#due + 1] = facts(id, packed) else redis.call('ZREM', KEYS[2], id) end
end

local rowless = {}
local found = redis.call('HRANDFIELD', KEYS[6], portion, 'WITHVALUES')
for i = 1, #found, 2 do rowless[#rowless + 1] = facts(found[i], found[i + 1]) end

local old = redis.call('ZCOUNT', KEYS[3], '-inf', whole(now - TOMBSTONE_MS))
if old > 0 then redis.call('ZREMRANGEBYRANK', KEYS[3], 0, math.min(old, 1000) - 1) end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', whole(now - tonumber(ARGV[3])), 'LIMIT', 0, portion)) do
  redis.call('HDEL', KEYS[4], id)
  redis.call('ZREM', KEYS[5], id)
end
return {now, due, rowless}
