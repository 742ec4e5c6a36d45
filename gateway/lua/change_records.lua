-- Compare, then write: the one way in which the admin API changes records. All or nothing, so a hold running beside it
-- sees either the records before or those after, and two admins never overwrite each other's change unseen. The act's
-- entry in the audit stream is part of the step, with the records as they were before and as they are after it. The
-- ledger changes its sums by it as well, which is no act and has no entry.
--
-- KEYS     every key that is read or written, in the order the change names them; all in the organisation's slot
-- ARGV[1]  JSON {"guards": [[key number, field, expected value or false]…], "writes": [[command, key number, …]…],
--          "entry": {"stream": key number, "most": entries kept, "fields": [name, value …], "shown": [[key number,
--          field]…]} or nothing}; a guard compares one hash field, false meaning absent; key numbers count from 1; arguments are
--          strings; of each shown field the entry gets `before` and `after`, empty where there is none
--          "bind": {"holds": key number, "meters": [[counters' key number, scope, owner, model, from ms, until ms, kind,
--          held or rolling field, used field, limit, slot ms]…]} or nothing: limits that are new. Requests in flight that they
--          concern hold for them from now on, as if they had been there before: owner is the id of the project or key, empty
--          for the organisation, model empty for all, slot ms 0 where nothing rolls
-- Returns  1 when every guard held and everything was written; 0 when a guard did not hold and nothing was.

local change = cjson.decode(ARGV[1])

for _, guard in ipairs(change.guards) do
  if redis.call('HGET', KEYS[guard[1]], guard[2]) ~= guard[3] then
    return 0
  end
end

local entry = change.entry or {shown = {}}
local function shown(place)
  return redis.call('HGET', KEYS[place[1]], place[2]) or ''
end

local before = {}
for number, place in ipairs(entry.shown) do before[number] = shown(place) end

for _, write in ipairs(change.writes) do
  redis.call(write[1], KEYS[write[2]], unpack(write, 3))
end

-- Adds a new limit to what a hold record gives back at its end, and its amounts to the counters; whether it did.
local function bind(record, meter, now)
  local counters, scope, owner, model, from, till, kind, field, used, limit, slot_ms = unpack(meter)
  local project, key, serving = string.match(record[NAME], '^([^|]*)|([^|]*)|(.*)$')
  local owners = {'', project, key}
  if owners[scope] ~= owner or model ~= '' and model ~= serving then return false end
  if record[CREATED] < from or record[CREATED] >= till then return false end
  local place = slot_ms > 0 and RATES or METERS
  local known = record[place] and record[place] ~= '' and cmsgpack.unpack(record[place]) or {}
  for i = slot_ms > 0 and 1 or 3, #known, 5 do
    if known[i] == scope and known[i + 2] == field then return false end
  end
  local added = slot_ms > 0 and {scope, kind, field, limit, slot_ms} or {scope, kind, field, used, limit}
  local keys = {[scope] = KEYS[counters]}
  if slot_ms > 0 then
    local alone = {[RATES] = cmsgpack.pack(added), [STATED] = record[STATED] or record[CREATED]}
    recount(keys, alone, NOTHING, record[AMOUNTS], now)
    record[STATED] = alone[STATED]
  else
    redis.call('HINCRBY', KEYS[counters], field, whole(record[AMOUNTS][kind] or 0))
  end
  for _, part in ipairs(added) do known[#known + 1] = part end
  record[place] = cmsgpack.pack(known)
  return true
end

if change.bind then
  local holds, now = KEYS[change.bind.holds], now_ms('')
  local flat = redis.call('HGETALL', holds)
  for i = 1, #flat, 2 do
    local record, is_bound = cmsgpack.unpack(flat[i + 1]), false
    for _, meter in ipairs(change.bind.meters) do is_bound = bind(record, meter, now) or is_bound end
    if is_bound then redis.call('HSET', holds, flat[i], cmsgpack.pack(record)) end
  end
end

if not change.entry then return 1 end

local fields = entry.fields
for number, place in ipairs(entry.shown) do
  for _, part in ipairs({'before', before[number], 'after', shown(place)}) do fields[#fields + 1] = part end
end
redis.call('XADD', KEYS[entry.stream], 'MAXLEN', '=', entry.most, '*', unpack(fields))

return 1
