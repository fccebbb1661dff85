/*
 * origin: which page sends this request, as far as a browser tells. A page elsewhere could spend
 * the key through whoever looks at it, so it may change nothing unless C1D_ORIGINS names it.
 * Programs tell nothing and are served. Pure; any thread.
 */
#ifndef GUARD_ORIGIN_H
#define GUARD_ORIGIN_H

#include "config/config.h"
#include "http/request.h"

enum origin {
	ORIGIN_OURS,    /* a page of this site, or no browser */
	ORIGIN_LISTED,  /* a page elsewhere that C1D_ORIGINS names */
	ORIGIN_FOREIGN, /* any other page, also one of another port or subdomain */
};

enum origin origin_of(const struct config *config, const struct request *request);

#endif
