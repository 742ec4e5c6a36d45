-- Makes the organisation's record where there is none; answers the record's data. Both fields in one step: a record
-- without its version would never match a hold.
-- KEYS: 1 organisation record.  ARGV: 1 data (JSON), 2 version.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'data', ARGV[1], 'v', ARGV[2])
end
return redis.call('HGET', KEYS[1], 'data')
