/* A mailbox and its owner: mailbox/inbox.hpp (I1 to I5), park(), kick and doom in runtime/core.cpp, the end of a process in
 * runtime/exit.cpp and the next tenant of its slot in runtime/spawn.cpp (C1 to C4 of runtime/control_block.hpp).
 *
 * Property. A process is on one run queue, run by one worker, or suspended; the kick node is in one place. When nothing can move any
 * more: every message was received by the tenant it was sent to, or given up, once; nobody sleeps who is doomed, has an unread message,
 * or was told to look again and did not. Nobody receives a predecessor's message or is doomed in its place.
 *
 * Bounds: a slot with two tenants, the first of which may end by itself; SENDERS senders of one message to the first tenant and one to
 * the second; a killer of either; a kicker without a regard for tenants, as a timer that fires late; two workers. A push is one step, its
 * successful compare-and-swap: a failed one changes nothing. With SHARED, senders to a full mailbox sort in and evict under the lock
 * (runtime/send.cpp); that they may find nothing to evict stands for a pinned message and for places taken by pushes under way.
 *
 * Runs, with the states stored where there is no error:
 *   spin: must pass                             6,620,717
 *   spin: -DSHARED=1 -DSENDERS=1 must pass      1,262,832; with two senders to the first tenant 11,225,479
 *   spin: -DSTAMP=0 must fail                   the owner does not look at stamps (I5)
 *   spin: -DLEAVE_FIRST=0 must fail             kParked is published from the owner's own stack (I4)
 *   spin: -DPARK_BY_CAS=0 must fail             kParked is stored, whatever came meanwhile
 *   spin: -DONE_WAKER=0 must fail               whoever finds the owner asleep wakes it, not who replaces kParked (I2)
 *   spin: -DCLOSE=0 must fail                   the dead owner's inbox stays open
 *   spin: -DKICK_ONCE=0 must fail               a kick is pushed though one is pending (C4)
 *   spin: -DKICK_RESET=0 must fail              the next tenant inherits a pending kick
 *   spin: -DLOOK_LAST=0 must fail               no look for the doom between a predicate that took a kick and the sleep
 *   spin: -DDEATH_LOCKED=0 must fail            the life changes without the lock
 *   spin: -DSHARED=1 -DKICK_BACK=0 must fail    a sender sorts in, has nothing to push after, and does not kick
 *   spin: -DSHARED=1 -DKEEP_ASLEEP=0 must fail  and takes the word of a sleeping owner for an empty inbox
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef SHARED
#define SHARED 0
#endif
#ifndef STAMP
#define STAMP 1
#endif
#ifndef LEAVE_FIRST
#define LEAVE_FIRST 1
#endif
#ifndef PARK_BY_CAS
#define PARK_BY_CAS 1
#endif
#ifndef ONE_WAKER
#define ONE_WAKER 1
#endif
#ifndef CLOSE
#define CLOSE 1
#endif
#ifndef KICK_ONCE
#define KICK_ONCE 1
#endif
#ifndef KICK_RESET
#define KICK_RESET 1
#endif
#ifndef LOOK_LAST
#define LOOK_LAST 1
#endif
#ifndef DEATH_LOCKED
#define DEATH_LOCKED 1
#endif
#ifndef KEEP_ASLEEP
#define KEEP_ASLEEP 1
#endif
#ifndef KICK_BACK
#define KICK_BACK 1
#endif
#define TOTAL (SENDERS + 1)

#define EMPTY 0
#define PARKED 1
#define CLOSED 2
#define LIST 3
#define DEAD 0
#define ALIVE 1
#define DOOMED 2
#define EXITING 3

/* The slot. */
byte word;                  /* the inbox; a list is LIST with what it holds: */
byte queued[3];             /*   messages, by the generation they are stamped with */
bit kick_queued;            /*   the kick node */
byte generation = 1;
byte life = ALIVE;
bit lock, kick_pending;
byte tenant = 1;              /* the tenant's generation, also after its death */
byte saved;                 /* the save queue */
bit begun;                  /* the tenant ran before: it is resumed behind its park() */
/* Ghosts. */
bit runnable = 1;           /* on a run queue */
bit running;                /* current on a worker, whose stack is its own */
bit slot_free;              /* given back, and not let again */
bit kick_taken;             /* the kick node is in a list that somebody walks */
byte received, given_up;    /* messages: by their tenant; dropped or refused */
bit event, seen;            /* the kicker's news for the first tenant */

#define LOCK   atomic { lock == 0 -> lock = 1 }
#define UNLOCK lock = 0
#define READY  atomic { assert(runnable == 0 && running == 0); runnable = 1 }

/* Inbox::push. */
inline push_message(g, woke) {
  atomic {
    if
    :: word == CLOSED -> woke = 0; given_up++
    :: else -> woke = (word == PARKED); word = LIST; queued[g]++
    fi
  }
}
inline kick_locked(woke) {
  if
  :: kick_pending && KICK_ONCE
  :: else ->
     kick_pending = 1;
     atomic {
       assert(!kick_queued && !kick_taken);
       if
       :: word == CLOSED -> kick_pending = 0
       :: else -> woke = (word == PARKED); word = LIST; kick_queued = 1
       fi
     }
  fi
}

/* RuntimeCore::sort_in, for the owner or for a sender that holds the lock: `locked`. */
inline sort_in(locked, any) {
  any = 0;
  if :: SHARED && !locked -> LOCK :: else fi;
  d_step {
    if
    :: word == PARKED && locked && !KEEP_ASLEEP -> word = EMPTY
    :: word == LIST ->
       word = EMPTY; any = 1; kick_taken = kick_queued; kick_queued = 0;
       if
       :: STAMP -> saved = saved + queued[tenant]; given_up = given_up + queued[3 - tenant]
       :: else -> saved = saved + queued[1] + queued[2]; assert(queued[3 - tenant] == 0)
       fi;
       queued[1] = 0; queued[2] = 0
    :: else
    fi
  }
  if
  :: kick_taken && any ->
     if :: !SHARED && !locked -> LOCK :: else fi;
     kick_pending = 0; kick_taken = 0;
     if :: !SHARED && !locked -> UNLOCK :: else fi
  :: else
  fi;
  if :: SHARED && !locked -> UNLOCK :: else fi
}

proctype Sender(byte g) {
  bit woke, any;
  if
  :: g == 2 ->
end: tenant == 2              /* nobody knows a pid before it is made */
  :: else
  fi;
  if
  :: generation != g -> given_up++
  :: generation == g && SHARED ->
     /* post_bounded() on a full mailbox */
     LOCK;
     if
     :: generation == g && life != DEAD ->
        sort_in(1, any);
        if :: KICK_BACK -> kick_locked(woke) :: else fi;
        if
        :: saved > 0 -> saved--; given_up++; any = 1
        :: given_up++; any = 0
        fi;
        UNLOCK;
        if :: woke -> woke = 0; READY :: else fi;
        if :: any -> goto with_room :: else fi
     :: else -> UNLOCK; goto with_room
     fi
  :: generation == g ->
with_room:
     if
     :: ONE_WAKER -> push_message(g, any); woke = any
     :: else -> woke = (word == PARKED); push_message(g, any)
     fi
  fi;
  any = 0;
  if :: woke -> woke = 0; READY :: else fi
}

/* exit_signal() with `kill`, kill_one(), ... */
proctype Killer() {
  byte g; bit woke;
  if :: g = 1 :: tenant == 2 -> g = 2 fi;
  LOCK;
  if
  :: generation == g && life != DEAD ->
     if
     :: life == ALIVE -> assert(tenant == g); life = DOOMED; kick_locked(woke)
     :: else
     fi
  :: else
  fi;
  UNLOCK;
  if :: woke -> woke = 0; READY :: else fi
}

/* fire(): the kick may be for another tenant than the one who asked for it. */
proctype Kicker() {
  bit woke;
  event = 1;
  LOCK;
  if
  :: life != DEAD -> kick_locked(woke)
  :: else
  fi;
  UNLOCK;
  if :: woke -> woke = 0; READY :: else fi
}

/* A worker, and on its behalf the process. */
proctype Worker() {
  bit any;
end:
  do
  :: atomic { runnable -> runnable = 0; assert(!running && !slot_free); running = 1 };
     if
     :: begun -> sort_in(0, any)
     :: else -> begun = 1
     fi;
     if :: life != ALIVE -> goto ends :: else fi;
     do
     :: saved > 0 ->
        /* A candidate. Its predicate may call demonitor(), which sorts in. */
        if :: SHARED -> LOCK :: else fi;
        d_step { if :: saved > 0 -> saved--; received++ :: else fi };
        if :: SHARED -> UNLOCK :: else fi;
        if :: true -> sort_in(0, any) :: true fi
     :: saved == 0 ->
        sort_in(0, any);
        if
        :: any -> if :: life != ALIVE -> goto ends :: else fi
        :: else -> break
        fi
     od;
     if :: LOOK_LAST && life != ALIVE -> goto ends :: else fi;
     if :: tenant == 1 && event -> seen = 1 :: else fi;
     if
     :: tenant == 1 -> goto ends                            /* by itself */
     :: atomic { running = 0; READY }                    /* yields */
     :: LEAVE_FIRST -> running = 0;
        if
        :: PARK_BY_CAS ->
           atomic { if :: word == EMPTY -> word = PARKED; any = 1 :: else -> any = 0 fi };
           if :: any -> any = 0 :: else -> READY fi
        :: else -> d_step { word = PARKED; queued[1] = 0; queued[2] = 0; kick_queued = 0 }
        fi
     :: !LEAVE_FIRST ->
        atomic { if :: word == EMPTY -> word = PARKED; any = 1 :: else -> any = 0 fi };
        running = 0;
        if :: any -> any = 0 :: else -> READY fi
     fi;
     goto next;
ends:
     any = 0;
     if :: DEATH_LOCKED -> LOCK :: else fi;              /* fix_reason() */
     life = EXITING;
     if :: DEATH_LOCKED -> UNLOCK; LOCK :: else fi;      /* die(), step 6 */
     generation = tenant + 1;
     life = DEAD;
     if :: DEATH_LOCKED -> UNLOCK :: else fi;
     d_step {                                            /* close() */
       given_up = given_up + queued[1] + queued[2]; queued[1] = 0; queued[2] = 0;
       kick_taken = kick_queued; kick_queued = 0;
       if :: CLOSE -> word = CLOSED :: else -> word = EMPTY fi
     }
     d_step { given_up = given_up + saved; saved = 0; kick_taken = 0 }   /* discard() */
     atomic { running = 0; slot_free = 1 };              /* give_back() */
next: skip
  od
}

/* spawn() of the second tenant, by whoever rents the slot. */
proctype Spawner() {
end:
  atomic { slot_free && tenant == 1 -> slot_free = 0 };
  begun = 0;
  if :: DEATH_LOCKED -> LOCK :: else fi;
  tenant = 2;
  if :: KICK_RESET -> kick_pending = 0 :: else fi;
  life = ALIVE;
  if :: DEATH_LOCKED -> UNLOCK :: else fi;
  d_step { word = EMPTY; queued[1] = 0; queued[2] = 0; kick_queued = 0 };
  READY
}

active proctype quiet() {
  timeout;
  assert(!runnable && !running && !lock);
  assert(word == PARKED || word == CLOSED);
  assert(word == CLOSED || (life == ALIVE && saved == 0 && !kick_pending));
  assert(!(word == PARKED && tenant == 1 && event) || seen);
  assert(received + given_up == TOTAL || (tenant == 1 && received + given_up == SENDERS))
}

init {
  byte i;
  atomic {
    run Worker(); run Worker(); run Spawner(); run Killer(); run Kicker(); run Sender(2);
    for (i : 1 .. SENDERS) { run Sender(1) }
    i = 0
  }
}
