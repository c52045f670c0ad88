/** The script that lends out of the common allowances in Redis: all that a request needs, or nothing. */

/** Of a subject, in this order; `slotsNeed` and `slotsWish` are totals, those in use included. */
export const scriptArguments = [
  ...["requestsLimit", "requestsBack", "requestsNeed", "requestsWish"],
  ...["tokensLimit", "tokensBack", "tokensNeed", "tokensWish"],
  ...["slotsLimit", "slotsNeed", "slotsWish", "slotsInUse"],
] as const;

/** For each subject after the first number: requests granted and left, tokens granted and left, slots held. */
export const FIGURES_PER_SUBJECT = 5;

/**
 * KEYS: a hash for each subject. ARGV: this process, how long its slots are its own, how long a hash is kept (both ms),
 * and the arguments of each subject. Redis has the time: the clocks of the processes need not agree.
 */
export const borrowScript = `
local instance, ttl, kept = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local subjects, fits = {}, 1

for i, key in ipairs(KEYS) do
  local a = {}
  for n = 1, ${scriptArguments.length} do a[n] = tonumber(ARGV[3 + (i - 1) * ${scriptArguments.length} + n]) end
  local fields = redis.call('HGETALL', key)
  local known, ended, own, others = {}, {}, 0, 0
  for f = 1, #fields, 2 do
    local name, value = fields[f], fields[f + 1]
    known[name] = value
    local held, untilMs = string.match(value, '^(%d+):(%d+)$')
    if held and tonumber(untilMs) <= now then ended[#ended + 1] = name
    elseif held and name == instance then own = tonumber(held)
    elseif held then others = others + tonumber(held) end
  end
  local level = {}
  for p, name in ipairs({ 'requests', 'tokens' }) do
    local limit, back, need = a[p * 4 - 3], a[p * 4 - 2], a[p * 4 - 1]
    local left = limit
    if known[name] then left = tonumber(known[name]) + math.max(0, now - tonumber(known.at)) * limit / 60000 end
    level[p] = math.min(limit, math.min(limit, left) + back)
    if need > 0 and level[p] < need then fits = 0 end
  end
  if a[10] > 0 and a[9] - others < a[10] then fits = 0 end
  subjects[i] = { a = a, level = level, own = own, others = others, ended = ended }
end

local reply = { fits }
for i, key in ipairs(KEYS) do
  local s = subjects[i]
  local a, level = s.a, s.level
  for p = 1, 2 do
    local granted = 0
    if fits == 1 then granted = math.max(0, math.min(a[p * 4], math.floor(level[p]))) end
    level[p] = level[p] - granted
    reply[#reply + 1] = granted
    reply[#reply + 1] = string.format('%.3f', level[p])
  end
  local most = s.own
  if fits == 1 then most = a[9] - s.others end
  local held = math.max(a[12], math.min(a[11], most))
  reply[#reply + 1] = held
  if #s.ended > 0 then redis.call('HDEL', key, unpack(s.ended)) end
  redis.call('HSET', key, 'requests', string.format('%.3f', level[1]), 'tokens', string.format('%.3f', level[2]), 'at', string.format('%.0f', now))
  if held > 0 then redis.call('HSET', key, instance, string.format('%.0f:%.0f', held, now + ttl))
  else redis.call('HDEL', key, instance) end
  redis.call('PEXPIRE', key, kept)
end
return reply
`;
