-- Ends a hold whose lease has run out: what it held is booked as used, and its row has to be written (`rowless`).
-- HELD → EXPIRED; anything else, and a lease that was renewed since, stays as it is.
-- KEYS: 1 holds · 2 leases · 3 expired · 4 expired_at · 5 rowless · 6, 7, 8 counters of organisation, project, key ·
--   9 roll-up of the hour, 10 of the day, 11 of the day by hour, 12 of the day by hour and tag.
-- ARGV: 1 now, ms ("" = the store's clock) · 2 request id · 3 booking: the used fields of its time.  Answers 1 if it expired, 0 if not.
local now, id = now_ms(ARGV[1]), ARGV[2]
local lease = redis.call('ZSCORE', KEYS[2], id)
local packed = redis.call('HGET', KEYS[1], id)
if not packed or not lease or tonumber(lease) > now then return 0 end
local record = cmsgpack.unpack(packed)
local counters = {KEYS[6], KEYS[7], KEYS[8]}
give_back(counters, record, now)
recount(counters, record, record[AMOUNTS], NOTHING, now)
book(counters, ARGV[3], record[AMOUNTS])
roll_up({KEYS[9], KEYS[10], KEYS[11], KEYS[12]}, record[CREATED], record[NAME], estimate(record), record[TAGS])
redis.call('HDEL', KEYS[1], id)
redis.call('ZREM', KEYS[2], id)
redis.call('HSET', KEYS[3], id, packed)
redis.call('ZADD', KEYS[4], whole(now), id)
redis.call('HSET', KEYS[5], id, packed)
return 1
