-- What workers tell each other about models and account (fleet/notes.py): takes newer notes in, gives all back.
--
-- KEYS[1]  hash: note name → "<at> <fact>" (at: unix seconds, decimal; fact: JSON), and "version", which every change
--          raises
-- ARGV     the version the caller has seen; then name, at, fact of each note it brings
-- Returns  the version, and where that is not the caller's, every name and value
local version = tonumber(redis.call('HGET', KEYS[1], 'version')) or 0
for i = 2, #ARGV, 3 do
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  if not known or tonumber(string.match(known, '^%S+')) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
    version = redis.call('HINCRBY', KEYS[1], 'version', 1)
  end
end
if version == tonumber(ARGV[1]) then
  return {version}
end
return {version, redis.call('HGETALL', KEYS[1])}
