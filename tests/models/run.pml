/*
 * The life of a run, for the spin model checker: its owner writes the answer's file and saves it, a follower reads the file,
 * somebody asks it to stop, the owner may die anywhere, another worker takes an unowned file over, the store may be away, a
 * user may edit the saved message.
 *
 *   spin -a run.pml && gcc -O2 -o pan pan.c && ./pan
 *
 * -DBUG=1..4 plants a bug that has to be found: 1 `saved` before the store has it; 2 the length before its bytes; 3 a file is
 * taken over without its lock; 4 the end of a run does not ask whether the message was edited.
 */
#ifndef BUG
#define BUG 0
#endif

#define DELTAS 2

mtype = { NONE, STREAMING, COMPLETE, STOPPED, INTERRUPTED };

/* the file */
byte bytes;              /* written */
byte length;             /* what the header says */
mtype status = STREAMING;
bool saved;
byte writers;            /* processes that believe they own it */
bool locked = true;      /* the kernel's word: it goes with its holder */

/* the store */
mtype db_status = STREAMING;
byte db_length;
bool db_edited;          /* an edit takes the message from its run */
bool claim = true;
bool store_up = true;

/* the world */
bool owner_alive = true;
bool model_finished;
bool stop_wanted;
byte seen;               /* the follower's offset */
mtype told = NONE;       /* how its stream ended */

/* store_finish: only where the message is still its run's and nobody ended it with a text */
inline store_finish(its_status, its_length)
{
	d_step {
		if
		:: (BUG == 4 || !db_edited) && (db_status == STREAMING || db_status == INTERRUPTED || BUG == 4) ->
			db_status = its_status;
			db_length = its_length;
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
	:: atomic { alive -> its_status = status; its_length = length };
		if
		:: store_up -> store_finish(its_status, its_length)
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
	mtype how = INTERRUPTED, its_status;

	writers++;
	do
	:: !owner_alive -> goto dead
	:: atomic { owner_alive && stop_wanted -> how = STOPPED }; break
	:: n < DELTAS ->
		if
		:: atomic { BUG == 2 && owner_alive -> length++ }; atomic { owner_alive -> bytes++ }
		:: atomic { BUG != 2 && owner_alive -> bytes++ };
			if
			:: atomic { owner_alive -> length = bytes }
			:: !owner_alive -> goto dead
			fi
		:: !owner_alive -> goto dead
		fi;
		n++
	:: atomic { owner_alive && n == DELTAS -> model_finished = true; how = COMPLETE }; break
	:: owner_alive -> how = INTERRUPTED; break /* the upstream was cut */
	od;
	if
	:: atomic { owner_alive -> status = how }
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
	:: d_step { its = status; upto = length };
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
ltl edits    { [] (db_edited -> [] db_edited) }
