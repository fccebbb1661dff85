/*
 * The table of counts (src/guard/gcra.c), for the spin model checker: some come with the same new key at the same time, of which one
 * may be let in, while another takes cells for keys that are paid off at once. Each look at a cell and each exchange of a word is a
 * step, and a process may stand still before any of them, for ever.
 *
 *   spin -a counts.pml && gcc -O2 -DSAFETY -o pan pan.c && ./pan
 *
 * -DBUG=1..5 plants a bug that has to be found: 1 a cell is counted in after one look at all; 2 whoever finds one cell looks no
 * further; 3 the first of two is counted in without the other being freed; 4 a cell that is paid off is freed whatever befell it
 * since it was looked at; 5 a cell counts as seen before though it has another generation since (as the program did until this model
 * was made).
 */
#ifndef BUG
#define BUG 0
#endif

#define CELLS  2
#ifndef ASKERS
#define ASKERS 2
#define OTHERS 1 /* or 3 and 0: then who comes third finds the two cells of the others */
#endif
#define G      8 /* generations */
#define NONE   255
#define MINE   1

#define NEW      0 /* times */
#define PASSED   1
#define COUNTING 2

byte key[CELLS], key_g[CELLS];         /* name */
byte g[CELLS], time[CELLS]; bool on[CELLS]; /* count */
byte let_in;

#define UNCHANGED(c, its_g, its_time) (g[c] == its_g && on[c] && time[c] == its_time)

/* Part of each look: one that is taken counts from now on. That look_at does it in two steps makes no difference: the second one
 * only succeeds while nothing has changed. */
inline begin(c)
{
	if
	:: !on[c] && key_g[c] == (g[c] + 1) % G && key[c] -> g[c] = (g[c] + 1) % G; on[c] = true; time[c] = NEW
	:: else
	fi
}

inline set_free(c, its_g, its_time)
{
	atomic { if :: UNCHANGED(c, its_g, its_time) || BUG == 4 -> on[c] = false; time[c] = NEW; g[c] = its_g :: else fi }
}

/* find: the cell of key k into a, a_g, a_time; a == NONE: there is none. */
inline find(k)
{
	seen = NONE;
	do
	:: atomic { n = 0; i = 0; a = NONE; a_g = 0; a_time = 0; b = NONE; b_g = 0; b_time = 0 };
		do
		:: i < CELLS && n < 2 -> atomic {
				begin(i);
				if
				:: on[i] && key[i] == k && key_g[i] == g[i] && n == 0 -> a = i; a_g = g[i]; a_time = time[i]; n = 1;
					if :: BUG == 2 -> i = CELLS :: else -> i++ fi
				:: on[i] && key[i] == k && key_g[i] == g[i] && n == 1 -> b = i; b_g = g[i]; b_time = time[i]; n = 2
				:: else -> i++
				fi
			}
		:: !(i < CELLS && n < 2) -> i = 0; break
		od;
		if
		:: n == 0 -> break
		:: n == 1 && (a == seen && (a_g == seen_g || BUG == 5) || BUG == 1 || BUG == 2) -> break
		:: n == 1 && !(a == seen && (a_g == seen_g || BUG == 5)) && BUG != 1 && BUG != 2 -> seen = a; seen_g = a_g
		:: n == 2 && BUG == 3 -> break
		:: n == 2 && BUG != 3 ->
			if
			:: b_time == NEW -> set_free(b, b_g, b_time)
			:: else -> set_free(a, a_g, a_time)
			fi;
			seen = NONE; seen_g = 0
		fi
	od;
	atomic { n = 0; b = NONE; b_g = 0; b_time = 0; seen = NONE; seen_g = 0 }
}

/* The cheapest cell (any of those that are alike: which it is changes with time), and what is done with it. worth 3: all count, so it is counted with another one. */
inline make_room(k)
{
	atomic { i = 0; a = NONE; worth = 4 };
	do
	:: i < CELLS -> atomic {
			begin(i);
			w = (!on[i] -> 0 : (time[i] == PASSED -> 1 : (time[i] == NEW -> 2 : 3)));
			if
			:: w <= worth -> a = i; a_g = g[i]; a_time = time[i]; worth = w; b = key[i]; b_g = key_g[i]
			:: w >= worth
			fi;
			w = 0;
			i++
		}
	:: i >= CELLS -> break
	od;
	if
	:: worth == 0 -> atomic { if :: key[a] == b && key_g[a] == b_g -> key[a] = k; key_g[a] = (a_g + 1) % G :: else fi }
	:: worth == 1 || worth == 2 -> set_free(a, a_g, a_time)
	:: worth == 3
	fi;
	atomic { i = 0; b = NONE; b_g = 0 }
}

active [ASKERS] proctype Asker()
{
	byte i, n, a, a_g, a_time, b, b_g, b_time, seen, seen_g, worth, w;

	do
	:: find(MINE);
		if
		:: a == NONE -> make_room(MINE); if :: worth == 3 -> break :: worth != 3 -> worth = 0 fi
		:: a != NONE && a_time == COUNTING -> break
		:: a != NONE && a_time != COUNTING ->
			if
			:: atomic { UNCHANGED(a, a_g, a_time) -> time[a] = COUNTING; let_in++ }; break
			:: !UNCHANGED(a, a_g, a_time)
			fi
		fi
	od;
	assert(let_in <= 1)
}

active proctype Other()
{
	byte i, n, a, a_g, a_time, b, b_g, b_time, seen, seen_g, worth, w, k = MINE + 1;

	do
	:: k > MINE + OTHERS -> break
	:: k <= MINE + OTHERS ->
		find(k);
		if
		:: a == NONE -> make_room(k); if :: worth == 3 -> k++ :: worth != 3 fi; worth = 0
		:: a != NONE ->
			if
			:: atomic { UNCHANGED(a, a_g, a_time) -> time[a] = PASSED }; k++
			:: !UNCHANGED(a, a_g, a_time)
			fi
		fi
	od
}
