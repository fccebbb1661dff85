/*
 * limit_script: what runs in Redis, the algorithm of gcra.c with a key for a cell.
 *
 *   KEYS   the counts
 *   ARGV   "take" and 0, or "back" and the time of the taking; then each one's burst and period
 *          (microseconds)
 *
 * What "take" gives: which one refuses (from 1; 0: none does), Redis' time, and how far ahead of it
 * each count is, or that one alone.
 *
 * Numbers of Lua are exact to 2^53: 285 years of microseconds. Keys go when they are paid off.
 */
#ifndef GUARD_LIMIT_SCRIPT_H
#define GUARD_LIMIT_SCRIPT_H

static const char limit_script[] =
	"local time = redis.call('TIME')\n"
	"local now = time[1] * 1000000 + time[2]\n"
	"local back = ARGV[1] == 'back'\n"
	"local times, found = {}, {0, now}\n"
	"for i, key in ipairs(KEYS) do\n"
	"  local burst, every = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])\n"
	"  local paid = tonumber(redis.call('GET', key) or 0)\n"
	"  if back then\n"
	"    local taken = tonumber(ARGV[2])\n"
	"    times[i] = now - taken < every and paid - every >= taken and paid - every\n"
	"  else\n"
	"    local ahead = math.max(paid - now, 0)\n"
	"    if ahead > (burst - 1) * every then return {i, now, ahead} end\n"
	"    times[i] = now + ahead + every\n"
	"    found[i + 2] = ahead + every\n"
	"  end\n"
	"end\n"
	"for i, key in ipairs(KEYS) do\n"
	"  if times[i] then\n"
	"    local left = math.max(math.ceil((times[i] - now) / 1000), 1)\n"
	"    redis.call('SET', key, string.format('%.0f', times[i]), 'PX', left)\n"
	"  end\n"
	"end\n"
	"return found\n";

#endif
