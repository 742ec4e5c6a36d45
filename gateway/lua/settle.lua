-- Applies one spool entry: the receipt of a request, or the release of a hold nothing is owed for.
--
--   state    | receipt                                              | release
--   ---------+------------------------------------------------------+----------------------------------------------
--   HELD     | held returned, actual used, rolled up  → SETTLED     | held returned                       → SETTLED
--   EXPIRED  | the estimate taken back, actual booked → SETTLED     | the estimate taken back but for the request
--            |                                                      | itself, its row is corrected        → SETTLED
--   absent   | actual used, rolled up                 → SETTLED     | nothing but the tombstone           → SETTLED
--   SETTLED  | nothing                                              | nothing
--
-- HELD is a record in `holds`, EXPIRED one in `expired`, SETTLED an id in `tombstones`, which keep it for longer than
-- hold.lua lets a step be late; after that the numbers of the spool are what tells a repetition.
-- Entries of a spool are applied in order and once: up to `applied` nothing happens, the next one is applied, a later
-- one is answered with GAP. A spool whose older entries no longer exist says so (ARGV 4) and may leave them out.
--
-- KEYS: 1 applied · 2 holds · 3 leases · 4 tombstones · 5 expired · 6 expired_at · 7 rowless · 8, 9, 10 counters of
--   organisation, project, key · 11 roll-up of the hour, 12 of the day, 13 of the day by hour, 14 of that by tag.
-- ARGV: 1 now, ms ("" = the store's clock) · 2 spool · 3 entry · 4 "1" if older entries are gone · 5 request id ·
--   6 "1" for a receipt, "0" for a release · 7 created ms; and of a receipt: 8 roll-up name project|key|model ·
--   9 prompt · 10 completion · 11 cached tokens · 12 cost · 13 neurons, nano · 14 "1" if it failed. For
--   both 15 booking: the used fields of its time. Of a receipt: 16 tags (see _books.lua) · 17 "1" if its client left.
-- Answers: OK | AGAIN (applied before) | GAP, each with the last applied entry; or CREATED and the hold's creation
--   time: the entry says another, nothing was done (a release whose hold was never answered can only guess).

local TOMBSTONE_MS = 60000

local entry = tonumber(ARGV[3])
local applied = tonumber(redis.call('HGET', KEYS[1], ARGV[2])) or 0
if entry <= applied then return {'AGAIN', applied} end
if entry > applied + 1 and ARGV[4] ~= '1' then return {'GAP', applied} end

local now, id, is_receipt, created = now_ms(ARGV[1]), ARGV[5], ARGV[6] == '1', tonumber(ARGV[7])
local counters, rollups = {KEYS[8], KEYS[9], KEYS[10]}, {KEYS[11], KEYS[12], KEYS[13], KEYS[14]}

local held = redis.call('HGET', KEYS[2], id)
local expired = not held and redis.call('HGET', KEYS[5], id)
local record = nil
if held or expired then
  record = cmsgpack.unpack(held or expired)
  if (expired or is_receipt) and record[CREATED] ~= created then
    return {'CREATED', record[CREATED]}
  end
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])

local used, sums = nil, nil
if is_receipt then
  local prompt, completion, cost = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[12])
  local neurons = tonumber(ARGV[13])
  used = {cost, prompt + completion, 1, 0, neurons}
  sums = {1, prompt, completion, tonumber(ARGV[11]), cost, neurons, tonumber(ARGV[14]), tonumber(ARGV[17])}
end

if held then
  reserve(counters, cmsgpack.unpack(record[METERS]), record[AMOUNTS], -1)
  recount(counters, record, used or NOTHING, negated(record[AMOUNTS]), now)
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
  if is_receipt then
    book(counters, ARGV[15], used)
    roll_up(rollups, created, ARGV[8], sums, ARGV[16])
  end
elseif expired then
  local old, before = record[AMOUNTS], estimate(record)
  redis.call('HDEL', KEYS[5], id)
  redis.call('ZREM', KEYS[6], id)
  redis.call('HDEL', KEYS[7], id)
  for i = 1, 8 do before[i] = -before[i] end
  if is_receipt then
    local correction = {used[1] - old[1], used[2] - old[2], used[3] - old[3], 0, used[5] - (old[5] or 0)}
    recount(counters, record, correction, NOTHING, now)
    book(counters, ARGV[15], correction)
    roll_up(rollups, created, record[NAME], before, record[TAGS])
    roll_up(rollups, created, ARGV[8], sums, ARGV[16])
  else
    -- Its row may be written already, by anybody: the request stays counted, as failed and without any use.
    local correction = {-old[1], -old[2], 0, 0, -(old[5] or 0)}
    recount(counters, record, correction, NOTHING, now)
    book(counters, ARGV[15], correction)
    before[1], before[7] = 0, 1
    roll_up(rollups, created, record[NAME], before, record[TAGS])
    redis.call('HSET', KEYS[7], id .. '!', expired)
  end
elseif redis.call('ZSCORE', KEYS[4], id) then
  return {'OK', entry}
elseif is_receipt then
  book(counters, ARGV[15], used)
  roll_up(rollups, created, ARGV[8], sums, ARGV[16])
end
redis.call('ZADD', KEYS[4], whole(now), id)
if entry % 32 == 0 then -- old tombstones go in small portions, paid for by those who leave new ones
  local old = redis.call('ZCOUNT', KEYS[4], '-inf', whole(now - TOMBSTONE_MS))
  if old > 0 then redis.call('ZREMRANGEBYRANK', KEYS[4], 0, math.min(old, 128) - 1) end
end
return {'OK', entry}
