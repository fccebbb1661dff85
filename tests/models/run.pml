/*
 * The life of a run, for the spin model checker: its owner asks the model, or fails before that, writes the answer's file and
 * saves it, a follower reads the file, somebody asks it to stop, the owner may die anywhere, another worker takes an unowned file
 * over, the store may be away, a user may edit the saved message.
 *
 *   spin -a run.pml && gcc -O2 -o pan pan.c && ./pan
 *
 * -DBUG=1..5 plants a bug that has to be found: 1 `saved` before the store has it; 2 the end before the last bytes; 3 a file is
 * taken over without its lock; 4 the end of a run does not ask whether the message was edited; 5 the file says `asked` only after
 * the model was.
 */
#ifndef BUG
#define BUG 0
#endif

#define DELTAS 2

mtype = { NONE, STREAMING, COMPLETE, STOPPED, ERROR, INTERRUPTED };

/* the file */
byte bytes;              /* written */
byte length;             /* what the header says, once it has ended; until then it is all bytes */
mtype status = STREAMING;
bool asked;              /* the model may have the question */
bool saved;
byte writers;            /* processes that believe they own it */
bool locked = true;      /* the kernel's word: it goes with its holder */

/* the store */
mtype db_status = STREAMING;
byte db_length;
bool db_edited;          /* an edit takes the message from its run */
bool db_unasked;         /* the same question may be asked again */
bool claim = true;
bool store_up = true;

/* the world */
bool owner_alive = true;
bool model_has_it;       /* the question: asking again would cost twice */
bool model_finished;
bool stop_wanted;
byte seen;               /* the follower's offset */
mtype told = NONE;       /* how its stream ended */

/* store_finish: only where the message is still its run's and nobody ended it with a text */
inline store_finish(its_status, its_length, its_asked)
{
	d_step {
		if
		:: (BUG == 4 || !db_edited) && (db_status == STREAMING || db_status == INTERRUPTED || BUG == 4) ->
			db_status = its_status;
			db_length = its_length;
			db_unasked = !its_asked && (its_status == ERROR || its_status == INTERRUPTED);
			if :: BUG == 4 -> db_edited = false :: else fi
		:: else
		fi;
		claim = false
	}
}

/* By whoever owns the file; it may die between any two of these. What it has sent to the store may be done after its death. */
inline save(alive)
{
	if
	:: BUG == 1 && alive -> saved = true
	:: else
	fi;
	if
	:: atomic { alive -> its_status = status; its_length = length; its_asked = asked };
		if
		:: store_up -> store_finish(its_status, its_length, its_asked)
		:: BUG == 1 && !store_up -> skip
		fi;
		if
		:: atomic { alive -> saved = true }
		:: !alive
		fi
	:: !alive
	fi
}

active proctype Owner()
{
	byte n = 0, its_length;
	bool its_asked;
	mtype how = INTERRUPTED, its_status;

	writers++;
	if
	:: owner_alive -> how = ERROR; goto ended /* the store was lost behind the claim, or the like */
	:: atomic { BUG != 5 && owner_alive -> asked = true }
	:: BUG == 5
	:: !owner_alive -> goto dead
	fi;
	if
	:: atomic { owner_alive -> model_has_it = true }
	:: atomic { BUG != 5 && owner_alive -> asked = false; how = ERROR }; goto ended /* it refused, or was not there */
	:: !owner_alive -> goto dead
	fi;
	if
	:: BUG == 5 && owner_alive -> asked = true
	:: BUG != 5
	:: !owner_alive -> goto dead
	fi;
	do
	:: !owner_alive -> goto dead
	:: atomic { owner_alive && stop_wanted -> how = STOPPED }; break
	:: n < DELTAS ->
		if
		:: atomic { owner_alive -> bytes++ }
		:: !owner_alive -> goto dead
		fi;
		n++
	:: atomic { owner_alive && n == DELTAS -> model_finished = true; how = COMPLETE }; break
	:: owner_alive -> how = INTERRUPTED; break /* the upstream was cut */
	od;
ended:
	if
	:: atomic { BUG != 2 && owner_alive -> status = how; length = bytes } /* one word */
	:: atomic { BUG == 2 && owner_alive -> status = how; length = bytes + 1 }; atomic { owner_alive -> bytes++ }
	:: !owner_alive -> goto dead
	fi;
	save(owner_alive);
dead:
	skip;
	d_step {
		writers--;
		if :: owner_alive -> locked = false :: else fi /* a dead one's lock went with it */
	}
}

/* At most once, at any moment. */
active proctype Crash()
{
	if
	:: d_step { owner_alive = false; locked = false }
	:: true
	fi
}

/* Another worker that looks for files nobody owns. It does not die here: then there is another one. */
active proctype Sweeper()
{
	bool alive = true;
	byte its_length;
	bool its_asked;
	mtype its_status;

	do
	:: saved -> break
	:: atomic { (!locked || BUG == 3) && !saved -> locked = true; writers++ };
		assert(BUG == 3 || !owner_alive || writers == 1);
		if
		:: saved -> skip
		:: else ->
			if
			:: status == STREAMING -> d_step { length = bytes; status = INTERRUPTED }
			:: else
			fi;
			save(alive)
		fi;
		d_step { writers--; locked = false };
		break
	od
}

active proctype Stop()
{
	if
	:: stop_wanted = true
	:: true
	fi
}

active proctype Outage()
{
	if
	:: store_up = false; store_up = true
	:: true
	fi
}

active proctype Follower()
{
	byte upto;
	mtype its;

	do
	:: d_step { its = status; upto = (its == STREAMING -> bytes : length) };
		assert(upto <= bytes); /* never told of bytes that are not there */
		seen = upto;
		if
		:: its != STREAMING && saved -> told = its; break
		:: else
		fi
	od
}

active proctype Editor()
{
	if
	:: atomic { db_status != STREAMING -> db_edited = true }
	:: true
	fi
}

/* When nothing can happen any more. */
#define over (told != NONE && saved)

ltl ends     { <> over }
ltl freed    { [] (over -> !claim) }
ltl truthful { [] (told == COMPLETE -> (model_finished && seen == DELTAS)) }
ltl kept     { [] ((over && !db_edited) -> (db_status == status && db_length == length && seen <= db_length)) }
ltl once     { [] (db_unasked -> !model_has_it) }
ltl edits    { [] (db_edited -> [] db_edited) }
