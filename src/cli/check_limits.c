/* check_limits: how often users may ask, in a line, and whether the Redis that is to count it does.
 */
#include "check.h"

#include "guard/limit.h"
#include <signal.h>
#include <stdio.h>

static const char *rate_text(struct rate rate, char out[48])
{
	const char *unit = rate.window_s == 1      ? "second"
			   : rate.window_s == 60   ? "minute"
			   : rate.window_s == 3600 ? "hour"
						   : "day";

	if (rate.count == 0)
		return "off";
	snprintf(out, 48, "%lld/%s", (long long)rate.count, unit);
	return out;
}

int check_limits(const struct config *config)
{
	char chat[48], read[48], write[48], site[48];
	struct error err = { 0 };
	bool shared, ok;

	signal(SIGPIPE, SIG_IGN); /* a Redis that hangs up */
	ok = limit_try(config, &shared, &err);
	check_say(config->limit_chat.count > 0 ? CHECK_OK : CHECK_WARN, "limits",
		  "a user: %s questions, %s reads, %s changes, %lld answers at once; the site: %s "
		  "questions%s",
		  rate_text(config->limit_chat, chat), rate_text(config->limit_read, read),
		  rate_text(config->limit_write, write), (long long)config->runs_per_user,
		  rate_text(config->limit_site, site),
		  config->limit_chat.count > 0
			  ? ""
			  : "; with C1D_LIMIT_CHAT=off anybody who asks may spend all of the key");
	if (!shared)
		return EXIT_OK;
	if (ok)
		check_say(CHECK_OK, "redis", "it counts for all machines");
	else
		check_say(
			CHECK_FAIL, "redis",
			"%s Until it does, each machine counts for itself; look at REDIS_URL, the "
			"server, and what its user may do",
			err.detail);
	return ok ? EXIT_OK : EXIT_UNAVAILABLE;
}
