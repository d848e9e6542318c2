/* Links and monitors between two slots: runtime/signal.cpp, runtime/exit.cpp and registry/relation.hpp.
 *
 * Links (as written). A in slot 0 and B in slot 1 link, unlink and die as they like, OPS calls each; B has a successor in its slot, who
 * does the same, and any of them may trap exits. The record of a link hangs on both lists or on none; it is freed, or becomes a message,
 * once. Between two processes there is one link at most; it ends in one exit signal at most, and in none once unlink() returned; nobody
 * who is dead is left on a list. No deadlock.
 *
 * Monitors (-DMONITORS=1). W in slot 0 monitors T in slot 1 up to twice, demonitors, receives and dies; T dies; W has a successor who
 * only receives. The record is on T's list, or with T on its way, or in W's inbox. Nobody touches a freed record, and each is freed once.
 * While W lives, each monitor that was not removed gets its Down once, and no Down is received after demonitor() returned. T's list holds
 * nothing of a dead W.
 *
 * Runs, with the states stored where there is no error:
 *   spin: must pass                                    579,104; with three calls each 1,886,885
 *   spin: -DORDERED=0 must fail                      a pair of locks is taken own first
 *   spin: -DPAIR=0 must fail                         link() hooks in each list under that list's lock alone
 *   spin: -DONE_LINK=0 must fail                     link() does not look for a link that is there
 *   spin: -DALIVE_LOCKED=0 must fail                 link() looks for the other's life before it has the locks
 *   spin: -DLOOK_AGAIN=0 must fail                   tell_links() believes, with both locks, what it saw with one
 *   spin: -DSIGNAL_LOCKED=0 must fail                the signal is received after the locks are given up
 *   spin: -DPID_CHECKED=0 must fail                  unlink() takes whoever is in the slot for the one that was linked
 *   spin: -DMONITORS=1 must pass                        34,590
 *   spin: -DMONITORS=1 -DWITHDRAW_FIRST=0 must fail  monitors held are withdrawn after the time of death
 *   spin: -DMONITORS=1 -DHOOK_TELLS=0 must fail      withdraw() frees a record that is off the list
 *   spin: -DMONITORS=1 -DENTRY_TELLS=0 must fail     a Down is received though its monitor was removed
 *   spin: -DMONITORS=1 -DHELD_TOLD=0 must fail       a dying process leaves its monitors where they are
 *   spin: -DMONITORS=1 -DSTAMP=0 must fail           a successor takes a Down for its own
 *   spin: -DMONITORS=1 -DALIVE_LOCKED=0 must fail    monitor() looks for the target's life before it has the locks
 */
#ifndef MONITORS
#define MONITORS 0
#endif
#ifndef OPS
#define OPS 2
#endif
#ifndef ORDERED
#define ORDERED 1
#endif
#ifndef PAIR
#define PAIR 1
#endif
#ifndef ONE_LINK
#define ONE_LINK 1
#endif
#ifndef ALIVE_LOCKED
#define ALIVE_LOCKED 1
#endif
#ifndef LOOK_AGAIN
#define LOOK_AGAIN 1
#endif
#ifndef SIGNAL_LOCKED
#define SIGNAL_LOCKED 1
#endif
#ifndef PID_CHECKED
#define PID_CHECKED 1
#endif
#ifndef WITHDRAW_FIRST
#define WITHDRAW_FIRST 1
#endif
#ifndef HOOK_TELLS
#define HOOK_TELLS 1
#endif
#ifndef ENTRY_TELLS
#define ENTRY_TELLS 1
#endif
#ifndef HELD_TOLD
#define HELD_TOLD 1
#endif
#ifndef STAMP
#define STAMP 1
#endif

#define DEAD 0
#define ALIVE 1
#define DOOMED 2
#define EXITING 3

bit lock[2];
byte life[2] = ALIVE;
byte tenant[2] = 1;           /* ControlBlock::pid: the first or the second in the slot */

#define LOCK(s)   atomic { lock[s] == 0 -> lock[s] = 1 }
#define UNLOCK(s) lock[s] = 0
/* LockPair: by address. */
inline lock_pair(first) {
  if
  :: ORDERED -> LOCK(0); LOCK(1)
  :: else -> LOCK(first); LOCK(1 - first)
  fi
}
#define UNLOCK_PAIR atomic { UNLOCK(0); UNLOCK(1) }

#if !MONITORS

#define RECORDS (3 * OPS)
#define NONE 255
#define UNUSED 0
#define HOOKED 1
#define GONE 2                /* freed, or a message of the survivor's */
byte made;                    /* records so far; ghost: memory is not used again here, so that a late touch shows */
byte state[RECORDS];
bit on0[RECORDS], on1[RECORDS];   /* whether a list holds it */
byte with[RECORDS];           /* which tenant of slot 1 */
bit trap[2];
/* Ghosts, by the tenant of slot 1: A's, and its own, unlink() returned, and no link was made since. */
bit quiet0[3], quiet1[3];

/* The record at the front of a list. */
inline front(s, r) {
  d_step {
    r = 0;
    do
    :: r < made && ((s == 0 && on0[r]) || (s == 1 && on1[r])) -> break
    :: r < made && !((s == 0 && on0[r]) || (s == 1 && on1[r])) -> r++
    :: r >= made -> r = NONE; break
    od
  }
}
/* find_link(), for the tenant of slot 0 and the present one of slot 1. */
inline find_link(r) {
  d_step {
    r = 0;
    do
    :: r < made && (on0[r] || on1[r]) && with[r] == tenant[1] -> assert(on0[r] && on1[r]); break
    :: r < made && !((on0[r] || on1[r]) && with[r] == tenant[1]) -> r++
    :: r >= made -> r = NONE; break
    od
  }
}
inline unhook(r) { d_step { assert(state[r] == HOOKED && on0[r] && on1[r]); on0[r] = 0; on1[r] = 0; state[r] = GONE } }

/* link_exit(), of the survivor in slot s. */
inline link_exit(s) {
  if
  :: life[s] == ALIVE && !trap[s] -> life[s] = DOOMED
  :: else
  fi
}

inline do_link(me, t, r) {
  if
  :: ALIVE_LOCKED -> lock_pair(me); go = (tenant[1 - me] == t && life[1 - me] == ALIVE)
  :: else -> go = (tenant[1 - me] == t && life[1 - me] == ALIVE); lock_pair(me)
  fi;
  if
  :: go ->
     r = NONE;
     if :: ONE_LINK -> find_link(r) :: else fi;
     if
     :: r == NONE ->
        d_step {
          r = made; made++; state[r] = HOOKED; with[r] = tenant[1];
          quiet0[tenant[1]] = 0; quiet1[tenant[1]] = 0;
          if :: me == 0 -> on0[r] = 1 :: else -> on1[r] = 1 fi
        }
        if :: !PAIR -> UNLOCK_PAIR; LOCK(1 - me) :: else fi;
        if :: me == 0 -> on1[r] = 1 :: else -> on0[r] = 1 fi;
        if :: !PAIR -> UNLOCK(1 - me) :: else -> UNLOCK_PAIR fi
     :: else -> UNLOCK_PAIR
     fi
  :: else ->
     if
     :: tenant[1 - me] == t && life[1 - me] != DEAD -> link_exit(me)      /* exiting: noproc */
     :: else                                                              /* noproc is thrown */
     fi;
     UNLOCK_PAIR
  fi;
  go = 0
}

inline do_unlink(me, t, r) {
  lock_pair(me);
  r = NONE;
  if
  :: tenant[1 - me] == t || !PID_CHECKED -> find_link(r)
  :: else
  fi;
  if
  :: r != NONE -> assert(with[r] == (me == 0 -> t : tenant[1])); unhook(r)
  :: else
  fi;
  atomic { UNLOCK_PAIR; if :: me == 0 -> quiet0[t] = 1 :: else -> quiet1[tenant[1]] = 1 fi }
}

/* The signal of the dead one in slot s is received. */
inline tell(s) {
  if
  :: life[1 - s] == ALIVE ->
     assert(!(s == 0 && quiet1[tenant[1]]) && !(s == 1 && quiet0[tenant[1]]));
     link_exit(1 - s)
  :: else
  fi
}

proctype Process(byte me, mine) {
  byte ops, t, r; bit go;
  if :: trap[me] = 1 :: trap[me] = 0 fi;
  do
  :: life[me] != ALIVE -> break
  :: ops < OPS && life[me] == ALIVE ->
     ops++;
     if
     :: me == 0 && tenant[1] == 2 -> t = 2
     :: t = 1
     fi;
     if
     :: true -> do_link(me, t, r)
     :: true -> do_unlink(me, t, r)
     fi;
     d_step { t = 0; r = 0 }
  :: break                               /* dies by itself */
  :: ops == OPS ->                       /* lives on, till a signal comes */
end: life[me] == DOOMED; break
  od;
  ops = 0;
  LOCK(me); life[me] = EXITING; UNLOCK(me);
  LOCK(me); life[me] = DEAD; UNLOCK(me);
  /* tell_links(): the peer is found under the own lock, and looked for again under both. */
  do
  :: LOCK(me);
     front(me, r);
     UNLOCK(me);
     if :: r == NONE -> break :: else fi;
     lock_pair(me);
     if
     :: LOOK_AGAIN -> t = with[r]; front(me, r); go = (r != NONE && (me == 1 || with[r] == t)); t = 0
     :: else -> go = 1
     fi;
     if
     :: go ->
        unhook(r);
        if
        :: SIGNAL_LOCKED -> tell(me); UNLOCK_PAIR
        :: else -> UNLOCK_PAIR; tell(me)
        fi
     :: else -> UNLOCK_PAIR
     fi
  od;
  go = 0; r = 0;
  if
  :: me == 1 && mine == 1 ->             /* the slot is let again */
     LOCK(1);
     tenant[1] = 2; life[1] = ALIVE;
     UNLOCK(1);
     run Process(1, 2)
  :: else
  fi
}

active proctype quiet() {
  byte r;
  timeout;
  assert(!lock[0] && !lock[1]);
  do
  :: r < made ->
     assert(on0[r] == on1[r] && on0[r] == (state[r] == HOOKED));
     assert(!on0[r] || (life[0] == ALIVE && life[1] == ALIVE && with[r] == tenant[1]));
     r++
  :: else -> break
  od
}

init { atomic { run Process(0, 1); run Process(1, 1) } }

#else

#define MOST 2
#define NONE 2                /* no record */
#define WANTED 0              /* what became of a monitor: nothing yet, */
#define REMOVED 1             /*   demonitor() returned, */
#define FIRED 2               /*   its Down was received */
byte made;
bit freed[MOST];
bit hooked[MOST];             /* on T's list */
byte entry[MOST] = NONE;      /* W's RefTable: the record of a monitor by its number; NONE: withdrawn, or fired */
bit inbox[MOST];              /* W's inbox */
bit open = 1;                 /*   and whether it is */
bit unread[MOST];             /* what W's death took out of it */
byte fate[MOST];              /* ghost */

#define TOUCH(r) assert(!freed[r])
#define FREE(r) d_step { assert(!freed[r] && !hooked[r] && !inbox[r]); freed[r] = 1 }

/* push_signal(): the generation is looked at, then pushed; an inbox is closed after the generation was raised. */
inline push_signal(r, pushed) {
  pushed = (tenant[0] == 1 && life[0] != DEAD);
  if
  :: pushed -> d_step { TOUCH(r); pushed = open; inbox[r] = open }
  :: else
  fi
}

inline withdraw(n) {
  LOCK(0);
  if :: entry[n] != NONE -> TOUCH(entry[n]) :: else fi;       /* down.pid */
  UNLOCK(0);
  if
  :: entry[n] != NONE ->
     lock_pair(0);
     r = entry[n]; entry[n] = NONE;
     if
     :: r != NONE ->
        TOUCH(r);
        if
        :: hooked[r] -> hooked[r] = 0
        :: !hooked[r] && HOOK_TELLS -> r = NONE
        :: else
        fi
     :: else
     fi;
     UNLOCK_PAIR;
     if :: r != NONE -> FREE(r) :: else fi
  :: else
  fi;
  r = 0
}

/* drain() of whoever lives in slot 0. */
inline drain(who) {
  n = 0;
  do
  :: n < made && inbox[n] ->
     inbox[n] = 0;
     LOCK(0);
     TOUCH(n);
     if
     :: who == 2 && STAMP
     :: who == 2 && !STAMP -> assert(0)
     :: who == 1 && (entry[n] == n || !ENTRY_TELLS) ->
        assert(fate[n] == WANTED);
        entry[n] = NONE; fate[n] = FIRED
     :: else
     fi;
     UNLOCK(0);
     FREE(n);
     n++
  :: n < made && !inbox[n] -> n++
  :: n >= made -> break
  od;
  n = 0
}

proctype Watcher() {
  byte n, r; bit go;
  do
  :: made < MOST ->
     n = made;
     if
     :: ALIVE_LOCKED -> lock_pair(0); go = (life[1] == ALIVE)
     :: else -> go = (life[1] == ALIVE); lock_pair(0)
     fi;
     d_step { made++; entry[n] = n; hooked[n] = go }
     UNLOCK_PAIR;
     if :: !go -> push_signal(n, go); assert(go) :: else fi;
     d_step { go = 0; n = 0 }
  :: drain(1)
  :: made > 0 ->
     if :: n = 0 :: made > 1 -> n = 1 fi;
     r = n;
     drain(1);
     n = r; r = 0;
     withdraw(n);
     if :: fate[n] == WANTED -> fate[n] = REMOVED :: else fi;
     n = 0
  :: break
  od;
  if
  :: goto lives
  :: true
  fi;
  LOCK(0); life[0] = EXITING; UNLOCK(0);
  if :: WITHDRAW_FIRST && HELD_TOLD -> withdraw(0); withdraw(1) :: else fi;
  LOCK(0); life[0] = DEAD; UNLOCK(0);
  d_step { open = 0; unread[0] = inbox[0]; inbox[0] = 0; unread[1] = inbox[1]; inbox[1] = 0 }
  if :: !WITHDRAW_FIRST && HELD_TOLD -> withdraw(0); withdraw(1) :: else fi;
  if :: unread[0] -> FREE(0) :: else fi;
  if :: unread[1] -> FREE(1) :: else fi;
  LOCK(0); tenant[0] = 2; life[0] = ALIVE; UNLOCK(0);
  open = 1;
end_2:
  do
  :: (inbox[0] || inbox[1]) -> drain(2)
  od;
lives:
end_1:
  do
  :: (inbox[0] || inbox[1]) -> drain(1)
  od
}

proctype Target() {
  byte r; bit pushed;
  if :: true :: goto end_lives fi;
  LOCK(1); life[1] = EXITING; UNLOCK(1);
  LOCK(1); life[1] = DEAD; UNLOCK(1);
  do
  :: LOCK(1);
     if
     :: hooked[0] -> r = 0
     :: !hooked[0] && hooked[1] -> r = 1
     :: else -> r = NONE
     fi;
     if :: r != NONE -> hooked[r] = 0 :: else fi;
     UNLOCK(1);
     if :: r == NONE -> break :: else fi;
     TOUCH(r);
     push_signal(r, pushed);
     if :: !pushed -> FREE(r) :: else fi;
     d_step { pushed = 0; r = 0 }
  od;
end_lives: false
}

active proctype quiet() {
  byte n;
  timeout;
  assert(!lock[0] && !lock[1]);
  do
  :: n < made ->
     assert(freed[n] == !hooked[n]);
     assert(!hooked[n] || (tenant[0] == 1 && life[1] == ALIVE));
     assert(!(tenant[0] == 1 && life[1] == DEAD) || fate[n] != WANTED);
     n++
  :: else -> break
  od
}

init { atomic { run Watcher(); run Target() } }

#endif
