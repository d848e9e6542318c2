// A plain thread that wakes an Erlang process by enif_send, carrying the time at which it sent.
#include <erl_nif.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
  ErlNifPid to;
  int gap_us;
  int count;
} Job;

// enif_monotonic_time() is not allowed on a thread that the emulator does not know, so both ends read the system's clock.
static ErlNifSInt64 now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void* wake_repeatedly(void* argument) {
  Job* job = argument;
  for (int i = 0; i < job->count; ++i) {
    const struct timespec gap = {0, job->gap_us * 1000L};
    nanosleep(&gap, NULL);
    ErlNifEnv* env = enif_alloc_env();
    ERL_NIF_TERM message = enif_make_tuple2(env, enif_make_atom(env, "wake"), enif_make_int64(env, now_ns()));
    enif_send(NULL, &job->to, env, message);
    enif_free_env(env);
  }
  free(job);
  return NULL;
}

static ERL_NIF_TERM start(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
  (void)argc;
  Job* job = malloc(sizeof *job);
  ErlNifTid thread;
  if (!job || !enif_get_local_pid(env, argv[0], &job->to) || !enif_get_int(env, argv[1], &job->gap_us) ||
      !enif_get_int(env, argv[2], &job->count) || enif_thread_create("wake", &thread, wake_repeatedly, job, NULL)) {
    free(job);
    return enif_make_badarg(env);
  }
  return enif_make_atom(env, "ok");
}

static ERL_NIF_TERM read_clock(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
  (void)argc, (void)argv;
  return enif_make_int64(env, now_ns());
}

static ErlNifFunc functions[] = {{"wake_nif_start", 3, start, 0}, {"wake_nif_now", 0, read_clock, 0}};
ERL_NIF_INIT(bench_time, functions, NULL, NULL, NULL, NULL)
