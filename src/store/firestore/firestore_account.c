/* firestore_account: see firestore_account.h. */
#include "firestore_account.h"

#include "base/json.h"
#include "firestore_address.h"
#include "net/net.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define ARENA_MAX 65536
#define FIELD_MAX 1024

/* --- the file --- */

/* false: errno. A pipe or a device might never end. */
static bool read_file(const char *path, struct buffer *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = -1;
	struct stat is;
	char *room;

	if (fd < 0)
		return false;
	if (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode) || is.st_size > FIRESTORE_ACCOUNT_MAX)
		errno = EFBIG;
	else if ((room = buffer_reserve(out, (size_t)is.st_size + 1)) &&
		 (n = read(fd, room, (size_t)is.st_size)) >= 0)
		buffer_commit(out, (size_t)n);
	close(fd);
	return n >= 0;
}

static void wipe(struct buffer *text)
{
	if (text->data)
		explicit_bzero(text->data, text->size);
	buffer_done(text);
}

/* Each field has the same bounds; what it says is looked at where it is used. */
static const char *field(const struct json *root, const char *name, struct arena *arena)
{
	struct slice text = json_text(json_get(root, name));

	return text.len > 0 && text.len <= FIELD_MAX && !memchr(text.ptr, '\0', text.len)
		       ? arena_copy(arena, text)
		       : NULL;
}

static const char *take_fields(const struct json *root, struct firestore_account *out)
{
	const struct json *key = json_get(root, "private_key");
	const char *type = field(root, "type", &out->arena);
	const char *token_uri = field(root, "token_uri", &out->arena);

	if (!type || strcmp(type, "service_account") != 0)
		return "is not of the type service_account: that is what the console hands out "
		       "behind Service accounts, Keys";
	if (!(out->email = field(root, "client_email", &out->arena)))
		return "has no client_email";
	if (!key || json_type(key) != JSON_STRING)
		return "has no private_key";
	if (token_uri && !firestore_is_safe(token_uri))
		return "has a token_uri that is not https";
	out->token_uri = token_uri ? token_uri : TOKEN_URI;
	out->key_id = field(root, "private_key_id", &out->arena);
	return firestore_account_key(json_text(key).ptr, &out->key)
		       ? "has a private_key that is none, or cut"
		       : NULL;
}

const char *firestore_account_parse(struct slice text, struct firestore_account *out)
{
	struct error err = { 0 };
	struct json *root = json_parse(text, &err);
	const struct json *key = json_get(root, "private_key");
	const char *wrong;

	if (!root)
		return "is no JSON";
	wrong = take_fields(root, out);
	if (key && json_type(key) == JSON_STRING)
		config_wipe(json_text(key).ptr);
	json_free(root);
	return wrong;
}

static bool from_file(const char *path, struct firestore_account *out, struct error *err)
{
	struct buffer text;
	const char *wrong;
	bool ok;

	buffer_init(&text, FIRESTORE_ACCOUNT_MAX + 2);
	if (!(ok = read_file(path, &text)))
		error_set(err, ERROR_CONFIG,
			  "The file that GOOGLE_APPLICATION_CREDENTIALS names cannot be read: %s.",
			  strerror(errno));
	else if (!(ok = !(wrong = firestore_account_parse(buffer_slice(&text), out))))
		error_set(err, ERROR_CONFIG,
			  "The file that GOOGLE_APPLICATION_CREDENTIALS names %s.", wrong);
	wipe(&text);
	return ok;
}

/* --- the settings --- */

static bool from_settings(const struct config *config, struct firestore_account *out,
			  struct error *err)
{
	const char *client_id = config->firebase_client_id;
	const char *wrong = firestore_account_key(config->firebase_private_key, &out->key);

	if (wrong)
		return error_set(err, ERROR_CONFIG, "FIREBASE_PRIVATE_KEY %s.", wrong);
	if (!strchr(config->firebase_client_email, '@'))
		return error_set(err, ERROR_CONFIG,
				 "FIREBASE_CLIENT_EMAIL is no address: it looks like "
				 "name@project.iam.gserviceaccount.com.");
	if (client_id && client_id[strspn(client_id, "0123456789")] != '\0')
		return error_set(err, ERROR_CONFIG,
				 "FIREBASE_CLIENT_ID is no number: was it taken for another?");
	out->email = arena_text(&out->arena, config->firebase_client_email);
	out->key_id = arena_text(&out->arena, config->firebase_private_key_id);
	out->token_uri = TOKEN_URI;
	return true;
}

static bool for_emulator(const char *host, struct firestore_account *out, struct error *err)
{
	const char *port = strrchr(host, ':');

	if (!port || port == host || strpbrk(host, "/@?# ") || port[1] == '\0' ||
	    port[1 + strspn(port + 1, "0123456789")] != '\0')
		return error_set(err, ERROR_CONFIG,
				 "FIRESTORE_EMULATOR_HOST is no host:port, such as "
				 "127.0.0.1:8080.");
	out->emulator = arena_printf(&out->arena, "http://%s", host);
	return true;
}

bool firestore_account_read(const struct config *config, struct firestore_account *out,
			    struct error *err)
{
	bool ok;

	*out = (struct firestore_account){ .emulator = NULL };
	arena_init(&out->arena, ARENA_MAX);
	if (config->firestore_emulator)
		ok = for_emulator(config->firestore_emulator, out, err);
	else if (config->firebase_private_key && config->firebase_client_email)
		ok = from_settings(config, out, err);
	else if (config->google_credentials)
		ok = from_file(config->google_credentials, out, err);
	else
		return error_set(err, ERROR_CONFIG,
				 "Firestore takes a key: set FIREBASE_CLIENT_EMAIL and "
				 "FIREBASE_PRIVATE_KEY, or GOOGLE_APPLICATION_CREDENTIALS.");
	return ok && (!out->arena.failed ||
		      error_set(err, ERROR_OVERLOADED, "No memory for the service account."));
}

void firestore_account_done(struct firestore_account *account)
{
	EVP_PKEY_free(account->key);
	arena_done(&account->arena);
	*account = (struct firestore_account){ .emulator = NULL };
}

/* --- what it takes --- */

/* "token_uri": "https://..." of the file, by eye: the supervisor asks, too, and parses nothing. */
static void reach_token_uri(const char *path, const char *ca_file, struct reach *reach)
{
	char *at, *uri = NULL;
	struct buffer text;

	buffer_init(&text, FIRESTORE_ACCOUNT_MAX + 2);
	if (read_file(path, &text) && text.len > 0) {
		text.data[text.len] = '\0';
		at = strstr(text.data, "\"token_uri\"");
		uri = at ? strstr(at, "http") : NULL;
		if (uri)
			uri[strcspn(uri, "\" \r\n")] = '\0';
	}
	net_reach(uri ? uri : TOKEN_URI, ca_file, reach);
	wipe(&text);
}

void firestore_account_reach(const struct config *config, const char *ca_file, struct reach *reach)
{
	if (config->firestore_emulator)
		return;
	if (config->firebase_private_key && config->firebase_client_email) {
		net_reach(TOKEN_URI, ca_file, reach);
	} else if (config->google_credentials) {
		reach_read(reach, config->google_credentials);
		reach_token_uri(config->google_credentials, ca_file, reach);
	}
}
