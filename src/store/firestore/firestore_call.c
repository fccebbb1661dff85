/* firestore_call: see firestore_call.h. What an answer means is firestore_answer.c's. */
#include "firestore_call.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "firestore_address.h"
#include "firestore_answer.h"
#include "firestore_token.h"
#include "net/client.h"
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define CONNECTIONS  64 /* that are kept, to the emulator; Firestore itself gets one or two */
#define URL_MAX_LEN  1024
#define CONNECT_MS   3000
#define TRIES_ALONE  4  /* while nobody is there: the next call is as good as the fifth try */
#define PAUSE_MIN_MS 50 /* doubled with each try up to the other; a part of it by chance */
#define PAUSE_MAX_MS 2000

struct firestore_link {
	struct arena arena; /* what the address and the root lie in */
	struct firestore_address address;
	struct firestore_account account;
	const char *root;
	struct net_client *client;
	struct firestore_token *token; /* NULL: the emulator, which asks for none */
};

/* One call, over its tries. */
struct attempt {
	struct firestore_link *link;
	const char *url;
	struct slice body;
	enum firestore_how how;
	int64_t until_ms, pause_ms;
	struct buffer *reply;
	unsigned refused; /* the number of the token that was */
	int tries;
};

/* --- one try --- */

static enum firestore_status authorize(struct attempt *attempt, char header[FIRESTORE_HEADER_MAX],
				       unsigned *number)
{
	*number = 0;
	if (attempt->link->token)
		return firestore_token_get(attempt->link->token, attempt->refused,
					   attempt->until_ms, header, number);
	snprintf(header, FIRESTORE_HEADER_MAX,
		 "Authorization: Bearer owner"); /* may do everything */
	return FIRESTORE_OK;
}

static struct firestore_result try_once(struct attempt *attempt)
{
	char header[FIRESTORE_HEADER_MAX];
	const char *const headers[] = { header, "Content-Type: application/json",
					"Accept: application/json", "User-Agent: c1d (gzip)",
					NULL };
	int64_t left_ms = attempt->until_ms - clock_mono_ms();
	const struct net_request request = { .url = attempt->url,
					     .headers = headers,
					     .ca_file = attempt->link->address.ca_file,
					     .connect_ms = left_ms < CONNECT_MS ? left_ms - 1
										: CONNECT_MS,
					     .may_gzip = true };
	struct firestore_result result = { .retry_after_s = -1 };
	struct net_answer answer;
	unsigned number;

	buffer_reset(attempt->reply);
	result.status = authorize(attempt, header, &number);
	if (result.status == FIRESTORE_OK) {
		net_client_post(attempt->link->client, &request, attempt->body, attempt->until_ms,
				attempt->reply, &answer);
		result = firestore_result_of(&answer, buffer_slice(attempt->reply));
		if (result.is_unauthorized)
			attempt->refused = number;
	}
	explicit_bzero(header, sizeof header);
	attempt->tries++;
	return result;
}

/* --- again? --- */

static int64_t at_random(int64_t below)
{
	uint32_t number = 0;

	return getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number
		       ? (int64_t)(number % (uint64_t)below)
		       : below / 2;
}

/* Half of it for sure, the other by chance: who was refused together does not come back together.
 */
static int64_t next_pause_ms(struct attempt *attempt, int retry_after_s)
{
	int64_t pause_ms = attempt->pause_ms / 2 + at_random(attempt->pause_ms / 2 + 1);

	if (attempt->pause_ms < PAUSE_MAX_MS)
		attempt->pause_ms *= 2;
	return retry_after_s > 0 && retry_after_s * 1000LL > pause_ms ? retry_after_s * 1000LL
								      : pause_ms;
}

static bool may_repeat(const struct attempt *attempt, const struct firestore_result *result)
{
	if (result->is_unauthorized) /* once, with a token that is not this one */
		return attempt->link->token && attempt->tries == 1;
	if (result->is_nobody_there && attempt->tries == TRIES_ALONE)
		return false;
	switch (result->status) {
	case FIRESTORE_BUSY: return true;
	case FIRESTORE_DOWN: return attempt->how == FIRESTORE_REPEATABLE || !result->was_sent;
	case FIRESTORE_ABORTED:
	case FIRESTORE_UNKNOWN: return attempt->how == FIRESTORE_REPEATABLE;
	default: return false;
	}
}

static int kind_of(const struct firestore_result *result)
{
	return result->is_unauthorized               ? METRIC_FIRESTORE_token
	       : result->status == FIRESTORE_BUSY    ? METRIC_FIRESTORE_busy
	       : result->status == FIRESTORE_ABORTED ? METRIC_FIRESTORE_aborted
	       : result->status == FIRESTORE_DOWN    ? METRIC_FIRESTORE_down
						     : METRIC_FIRESTORE_unknown;
}

/* false: there is no time for another try. */
static bool rest(struct attempt *attempt, const struct firestore_result *result)
{
	int64_t pause_ms =
		result->is_unauthorized ? 0 : next_pause_ms(attempt, result->retry_after_s);
	struct timespec pause = { pause_ms / 1000, pause_ms % 1000 * 1000000 };

	if (clock_mono_ms() + pause_ms >= attempt->until_ms)
		return false;
	nanosleep(&pause, NULL);
	metrics_add(M_FIRESTORE_RETRIES, kind_of(result), 0, 1);
	return true;
}

/* Of what does no harm when it is done again it does not matter that it may have been done. */
static void settle(const struct attempt *attempt, struct firestore_result *result)
{
	if (attempt->how == FIRESTORE_REPEATABLE && result->is_nobody_there)
		result->status = FIRESTORE_DOWN;
}

/* What is a step of who asks is told by him, if at all. */
static bool is_ordinary(enum firestore_status status)
{
	return status == FIRESTORE_OK || status == FIRESTORE_NOT_FOUND ||
	       status == FIRESTORE_EXISTS || status == FIRESTORE_PRECONDITION ||
	       status == FIRESTORE_ABORTED || status == FIRESTORE_TOO_LARGE;
}

static void tell(const struct attempt *attempt, const struct firestore_result *result)
{
	if (!is_ordinary(result->status))
		log_warn("Firestore failed a request", LOG_T("request", strrchr(attempt->url, ':')),
			 LOG_T("why", firestore_status_word(result->status)),
			 LOG_I("status", result->http), LOG_S("said", result->said),
			 LOG_I("tries", attempt->tries));
}

enum firestore_status firestore_call(struct firestore_link *link, const char *verb,
				     struct slice body, enum firestore_how how, int64_t until_ms,
				     struct buffer *reply)
{
	char url[URL_MAX_LEN];
	struct attempt attempt = { .link = link,
				   .url = url,
				   .body = body,
				   .how = how,
				   .until_ms = until_ms,
				   .pause_ms = PAUSE_MIN_MS,
				   .reply = reply };
	struct firestore_result result;

	snprintf(url, sizeof url, "%s/v1/%s%s",
		 link->account.emulator ? link->account.emulator : link->address.endpoint,
		 link->root, verb);
	do
		result = try_once(&attempt);
	while (may_repeat(&attempt, &result) && rest(&attempt, &result));
	settle(&attempt, &result);
	tell(&attempt, &result);
	return result.status;
}

/* --- life --- */

const char *firestore_root(const struct firestore_link *link)
{
	return link->root;
}

static bool read_settings(struct firestore_link *link, const char *uri, const struct config *config,
			  struct error *err)
{
	const char *wrong = firestore_address_read(uri, &link->arena, &link->address);

	if (wrong)
		return error_set(err, ERROR_CONFIG, "The store's address %s.", wrong);
	link->root = arena_printf(&link->arena, "projects/%s/databases/%s/documents",
				  link->address.project, link->address.database);
	if (link->arena.failed)
		return error_set(err, ERROR_OVERLOADED, "No memory for the store's address.");
	return firestore_account_read(config, &link->account, err);
}

struct firestore_link *firestore_link_open(const char *uri, const struct config *config,
					   struct error *err)
{
	struct firestore_link *link = calloc(1, sizeof *link);

	if (!link) {
		error_set(err, ERROR_INTERNAL, "No memory for the store.");
		return NULL;
	}
	arena_init(&link->arena, FIRESTORE_ADDRESS_MAX);
	if (!read_settings(link, uri, config, err) ||
	    !(link->client = net_client_open(CONNECTIONS, err)))
		goto fail;
	if (!link->account.emulator &&
	    !(link->token = firestore_token_open(&link->account, link->client,
						 link->address.ca_file, err)))
		goto fail;
	return link;
fail:
	firestore_link_free(link);
	return NULL;
}

void firestore_link_free(struct firestore_link *link)
{
	if (!link)
		return;
	firestore_token_free(link->token);
	net_client_free(link->client);
	firestore_account_done(&link->account);
	arena_done(&link->arena);
	free(link);
}
