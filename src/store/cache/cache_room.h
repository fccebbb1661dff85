/*
 * cache_room: what the parts of the cache know of each other.
 *
 *   cache.c         life, and the table of its functions
 *   cache_ops.c     each function: what is read from Redis, what holds a thread
 *   cache_hold.c    what Redis is told of a change, and the lease
 *   cache_kept.c    what is read from Redis and kept there
 *   cache_ask.c     a question to Redis; cache_script.h what runs there
 *   cache_place.c   whose values they are
 *   cache_debt.c    changes that Redis was not told of
 *   cache_value.c   threads and pages as bytes
 *
 * Kept, for C1D_CACHE_SECONDS at most: a thread as thread_get gives it, and the newest page of its
 * messages. All else is asked of the store: lists, searches, claims, what was asked before, and
 * whatever decides about a change (If-Match, turn_open). A turn's history is read by the store
 * together with the claim, and each turn changes it, so it is not kept.
 *
 * Nothing that is kept is older than the last change that its writer was told of. So it is done:
 *
 *   hold    Who changes a thread holds it in Redis first: that takes away what is kept of it, and
 *           as long as anybody holds it nothing of it is read from Redis or kept there. He lets go
 *           when the store has answered. When he dies, or does not know whether the change was made
 *           (a timeout), the hold stays until it has lived for CACHE_HOLD_MS, which is longer than
 *           any call. So no letting go that is lost does harm.
 *   stamp   Who finds nothing gets a stamp of that moment, and his value is kept only while the
 *           stamp is there. A hold takes it away. So one who read the store before a change and is
 *           late with his value keeps nothing.
 *   era     A random word. What another era kept counts for nothing. It begins anew when Redis
 *           itself has (its run_id differs: it may know what was there minutes ago, or be another
 *           one), when its word is gone (FLUSHALL, eviction), and when a debt is settled.
 *   debt    A change whose hold Redis did not take, or may not have. From before the change on this
 *           pool reads nothing from Redis. When its letting go is taken, then or with a later
 *           request, all is well again. Else the debt is settled by a new era, CACHE_HOLD_MS behind
 *           the last one, when that change has long been made or not. It is a word in the pool's
 *           memory, so it outlives a worker.
 *   lease   What does a node do that keeps on reading from a Redis which another can no longer tell
 *           of changes? Each node renews a lease there, with its entry in the store, and does not
 *           while it has debts. When the lease of any has run out nobody reads anything, until it
 *           is back, has left in good order, or has been silent for CACHE_FORGET_MS, which begins a
 *           new era. An era may begin without leases (FLUSHALL), so in each a node reads nothing
 *           before it has renewed its own: who reads is one who would be missed. So, in this one
 *           case, and for those who ask another node, a change may go unseen for CACHE_LEASE_MS. A
 *           node that starts when it is cut off already, or is cut off before it has renewed its
 *           lease in a new era, or for longer than CACHE_FORGET_MS, is beyond this: there
 *           C1D_CACHE_SECONDS is the bound.
 *   moved   What one user's threads become another's, all at once (threads_take), is not looked
 *           for: the first one is noted as moved, for as long as anything may be kept, and nothing
 *           that was his is read.
 *   place   All keys carry a hash of the store's address, so that two stores behind one Redis, or a
 *           store and its copy, never answer for each other. Nodes of one store name it alike.
 *
 * Nobody is told that there is no such thread by the cache. Whoever may not see what is kept is
 * refused by the store, not here. What does not look as we have written it counts as not there.
 *
 * Who reads waits for Redis for CACHE_READ_MS; what is larger than CACHE_VALUE_MAX would not come
 * in that time over a slow network, and is not kept. Who changes something waits for
 * CACHE_CHANGE_MS, since without a hold others may read what was. Once that has passed in vain
 * nobody waits until Redis answers again (net/redis_pool.h).
 */
#ifndef CACHE_ROOM_H
#define CACHE_ROOM_H

#include "../store_ops.h"

#include "base/buffer.h"
#include "base/id.h"
#include "base/metrics.h"
#include "net/redis_pool.h"
#include "net/redis_script.h"
#include <pthread.h>

#define CACHE_READ_MS     5
#define CACHE_CHANGE_MS   100
#define CACHE_HOLD_MS     30000 /* a call of a store takes four seconds at most */
#define CACHE_LEASE_MS    15000 /* nodes beat each five seconds */
#define CACHE_FORGET_MS   (10 * 60 * 1000)
#define CACHE_STAMP_MS    10000 /* of one behind which nothing was kept */
#define CACHE_VALUE_MAX   (256u << 10)
#define CACHE_FIELD_MAX   64
#define CACHE_OWED_MAX    64
#define CACHE_PREFIX_SIZE 28 /* "c1d:cache:", 16 digits, a colon, a NUL */
#define CACHE_NAME_SIZE   (CACHE_PREFIX_SIZE + 8)
#define CACHE_KEY_SIZE    (CACHE_NAME_SIZE + ID_MAX)
#define CACHE_THREAD      "thread" /* the field that holds the thread itself */

/* --- cache_debt.c --- */
struct cache_debt {
	_Atomic uint64_t *word;     /* how often it was settled, and how many there are */
	_Atomic int64_t *last_ms;   /* monotonic: when the last one was made */
	_Atomic int64_t *lease_ms;  /* monotonic: until then this pool's lease is good */
	_Atomic int64_t *lease_era; /* and in which era, as the script counts them */
	_Atomic uint64_t own_word;  /* of a process without a pool */
	_Atomic int64_t own_ms[2], own_era;
};

void cache_debt_init(struct cache_debt *debt, struct shm *shm);
/* Its number, for cache_debt_undo: the change has become known after all. */
uint64_t cache_debt_make(struct cache_debt *debt);
void cache_debt_undo(struct cache_debt *debt, uint64_t number);
uint64_t cache_debt_count(const struct cache_debt *debt);
/* There are some, the last long ago; *word is for cache_debt_settle. */
bool cache_debt_due(const struct cache_debt *debt, uint64_t *word);
void cache_debt_settle(struct cache_debt *debt, uint64_t word);
/* None, and the lease is good: what Redis says may be believed. */
bool cache_debt_none(const struct cache_debt *debt);

/* Lines to Redis, and how long a question waits there. What is read has to come at once, or the
 * store is faster; what Redis has to be told of is waited for longer, and hears nothing of the
 * readers' impatience. */
struct cache_door {
	struct redis_pool *pool;
	int64_t patience_ms;
};

/* A letting go that is still to be taken; when there are too many a new era settles the rest. */
struct cache_owed {
	char thread_id[ID_MAX + 1], token[ID_UUID_SIZE];
	uint64_t debt;
};

struct cache {
	struct store_ops ops; /* ours, with the kind of the store behind */
	const struct store_ops *behind;
	void *self; /* its */
	struct redis_url url;
	char prefix[CACHE_PREFIX_SIZE]; /* of all keys */
	char era[CACHE_NAME_SIZE], run[CACHE_NAME_SIZE], nodes[CACHE_NAME_SIZE];
	struct cache_door reads, changes;
	struct redis_script script;
	struct cache_debt debt;
	struct shm *shm; /* or NULL */
	int64_t keep_ms;
	pthread_mutex_t lock;  /* of all below */
	char node[ID_MAX + 1]; /* that this process has renewed the lease of; "": none */
	struct cache_owed owed[CACHE_OWED_MAX];
	_Atomic int owed_count;
};

/* --- cache_place.c --- */
/* The store's; kind is one word for all spellings of its scheme. */
void cache_set_place(struct cache *cache, const char *kind, const char *uri);

/* --- cache_ask.c --- */
extern const struct redis_pool_calls cache_read_calls, cache_change_calls;

/* A command: the script unless its first word is set. Its words live as long as it does. */
struct cache_question {
	struct redis_words words;
	char keys[2][CACHE_KEY_SIZE];
	char numbers[3][24];
	int key_count, number_count;
};

/* A step of the script with so many keys, which are added first. */
void cache_start(struct cache_question *q, const char *key_count);
void cache_add(struct cache_question *q, const char *word);
void cache_add_number(struct cache_question *q, int64_t number);
void cache_add_key(const struct cache *cache, struct cache_question *q, const char *kind,
		   const char *id);
/* An answer of this type (REDIS_REPLY_), which freeReplyObject frees; NULL. */
redisReply *cache_ask(struct cache *cache, const struct cache_door *door,
		      const struct cache_question *q, int type, bool *was_asked);
bool cache_tell(struct cache *cache, const struct cache_door *door, const struct cache_question *q,
		int type);

/* --- cache_hold.c --- */
struct cache_hold {
	char token[ID_UUID_SIZE];
	int64_t since_ms; /* monotonic */
	bool is_debt;
	uint64_t debt;
};

void cache_take_hold(struct cache *cache, const char *thread_id, struct cache_hold *out);
/* code: what the store said of the change. */
void cache_let_go(struct cache *cache, const char *thread_id, const struct cache_hold *hold,
		  enum error_code code);
/* What was this user's becomes another's. */
void cache_moved(struct cache *cache, const char *user_id);
/* Of former changes, when Redis is back: so many at most, each as long as the door waits. */
void cache_pay(struct cache *cache, const struct cache_door *door, int most);
/* Renews this node's lease, settles what debts are due. */
void cache_attend(struct cache *cache, const char *node);
void cache_leave(struct cache *cache);

/* --- cache_kept.c --- */
struct cache_found {
	struct slice value;       /* ptr NULL: nothing is kept; with a NUL behind, in the arena */
	char stamp[ID_UUID_SIZE]; /* "": what is read now is not to be kept */
};

/* What is kept of a thread under this name. Counts all but what is found. */
void cache_read(struct cache *cache, const char *thread_id, const char *field, struct arena *arena,
		struct cache_found *out);
/* owner: the thread's user_id; NULL: that is not known. */
void cache_keep(struct cache *cache, const char *thread_id, const char *field, const char *stamp,
		const char *owner, struct slice value);

/* --- cache_value.c --- */
/* false: it is too large to be kept, or there is no memory. */
bool cache_write_thread(const struct thread *thread, struct buffer *out);
bool cache_write_page(const char *thread_id, const char *field, const char *owner_or_null,
		      const struct message_list *page, struct buffer *out);
/* Strings stay in value, whose bytes are NUL-terminated and the arena's. false: it is none of ours,
 * or of another thread, or damaged. */
bool cache_read_thread(struct slice value, const char *id, struct thread *out);
bool cache_read_page(struct slice value, const char *thread_id, const char *field,
		     struct arena *arena, const char **owner, struct message_list *out);

/* --- cache_ops.c --- */
#define X(name, ...) enum error_code cache_##name(void *self, __VA_ARGS__);
STORE_OPS(X)
#undef X

#endif
