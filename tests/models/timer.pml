/* Timers with a message: runtime/timer.cpp and TimerRecord in runtime/core.hpp, against the wheel (W3 of scheduler/timer_wheel.hpp) and
 * the death of the destination.
 *
 * Property. A message is sent, or it is destroyed; a cancel that answers with time left means that none is sent any more (TIM-3), and is
 * about the timer it was asked for. The record is given back once, in no wheel and on no list. When nothing can move any more, nothing is
 * armed for who is dead (TIM-2), and what was cancelled is not armed. No deadlock.
 *
 * Bounds: one record, let STARTS times under growing numbers, to the process P, to its successor in the slot, or to a name; one canceller
 * of any number; two workers that fire FIRINGS times in all. With PERIODIC all timers are, and a firing sends a copy of the message.
 *
 * Runs, with the states stored where there is no error:
 *   spin: must pass                                176,996
 *   spin: -DPERIODIC=1 must pass                   318,853
 *   spin: -DNUMBERED=0 must fail                   cancel_timer() takes whoever has the record for the timer it was asked for
 *   spin: -DWHEEL_DECIDES=0 must fail              cancel_timer() ends a timer that is in no wheel any more
 *   spin: -DALIVE_LOCKED=0 must fail               start_timer() looks at the destination's life before it has the lock
 *   spin: -DEXITING_REFUSED=0 must fail            start_timer() hooks on to a process whose timers were cancelled already
 *   spin: -DONE_LOCK=0 must fail                   the dying process holds its lock while it takes the record's
 *   spin: -DARMED_ASKED=0 must fail                the dying process believes, with the record's lock, what it saw with its own
 *   spin: -DDESTINATION_ASKED=0 must fail          and takes the record's next timer for its own
 *   spin: -DPERIODIC=1 -DMARK=0 must fail          the dying process leaves a firing that is under way alone
 *   spin: -DPERIODIC=1 -DASK_AGAIN=0 must fail     a firing winds the timer up again though it was cancelled meanwhile
 */
#ifndef PERIODIC
#define PERIODIC 0
#endif
#ifndef STARTS
#define STARTS 2
#endif
#ifndef FIRINGS
#define FIRINGS 3
#endif
#ifndef NUMBERED
#define NUMBERED 1
#endif
#ifndef WHEEL_DECIDES
#define WHEEL_DECIDES 1
#endif
#ifndef ALIVE_LOCKED
#define ALIVE_LOCKED 1
#endif
#ifndef EXITING_REFUSED
#define EXITING_REFUSED 1
#endif
#ifndef ONE_LOCK
#define ONE_LOCK 1
#endif
#ifndef ARMED_ASKED
#define ARMED_ASKED 1
#endif
#ifndef DESTINATION_ASKED
#define DESTINATION_ASKED 1
#endif
#ifndef MARK
#define MARK 1
#endif
#ifndef ASK_AGAIN
#define ASK_AGAIN 1
#endif

#define DEAD 0
#define ALIVE 1
#define EXITING 2
#define NAME 3                /* a destination that is no pid */

/* The process. */
bit lock;
byte life = ALIVE, tenant = 1;
bit hooked;                   /* the record is on its list of timers */
/* The record. */
bit record_lock, armed, cancelled, in_wheel;
byte number, destination;
byte message;                 /* the number it was made for; 0: none */
bit available = 1;            /* in the table's stock */
/* Ghosts, by number. */
bit answered[STARTS + 1];     /* a cancel returned the time left */
bit asked[STARTS + 1];        /* a cancel found it armed */
bit ended[STARTS + 1];        /* its message was sent for good, or destroyed */
byte fired;

#define LOCK          atomic { lock == 0 -> lock = 1 }
#define UNLOCK        lock = 0
#define LOCK_RECORD   atomic { record_lock == 0 -> record_lock = 1 }
#define UNLOCK_RECORD record_lock = 0
#define GIVE_BACK     d_step { assert(!available && !in_wheel && !hooked && !armed); available = 1 }
#define SEND(n)       assert(n != 0 && !ended[n] && !answered[n])
#define END(n)        d_step { assert(n != 0 && !ended[n]); ended[n] = 1; n = 0 }
#define MAY_HOOK(to)  (tenant == to && (life == ALIVE || (life == EXITING && !EXITING_REFUSED)))

/* Under the record's lock. `mine` gets the message. */
inline disarm(mine) {
  armed = 0;
  if
  :: destination != NAME -> LOCK; hooked = 0; UNLOCK
  :: else
  fi;
  mine = message; message = 0
}

proctype Starter() {
  byte to; bit go;
  do
  :: number < STARTS ->
end: atomic { available -> available = 0 };
     if :: to = tenant :: to = NAME fi;
     LOCK_RECORD;
     number++; cancelled = 0; destination = to;
     if
     :: to == NAME -> go = 1
     :: to != NAME && ALIVE_LOCKED -> LOCK; go = MAY_HOOK(to); hooked = go; UNLOCK
     :: to != NAME && !ALIVE_LOCKED -> go = MAY_HOOK(to); LOCK; hooked = go; UNLOCK
     fi;
     if
     :: go -> message = number; armed = 1; in_wheel = 1; UNLOCK_RECORD
     :: else -> ended[number] = 1; UNLOCK_RECORD; GIVE_BACK
     fi;
     d_step { to = 0; go = 0 }
  :: number == STARTS -> break
  od
}

/* collect(), then fire_one() */
proctype Worker() {
  byte mine; bit flag;
end:
  do
  :: atomic { in_wheel && fired < FIRINGS -> in_wheel = 0; fired++ };
     LOCK_RECORD;
     assert(armed);
     flag = (PERIODIC && !cancelled);
     UNLOCK_RECORD;
     if
     :: flag ->
        /* The copy is made without the lock. With it, the firing is decided: after that it counts as sent. */
        LOCK_RECORD;
        if
        :: !cancelled || !ASK_AGAIN -> SEND(message); in_wheel = 1; UNLOCK_RECORD; goto next
        :: else -> UNLOCK_RECORD
        fi
     :: else
     fi;
     LOCK_RECORD;
     flag = cancelled;
     disarm(mine);
     UNLOCK_RECORD;
     if :: !flag -> SEND(mine) :: else fi;
     END(mine);
     GIVE_BACK;
next:
     flag = 0
  od
}

/* cancel_timer() by anybody. */
proctype Canceller() {
  byte n, mine; bit go;
  if :: number >= 1 -> n = 1 :: number >= 2 -> n = 2 fi;
  LOCK_RECORD;
  if
  :: (number == n || !NUMBERED) && armed && !cancelled ->
     asked[number] = 1;
     atomic { go = in_wheel; in_wheel = 0 };
     if
     :: go || !WHEEL_DECIDES ->
        assert(number == n);
        disarm(mine);
        UNLOCK_RECORD;
        END(mine);
        GIVE_BACK;
        answered[n] = 1
     :: else ->
        if
        :: PERIODIC -> cancelled = 1; UNLOCK_RECORD; answered[n] = 1
        :: else -> asked[number] = 0; UNLOCK_RECORD
        fi
     fi
  :: else -> UNLOCK_RECORD
  fi
}

/* The destination dies, as may the next tenant of its slot. */
proctype Process() {
  byte mine; bit go;
  do
  :: if :: break :: true fi;
     LOCK; life = EXITING; UNLOCK;
     /* cancel_timers_of() */
     do
     :: LOCK;
        if
        :: hooked -> hooked = 0
        :: else -> UNLOCK; break
        fi;
        if :: ONE_LOCK -> UNLOCK; LOCK_RECORD :: else -> LOCK_RECORD; UNLOCK fi;
        if
        :: (armed || !ARMED_ASKED) && (destination == tenant || !DESTINATION_ASKED) && !hooked ->
           atomic { go = in_wheel; in_wheel = 0 };
           assert(destination == tenant);
           if
           :: go -> disarm(mine); UNLOCK_RECORD; END(mine); GIVE_BACK
           :: else -> cancelled = MARK; assert(armed); UNLOCK_RECORD
           fi
        :: else -> UNLOCK_RECORD
        fi;
        go = 0
     od;
     LOCK; life = DEAD; UNLOCK;
     if :: tenant == 2 -> break :: else fi;
     assert(!hooked);
     LOCK; tenant = 2; life = ALIVE; UNLOCK
  od
}

active proctype quiet() {
  byte n;
  timeout;
  assert(!lock && !record_lock);
  assert(available == !armed && armed == in_wheel);
  assert(!armed || destination == NAME || (destination == tenant && life == ALIVE));
  assert(!hooked || (armed && destination == tenant));
  assert(!armed || !asked[number]);
  for (n : 1 .. number) { assert(ended[n] || (armed && message == n)) }
}

init { atomic { run Starter(); run Worker(); run Worker(); run Canceller(); run Process() } }
