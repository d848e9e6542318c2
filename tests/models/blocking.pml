/* A process with a section on the blocking pool: Job in runtime/blocking.cpp, against kicks and a kill.
 *
 * Property. The process is on one run queue, run by one worker, or suspended. Its stack is unwound, and its slot let again, only when
 * the section returned; and when nothing can move any more it was: no wake-up is lost. A killed process is dead before that (BLK-2).
 * Nobody touches the job after it is freed. Nothing wakes the next tenant of the slot in its place.
 *
 * Bounds: one section, KICKERS kickers with no news for the process, one killer, two workers, a next tenant that only sleeps. The inbox
 * is that of mailbox.pml, with kicks alone in it.
 *
 * Runs, with the states stored where there is no error:
 *   spin: must pass                        33,560; with two kickers 138,438
 *   spin: -DORPHAN_BY_CAS=0 must fail      kOrphan is stored, whatever the pool thread did meanwhile
 *   spin: -DDONE_BY_EXCHANGE=0 must fail   the pool thread looks at the state, and then stores kDone
 *   spin: -DLEAVE_FIRST=0 must fail        kOrphan is published from the orphan's own stack
 *   spin: -DREADY_ORPHAN=0 must fail       the pool thread kicks, whatever the state was
 *   spin: -DKICK_ALIVE=0 must fail         the pool thread kicks nobody
 *   spin: -DKICK_ASKS=0 must fail          the pool thread's kick is for whoever is in the slot
 *   spin: -DLOOK_AGAIN=0 must fail         the process takes every wake-up for the section's end
 *   spin: -DDIE_AT_ONCE=0 must fail        a killed process waits for the section, and dies then
 *   spin: -DSHARED_JOB=0 must fail         the pool thread does not keep the job
 */
#ifndef KICKERS
#define KICKERS 1
#endif
#ifndef ORPHAN_BY_CAS
#define ORPHAN_BY_CAS 1
#endif
#ifndef DONE_BY_EXCHANGE
#define DONE_BY_EXCHANGE 1
#endif
#ifndef LEAVE_FIRST
#define LEAVE_FIRST 1
#endif
#ifndef READY_ORPHAN
#define READY_ORPHAN 1
#endif
#ifndef KICK_ALIVE
#define KICK_ALIVE 1
#endif
#ifndef KICK_ASKS
#define KICK_ASKS 1
#endif
#ifndef LOOK_AGAIN
#define LOOK_AGAIN 1
#endif
#ifndef DIE_AT_ONCE
#define DIE_AT_ONCE 1
#endif
#ifndef SHARED_JOB
#define SHARED_JOB 1
#endif

#define EMPTY 0               /* the inbox */
#define PARKED 1
#define CLOSED 2
#define LIST 3
#define DEAD 0                /* the life */
#define ALIVE 1
#define DOOMED 2
#define EXITING 3
#define RUNNING 0             /* Job::state */
#define ORPHAN 1
#define DONE 2
#define BEGIN 0               /* where the process goes on: in its body, */
#define IN_PARK 1             /*   behind park(), */
#define IN_ORPHAN 2           /*   behind suspend_orphan(), */
#define NEXT_TENANT 3         /*   in the next tenant's body */

byte word, life = ALIVE, state, generation = 1;
bit lock, kick_pending;
byte at;
/* Ghosts. */
bit runnable = 1, running, submitted, returned, doomed, unwound, slot_free;
bit frame = 1, pool_holds;    /* who keeps the job; nobody: it is freed */
bit woken_for_another;

#define LOCK   atomic { lock == 0 -> lock = 1 }
#define UNLOCK lock = 0
#define READY  atomic { assert(runnable == 0 && running == 0); runnable = 1 }
#define USE_JOB assert(frame || (pool_holds && SHARED_JOB))

inline kick_locked(woke) {
  if
  :: !kick_pending ->
     kick_pending = 1;
     atomic {
       if
       :: word == CLOSED -> kick_pending = 0
       :: else -> woke = (word == PARKED); word = LIST
       fi
     }
  :: else
  fi
}

/* drain() */
inline take_kick() {
  if
  :: atomic { word == LIST -> word = EMPTY }; LOCK; kick_pending = 0; UNLOCK
  :: word != LIST
  fi
}

inline park() {
  running = 0;
  atomic {
    if
    :: word == EMPTY -> word = PARKED
    :: else -> READY
    fi
  }
}

proctype Worker() {
end:
  do
  :: atomic { runnable -> runnable = 0; assert(!running && !slot_free); running = 1 };
     if
     :: at == NEXT_TENANT -> take_kick(); park(); goto next
     :: at == BEGIN -> pool_holds = 1; submitted = 1
     :: at == IN_PARK -> take_kick()
     :: at == IN_ORPHAN
     fi;
     /* the loops of run_blocking() */
     if
     :: at == IN_PARK && !LOOK_AGAIN
     :: else ->
        USE_JOB;
        if
        :: state == DONE
        :: state != DONE && at != IN_ORPHAN && (life == ALIVE || !DIE_AT_ONCE) -> at = IN_PARK; park(); goto next
        :: else ->
           if
           :: at != IN_ORPHAN ->
              LOCK; life = EXITING; UNLOCK;
              LOCK; generation = 2; life = DEAD; UNLOCK;
              atomic { word = CLOSED; at = IN_ORPHAN }
              if :: state == DONE -> goto through :: else fi
           :: else
           fi;
           /* suspend_orphan() */
           if
           :: LEAVE_FIRST ->
              running = 0;
              atomic {
                USE_JOB;
                if
                :: state == RUNNING || !ORPHAN_BY_CAS -> state = ORPHAN
                :: else -> READY
                fi
              }
           :: else ->
              atomic { if :: state == RUNNING -> state = ORPHAN :: else -> goto through fi };
              running = 0
           fi;
           goto next
        fi
     fi;
through:
     /* Returns, or unwinds; the frame goes, and in the end the slot. */
     assert(returned);
     unwound = 1; frame = 0;
     if
     :: life != DEAD ->
        LOCK; life = EXITING; UNLOCK;
        LOCK; generation = 2; life = DEAD; UNLOCK;
        word = CLOSED
     :: else
     fi;
     atomic { running = 0; slot_free = 1 };
next: skip
  od
}

proctype Pool() {
  bit woke; byte was;
  submitted;
  if
  :: true
  :: doomed -> generation == 2     /* a section that outlives the process: it does not have to wait */
  fi;
  returned = 1;
  if
  :: DONE_BY_EXCHANGE -> atomic { USE_JOB; was = state; state = DONE }
  :: else -> was = state; USE_JOB; state = DONE
  fi;
  USE_JOB;                    /* whose section it was */
  if
  :: was == ORPHAN && READY_ORPHAN -> READY
  :: (was != ORPHAN && KICK_ALIVE) || (was == ORPHAN && !READY_ORPHAN) ->
     LOCK;
     if
     :: (generation == 1 || !KICK_ASKS) && life != DEAD ->
        if :: at == NEXT_TENANT -> woken_for_another = 1 :: else fi;
        kick_locked(woke)
     :: else
     fi;
     UNLOCK;
     if :: woke -> READY :: else fi
  :: else
  fi;
  pool_holds = 0
}

/* fire() and the like. */
proctype Kicker() {
  bit woke;
  submitted;
  LOCK;
  if
  :: generation == 1 && life != DEAD -> kick_locked(woke)
  :: else
  fi;
  UNLOCK;
  if :: woke -> READY :: else fi
}

proctype Killer() {
  bit woke;
  if :: true :: goto nobody fi;
  LOCK;
  if
  :: generation == 1 && life == ALIVE -> life = DOOMED; doomed = 1; kick_locked(woke)
  :: else
  fi;
  UNLOCK;
  if :: woke -> READY :: else fi;
nobody: skip
}

proctype Spawner() {
  atomic { slot_free -> slot_free = 0 };
  at = NEXT_TENANT;
  LOCK; kick_pending = 0; life = ALIVE; UNLOCK;
  word = EMPTY;
  READY
}

active proctype quiet() {
  timeout;
  assert(unwound && !lock);
  assert(at == NEXT_TENANT && word == PARKED && !woken_for_another)
}

init {
  byte i;
  atomic {
    run Worker(); run Worker(); run Pool(); run Killer(); run Spawner();
    for (i : 1 .. KICKERS) { run Kicker() }
    i = 0
  }
}
