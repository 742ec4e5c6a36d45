-- Raises an alert once: whoever claims it first puts it into the stream from which it is delivered, in the same step, so
-- that no replica tells it twice and none is lost between claim and stream.
--
-- KEYS: 1 claims (sorted set, score: ms at which the claim's window ends) · 2 alerts (stream)
-- ARGV: 1 now, ms ("" = the store's clock) · 2 claim · 3 ms of the window's end · 4 event (JSON) · 5 most entries kept
-- Answers: the entry's id; nil where the alert was raised before.

local now = now_ms(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now))
if redis.call('ZADD', KEYS[1], 'NX', ARGV[3], ARGV[2]) == 0 then return nil end
return redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[5], '*', 'event', ARGV[4])
