/*
 * route_rows: the words in which the tables of routes are written (routes.c, aliases.c). What a
 * body may have at most, and what an API key needs for it: one of these scopes.
 */
#ifndef API_ROUTE_ROWS_H
#define API_ROUTE_ROWS_H

#include "api_room.h"

#define KIB 1024u
#define MIB (1024u * KIB)

#define CHAT    (256 * KIB)
#define MESSAGE (12 * MIB)
#define SMALL   (64 * KIB)

#define READS  (ROUTE_CALLER | ROUTE_READS)
#define WRITES (ROUTE_CALLER | ROUTE_WRITES)
#define CHATS  (ROUTE_CALLER | ROUTE_CHATS)
#define TAGGED ROUTE_TAGGED

#endif
