/*
 * firestore_settings: what the settings say of a Firestore, without asking it: for `c1d check -t`,
 * and for the fence around workers.
 */
#ifndef FIRESTORE_SETTINGS_H
#define FIRESTORE_SETTINGS_H

#include "base/reach.h"
#include "config/config.h"

/* Address and key; reads the service account's file. ERROR_CONFIG. */
bool firestore_settings_check(const char *uri, const struct config *config, struct error *err);
/* Ports, the resolver's files, certificates, the service account's file. From texts alone: the
 * supervisor asks, too. */
void firestore_settings_reach(const char *uri, const struct config *config, struct reach *reach);

#endif
