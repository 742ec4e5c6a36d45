-- Reads single fields of several hashes at one moment: nothing is booked between the first and the last.
-- KEYS: the hashes.  ARGV: pairs of key number (from 1) and field.  Answers the values, nil where there is none.
local values = {}
for i = 1, #ARGV, 2 do
  values[#values + 1] = redis.call('HGET', KEYS[tonumber(ARGV[i])], ARGV[i + 1])
end
return values
