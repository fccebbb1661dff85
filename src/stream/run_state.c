/* run_state: see the picture in run_state.h; each row of the table can be checked against it by
 * eye. */
#include "run_state.h"

enum run_state run_next(enum run_state state, enum run_event event)
{
	static const enum run_state next[RUN_STATES][RUN_EVENTS] = {
		/*                TEXT         END         SAVED */
		[RUN_WAITING] = { RUN_FLOWING, RUN_SAVING, RUN_WAITING },
		[RUN_FLOWING] = { RUN_FLOWING, RUN_SAVING, RUN_FLOWING },
		[RUN_SAVING] = { RUN_SAVING, RUN_SAVING, RUN_OVER },
		[RUN_OVER] = { RUN_OVER, RUN_OVER, RUN_OVER },
	};

	return next[state][event];
}
