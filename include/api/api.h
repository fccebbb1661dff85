/*
 * api: our HTTP interface: one table of routes, one walk, one file a resource. design: a request
 * goes route -> caller -> handler -> response, once.
 */
#ifndef API_API_H
#define API_API_H

#include "base/shm.h"
#include "config/config.h"
#include "guard/guard.h"
#include "http/request.h"
#include "http/response.h"
#include "service/service.h"

struct api {
	const struct config *config;
	struct service *service;
	struct guard *guard;
	const struct shm *shm; /* for /metrics */
};

/* Names the routes' label of M_REQUESTS. Once a process, before threads. */
void api_init(void);

/* Any request thread. Always fills the response; never fails. */
void api_handle(struct api *api, struct request *request, struct response *response);

#endif
