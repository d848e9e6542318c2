/* Names that are looked up without a lock: registry/names.hpp, N1 to N3.
 *
 * Property. A look-up of the name X that finds somebody finds who had X at some time while it looked; one that finds nobody is right that
 * at some time while it looked nobody had X. A name that stays registered is always found.
 *
 * Bounds: one shard of SLOTS slots, all of whose names have their home in the first; the names X, of pid 1 and of pid 2, Y and Z, which
 * come and go up to CHANGES times in all, and three nodes for them; one reader, which looks for X. An array that is outgrown stays as it
 * was, and here the larger one has the names in another order, as with other homes. Texts and pids are one word each.
 *
 * Spin's steps are sequentially consistent. That the stores of a writer become visible in their order is said by release and acquire; where
 * a variant takes it away, it is the writer that has another order.
 *
 * Runs, with the states stored where there is no error:
 *   spin: must pass                          896,629
 *   spin: -DGROW=1 -DCHANGES=4 must pass     2,083,712
 *   spin: -DSECOND_LOOK=0 must fail     a reader does not look at the sequence again after it took the pid
 *   spin: -DODD_ASKED=0 must fail       a reader believes a node that is free
 *   spin: -DEVEN_FIRST=0 must fail      a node is written before its sequence says that it is free
 *   spin: -DODD_LAST=0 must fail        a node's sequence says that it is registered before it is written
 *   spin: -DENTRY_FIRST=0 must fail     and before its entry is there: one reader finds it, and the next one does not
 *   spin: -DMISS_ASKS=0 must fail       a reader believes a miss without a look at `moves`
 *   spin: -DMOVES_FIRST=0 must fail     `moves` changes only after entries moved
 *   spin: -DFILL_GAP=0 must fail        a removed entry leaves an empty slot before others
 *   spin: -DGROW=1 -DCHANGES=4 -DFILLED_FIRST=0 must fail   an array is there for readers before it is filled
 */
#ifndef CHANGES
#define CHANGES 5
#endif
#ifndef GROW
#define GROW 0
#endif
#ifndef SECOND_LOOK
#define SECOND_LOOK 1
#endif
#ifndef ODD_ASKED
#define ODD_ASKED 1
#endif
#ifndef EVEN_FIRST
#define EVEN_FIRST 1
#endif
#ifndef ODD_LAST
#define ODD_LAST 1
#endif
#ifndef ENTRY_FIRST
#define ENTRY_FIRST 1
#endif
#ifndef MISS_ASKS
#define MISS_ASKS 1
#endif
#ifndef MOVES_FIRST
#define MOVES_FIRST 1
#endif
#ifndef FILL_GAP
#define FILL_GAP 1
#endif
#ifndef FILLED_FIRST
#define FILLED_FIRST 1
#endif

#define X 1
#define Y 2
#define Z 3
#define SLOTS 4               /* three names at most: one slot is always empty */
#define NONE 0

/* The shard: two arrays, one after the other. Slots hold a node's number, from 1. */
byte slot[8];                 /* array a has slots 4 * a to 4 * a + 3 */
byte array, moves;
/* Nodes 1 to 3. */
byte sequence[4], name[4], whose[4];
bit used[4];
/* Ghosts: who has X; what the reader could have seen of that since it began. */
byte holder;
bit looking, seen[3];         /* seen[NONE]: nobody had it */

inline now_has_x(p) { holder = p; if :: looking -> seen[p] = 1 :: else fi }

#define SAY_REGISTERED sequence[node] = sequence[node] + 1 + sequence[node] % 2

/* add() under the shard's lock. */
inline add(n, p) {
  d_step {
    i = 4 * array;
    do :: slot[i] != NONE -> i++ :: else -> break od;
    node = 1;
    do :: used[node] -> node++ :: else -> break od;
    used[node] = 1
  }
  if :: !ODD_LAST -> SAY_REGISTERED :: else fi;
  name[node] = n;
  whose[node] = p;
  if :: ODD_LAST && !ENTRY_FIRST -> SAY_REGISTERED :: else fi;
  d_step { slot[i] = node; if :: !(ODD_LAST && ENTRY_FIRST) && n == X -> now_has_x(p) :: else fi };
  if
  :: ODD_LAST && ENTRY_FIRST -> d_step { SAY_REGISTERED; if :: n == X -> now_has_x(p) :: else fi }
  :: else
  fi;
  d_step { i = 0; node = 0 }
}

/* Without a sequence that says so, nobody has X any more when its entry is gone. */
inline overwrite(with) {
  d_step {
    slot[i] = with;
    if :: !EVEN_FIRST && name[node] == X && holder != NONE -> now_has_x(NONE) :: else fi
  }
}

/* take_out() and free_up() of the entry in slot i. All homes are the first slot, so whatever is behind the gap moves up. */
inline take_out() {
  node = slot[i];
  if
  :: EVEN_FIRST -> d_step { sequence[node]++; if :: name[node] == X -> now_has_x(NONE) :: else fi }
  :: else
  fi;
  if
  :: FILL_GAP && slot[i + 1] != NONE ->
     if :: MOVES_FIRST -> moves++ :: else fi;
     do
     :: slot[i + 1] != NONE -> overwrite(slot[i + 1]); i++
     :: else -> break
     od;
     slot[i] = NONE;
     moves = moves + 2 - MOVES_FIRST
  :: else -> overwrite(NONE)
  fi;
  d_step { used[node] = 0; i = 0; node = 0 }
}

inline grow() {
  if :: !FILLED_FIRST -> array = 1 :: else fi;
  /* In another order: the last one first. */
  if
  :: slot[2] != NONE -> slot[4] = slot[2]; slot[5] = slot[0]; slot[6] = slot[1]
  :: slot[2] == NONE && slot[1] != NONE -> slot[4] = slot[1]; slot[5] = slot[0]
  :: else -> slot[4] = slot[0]
  fi;
  moves++;
  if :: FILLED_FIRST -> array = 1 :: else fi;
  moves++
}

/* Whoever holds the shard's lock; one writer stands for all. */
proctype Writer() {
  byte left = CHANGES, i, node, n; bit has[4];
  do
  :: left > 0 && !has[X] -> has[X] = 1; left--; if :: add(X, 1) :: add(X, 2) fi
  :: left > 0 && !has[Y] -> has[Y] = 1; left--; add(Y, 1)
  :: left > 0 && !has[Z] -> has[Z] = 1; left--; add(Z, 2)
  :: left > 0 && slot[4 * array] != NONE ->
     left--;
     /* any of those that are there */
     i = 4 * array;
     do
     :: slot[i + 1] != NONE -> i++
     :: break
     od;
     has[name[slot[i]]] = 0;
     take_out()
  :: GROW && array == 0 -> grow()
  :: left == 0 -> break
  od
}

/* entry() and look_among_moves(), which tries again for ever here. */
proctype Reader() {
  byte before, at, met, odd, found;
  bit hit;
  d_step { looking = 1; seen[holder] = 1 }
again:
  before = moves;
  at = 4 * array;
  do
  :: met = slot[at];
     if
     :: met == NONE -> break
     :: else ->
        odd = sequence[met];
        if
        :: (odd % 2 == 1 || !ODD_ASKED) && name[met] == X ->
           found = whose[met];
           if
           :: sequence[met] == odd || !SECOND_LOOK -> hit = 1; break
           :: else -> found = NONE
           fi
        :: else
        fi
     fi;
     at++;
     if :: at % SLOTS == 0 -> break :: else fi
  od;
  if
  :: !hit && MISS_ASKS && (before % 2 == 1 || moves != before) -> goto again
  :: else
  fi;
  assert(seen[found])
}

init { atomic { run Writer(); run Reader() } }
