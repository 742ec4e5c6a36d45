-- Reserves, or restates, what one request may use, in all scopes or in none.
--
-- KEYS: 1 organisation, 2 project, 3 key record · 4 holds · 5 leases · 6 tombstones · 7 expired · 8, 9, 10 counters of
--   organisation, project, key.
-- ARGV: 1 request id · 2 now, ms ("" = the store's clock; given only by tests) · 3 latest ms at which this step may
--   still run ("" = any) · 4 lease ms · 5 created ms of a hold being restated ("" = new) · 6, 7, 8 versions of
--   organisation, project and key the caller knows · 9 the key's expiry, ms ("" = none) · 10 choices · 11 prompt
--   tokens · 12 output tokens wanted, 13 at least, both per choice · 14, 15 nano-dollars per million input, output
--   tokens · 16 meters (core/limits.py) · 17 roll-up name project|key|model · 18 carry: opaque, for an expired row.
-- Answers: HELD now created granted · LATE now · WINDOW now created (meters are of another window) · STALE now and the
--   data of organisation, project, key (nil = gone) · REVOKED now · OVER now (settled or expired: may not be taken
--   again) · REFUSED now meter used held (the meter's number among the limited).
--
-- A step that was sent long ago (a frozen store, an old connection) finds itself LATE and takes nothing; tombstones are
-- kept longer than a step may be late, so a hold that arrives after its own settle never takes anything either.

local id = ARGV[1]
local now = now_ms(ARGV[2])
if ARGV[3] ~= '' and now > tonumber(ARGV[3]) then return {'LATE', now} end

for i = 1, 3 do
  if redis.call('HGET', KEYS[i], 'v') ~= ARGV[5 + i] then
    return {'STALE', now, redis.call('HGET', KEYS[1], 'data'), redis.call('HGET', KEYS[2], 'data'),
      redis.call('HGET', KEYS[3], 'data')}
  end
end
if ARGV[9] ~= '' and now >= tonumber(ARGV[9]) then return {'REVOKED', now} end

local packed = redis.call('HGET', KEYS[4], id)
local held = packed and cmsgpack.unpack(packed) or nil
if not held and (redis.call('ZSCORE', KEYS[6], id) or redis.call('HEXISTS', KEYS[7], id) == 1) then
  return {'OVER', now}
end

local created = now
if held then created = held[CREATED] elseif ARGV[5] ~= '' then created = tonumber(ARGV[5]) end
local meters = cmsgpack.unpack(ARGV[16])
if created < meters[1] or created >= meters[2] then return {'WINDOW', now, created} end

local counters = {KEYS[8], KEYS[9], KEYS[10]}
local before = held and cmsgpack.unpack(held[METERS]) or nil
if held then reserve(counters, before, held[AMOUNTS], -1) end

local choices, prompt = tonumber(ARGV[10]), tonumber(ARGV[11])
local price_in, price_out = tonumber(ARGV[14]), tonumber(ARGV[15])
-- Prices are split at a million so that no product leaves the exact range of a double.
local in_nano, in_rest = math.floor(price_in / 1000000), price_in % 1000000
local out_nano, out_rest = math.floor(price_out / 1000000), price_out % 1000000

local function claims(output)
  local rest = math.ceil((prompt * in_rest + output * out_rest) / 1000000)
  return {choices * (prompt * in_nano + output * out_nano + rest), choices * (prompt + output), 1}
end

-- What is free of each kind, and the meter that leaves least.
local free, tightest = {}, {}
for i = 3, #meters, 5 do
  local kind = meters[i + 1]
  local found = redis.call('HMGET', counters[meters[i]], meters[i + 2], meters[i + 3])
  local reserved, used = tonumber(found[1] or 0), tonumber(found[2] or 0)
  local left = meters[i + 4] - used - reserved
  if not free[kind] or left < free[kind] then
    free[kind] = left
    tightest[kind] = {'REFUSED', now, (i + 2) / 5, used, reserved}
  end
end

-- The first kind that is in the way of `output` tokens, nil where all fit.
local function obstacle(output)
  local wanted = claims(output)
  for kind = 1, 3 do
    if free[kind] and wanted[kind] > free[kind] then return kind end
  end
  return nil
end

local granted = tonumber(ARGV[12])
if obstacle(granted) then
  local low, high = math.min(tonumber(ARGV[13]), granted), granted
  local kind = obstacle(low)
  if kind then
    if held then reserve(counters, before, held[AMOUNTS], 1) end
    return tightest[kind]
  end
  while high - low > 1 do -- low fits, high does not
    local middle = math.floor((low + high) / 2)
    if obstacle(middle) then high = middle else low = middle end
  end
  granted = low
end

local amounts = claims(granted)
reserve(counters, meters, amounts, 1)
redis.call('HSET', KEYS[4], id,
  cmsgpack.pack({created, amounts, choices, prompt, granted, ARGV[16], ARGV[17], ARGV[18]}))
redis.call('ZADD', KEYS[5], whole(now + tonumber(ARGV[4])), id)
return {'HELD', now, created, granted}
