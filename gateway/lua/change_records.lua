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

if not change.entry then return 1 end

local fields = entry.fields
for number, place in ipairs(entry.shown) do
  for _, part in ipairs({'before', before[number], 'after', shown(place)}) do fields[#fields + 1] = part end
end
redis.call('XADD', KEYS[entry.stream], 'MAXLEN', '=', entry.most, '*', unpack(fields))

return 1
