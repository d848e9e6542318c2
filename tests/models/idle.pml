/* Sleeping and waking of workers: scheduler/idle_set.hpp with its callers, I1 to I4, and the tokens of scheduler/parker.hpp.
 *
 * Property. When nothing can move any more: all tasks ran, none waits, and no searching count is left over. A task computes for as
 * long as work waits while a worker sleeps without a token, so a wake-up that is merely late, because another worker will get to the
 * work in time, counts as lost too (I4). On the way: no count is given back that nobody holds.
 *
 * Spin's steps are sequentially consistent. A store that becomes visible late is modelled as its mirror image, the load that runs
 * ahead of it: where a fence is removed, the look is done before what it should follow. Work on its way from one queue to another is
 * in neither for a while. Parks end by a token, or, up to TIMEOUTS times, without one.
 *
 * With WATCHDOG, a thread wakes one more now and then because work lies about, as it may seem at any moment.
 *
 * States stored, no error:
 *   as written: 2 workers, 2 outside threads with 1 task each, 1 task of a task      18,587,088
 *   -DTIMEOUTS=1                                                                     38,767,468
 *   -DCOUNT_FIRST=1, a sleeper lowers the count before it sets its bit               19,255,548
 *   -DEXT=1 -DPUSHES=3 -DCHILDREN=0                                                   2,449,448
 *   -DEXT=2 -DPUSHES=2 -DCHILDREN=0                                                 130,500,950
 *   -DW=3 -DEXT=1 -DPUSHES=2 -DCHILDREN=0                                            76,195,735
 *   -DWATCHDOG=1 -DEXT=1                                                              6,579,317
 *   -DWATCHDOG=1 -DEXT=1 -DPUSHES=2 -DCHILDREN=0                                     20,417,814
 *
 * Runs:
 *   spin: must pass
 *   spin: -DEXT=1 -DPUSHES=3 -DCHILDREN=0 must pass
 *   spin: -DFENCE_PUSH=0 must fail      should_notify() without its fence
 *   spin: -DFENCE_SLEEP=0 must fail     announce_sleep() without its fence
 *   spin: -DFENCE_LAST=0 must fail      end_search() without its fence
 *   spin: -DFENCE_BARE=0 must fail      claim_sleeper() without its fence
 *   spin: -DLAST_LOOK=0 must fail       no look between announcing and sleeping
 *   spin: -DCHAIN=0 must fail           the last searcher that found work leaves
 *   spin: -DAGAIN=0 must fail           a waker without a sleeper does not look again
 *   spin: -DINHERIT=0 must fail         a claimed sleeper ignores the waker's count
 *   spin: -DASK_BIT=0 must fail         a token is taken for a claim
 *   spin: -DPUBLISH_FIRST=0 must fail   the search ends before the surplus is queued
 *   spin: -DMOVED=0 -DEXT=1 -DPUSHES=3 -DCHILDREN=0 must fail
 *                                       taking a batch without searching counts as no publishing
 *   spin: -DWATCHDOG=1 -DEXT=1 must pass
 *   spin: -DWATCHDOG=1 -DEXT=1 -DONE_MORE_LOOKS=0 must fail
 *                                       claim_one_more() gives the last count back and does not look again
 *   spin: -DWATCHDOG=1 -DEXT=1 -DONE_MORE_COUNTS=0 must fail
 *                                       claim_one_more() raises no count for the sleeper to inherit
 */
#ifndef W
#define W 2            /* workers, 2 or 3 */
#endif
#ifndef EXT
#define EXT 2          /* outside threads */
#endif
#ifndef PUSHES
#define PUSHES 1       /* tasks pushed by each of them */
#endif
#ifndef CHILDREN
#define CHILDREN 1     /* tasks that tasks push */
#endif
#ifndef FENCE_PUSH
#define FENCE_PUSH 1
#endif
#ifndef FENCE_SLEEP
#define FENCE_SLEEP 1
#endif
#ifndef FENCE_LAST
#define FENCE_LAST 1
#endif
#ifndef FENCE_BARE
#define FENCE_BARE 1
#endif
#ifndef LAST_LOOK
#define LAST_LOOK 1
#endif
#ifndef CHAIN
#define CHAIN 1
#endif
#ifndef AGAIN
#define AGAIN 1
#endif
#ifndef INHERIT
#define INHERIT 1
#endif
#ifndef ASK_BIT
#define ASK_BIT 1
#endif
#ifndef MOVED
#define MOVED 1
#endif
#ifndef COUNT_FIRST
#define COUNT_FIRST 0
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif
#ifndef PUBLISH_FIRST
#define PUBLISH_FIRST 1
#endif
#ifndef WATCHDOG
#define WATCHDOG 0     /* how often the watchdog wakes one more */
#endif
#ifndef ONE_MORE_LOOKS
#define ONE_MORE_LOOKS 1
#endif
#ifndef ONE_MORE_COUNTS
#define ONE_MORE_COUNTS 1
#endif
#define TOTAL (EXT * PUSHES + CHILDREN)

byte injected;                 /* the injection queue */
byte ring[W];                  /* the workers' rings */
byte searching;                /* searching_ */
bit asleep[W];                 /* the bits of sleepers_ */
bit token[W];                  /* the parkers' tokens */
bit holds[W], given[W];        /* whose count it is: a worker's; a claimed sleeper's that has not noticed */
byte wakers;                   /* counts held by wakers inside claim_sleeper() */
bit parked[W];                 /* ghost: blocked in park() */
byte started, children;        /* ghost: tasks that ran, tasks pushed by tasks */
byte timeouts;                 /* ghost: parks that ended by their deadline */

#if W == 2
#define WORK      (injected + ring[0] + ring[1] > 0)
#define SLEEPERS  (asleep[0] || asleep[1])
#define HOLDERS   (holds[0] + holds[1] + given[0] + given[1] + wakers)
#define DESERTED  ((parked[0] && !token[0]) || (parked[1] && !token[1]))
#else
#define WORK      (injected + ring[0] + ring[1] + ring[2] > 0)
#define SLEEPERS  (asleep[0] || asleep[1] || asleep[2])
#define HOLDERS   (holds[0] + holds[1] + holds[2] + given[0] + given[1] + given[2] + wakers)
#define DESERTED  ((parked[0] && !token[0]) || (parked[1] && !token[1]) || (parked[2] && !token[2]))
#endif

/* take_sleeper(): one load of the word, then one read-modify-write of a bit. */
inline take_sleeper(i, hit) {
  hit = 0;
  do
  :: atomic { asleep[0] -> i = 0 }
     atomic { if :: asleep[i] -> asleep[i] = 0; hit = 1; wakers--; given[i] = 1 :: else fi }
     if :: hit -> break :: else fi
  :: atomic { !asleep[0] && asleep[1] -> i = 1 }
     atomic { if :: asleep[i] -> asleep[i] = 0; hit = 1; wakers--; given[i] = 1 :: else fi }
     if :: hit -> break :: else fi
#if W > 2
  :: atomic { !asleep[0] && !asleep[1] && asleep[2] -> i = 2 }
     atomic { if :: asleep[i] -> asleep[i] = 0; hit = 1; wakers--; given[i] = 1 :: else fi }
     if :: hit -> break :: else fi
#endif
  :: !SLEEPERS -> break
  od
}

/* claim_sleeper(), and the caller's unpark(). */
inline claim(i, hit) {
  do
  :: atomic { searching == 0 -> searching = 1; wakers++ }
     take_sleeper(i, hit);
     if
     :: hit -> token[i] = 1; i = 0; hit = 0; break
     :: else ->
        if
        :: FENCE_BARE -> atomic { searching--; wakers-- }; hit = (AGAIN && SLEEPERS)
        :: !FENCE_BARE -> hit = (AGAIN && SLEEPERS); atomic { searching--; wakers-- }
        fi;
        if :: hit -> hit = 0 :: else -> break fi
     fi
  :: searching != 0 -> break
  od
}

/* Is there work anywhere? One place after the other, while work moves about. */
inline look_at_all(answer) {
  answer = (injected > 0);
  if :: !answer -> answer = (ring[0] > 0) :: else fi;
  if :: !answer -> answer = (ring[1] > 0) :: else fi;
#if W > 2
  if :: !answer -> answer = (ring[2] > 0) :: else fi
#endif
}

/* publish; if (should_notify()) claim_sleeper(). */
#define NOTIFY_AFTER(publish) \
  if \
  :: FENCE_PUSH -> publish; look = (searching == 0) \
  :: !FENCE_PUSH -> look = (searching == 0); publish \
  fi; \
  if \
  :: look && SLEEPERS -> look = 0; claim(i, look) \
  :: else -> look = 0 \
  fi

/* wake_for_work_that_lies(): claim_one_more() at any moment at which there is work, whether or not others search. */
proctype Watchdog() {
  byte i, n; bit look;
end:
  do
  :: n < WATCHDOG && WORK && SLEEPERS ->
     n++;
     atomic { searching = searching + ONE_MORE_COUNTS; wakers++ }
     take_sleeper(i, look);
     if
     :: look -> token[i] = 1; look = 0; i = 0
     :: else ->
        atomic { searching = searching - ONE_MORE_COUNTS; wakers--; look = (searching == 0) };
        if
        :: look && SLEEPERS && ONE_MORE_LOOKS -> look = 0; claim(i, look)
        :: else -> look = 0
        fi
     fi
  od
}

proctype Outside() {
  byte i, n; bit look;
  do
  :: n < PUSHES -> n++; NOTIFY_AFTER(injected++)
  :: else -> n = 0; break
  od
}

proctype Worker(byte me) {
  byte i, surplus; bit found, look, child;
  do
  :: /* its own ring */
     atomic { if :: ring[me] > 0 -> ring[me]--; found = 1 :: else fi };
     if
     :: !found && !holds[me] && injected > 0 ->   /* now and then a worker takes injected work without searching */
        atomic { if :: injected > 0 -> surplus = (injected > 1); injected = injected - 1 - surplus; found = 1 :: else fi };
        if
        :: surplus > 0 && MOVED -> NOTIFY_AFTER(atomic { ring[me]++; surplus = 0 })
        :: else -> atomic { ring[me] = ring[me] + surplus; surplus = 0 }
        fi
     :: true
     fi;
     if
     :: !found && !holds[me] -> atomic { searching++; holds[me] = 1 }   /* begin_search() */
     :: else
     fi;
     if
     :: !found ->
        /* take a batch: one to run, the others into its own ring; in between they are nowhere */
        atomic { if :: injected > 0 -> surplus = (injected > 1); injected = injected - 1 - surplus; found = 1 :: else fi };
        i = 0;
        do
        :: found || i == W -> break
        :: else ->
           atomic { if :: ring[i] > 0 -> surplus = (ring[i] > 1); ring[i] = ring[i] - 1 - surplus; found = 1 :: else fi };
           i++
        od;
        i = 0
     :: else
     fi;
     if
     :: found ->
        found = 0;
        if :: PUBLISH_FIRST -> atomic { ring[me] = ring[me] + surplus; surplus = 0 } :: else fi;
        /* end_search() */
        if
        :: holds[me] ->
           if
           :: !FENCE_LAST -> look_at_all(look)
           :: else
           fi;
           atomic { assert(searching > 0); searching--; holds[me] = 0; found = (searching == 0) };
           if
           :: FENCE_LAST && CHAIN && found -> look_at_all(look)
           :: else
           fi;
           if
           :: CHAIN && found && look -> found = 0; NOTIFY_AFTER(skip)
           :: else -> found = 0; look = 0
           fi
        :: else
        fi;
        if :: !PUBLISH_FIRST -> atomic { ring[me] = ring[me] + surplus; surplus = 0 } :: else fi;
        started++;
        atomic { if :: children < CHILDREN -> children++; child = 1 :: else fi };
        if :: child -> child = 0; NOTIFY_AFTER(ring[me]++) :: else fi;
        /* computes for as long as work waits and somebody sleeps for good */
        !(WORK && DESERTED)
     :: else ->
        /* announce_sleep(), then the last look */
        if :: !FENCE_SLEEP && LAST_LOOK -> look_at_all(look) :: else fi;
        if :: !COUNT_FIRST -> asleep[me] = 1 :: else fi;
        atomic { assert(searching > 0); searching--; holds[me] = 0 };
        if :: COUNT_FIRST -> asleep[me] = 1 :: else fi;
        if :: FENCE_SLEEP && LAST_LOOK -> look_at_all(look) :: else fi;
        if
        :: look -> look = 0; found = 1
        :: else -> parked[me] = 1;
end_park:  if
           :: atomic { token[me] -> token[me] = 0; parked[me] = 0 }
           :: atomic { timeouts < TIMEOUTS -> timeouts++; parked[me] = 0; found = 1 }
           fi
        fi;
        /* cancel_sleep(): did we end the sleep, or a waker? */
        if
        :: ASK_BIT || found -> found = 0;
           atomic { if :: asleep[me] -> asleep[me] = 0 :: else -> given[me] = 0; holds[me] = INHERIT fi }
        :: else -> atomic { asleep[me] = 0; given[me] = 0; holds[me] = 1 }   /* a token taken for a claim */
        fi
     fi
  od
}

active proctype quiet() {
  timeout;
  assert(started == TOTAL);
  assert(!WORK);
  assert(searching == 0 && HOLDERS == 0)
}

init { byte i; atomic { for (i : 0 .. W - 1) { run Worker(i) } for (i : 1 .. EXT) { run Outside() }
#if WATCHDOG > 0
  run Watchdog();
#endif
  i = 0 } }
