/* Signals: SIGPIPE stays as the host has it, whatever that is; blocked signals stay blocked on the threads that
 * call; a host's own SIGSEGV handler gets the host's faults, installed before or after the first call. */
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf back;
static volatile int fault_count;
static int *volatile nowhere = (int *)64;

static void on_pipe(int number) {
  (void)number;
}

static void on_fault(int number) {
  (void)number;
  fault_count++;
  siglongjmp(back, 1);
}

static void install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_fault;
  sigemptyset(&action.sa_mask);
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

/* A fault in code of the host. */
static void fault(void) {
  int before = fault_count;
  if (sigsetjmp(back, 1) == 0)
    *nowhere = 1;
  CHECK(fault_count == before + 1);
}

static void *blocked_thread(void *argument) {
  fb_engine engine = *(fb_engine *)argument;
  fb_engine_state state = FB_INIT(fb_engine_state);
  sigset_t all, now;
  int number;
  sigfillset(&all);
  CHECK(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
  CHECK_OK(fb_engine_query(engine, &state));
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
  for (number = 1; number < SIGRTMIN; number++)
    if (number != SIGKILL && number != SIGSTOP && number < 32)
      CHECK(sigismember(&now, number) == 1);
  return NULL;
}

int main(int argc, char **argv) {
  fb_engine engine;
  pthread_t thread;
  struct sigaction pipe_action;
  int is_before = argc < 2 || strcmp(argv[1], "after") != 0;
  CHECK(signal(SIGPIPE, on_pipe) != SIG_ERR);
  if (is_before)
    install();
  engine = small_engine();
  if (!is_before)
    install();
  fault();
  CHECK(sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == on_pipe);
  CHECK(pthread_create(&thread, NULL, blocked_thread, &engine) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_OK(fb_engine_close(engine));
  fault();
  return 0;
}
