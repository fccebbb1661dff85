/*
 * How many runs a user may have at once (src/stream/board_admit.c), for the spin model checker: each asks, with its entry on the
 * board, and looks at the others one by one. At most CAP are let in; and when all have asked, CAP are.
 *
 *   spin -a admission.pml && gcc -O2 -DSAFETY -o pan pan.c && ./pan
 *
 * -DBUG=1..3 plants a bug that has to be found: 1 one with a higher number need not look again; 2 all that ask are counted, whatever
 * their number; 3 it looks before it is on the board.
 */
#ifndef BUG
#define BUG 0
#endif

#define ALL 3
#define CAP 1

#define FREE    0
#define ASKS    1 /* and from there on: how often it has to look again */
#define LET_IN  99
#define REFUSED 100

byte word[ALL];
byte let_in, over;

active [ALL] proctype Asker()
{
	byte me = _pid, i, mine, other, count;

	if :: BUG != 3 -> word[me] = ASKS :: else fi;
again:
	mine = word[me];
	count = 0;
	i = 0;
	do
	:: i == ALL -> break
	:: i != ALL && i == me -> i++
	:: i != ALL && i != me ->
		other = word[i];
		if
		:: other == FREE || other == REFUSED
		:: other == LET_IN -> count++
		:: other >= ASKS && other < LET_IN && (i < me || BUG == 2) -> count++
		:: other >= ASKS && other < LET_IN && i > me && BUG != 2 ->
			if
			:: BUG == 1
			:: d_step { BUG != 1 && word[i] == other -> word[i] = other + 1 }
			:: BUG != 1 && word[i] != other -> if :: word[i] == LET_IN -> count++ :: else fi
			fi
		fi;
		i++
	od;
	if
	:: count >= CAP -> word[me] = REFUSED
	:: count < CAP ->
		if
		:: d_step { word[me] == mine -> word[me] = LET_IN; let_in++ }
		:: word[me] != mine -> goto again
		fi
	fi;
	assert(let_in <= CAP);
	over++;
	assert(over < ALL || let_in == CAP)
}
