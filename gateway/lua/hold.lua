-- Reserves, or restates, what one request may use, in all scopes or in none.
--
-- KEYS: 1 organisation, 2 project, 3 key record · 4 holds · 5 leases · 6 tombstones · 7 expired · 8, 9, 10 counters of
--   organisation, project, key.
-- ARGV: 1 request id · 2 now, ms ("" = the store's clock; given only by tests) · 3 latest ms at which this step may
--   still run ("" = any) · 4 lease ms · 5 created ms of a hold being restated ("" = new) · 6, 7, 8 versions of
--   organisation, project and key the caller knows · 9 the key's expiry, ms ("" = none) · 10 choices · 11 prompt
--   tokens · 12 output tokens wanted, 13 at least, both per choice · 14, 15 nano-dollars per million input, output
--   tokens · 16 meters (core/limits.py) · 17 roll-up name project|key|model · 18 carry: opaque, for an expired row ·
--   19 rates: the rolling meters (core/limits.py), "" where there are none.
--   20 nano-dollars, 21 nano-neurons earlier attempts of this request have cost: claimed on top · 22, 23 neurons per
--   million input, output tokens · 24 tags (see _books.lua).
-- Answers: HELD now created granted standings · LATE now · WINDOW now created (meters are of another window) · STALE now
--   and the data of organisation, project, key (nil = gone) · REVOKED now · OVER now (settled or expired: may not be
--   taken again) · REFUSED now meter used held needed wait standings.
--   A meter is a number among the limited ones, the rolling ones last. wait: ms until the least claim fits if nothing
--   else happens, 0 where only the end of another request helps, -1 where waiting for less than a new calendar window
--   does not. standings: for tokens and for requests, of the limit that leaves least, if there is any: meter, what it
--   leaves, ms until nothing is counted any more (0: see its window).
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
if held then give_back(counters, held, now) end

local choices, prompt = tonumber(ARGV[10]), tonumber(ARGV[11])
local price_in, price_out = tonumber(ARGV[14]), tonumber(ARGV[15])
-- Prices are split at a million so that no product leaves the exact range of a double.
local in_nano, in_rest = math.floor(price_in / 1000000), price_in % 1000000
local out_nano, out_rest = math.floor(price_out / 1000000), price_out % 1000000

local spent, burnt = tonumber(ARGV[20]), tonumber(ARGV[21])
local neurons_in, neurons_out = tonumber(ARGV[22]) * 1000, tonumber(ARGV[23]) * 1000 -- nano-neurons per token
local function claims(output)
  local rest = math.ceil((prompt * in_rest + output * out_rest) / 1000000)
  return {spent + choices * (prompt * in_nano + output * out_nano + rest), choices * (prompt + output), 1, 1,
    burnt + choices * (prompt * neurons_in + output * neurons_out)}
end

-- Every meter's {kind, left, used, held, limit, slot ms, slots}, the last three of rolling ones only; and what is free
-- of each kind.
local looked, free = {}, {}

local function look(kind, limit, used, reserved, slot_ms, slots)
  local left = limit - used - reserved
  looked[#looked + 1] = {kind, left, used, reserved, limit, slot_ms, slots}
  if not free[kind] or left < free[kind] then free[kind] = left end
end

for i = 3, #meters, 5 do
  local found = redis.call('HMGET', counters[meters[i]], meters[i + 2], meters[i + 3])
  look(meters[i + 1], meters[i + 4], tonumber(found[2] or 0), tonumber(found[1] or 0))
end

local rates = ARGV[19] ~= '' and cmsgpack.unpack(ARGV[19]) or {}
for i = 1, #rates, 5 do
  local slot_ms = rates[i + 4]
  local oldest = math.floor(now / slot_ms) - SLOTS
  local packed = redis.call('HGET', counters[rates[i]], rates[i + 2])
  local slots, used, reserved = packed and cmsgpack.unpack(packed) or {}, 0, 0
  for j = 1, #slots, 3 do
    if slots[j] >= oldest then used, reserved = used + slots[j + 1], reserved + slots[j + 2] end
  end
  look(rates[i + 1], rates[i + 3], used, reserved, slot_ms, slots)
end

-- The first kind that is in the way of `output` tokens, nil where all fit.
local function obstacle(output)
  local wanted = claims(output)
  for kind = 1, 5 do
    if free[kind] and wanted[kind] > free[kind] then return kind end
  end
  return nil
end

-- ms until a slot has left the windows.
local function leaves_in(slot, slot_ms)
  return (slot + SLOTS + 1) * slot_ms - now
end

local FOREVER = 2 ^ 52

-- ms until `needed` fits under a meter, if nothing else is admitted or given back.
local function wait_for(meter, needed)
  local kind, left, limit, slot_ms, slots = meter[1], meter[2], meter[5], meter[6], meter[7]
  if kind == 4 and limit > 0 then return 0 end
  if not slot_ms or needed > limit then return FOREVER end
  local oldest = math.floor(now / slot_ms) - SLOTS
  for j = 1, #slots, 3 do
    if slots[j] >= oldest then
      left = left + slots[j + 1] + slots[j + 2]
      if left >= needed then return leaves_in(slots[j], slot_ms) end
    end
  end
  return FOREVER
end

-- Appends the standings to an answer; `taken` is what this step has taken.
local function with_standings(answer, taken)
  for kind = 2, 3 do
    local tightest = nil
    for number, meter in ipairs(looked) do
      if meter[1] == kind and (not tightest or meter[2] < looked[tightest][2]) then tightest = number end
    end
    if tightest then
      local meter, reset = looked[tightest], 0
      local slot_ms, slots = meter[6], meter[7]
      if slot_ms then
        local newest = taken and math.floor(now / slot_ms) or slots[#slots - 2]
        reset = newest and math.max(0, leaves_in(newest, slot_ms)) or 0
      end
      local size = #answer
      answer[size + 1], answer[size + 2] = tightest, math.max(0, meter[2] - (taken and taken[kind] or 0))
      answer[size + 3] = reset
    end
  end
  return answer
end

-- The limit that stays in the way of the least claim for longest.
local function refusal(least)
  local number, longest = nil, -1
  for i, meter in ipairs(looked) do
    if least[meter[1]] > meter[2] then
      local wait, known = wait_for(meter, least[meter[1]]), looked[number]
      if wait > longest
        or wait == longest and (meter[1] < known[1] or meter[1] == known[1] and meter[2] < known[2]) then
        number, longest = i, wait
      end
    end
  end
  local meter = looked[number]
  if longest == FOREVER then longest = -1 end
  return with_standings({'REFUSED', now, number, meter[3], meter[4], least[meter[1]], longest})
end

local granted = tonumber(ARGV[12])
if obstacle(granted) then
  local low, high = math.min(tonumber(ARGV[13]), granted), granted
  if obstacle(low) then
    if held then
      reserve(counters, cmsgpack.unpack(held[METERS]), held[AMOUNTS], 1)
      recount(counters, held, NOTHING, held[AMOUNTS], now)
    end
    return refusal(claims(low))
  end
  while high - low > 1 do -- low fits, high does not
    local middle = math.floor((low + high) / 2)
    if obstacle(middle) then high = middle else low = middle end
  end
  granted = low
end

local amounts = claims(granted)
local record = {created, amounts, choices, prompt, granted, ARGV[16], ARGV[17], ARGV[18], ARGV[19], now, ARGV[24]}
reserve(counters, meters, amounts, 1)
recount(counters, record, NOTHING, amounts, now)
redis.call('HSET', KEYS[4], id, cmsgpack.pack(record))
redis.call('ZADD', KEYS[5], whole(now + tonumber(ARGV[4])), id)
return with_standings({'HELD', now, created, granted}, amounts)
