/* A host that takes the runtime's real-time signals for itself after the first call, and hands nothing on, neither
 * stops the library nor loses its own: threads go on with the hooks while others make the runtime collect. */
#include "check.h"
#include <pthread.h>
#include <signal.h>

#define THREADS 4
#define HEAP_BYTES (320 * MIB) /* more than the runtime's heap may hold: so it has collected */
#define ROUNDS_MAX 10000

static fb_disk disk;
static fb_queue grants;
static volatile int is_over;
static volatile sig_atomic_t own_count;

static void on_signal(int number) {
  (void)number;
  own_count++;
}

static void *guest(void *argument) {
  uint64_t i;
  for (i = 0; !is_over; i++) {
    CHECK_OK(fb_disk_write_begin(disk, grants, (i & 255) * 4096, 4096, i));
    CHECK_OK(fb_disk_write_end(disk));
  }
  return argument;
}

int main(void) {
  struct sigaction action;
  pthread_t threads[THREADS];
  memory_disk data;
  fb_engine engine = small_engine();
  fb_device device = memory_device(engine, &data, MIB);
  fb_engine_state before = FB_INIT(fb_engine_state), after = FB_INIT(fb_engine_state);
  int number, i;
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 8, &grants));
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigfillset(&action.sa_mask);
  for (number = SIGRTMIN; number <= SIGRTMAX; number++)
    CHECK(sigaction(number, &action, NULL) == 0);
  for (i = 0; i < THREADS; i++)
    CHECK(pthread_create(&threads[i], NULL, guest, NULL) == 0);
  CHECK_OK(fb_engine_query(engine, &before));
  after = before;
  for (i = 0; i < ROUNDS_MAX && after.heap_bytes - before.heap_bytes < HEAP_BYTES; i++) {
    fb_queue queue;
    CHECK_OK(fb_queue_open(engine, 4096, &queue));
    CHECK_OK(fb_queue_close(queue));
    CHECK_OK(fb_engine_query(engine, &after));
  }
  CHECK(after.heap_bytes - before.heap_bytes >= HEAP_BYTES);
  is_over = 1;
  for (i = 0; i < THREADS; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  number = (int)own_count;
  CHECK(raise(SIGRTMIN) == 0 && raise(SIGRTMIN + 1) == 0 && own_count == number + 2);
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_queue_close(grants));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
