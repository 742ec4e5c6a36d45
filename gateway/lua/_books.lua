-- Shared by the steps that move money; put in front of them when they are loaded.
-- A hold record is msgpack: {created ms, {money, tokens, requests}, choices, prompt tokens per choice, granted tokens
-- per choice, meters, roll-up name project|key|model, carry}. `meters` and `booking` are what core/limits.py packed:
-- {from, until, then scope, kind, held field, used field, limit of each limited meter}; {{used fields}, {their kinds}}.
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

-- Adds `sign` times what a record holds to the held counters of its limited meters. keys: the scopes' counters.
local function reserve(keys, meters, amounts, sign)
  for i = 3, #meters, 5 do
    redis.call('HINCRBY', keys[meters[i]], meters[i + 2], whole(sign * amounts[meters[i + 1]]))
  end
end

-- Adds three amounts, by kind, to the used counters of all scopes.
local function book(keys, booking, amounts)
  local unpacked = cmsgpack.unpack(booking)
  local fields, kinds = unpacked[1], unpacked[2]
  local writes = {}
  for scope = 1, 3 do
    local values = redis.call('HMGET', keys[scope], unpack(fields))
    for i = 1, #fields do
      writes[2 * i - 1] = fields[i]
      writes[2 * i] = string.format('%.0f', (values[i] or 0) + amounts[kinds[i]])
    end
    redis.call('HSET', keys[scope], unpack(writes))
  end
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
