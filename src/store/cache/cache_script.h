/*
 * cache_script: what runs in Redis, one step each that nobody comes between. cache_room.h says what
 * it is for. All under "c1d:cache:PLACE:":
 *
 *   era               the word
 *   run               Redis' own run_id when that began
 *   nodes             sorted set: until when each node's lease is good, by Redis' clock
 *   thread:ID         hash: era, stamp, owner, and what is kept
 *   hold:ID           sorted set: until when each hold lives
 *   moved:USER        somebody's threads have become another's
 *
 *   KEYS   era, nodes or run, thread, hold: those that the step needs; where somebody who moved
 *          is looked for, the first is era, and shows the place
 *   ARGV   the step, and what stands beside it
 *
 * What makes room comes first in each step: Redis refuses a script that has written nothing yet
 * when its memory is full, and one that has not.
 */
#ifndef CACHE_SCRIPT_H
#define CACHE_SCRIPT_H

/* What "read" begins with. */
#define CACHE_SAYS_OFF   0 /* a node is silent, or the era is none or not the reader's */
#define CACHE_SAYS_HELD  1
#define CACHE_SAYS_NONE  2 /* and a stamp */
#define CACHE_SAYS_FOUND 3 /* and a stamp, and the value */

static const char cache_script[] =
	"local function now()\n"
	"  local time = redis.call('TIME')\n"
	"  return time[1] * 1000 + math.floor(time[2] / 1000)\n"
	"end\n"
	"local function moved(owner)\n"
	"  return owner and redis.call('EXISTS', KEYS[1]:sub(1, -4) .. 'moved:' .. owner) == 1\n"
	"end\n"
	/* an era as a number: Lua has 53 bits */
	"local function short(era)\n"
	"  return tonumber(era:sub(-12), 16) or 0\n"
	"end\n"
	"local step = {}\n"
	"\n"
	/* field, stamp, how long a bare stamp lives, the era of the reader's lease */
	"function step.read(field, stamp, bare_ms, leased)\n"
	"  local era, time = redis.call('GET', KEYS[1]), now()\n"
	"  if not era or short(era) ~= tonumber(leased) then return {0} end\n"
	"  if redis.call('ZCOUNT', KEYS[2], '-inf', time) > 0 then return {0} end\n"
	"  if redis.call('ZCOUNT', KEYS[4], time, '+inf') > 0 then return {1} end\n"
	"  local had = redis.pcall('HMGET', KEYS[3], 'era', 'stamp', 'owner', field)\n"
	"  if had.err or had[1] ~= era or not had[2] or moved(had[3]) then\n"
	"    redis.call('DEL', KEYS[3])\n"
	"    redis.call('HSET', KEYS[3], 'era', era, 'stamp', stamp)\n"
	"    redis.call('PEXPIRE', KEYS[3], bare_ms)\n"
	"    return {2, stamp}\n"
	"  end\n"
	"  if not had[4] then return {2, had[2]} end\n"
	"  return {3, had[2], had[4]}\n"
	"end\n"
	"\n"
	/* field, stamp, how long it is kept, the most fields, owner or "", value */
	"function step.keep(field, stamp, keep_ms, most, owner, value)\n"
	"  local had = redis.call('HMGET', KEYS[3], 'era', 'stamp')\n"
	"  local count = redis.call('HLEN', KEYS[3])\n"
	"  if not had[1] or had[1] ~= redis.call('GET', KEYS[1]) or had[2] ~= stamp then return 0 "
	"end\n"
	"  if count >= tonumber(most) or moved(owner) then return 0 end\n"
	"  redis.call('HSET', KEYS[3], field, value)\n"
	"  if owner ~= '' then redis.call('HSET', KEYS[3], 'owner', owner) end\n"
	"  if count == 2 then redis.call('PEXPIRE', KEYS[3], keep_ms) end\n"
	"  return 1\n"
	"end\n"
	"\n"
	/* token, how long it lives */
	"function step.hold(token, hold_ms)\n"
	"  redis.call('DEL', KEYS[1])\n"
	"  redis.call('ZADD', KEYS[2], now() + hold_ms, token)\n"
	"  redis.call('PEXPIRE', KEYS[2], hold_ms)\n"
	"  return 1\n"
	"end\n"
	"\n"
	/* token; of a hold that is gone or never was, what came meanwhile goes */
	"function step.let_go(token)\n"
	"  if redis.call('ZREM', KEYS[2], token) == 0 then redis.call('DEL', KEYS[1]) end\n"
	"  return 1\n"
	"end\n"
	"\n"
	/* node, its lease, when the silent are forgotten, a new era, does it begin: the era */
	"function step.attend(node, lease_ms, forget_ms, era, anew)\n"
	"  local time = now()\n"
	"  local gone = redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', time - forget_ms)\n"
	"  if gone > 0 or anew == '1' or redis.call('EXISTS', KEYS[1]) == 0 then\n"
	"    redis.call('SET', KEYS[1], era)\n"
	"  end\n"
	"  redis.call('ZADD', KEYS[2], time + lease_ms, node)\n"
	"  return short(redis.call('GET', KEYS[1]))\n"
	"end\n"
	"\n"
	/* Redis' run_id, a new era */
	"function step.greet(run, era)\n"
	"  if redis.call('GET', KEYS[2]) ~= run then\n"
	"    redis.call('SET', KEYS[1], era)\n"
	"    redis.call('SET', KEYS[2], run)\n"
	"  end\n"
	"  return 1\n"
	"end\n"
	"return step[ARGV[1]](unpack(ARGV, 2))\n";

#endif
