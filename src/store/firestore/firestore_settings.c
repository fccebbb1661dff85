/* firestore_settings: see firestore_settings.h. */
#include "firestore_settings.h"

#include "firestore_account.h"
#include "firestore_address.h"
#include "net/net.h"

#define EMULATOR_PORT 8080

bool firestore_settings_check(const char *uri, const struct config *config, struct error *err)
{
	struct firestore_address address;
	struct firestore_account account;
	struct arena arena;
	const char *wrong;
	bool ok;

	arena_init(&arena, FIRESTORE_ADDRESS_MAX);
	wrong = firestore_address_read(uri, &arena, &address);
	ok = !wrong || error_set(err, ERROR_CONFIG, "The store's address %s.", wrong);
	if (ok) {
		ok = firestore_account_read(config, &account, err);
		firestore_account_done(&account);
	}
	arena_done(&arena);
	return ok;
}

void firestore_settings_reach(const char *uri, const struct config *config, struct reach *reach)
{
	struct firestore_address address;

	if (firestore_address_read(uri, &reach->arena, &address))
		return;
	net_reach(NULL, address.ca_file, reach);
	if (config->firestore_emulator) {
		reach_url(reach,
			  arena_printf(&reach->arena, "http://%s", config->firestore_emulator),
			  EMULATOR_PORT);
		return;
	}
	net_reach(address.endpoint, address.ca_file, reach);
	firestore_account_reach(config, address.ca_file, reach);
}
