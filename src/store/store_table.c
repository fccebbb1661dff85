/* store_table: the stores that are built in. A new one is a folder here and two lines below. */
#include "store_ops.h"

extern const struct store_maker store_firestore;
extern const struct store_maker store_mongodb;
extern const struct store_maker store_postgresql;
extern const struct store_maker store_redis;
extern const struct store_maker store_sqlite;

const struct store_maker *const store_makers[] = {
	&store_mongodb, &store_sqlite, &store_postgresql, &store_firestore, &store_redis, NULL,
};
