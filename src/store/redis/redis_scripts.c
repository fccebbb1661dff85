/*
 * redis_scripts: what runs in Redis. Each script is one atomic step; every key that it touches is
 * among its KEYS, and its time is bounded: by what one call adds or reads, never by how long a
 * thread or a user's list is.
 *
 * The first write of each is one that Redis refuses when it is full, or one that makes room, so a
 * script is refused as a whole or not at all.
 *
 * What they give is a word or begins with one; redis_verdict knows those that are errors.
 */
#include "redis_room.h"

#include <pthread.h>

#define LUA_FIELD(name) ", '" #name "'"
#define THREAD_OF(key)  "redis.call('HMGET', " key REDIS_THREAD_FIELDS(LUA_FIELD) ")"
#define MESSAGE_OF(key) "redis.call('HMGET', " key REDIS_MESSAGE_FIELDS(LUA_FIELD) ")"

/*
 * A thread and the lists that it is in:
 *
 *   KEYS   1 thread   2 3 its user's lists, 4 5 everybody's: at work, archived
 *   ARGV   1 the user   2 '1': nobody else may   3 the thread's id
 *
 * alive() gives a word when there is no such thread, or else the thread. USER: it is another's by
 * now, and whoever may see that asks again with that user's lists.
 */
#define ALIVE                                                                                      \
	"local function alive()\n"                                                                 \
	"  local t = redis.call('HMGET', KEYS[1], 'user', 'updated', 'archived', 'rev', "          \
	"'deleted', "                                                                              \
	"'run', 'run_message', 'run_node')\n"                                                      \
	"  if not t[1] then return redis.call('EXISTS', KEYS[1]) == 1 and 'LOST' or 'GONE' end\n"  \
	"  if t[5] then return 'GONE' end\n"                                                       \
	"  if t[1] ~= ARGV[1] then return ARGV[2] == '1' and 'DENIED' or 'USER' end\n"             \
	"  if not (t[2] and t[3] and t[4] and string.match(t[4], '^%d+$')) then return 'LOST' "    \
	"end\n"                                                                                    \
	"  return nil, { updated = t[2], archived = t[3], rev = t[4], run = t[6], "                \
	"message = t[7], node = t[8] }\n"                                                          \
	"end\n"
#define LISTS                                                                                      \
	"local function unlist(id, updated)\n"                                                     \
	"  for i = 2, 5 do redis.call('ZREM', KEYS[i], updated .. id) end\n"                       \
	"end\n"                                                                                    \
	"local function list(id, updated, archived)\n"                                             \
	"  local at = archived == '1' and 1 or 0\n"                                                \
	"  redis.call('ZADD', KEYS[2 + at], 0, updated .. id)\n"                                   \
	"  redis.call('ZADD', KEYS[4 + at], 0, updated .. id)\n"                                   \
	"end\n"
#define TOUCH                                                                                      \
	"local function touch(t, updated)\n"                                                       \
	"  redis.call('HSET', KEYS[1], 'updated', updated)\n"                                      \
	"  redis.call('HINCRBY', KEYS[1], 'rev', 1)\n"                                             \
	"  unlist(ARGV[3], t.updated)\n"                                                           \
	"  list(ARGV[3], updated, t.archived)\n"                                                   \
	"end\n"
#define NOW                                                                                        \
	"local function now_ms()\n"                                                                \
	"  local t = redis.call('TIME')\n"                                                         \
	"  return string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))\n"                  \
	"end\n"
/* The last number that was given in a thread, and to which message. */
#define TAIL                                                                                       \
	"local function tail(numbers)\n"                                                           \
	"  local z = redis.call('ZREVRANGE', numbers, 0, 0, 'WITHSCORES')\n"                       \
	"  return tonumber(z[2] or 0), z[1]\n"                                                     \
	"end\n"
/* A message's number without its text: something threw the text away. */
#define IS_THERE                                                                                   \
	"local function is_there(key, numbers, id)\n"                                              \
	"  return redis.call('EXISTS', key) == 1 or redis.call('ZSCORE', numbers, id)\n"           \
	"end\n"

/* Fields to set, after how many words they are, and then those that are to be gone. */
#define FIELDS                                                                                     \
	"local function set(key, at)\n"                                                            \
	"  local n = tonumber(ARGV[at])\n"                                                         \
	"  redis.call('HSET', key, unpack(ARGV, at + 1, at + n))\n"                                \
	"  if #ARGV > at + n then redis.call('HDEL', key, unpack(ARGV, at + n + 1)) end\n"         \
	"end\n"

/* --- threads --- */

/* KEYS 6 ids 7 numbers; ARGV 4 updated 5 archived 6 how many words of fields, these. Numbers
 * without a thread: something threw the thread away, and its messages must not come back with
 * another one. */
static const char insert[] =
	LISTS "if redis.call('EXISTS', KEYS[1]) == 1 then return 'CONFLICT' end\n"
	      "if redis.call('EXISTS', KEYS[7]) == 1 then return 'LOST' end\n"
	      "redis.call('HSET', KEYS[1], unpack(ARGV, 7))\n"
	      "list(ARGV[3], ARGV[4], ARGV[5])\n"
	      "redis.call('ZADD', KEYS[6], 0, ARGV[3])\n"
	      "return 'OK'\n";

/* ARGV 4 the rev that it has to have, or '' 5 updated 6 archived, or '' 7... fields. */
static const char update[] =
	ALIVE LISTS TOUCH "local no, t = alive()\n"
			  "if no then return no end\n"
			  "if ARGV[4] ~= '' and ARGV[4] ~= t.rev then return 'CHANGED' end\n"
			  "if ARGV[6] ~= '' then t.archived = ARGV[6] end\n"
			  "redis.call('HSET', KEYS[1], 'archived', t.archived, unpack(ARGV, 7))\n"
			  "touch(t, ARGV[5])\n"
			  "return " THREAD_OF("KEYS[1]") "\n";

/* KEYS 6 ids 7 threads to be emptied 8 wishes. */
static const char mark[] = ALIVE LISTS NOW
	"local no, t = alive()\n"
	"if no then return no end\n"
	"local now = now_ms()\n"
	"unlist(ARGV[3], t.updated)\n"
	"redis.call('ZREM', KEYS[6], ARGV[3])\n"
	"redis.call('HSET', KEYS[1], 'deleted', now, 'title', '')\n"
	"redis.call('HDEL', KEYS[1], 'metadata')\n"
	"redis.call('HINCRBY', KEYS[1], 'rev', 1)\n"
	"redis.call('ZADD', KEYS[7], now, ARGV[3])\n"
	"if t.run and t.node then redis.call('ZADD', KEYS[8], 0, t.node .. '/' .. ARGV[3]) end\n"
	"return {'OK', t.run, t.message, t.node}\n";

/* KEYS 1 2 the lists of whom they are taken from, 3 4 of whom they go to, 5... threads; ARGV 1 from
 * 2 to 3... the members of the first two. A member without its thread goes. */
static const char take[] =
	"local taken = 0\n"
	"for i = 5, #KEYS do\n"
	"  local t = redis.call('HMGET', KEYS[i], 'user', 'updated', 'archived', 'deleted')\n"
	"  if t[1] == ARGV[1] and t[2] and t[3] and not t[4] then\n"
	"    redis.call('HSET', KEYS[i], 'user', ARGV[2])\n"
	"    redis.call('HINCRBY', KEYS[i], 'rev', 1)\n"
	"    redis.call('ZADD', KEYS[t[3] == '1' and 4 or 3], 0, t[2] .. "
	"string.sub(ARGV[i - 2], 17))\n"
	"    taken = taken + 1\n"
	"  end\n"
	"  redis.call('ZREM', KEYS[1], ARGV[i - 2])\n"
	"  redis.call('ZREM', KEYS[2], ARGV[i - 2])\n"
	"end\n"
	"return taken\n";

/* As another store had it. KEYS 6 ids 7 8 the lists of whose it was 9 threads to be emptied 10
 * marks; ARGV 4 whose it was, or '' 5 updated 6 archived 7 fields. */
static const char put_thread[] =
	LISTS FIELDS "local old = redis.call('HMGET', KEYS[1], 'user', 'updated')\n"
		     "if (old[1] or '') ~= ARGV[4] then return 'USER' end\n"
		     "set(KEYS[1], 7)\n"
		     "if old[2] then\n"
		     "  unlist(ARGV[3], old[2])\n"
		     "  for i = 7, 8 do redis.call('ZREM', KEYS[i], old[2] .. ARGV[3]) end\n"
		     "end\n"
		     "list(ARGV[3], ARGV[5], ARGV[6])\n"
		     "redis.call('ZADD', KEYS[6], 0, ARGV[3])\n"
		     "redis.call('ZREM', KEYS[9], ARGV[3])\n"
		     "redis.call('ZREM', KEYS[10], ARGV[3])\n"
		     "return 'OK'\n";

/* --- messages --- */

/* KEYS 6 numbers 7 answers 8 runs 9 keys 10... messages; ARGV 4 updated 5... for each: id, run,
 * key, '1' for an answer, parent or '' (the one before), how many words of fields, fields. */
static const char add[] = ALIVE LISTS TOUCH TAIL IS_THERE
	"local no, t = alive()\n"
	"if no then return no end\n"
	"local at, seen, found = 5, {}, {}\n"
	"for i = 10, #KEYS do\n"
	"  local id = ARGV[at]\n"
	"  if seen[id] or is_there(KEYS[i], KEYS[6], id) then return 'CONFLICT' end\n"
	"  seen[id], found[i] = true, at\n"
	"  at = at + 6 + ARGV[at + 5]\n"
	"end\n"
	"local seq, last = tail(KEYS[6])\n"
	"local first = seq + 1\n"
	"for i = 10, #KEYS do\n"
	"  at, seq = found[i], seq + 1\n"
	"  local id, run, key, parent = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 4]\n"
	"  local place = ARGV[3] .. '/' .. id\n"
	"  redis.call('HSET', KEYS[i], 'seq', seq, unpack(ARGV, at + 6, at + 5 + ARGV[at + 5]))\n"
	"  if parent == '' then parent = last end\n"
	"  if parent then redis.call('HSET', KEYS[i], 'parent', parent) end\n"
	"  redis.call('ZADD', KEYS[6], seq, id)\n"
	"  if run ~= '' then\n"
	"    redis.call('HSET', KEYS[8], run, place)\n"
	"    if ARGV[at + 3] == '1' then redis.call('ZADD', KEYS[7], seq, id) end\n"
	"  end\n"
	"  if key ~= '' then redis.call('HSETNX', KEYS[9], key, place) end\n"
	"  last = id\n"
	"end\n"
	"touch(t, ARGV[4])\n"
	"return {'OK', first}\n";

/* KEYS 1 thread 2 message 3 answers 4 runs 5 numbers; ARGV 1 owner 2 '1': nobody else may 3 place 4
 * id 5 '1': the content is another 6... fields. */
static const char edit[] = "local t = redis.call('HMGET', KEYS[1], 'user', 'deleted')\n"
			   "if not t[1] or t[2] then return 'GONE' end\n"
			   "if ARGV[2] == '1' and t[1] ~= ARGV[1] then return 'DENIED' end\n"
			   "local m = redis.call('HMGET', KEYS[2], 'status', 'run')\n"
			   "if not m[1] then return 'NONE' end\n"
			   "if m[1] == 'streaming' then return 'NOTSAVED' end\n"
			   "redis.call('HSET', KEYS[2], unpack(ARGV, 6))\n"
			   "if ARGV[5] == '1' and m[2] then\n"
			   "  redis.call('HDEL', KEYS[2], 'run')\n"
			   "  redis.call('ZREM', KEYS[3], ARGV[4])\n"
			   "  if redis.call('HGET', KEYS[4], m[2]) == ARGV[3] then "
			   "redis.call('HDEL', KEYS[4], m[2]) end\n"
			   "end\n"
			   "return 'OK'\n";

/*
 * Of messages so many as there is budget for. KEYS 1 numbers 2... messages; ARGV 1 'page' (the
 * first comes in any case), 'rest', 'history' or 'lengths' 2 bytes 3 how many at most 4 how large
 * one may be 5... ids. Gives '1' when something cut it, or else '0', and for each that is in: which
 * one, fields, content or its length. In a history what is still streaming and what alone is too
 * large are left out.
 */
static const char page[] =
	"local budget, most, largest = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])\n"
	"local rows, count, mode = {'0'}, 0, ARGV[1]\n"
	"for i = 2, #KEYS do\n"
	"  local row = " MESSAGE_OF(
		"KEYS[i]") "\n"
			   "  local size = redis.call('HSTRLEN', KEYS[i], 'content')\n"
			   "  if not row[3] then\n"
			   "    if redis.call('ZSCORE', KEYS[1], ARGV[i + 3]) then return 'LOST' "
			   "end\n"
			   "  elseif mode ~= 'history' or (row[3] ~= 'streaming' and size <= "
			   "largest) then\n"
			   "    if count == most or (size > budget and (mode ~= 'page' or count > "
			   "0)) then\n"
			   "      rows[1] = '1'\n"
			   "      return rows\n"
			   "    end\n"
			   "    count = count + 1\n"
			   "    if mode == 'lengths' then row[#row + 1] = size\n"
			   "    else\n"
			   "      budget = budget - size\n"
			   "      row[#row + 1] = redis.call('HGET', KEYS[i], 'content')\n"
			   "    end\n"
			   "    rows[#rows + 1] = i - 2\n"
			   "    rows[#rows + 1] = row\n"
			   "  end\n"
			   "end\n"
			   "return rows\n";

/* KEYS 1 numbers 2 answers 3 runs 4 keys 5 thread 6... messages; ARGV 1 thread 2 '1': only of a
 * deleted one, which may have been put back meanwhile 3... ids. */
static const char forget[] =
	"if ARGV[2] == '1' and redis.call('HEXISTS', KEYS[5], 'deleted') == 0 then return 'GONE' "
	"end\n"
	"for i = 6, #KEYS do\n"
	"  local id = ARGV[i - 3]\n"
	"  local m = redis.call('HMGET', KEYS[i], 'run', 'key')\n"
	"  for j = 1, 2 do\n"
	"    if m[j] and redis.call('HGET', KEYS[2 + j], m[j]) == ARGV[1] .. '/' .. id then\n"
	"      redis.call('HDEL', KEYS[2 + j], m[j])\n"
	"    end\n"
	"  end\n"
	"  redis.call('UNLINK', KEYS[i])\n"
	"  redis.call('ZREM', KEYS[1], id)\n"
	"  redis.call('ZREM', KEYS[2], id)\n"
	"end\n"
	"return 'OK'\n";

/* As another store had it. KEYS 1 thread 2 message 3 numbers 4 answers 5 runs 6 keys; ARGV 1 thread
 * 2 id 3 seq 4 run 5 key 6 '1' for an answer 7 fields. MET: another one has its number. */
static const char put_message[] =
	FIELDS "local t = redis.call('HMGET', KEYS[1], 'user', 'deleted')\n"
	       "if not t[1] or t[2] then return 'GONE' end\n"
	       "for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], ARGV[3], ARGV[3], "
	       "'LIMIT', 0, 2)) do\n"
	       "  if id ~= ARGV[2] then return {'MET', id} end\n"
	       "end\n"
	       "local place, had = ARGV[1] .. '/' .. ARGV[2], false\n"
	       "local old = redis.call('HMGET', KEYS[2], 'run', 'key')\n"
	       "set(KEYS[2], 7)\n"
	       "for j = 1, 2 do\n"
	       "  if old[j] and redis.call('HGET', KEYS[4 + j], old[j]) == place then\n"
	       "    redis.call('HDEL', KEYS[4 + j], old[j])\n"
	       "  end\n"
	       "end\n"
	       "redis.call('ZREM', KEYS[4], ARGV[2])\n"
	       "redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])\n"
	       "if ARGV[4] ~= '' then\n"
	       "  redis.call('HSET', KEYS[5], ARGV[4], place)\n"
	       "  if ARGV[6] == '1' then redis.call('ZADD', KEYS[4], ARGV[3], ARGV[2]) end\n"
	       "end\n"
	       "if ARGV[5] ~= '' then\n"
	       "  had = redis.call('HGET', KEYS[6], ARGV[5])\n"
	       "  redis.call('HSET', KEYS[6], ARGV[5], place)\n"
	       "end\n"
	       "return {'OK', had ~= place and had}\n";

/* --- turns --- */

/*
 * KEYS 6 ids 7 numbers 8 answers 9 runs 10 keys 11 claims 12 question 13 answer
 * ARGV 4 updated 5 run 6 node 7 the question's id 8 the answer's 9 key 10 where that key was used
 *      and does not count any more 11 the last number, when the question is stored already 12 how
 *      much of the history's ids is wanted 13 '1': the thread may be made 14... how many words of
 *      fields and these, of the claim, the question, the answer and, if it may be, the thread
 *
 * MET: something is there already, and nothing was done.
 */
static const char turn[] = ALIVE LISTS TOUCH TAIL IS_THERE
	"local no, t = alive()\n"
	"if no == 'GONE' and ARGV[13] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then\n"
	"  if redis.call('EXISTS', KEYS[7]) == 1 then return 'LOST' end\n"
	"elseif no then return no end\n"
	"if t and t.run then return {'HELD', t.run, t.message, t.node} end\n"
	"local used = ARGV[9] ~= '' and redis.call('HGET', KEYS[10], ARGV[9])\n"
	"if used and used ~= ARGV[10] then return 'MET' end\n"
	"local seq, last = tail(KEYS[7])\n"
	"if ARGV[7] == ARGV[8] then return 'CONFLICT' end\n"
	"if is_there(KEYS[13], KEYS[7], ARGV[8]) then return 'MET' end\n"
	"local asked = redis.call('ZSCORE', KEYS[7], ARGV[7])\n"
	"if ARGV[11] == '' and (asked or redis.call('EXISTS', KEYS[12]) == 1) then return 'MET' "
	"end\n"
	"if ARGV[11] ~= '' and (not asked or tostring(seq) ~= ARGV[11]) then return 'MET' end\n"
	"local at = 14\n"
	"local function fields()\n"
	"  local from, n = at + 1, tonumber(ARGV[at])\n"
	"  at = from + n\n"
	"  return unpack(ARGV, from, from + n - 1)\n"
	"end\n"
	"local claim = { fields() }\n"
	"local question = { fields() }\n"
	"if not asked then\n"
	"  seq = seq + 1\n"
	"  redis.call('HSET', KEYS[12], 'seq', seq, unpack(question))\n"
	"  if last then redis.call('HSET', KEYS[12], 'parent', last) end\n"
	"  redis.call('ZADD', KEYS[7], seq, ARGV[7])\n"
	"  asked = seq\n"
	"end\n"
	"seq = seq + 1\n"
	"redis.call('HSET', KEYS[13], 'seq', seq, 'parent', ARGV[7], fields())\n"
	"redis.call('ZADD', KEYS[7], seq, ARGV[8])\n"
	"redis.call('ZADD', KEYS[8], seq, ARGV[8])\n"
	"redis.call('HSET', KEYS[9], ARGV[5], ARGV[3] .. '/' .. ARGV[8])\n"
	"if ARGV[9] ~= '' then redis.call('HSET', KEYS[10], ARGV[9], ARGV[3] .. '/' .. ARGV[8]) "
	"end\n"
	"if not t then\n"
	"  redis.call('HSET', KEYS[1], fields())\n"
	"  redis.call('ZADD', KEYS[6], 0, ARGV[3])\n"
	"  t = { updated = ARGV[4], archived = redis.call('HGET', KEYS[1], 'archived') }\n"
	"end\n"
	"redis.call('HSET', KEYS[1], unpack(claim))\n"
	"touch(t, ARGV[4])\n"
	"redis.call('ZADD', KEYS[11], 0, ARGV[6] .. '/' .. ARGV[3])\n"
	"return {'OPENED', tonumber(asked), seq, last or '',\n"
	"  redis.call('ZREVRANGEBYSCORE', KEYS[7], '(' .. asked, '-inf', 'LIMIT', 0, ARGV[12])}\n";

/* The answer of a model that was never asked is written anew. KEYS 6 numbers 7 answers 8 runs 9
 * keys 10 claims 11 the answer; ARGV 4 updated 5 run 6 node 7 the answer's id 8 key 9 where that
 * key was used and does not count any more 10 before which number the history ends 11 how much of
 * its ids is wanted 12 how many words the claim's fields have, these, and the answer's as in
 * FIELDS. */
static const char again[] = ALIVE LISTS TOUCH FIELDS
	"local no, t = alive()\n"
	"if no then return no end\n"
	"if t.run then return {'HELD', t.run, t.message, t.node} end\n"
	"local m = redis.call('HMGET', KEYS[11], 'unasked', 'status', 'run', 'key', 'seq')\n"
	"if m[1] ~= '1' or m[2] == 'streaming' or not m[5] then return 'MET' end\n"
	"local place = ARGV[3] .. '/' .. ARGV[7]\n"
	"local used = ARGV[8] ~= '' and redis.call('HGET', KEYS[9], ARGV[8])\n"
	"if used and used ~= place and used ~= ARGV[9] then return 'MET' end\n"
	"set(KEYS[11], 13 + ARGV[12])\n"
	"redis.call('HSET', KEYS[8], ARGV[5], place)\n"
	"redis.call('ZADD', KEYS[7], m[5], ARGV[7])\n"
	"if m[3] and m[3] ~= ARGV[5] then redis.call('HDEL', KEYS[8], m[3]) end\n"
	"if ARGV[8] ~= '' then\n"
	"  if m[4] and m[4] ~= ARGV[8] then redis.call('HDEL', KEYS[9], m[4]) end\n"
	"  redis.call('HSET', KEYS[9], ARGV[8], place)\n"
	"end\n"
	"redis.call('HSET', KEYS[1], unpack(ARGV, 13, 12 + ARGV[12]))\n"
	"touch(t, ARGV[4])\n"
	"redis.call('ZADD', KEYS[10], 0, ARGV[6] .. '/' .. ARGV[3])\n"
	"return {'OPENED',\n"
	"  redis.call('ZREVRANGEBYSCORE', KEYS[6], '(' .. ARGV[10], '-inf', 'LIMIT', 0, "
	"ARGV[11])}\n";

/* KEYS 1 thread 2 message 3 numbers 4 claims 5 wishes; ARGV 1 thread 2 message 3 run 4 '1': only
 * what is streaming 5 fields. LOST: nobody deleted it, and it is not there. */
static const char finish[] =
	FIELDS "local m = redis.call('HMGET', KEYS[2], 'run', 'status')\n"
	       "local said = 'KEPT'\n"
	       "if m[1] == ARGV[3] and (m[2] == 'streaming' or (m[2] == 'interrupted' and ARGV[4] "
	       "~= '1')) then\n"
	       "  set(KEYS[2], 5)\n"
	       "  said = 'SAVED'\n"
	       "elseif not m[2] and (redis.call('ZSCORE', KEYS[3], ARGV[2]) or "
	       "redis.call('EXISTS', KEYS[1]) == 0) then\n"
	       "  said = 'VANISHED'\n"
	       "end\n"
	       "local t = redis.call('HMGET', KEYS[1], 'run', 'run_node', 'rev')\n"
	       "if t[1] == ARGV[3] then\n"
	       "  redis.call('HDEL', KEYS[1], 'run', 'run_message', 'run_node')\n"
	       "  if t[3] and string.match(t[3], '^%d+$') then redis.call('HINCRBY', KEYS[1], "
	       "'rev', 1) end\n"
	       "  for i = 4, 5 do redis.call('ZREM', KEYS[i], (t[2] or '') .. '/' .. ARGV[1]) end\n"
	       "end\n"
	       "return said\n";

/* KEYS 1 thread 2 wishes; ARGV 1 owner 2 '1': nobody else may 3 thread 4 run. */
static const char stop[] =
	"local t = redis.call('HMGET', KEYS[1], 'user', 'deleted', 'run', 'run_node')\n"
	"if t[3] ~= ARGV[4] or t[2] or not t[4] then return 'GONE' end\n"
	"if ARGV[2] == '1' and t[1] ~= ARGV[1] then return 'DENIED' end\n"
	"redis.call('ZADD', KEYS[2], 0, t[4] .. '/' .. ARGV[3])\n"
	"return 'OK'\n";

/* --- nodes, and what was deleted --- */

/* KEYS 1 nodes 2 the schema; ARGV 1 node. Redis' time, and whether what was here is still here. */
static const char beat[] = NOW "local now = now_ms()\n"
			       "redis.call('ZADD', KEYS[1], now, ARGV[1])\n"
			       "return {now, redis.call('EXISTS', KEYS[2])}\n";

/* KEYS 1 nodes 2 claims; ARGV 1 before when 2... nodes. How many went: those without a claim. */
static const char forget_nodes[] =
	"local count = 0\n"
	"for i = 2, #ARGV do\n"
	"  local seen = redis.call('ZSCORE', KEYS[1], ARGV[i])\n"
	"  if seen and tonumber(seen) < tonumber(ARGV[1]) and #redis.call('ZRANGEBYLEX', KEYS[2],\n"
	"      '[' .. ARGV[i] .. '/', '(' .. ARGV[i] .. '0', 'LIMIT', 0, 1) == 0 then\n"
	"    count = count + redis.call('ZREM', KEYS[1], ARGV[i])\n"
	"  end\n"
	"end\n"
	"return count\n";

/* A deleted thread without messages is a mark and nothing else. KEYS 1 thread 2 numbers 3 threads
 * to be emptied 4 marks; ARGV 1 thread. */
static const char emptied[] = "local deleted = redis.call('HGET', KEYS[1], 'deleted')\n"
			      "if deleted and redis.call('EXISTS', KEYS[2]) == 1 then "
			      "return 'MORE' end\n"
			      "redis.call('ZREM', KEYS[3], ARGV[1])\n"
			      "if deleted then redis.call('ZADD', KEYS[4], deleted, ARGV[1]) end\n"
			      "return 'OK'\n";

/* KEYS 1 marks 2... threads; ARGV 1 before when 2... ids. */
static const char forget_marks[] = "for i = 2, #KEYS do\n"
				   "  local deleted = redis.call('HGET', KEYS[i], 'deleted')\n"
				   "  if deleted and tonumber(deleted) < tonumber(ARGV[1]) then "
				   "redis.call('UNLINK', KEYS[i]) end\n"
				   "  redis.call('ZREM', KEYS[1], ARGV[i])\n"
				   "end\n"
				   "return 'OK'\n";

/* --- their names in Redis --- */

static const char *const texts[REDIS_STEPS] = {
#define X(name, text) [STEP_##name] = (text),
	REDIS_STEP_NAMES(X)
#undef X
};

static struct redis_script scripts[REDIS_STEPS];

/* One whose name cannot be made has none, which Redis does not know: it is sent each time. */
static void make_scripts(void)
{
	for (size_t i = 0; i < REDIS_STEPS; i++) {
		scripts[i].text = texts[i];
		redis_script_make(texts[i], &scripts[i], NULL);
	}
}

const struct redis_script *redis_script_of(enum redis_step step)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_scripts);
	return &scripts[step];
}
