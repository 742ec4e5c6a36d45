-- Shared by the steps that move money; put in front of them when they are loaded.
-- A hold record is msgpack: {created ms, {money, tokens, requests, concurrent requests, nano-neurons}, choices, prompt
-- tokens per choice, granted tokens per choice, meters, roll-up name project|key|model, carry, rates ('' where nothing
-- rolls), ms at which it was last stated, tags ('' where there are none)}. `tags` is msgpack {name=value, …} of the tags
-- that are rolled up. `meters`, `rates` and `booking` are what core/limits.py packed: {from,
-- until, then scope, kind, held field, used field, limit of each limited meter}; {scope, kind, field, limit, slot ms of
-- each rolling meter}; {{used fields}, {their kinds}}.
-- Amounts are integers in doubles, exact below 2^53; always written with %.0f. Sums of neurons may be larger.

local CREATED, AMOUNTS, CHOICES, PROMPT, GRANTED, METERS, NAME, CARRY, RATES, STATED, TAGS = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
local SLOTS = 60
local MOST_TAG_FIELDS = 10000 -- of a day; beyond them a value is counted as (other)
local NOTHING = {0, 0, 0, 0, 0}

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

-- A rolling meter is one field: msgpack {slot, used, held, slot, used, held …}, oldest first. What is counted at `now`
-- is the slot of now and the 60 before it: no stretch as long as the window touches more slots, so none is ever over
-- the limit, and a claim may have to wait for up to one slot longer than it would by the millisecond.

-- Adds `used` and `held`, by kind, to what a record's rolling meters count in the slot in which it was last stated. A
-- slot that no window contains any more is left alone; old slots go.
local function recount(keys, record, used, held, now)
  if not record[RATES] or record[RATES] == '' then return end
  local rates = cmsgpack.unpack(record[RATES])
  for i = 1, #rates, 5 do
    local key, kind, field, slot_ms = keys[rates[i]], rates[i + 1], rates[i + 2], rates[i + 4]
    local slot, oldest = math.floor(record[STATED] / slot_ms), math.floor(now / slot_ms) - SLOTS
    if slot >= oldest then
      local packed = redis.call('HGET', key, field)
      local slots = packed and cmsgpack.unpack(packed) or {}
      local place = #slots - 2 -- nearly always the last or one of the last
      while place > 0 and slots[place] > slot do place = place - 3 end
      if place < 1 or slots[place] < slot then
        place = place + 3
        for part = 0, 2 do table.insert(slots, place + part, part == 0 and slot or 0) end
      end
      slots[place + 1] = math.max(0, slots[place + 1] + used[kind])
      slots[place + 2] = math.max(0, slots[place + 2] + held[kind])
      local first = 1
      while slots[first] < oldest do first = first + 3 end
      redis.call('HSET', key, field, cmsgpack.pack(first == 1 and slots or {unpack(slots, first)}))
    end
  end
end

local function negated(amounts)
  return {-amounts[1], -amounts[2], -amounts[3], 0, -(amounts[5] or 0)}
end

-- Gives back what a record holds.
local function give_back(keys, record, now)
  reserve(keys, cmsgpack.unpack(record[METERS]), record[AMOUNTS], -1)
  recount(keys, record, NOTHING, negated(record[AMOUNTS]), now)
end

-- Decimal text plus an amount, exact also beyond 2^53: a busy day's nano-neurons are more than that.
local function added(text, amount)
  local head, tail = string.match(text, '^(%d+)(%d%d%d%d%d%d%d%d%d)$')
  if not head or #head < 6 then return whole(text + amount) end
  local low = tail + amount
  local carry = math.floor(low / 1000000000)
  return string.format('%.0f%09.0f', head + carry, low - carry * 1000000000)
end

-- Adds amounts, by kind, to the used counters of all scopes.
local function book(keys, booking, amounts)
  local unpacked = cmsgpack.unpack(booking)
  local fields, kinds = unpacked[1], unpacked[2]
  local writes = {}
  for scope = 1, 3 do
    local values = redis.call('HMGET', keys[scope], unpack(fields))
    for i = 1, #fields do
      writes[2 * i - 1] = fields[i]
      local old, amount = values[i] or '0', amounts[kinds[i]] or 0
      writes[2 * i] = #old > 15 and added(old, amount) or string.format('%.0f', old + amount)
    end
    redis.call('HSET', keys[scope], unpack(writes))
  end
end

-- Adds {requests, prompt, completion, cached, cost, neurons, failed, client gone} to one field of a roll-up.
local function add_sums(key, field, sums)
  local r, p, c, k, m, n, f, g = 0, 0, 0, 0, 0, '0', 0, 0
  local old = redis.call('HGET', key, field)
  if old then -- written before the last sum was counted, it has seven
    r, p, c, k, m, n, f, g = string.match(old, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) ?(%S*)$')
    if g == '' then g = 0 end
  end
  redis.call('HSET', key, field, string.format('%.0f %.0f %.0f %.0f %.0f %s %.0f %.0f', r + sums[1], p + sums[2],
    c + sums[3], k + sums[4], m + sums[5], added(n, sums[6]), f + sums[7], g + sums[8]))
end

-- Adds a request's sums to its fields of the roll-ups. keys: hour, day, day by hour, day by hour and tag; name:
-- project|key|model; tags: as in a record.
local function roll_up(keys, created, name, sums, tags)
  local project, model = string.match(name, '^([^|]*)|[^|]*|(.*)$')
  local by_hour = whole(math.floor(created / 3600000) * 3600) .. '|' .. project .. '|' .. model
  add_sums(keys[1], name, sums)
  add_sums(keys[2], name, sums)
  add_sums(keys[3], by_hour, sums)
  if not tags or tags == '' then return end
  for _, tag in ipairs(cmsgpack.unpack(tags)) do
    local field = by_hour .. '|' .. tag
    if redis.call('HEXISTS', keys[4], field) == 0 and redis.call('HLEN', keys[4]) >= MOST_TAG_FIELDS then
      field = by_hour .. '|' .. string.match(tag, '^[^=]*=') .. '(other)'
    end
    add_sums(keys[4], field, sums)
  end
end

-- What the row of an expired hold says: everything it held.
local function estimate(record)
  local choices, amounts = record[CHOICES], record[AMOUNTS]
  return {1, choices * record[PROMPT], choices * record[GRANTED], 0, amounts[1], amounts[5] or 0, 0, 0}
end
