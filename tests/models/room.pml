/* A bounded mailbox: room_used, room_wanted and send_wait() in runtime/send.cpp, across two tenants of a slot.
 *
 * Property. No more than CAPACITY messages wait. When nothing can move any more: the count of the tenant that lives is what waits, so that
 * a mailbox nobody sends to is not full; and no sender waits for room that is there, or for who is dead.
 *
 * Bounds: the first tenant may die at any time, the second lives; SENDERS senders that do not wait and one that does to the first, one
 * sender to the second. Receivers take every message. How a kick wakes is mailbox.pml's; here it is a bit.
 *
 * Runs, with the states stored where there is no error:
 *   spin: must pass                      40,418
 *   spin: -DCAPACITY=2 must pass         32,230
 *   spin: -DTENANTS_COUNT=0 must fail    places are taken, and given back, in the count of whoever is in the slot
 *   spin: -DPLACE_FIRST=0 must fail      the place is taken after the push
 *   spin: -DLOOK_AGAIN=0 must fail       a sender that said that it waits does not look again
 *   spin: -DLOWER_FIRST=0 must fail      the receiver looks for waiting senders before it lowers the count
 *   spin: -DDEATH_KICKS=0 must fail      a death leaves the waiting senders alone
 *   spin: -DWAIT_ASKS=0 must fail        a sender waits for room with whoever is in the slot
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef TENANTS_COUNT
#define TENANTS_COUNT 1
#endif
#ifndef PLACE_FIRST
#define PLACE_FIRST 1
#endif
#ifndef LOOK_AGAIN
#define LOOK_AGAIN 1
#endif
#ifndef LOWER_FIRST
#define LOWER_FIRST 1
#endif
#ifndef DEATH_KICKS
#define DEATH_KICKS 1
#endif
#ifndef WAIT_ASKS
#define WAIT_ASKS 1
#endif

bit lock, alive = 1, open = 1;
byte generation = 1, tenant = 1;
byte queued[3];               /* counted messages in the mailbox, by their stamp */
byte count;                   /* room_used: the places taken, */
byte counts_for = 1;          /*   and the generation they are for */
bit wanted, waiter;           /* room_wanted; extras->room_waiters has the sender that waits */
bit kicked, through;          /* that sender's */

#define LOCK   atomic { lock == 0 -> lock = 1 }
#define UNLOCK lock = 0
#define HAS_ROOM (count < CAPACITY)

inline take_room(g, taken) {
  atomic {
    taken = (HAS_ROOM && (counts_for == g || !TENANTS_COUNT));
    if :: taken -> count++ :: else fi
  }
}
inline push(g) {
  atomic {
    if
    :: open -> queued[g]++; assert(queued[tenant] <= CAPACITY)
    :: else                                          /* a dead letter */
    fi
  }
}
inline tell_waiter(flag) {
  LOCK; wanted = 0; flag = waiter; waiter = 0; UNLOCK;
  if :: flag -> kicked = 1 :: else fi;
  flag = 0
}
inline free_room(flag) {
  if
  :: LOWER_FIRST -> count--; flag = wanted
  :: else -> flag = wanted; count--
  fi;
  if :: flag -> tell_waiter(flag) :: else fi
}

proctype Sender(byte g) {
  bit taken;
end: g == 1 || (tenant == 2 && open);   /* nobody knows a pid before it is made */
  if
  :: generation == g ->
     if
     :: PLACE_FIRST -> take_room(g, taken); if :: taken -> push(g) :: else fi
     :: else -> if :: HAS_ROOM -> push(g); take_room(g, taken) :: else fi
     fi
  :: else
  fi
}

/* send_wait() */
proctype Waiter() {
  bit taken, registered;
  do
  :: generation == 1 && alive ->
     take_room(1, taken);
     if
     :: taken -> push(1); break
     :: else ->
        LOCK;
        registered = ((generation == 1 && alive) || !WAIT_ASKS);
        if :: registered -> waiter = 1; wanted = 1 :: else fi;
        UNLOCK;
        if
        :: registered && !(LOOK_AGAIN && HAS_ROOM) -> kicked; kicked = 0
        :: else
        fi
     fi
  :: else -> break
  od;
  through = 1
}

proctype Receiver() {
  bit flag;
  do
  :: queued[tenant] > 0 -> queued[tenant]--; assert(count > 0); free_room(flag)
  :: queued[3 - tenant] > 0 ->                       /* a foreign stamp */
     queued[3 - tenant]--;
     if :: TENANTS_COUNT :: else -> free_room(flag) fi
  :: tenant == 1 ->                                  /* dies */
     LOCK; generation = 2; alive = 0; UNLOCK;
     atomic { open = 0; queued[1] = 0; queued[2] = 0 }
     if :: DEATH_KICKS -> tell_waiter(flag) :: else -> waiter = 0 fi;
     /* spawn() */
     atomic { count = 0; counts_for = 2 };
     wanted = 0;
     LOCK; tenant = 2; alive = 1; UNLOCK;
     open = 1
  :: queued[1] + queued[2] == 0 ->
end: queued[1] + queued[2] > 0
  od
}

active proctype quiet() {
  timeout;
  assert(!lock && alive && queued[1] + queued[2] == 0);
  assert(count == 0);
  assert(through)
}

init {
  byte i;
  atomic {
    run Receiver(); run Waiter(); run Sender(2);
    for (i : 1 .. SENDERS) { run Sender(1) }
    i = 0
  }
}
