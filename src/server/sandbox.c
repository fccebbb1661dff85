/* sandbox: the order of the layers, and what is missing. */
#include "sandbox_layers.h"

#include "base/log.h"
#include "sandbox_probes.h"

unsigned sandbox_offered(void)
{
	return FENCE_BIT(FENCE_RIGHTS) | sandbox_offers_calls() | sandbox_offers_files();
}

unsigned sandbox_enter(const struct config *config, const struct reach *reach)
{
	unsigned wanted = FENCE_WHOLE & ~SANDBOX_LEFT_OUT(config->state_dir), layers;

	if (!config->sandbox)
		return 0;
	if (reach->is_short)
		log_error("sandbox: too many files or ports, some are out of reach");
	sandbox_make_folders(reach);
	layers = sandbox_close_rights();
	layers |= sandbox_close_files(reach, wanted);
	return layers & wanted;
}

unsigned sandbox_close(const struct config *config)
{
	if (!config->sandbox || (SANDBOX_LEFT_OUT(config->state_dir) & FENCE_BIT(FENCE_CALLS)))
		return 0;
	return sandbox_close_calls();
}

void sandbox_say(const struct config *config, unsigned layers)
{
	char missing[FENCE_LIST_SIZE];

	if (!config->sandbox || (layers & FENCE_NEEDED) == FENCE_NEEDED)
		return;
	fence_list(FENCE_WHOLE & ~layers, missing);
	log_warn("sandbox is not whole: the kernel or the container does not offer all of it",
		 LOG_T("missing", missing));
}
