-- Shared by the steps that move money; put in front of them when they are loaded.
-- A hold record is msgpack: {created ms, {money, tokens, requests}, choices, prompt tokens per choice, granted tokens
-- per choice, meters blob, roll-up name project|key|model, carry}. The blob is what core/limits.py packed: {from,
-- until, scope, scope, scope}, a scope {{held fields …, used fields of limited meters …}, {kind of each}, {limits}}.
-- Amounts are integers in doubles, exact below 2^53; always written with %.0f.

local CREATED, AMOUNTS, CHOICES, PROMPT, GRANTED, METERS, NAME, CARRY = 1, 2, 3, 4, 5, 6, 7, 8

local function whole(number)
  return string.format('%.0f', number)
end

local function now_ms(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Adds `held` and `used` (three amounts each, by kind) to every meter of the three scopes. keys: their counter hashes.
local function book(keys, meters_blob, held, used)
  local meters = cmsgpack.unpack(meters_blob)
  for scope = 1, 3 do
    local names, kinds = meters[scope + 2][1], meters[scope + 2][2]
    local fields, count = {}, #kinds
    for i = 1, count do
      fields[i] = names[i]
      fields[count + i] = 'u' .. string.sub(names[i], 2)
    end
    local values = redis.call('HMGET', keys[scope], unpack(fields))
    local writes = {}
    for i = 1, count do
      local kind = kinds[i]
      writes[4 * i - 3] = fields[i]
      writes[4 * i - 2] = whole((tonumber(values[i]) or 0) + held[kind])
      writes[4 * i - 1] = fields[count + i]
      writes[4 * i] = whole((tonumber(values[count + i]) or 0) + used[kind])
    end
    redis.call('HSET', keys[scope], unpack(writes))
  end
end

local function minus(amounts)
  return {-amounts[1], -amounts[2], -amounts[3]}
end

-- Adds {requests, prompt, completion, cached, cost, neurons, failed} to a request's field in the three roll-ups.
-- keys: hour, day, day by hour; name: project|key|model.
local function roll_up(keys, created, name, sums)
  local hour = math.floor(created / 3600000) * 3600
  local project, model = string.match(name, '^([^|]*)|[^|]*|(.*)$')
  local fields = {name, name, whole(hour) .. '|' .. project .. '|' .. model}
  for i = 1, 3 do
    local old = redis.call('HGET', keys[i], fields[i])
    local new = sums
    if old then
      local r, p, c, k, m, n, f = string.match(old, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
      new = {r + sums[1], p + sums[2], c + sums[3], k + sums[4], m + sums[5], n + sums[6], f + sums[7]}
    end
    redis.call('HSET', keys[i], fields[i], string.format('%.0f %.0f %.0f %.0f %.0f %.0f %.0f', unpack(new)))
  end
end

-- What the row of an expired hold says: everything it held.
local function estimate(record)
  local choices = record[CHOICES]
  return {1, choices * record[PROMPT], choices * record[GRANTED], 0, record[AMOUNTS][1], 0, 0}
end
