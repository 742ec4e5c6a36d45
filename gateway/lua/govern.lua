-- A rate of the whole account, shared between workers: gives one of them permits, so that what all have used within
-- the window and have in hand is never more than the limit. See core/meter.py.
--
-- KEYS[1]  hash: worker → "<used + in hand> <ms>" when it was here last; "level" → "<permits> <ms>": a bucket that holds
--          at most a burst and fills at the limit's rate, so that permits are not all given at once
-- ARGV     worker, limit, window (ms), burst, used within the window, in hand, wanted in hand, given back
-- Returns  how many more (or less) are in hand now
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local limit, window, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local used, stock, wanted, returned = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local others, live, level = 0, 1, burst
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local count, seen = string.match(entries[i + 1], '^(%S+) (%S+)$')
  count, seen = tonumber(count), tonumber(seen)
  if entries[i] == 'level' then
    level = math.min(burst, count + math.max(0, now - seen) * limit / window)
  elseif entries[i] ~= ARGV[1] then
    if now - seen > window then
      redis.call('HDEL', KEYS[1], entries[i]) -- whatever it had in hand or used is out of every window
    else
      others = others + count
      live = live + (now - seen < 5000 and 1 or 0)
    end
  end
end
level = math.min(burst, level + returned)
local room = limit - others - used
local gain = math.min(room - stock, wanted - stock, math.floor(level), math.max(1, math.ceil(level / live)))
if room >= stock then
  gain = math.max(gain, 0)
end
level = level - math.max(gain, 0)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d %.0f', used + stock + gain, now),
  'level', string.format('%.6f %.0f', level, now))
redis.call('PEXPIRE', KEYS[1], 2 * window)
return gain
