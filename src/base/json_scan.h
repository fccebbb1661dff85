/* json_scan: is the text JSON that we are willing to parse? Private to base/. */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/json.h"

/* Checks all that base/json.h promises but the parsing itself. */
bool json_scan(struct slice text, const struct json_bounds *bounds, struct error *err);

#endif
