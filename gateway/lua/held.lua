-- Compares, at one moment, what the holds reserve with what the held counters say. Reads only.
-- KEYS: 1 holds · 2 leases · 3 … counters of scopes.
-- ARGV: 1 now, ms ("" = the store's clock) · 2 most holds to look at · 3 ms past its lease at which a hold is an
--   orphan · 4 … the scopes' names, in the order of their counters (o, p:<project>, k:<key id>).
-- Answers: number of holds · orphans, ids · differences: key number, field, reserved by holds, said by the counter, …
--   With more holds than asked for nothing is compared.
local now, most, patience = now_ms(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local count = redis.call('HLEN', KEYS[1])
if count > most then return {count, {}, {}} end

local sums, orphans = {}, {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local record = cmsgpack.unpack(flat[i + 1])
  local project, key = string.match(record[NAME], '^([^|]*)|([^|]*)|')
  local scopes = {'o', 'p:' .. project, 'k:' .. key}
  local meters = cmsgpack.unpack(record[METERS])
  for m = 3, #meters, 5 do
    local place = scopes[meters[m]] .. ' ' .. meters[m + 2]
    sums[place] = (sums[place] or 0) + record[AMOUNTS][meters[m + 1]]
  end
  local lease = redis.call('ZSCORE', KEYS[2], flat[i])
  if not lease or tonumber(lease) + patience < now then orphans[#orphans + 1] = flat[i] end
end

local differences = {}
local function differ(number, field, reserved, said)
  if reserved ~= said then
    for _, part in ipairs({number, field, whole(reserved), whole(said)}) do differences[#differences + 1] = part end
  end
end
for number = 3, #KEYS do
  local scope, seen = ARGV[number + 1], {}
  local counters = redis.call('HGETALL', KEYS[number])
  for i = 1, #counters, 2 do
    if string.sub(counters[i], 1, 2) == 'h:' then
      seen[counters[i]] = true
      differ(number, counters[i], sums[scope .. ' ' .. counters[i]] or 0, tonumber(counters[i + 1]))
    end
  end
  for place, reserved in pairs(sums) do
    local name, field = string.match(place, '^(%S+) (.*)$')
    if name == scope and not seen[field] then differ(number, field, reserved, 0) end
  end
end
return {count, orphans, differences}
