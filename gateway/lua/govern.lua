-- A rate of the whole account, shared between workers: gives one of them permits, so that what all have used within
-- the window and have in hand is never more than the limit. See core/meter.py.
--
-- Permits come into a bucket at the limit's rate, so that they are not all given at once. Where several workers want
-- some, each has a part of the rate by what it lacks, and a credit of what it was not given yet: who asks at the right
-- moment gets no more than the others.
--
-- KEYS[1]  hash: worker → "<used + in hand> <ms> <lacking> <credit>" when it was here last; "level" → "<permits> <ms>",
--          at most a burst
-- ARGV     worker, limit, window (ms), burst, used within the window, in hand, wanted in hand, given back
-- Returns  how many more (or less) are in hand now, how many other workers lack
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local limit, window, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local used, stock, wanted, returned = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local rate = limit / window
local others, lacked, level, credit, before = 0, 0, burst, 0, now
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local count, seen, lacking, saved = string.match(entries[i + 1], '^(%S+) (%S+) ?(%S*) ?(%S*)$')
  count, seen = tonumber(count), tonumber(seen)
  if entries[i] == 'level' then
    level = math.min(burst, count + math.max(0, now - seen) * rate)
  elseif entries[i] == ARGV[1] then
    credit, before = tonumber(saved), seen
  elseif now - seen > window then
    redis.call('HDEL', KEYS[1], entries[i]) -- whatever it had in hand or used is out of every window
  else
    others = others + count
    lacked = lacked + (now - seen < 2000 and tonumber(lacking) or 0)
  end
end
level = math.min(burst, level + returned)
local room, lacking = limit - others - used, math.max(0, wanted - stock)
local part = lacking > 0 and lacking / (lacking + lacked) or 0
credit = math.min(burst, credit + math.min(2000, math.max(0, now - before)) * rate * part)
local gain = math.min(room - stock, lacking, math.floor(level))
if room >= stock then
  gain = math.max(gain, 0)
  if lacked > 0 then
    gain = math.min(gain, math.max(math.floor(credit), math.floor(level * part)))
  end
end
level = level - math.max(gain, 0)
credit = lacked > 0 and math.max(0, credit - math.max(gain, 0)) or 0
redis.call('HSET', KEYS[1],
  ARGV[1], string.format('%d %.0f %d %.6f', used + stock + gain, now, lacking - math.max(gain, 0), credit),
  'level', string.format('%.6f %.0f', level, now))
redis.call('PEXPIRE', KEYS[1], 2 * window)
return {gain, lacked}
