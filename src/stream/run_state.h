/*
 * run_state: where a run stands, as a table that is the whole truth; pure.
 *
 *   WAITING ---text---> FLOWING ---end---> SAVING ---saved---> OVER
 *      |                                     ^
 *      +---------------end-------------------+
 */
#ifndef STREAM_RUN_STATE_H
#define STREAM_RUN_STATE_H

enum run_state {
	RUN_WAITING, /* the upstream was asked; no text yet: a failure is a plain status */
	RUN_FLOWING, /* the answer grows */
	RUN_SAVING,  /* its spool says how it ended; the saver has it */
	RUN_OVER,    /* saved, or promised by the spool: bodies close */
	RUN_STATES
};

enum run_event { RUN_TEXT, RUN_END, RUN_SAVED, RUN_EVENTS };

/* What does not fit where it stands changes nothing: what is over stays over. */
enum run_state run_next(enum run_state state, enum run_event event);

#endif
