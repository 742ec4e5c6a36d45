-- Compare, then write: the one way in which the admin API changes records. All or nothing, so a hold running beside it
-- sees either the records before or those after, and two admins never overwrite each other's change unseen.
--
-- KEYS     every key that is read or written, in the order the change names them; all in the organisation's slot
-- ARGV[1]  JSON {"guards": [[key number, field, expected value or false]…], "writes": [[command, key number, …]…]};
--          a guard compares one hash field, false meaning absent; key numbers count from 1; arguments are strings
-- Returns  1 when every guard held and everything was written; 0 when a guard did not hold and nothing was.

local change = cjson.decode(ARGV[1])

for _, guard in ipairs(change.guards) do
  if redis.call('HGET', KEYS[guard[1]], guard[2]) ~= guard[3] then
    return 0
  end
end

for _, write in ipairs(change.writes) do
  redis.call(write[1], KEYS[write[2]], unpack(write, 3))
end

return 1
