/* What a call costs: nanoseconds per call through the shared library, on 1 and 2 threads, and what was allocated.
 *
 *   cost_per_call [CALLS]      default 20,000,000 per row and thread; allocations must be zero, else exit code 1
 *
 * Rows: a call that does nothing but enter and leave (fb_abi_version), looking a handle up, the write hooks with
 * nothing to save, a bitmap mark, a poll of an empty queue. A figure is the fastest of 2000 rounds, of the slower
 * thread: what else runs on the machine hardly shows. Figures are of one machine: compare rows, not machines.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mallinfo2 */
#endif
#include <fastbackup.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DISK_BYTES (UINT64_C(1) << 30)
#define THREADS_MAX 2
#define ROUNDS 2000

static fb_engine engine;
static fb_disk disk;
static fb_bitmap bitmap;
static uint64_t call_count = 20000000;

typedef struct worker {
  pthread_t thread;
  void (*run)(struct worker *self);
  fb_queue queue;
  uint64_t round_calls;
  uint64_t failures;
  double best_ns; /* per call */
} worker;

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Not the same granule twice in a row, and cheap: what is measured is the call. */
static uint64_t offset_of(uint64_t i) {
  return (i * 81920) & (DISK_BYTES - 1);
}

static void run_empty(worker *self) {
  for (uint64_t i = 0; i < self->round_calls; i++)
    self->failures += fb_abi_version() != FB_ABI_VERSION;
}

static void run_lookup(worker *self) {
  for (uint64_t i = 0; i < self->round_calls; i++)
    self->failures += fb_handle_kind(bitmap.id) != FB_KIND_BITMAP;
}

static void run_pair(worker *self) {
  for (uint64_t i = 0; i < self->round_calls; i++) {
    self->failures += fb_disk_write_begin(disk, self->queue, offset_of(i), 4096, i) != FB_OK;
    self->failures += fb_disk_write_end(disk) != FB_OK;
  }
}

static void run_mark(worker *self) {
  for (uint64_t i = 0; i < self->round_calls; i++)
    self->failures += fb_bitmap_mark(bitmap, offset_of(i), 4096) != FB_OK;
}

static void run_poll(worker *self) {
  fb_completion completion;
  for (uint64_t i = 0; i < self->round_calls; i++)
    self->failures += fb_queue_poll(self->queue, &completion, sizeof completion, 1, 0, 0) != 0;
}

static void *start(void *argument) {
  worker *self = argument;
  self->round_calls = call_count / ROUNDS;
  self->best_ns = 1e9;
  for (int round = 0; round < ROUNDS; round++) {
    double begin = now_ns();
    self->run(self);
    double ns = (now_ns() - begin) / (double)self->round_calls;
    if (ns < self->best_ns)
      self->best_ns = ns;
  }
  return NULL;
}

static uint64_t heap_bytes(void) {
  fb_engine_state state = FB_INIT(fb_engine_state);
  if (fb_engine_query(engine, &state) != FB_OK)
    abort();
  return state.heap_bytes;
}

/* One row; returns the number of failed calls and of allocations too many. */
static uint64_t measure(const char *name, void (*run)(worker *self), fb_queue *queues, int threads, int calls) {
  worker workers[THREADS_MAX];
  uint64_t failures = 0;
  memset(workers, 0, sizeof workers);
  uint64_t heap_before = heap_bytes();
  size_t malloc_before = mallinfo2().uordblks;
  double ns = 0;
  for (int i = 0; i < threads; i++) {
    workers[i].run = run;
    workers[i].queue = queues[i];
    if (pthread_create(&workers[i].thread, NULL, start, &workers[i]) != 0)
      abort();
  }
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    failures += workers[i].failures;
    if (workers[i].best_ns > ns)
      ns = workers[i].best_ns;
  }
  uint64_t heap = heap_bytes() - heap_before;
  size_t malloced = mallinfo2().uordblks > malloc_before ? mallinfo2().uordblks - malloc_before : 0;
  /* A query and a new thread's own record are allocated once per row. */
  int is_clean = heap < 65536 && malloced < 65536;
  printf("%-28s %d thread%s %6.1f ns   %llu bytes allocated over %llu calls%s\n", name, threads,
         threads > 1 ? "s" : " ", ns, (unsigned long long)(heap + malloced),
         (unsigned long long)call_count * (unsigned)(threads * calls), is_clean ? "" : "   TOO MUCH");
  return failures + (is_clean ? 0 : 1);
}

static fb_status discard_everything(void *context, const fb_io_request *request) {
  (void)context;
  (void)request;
  return FB_OK;
}

int main(int argc, char **argv) {
  fb_queue queues[THREADS_MAX];
  fb_device device;
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_disk_options disk_options = FB_INIT(fb_disk_options);
  fb_bitmap_options bitmap_options = FB_INIT(fb_bitmap_options);
  uint64_t failures = 0;
  if (argc > 1)
    call_count = strtoull(argv[1], NULL, 10);
  ops.capacity_bytes = DISK_BYTES;
  ops.submit = discard_everything;
  disk_options.name = "disk";
  disk_options.name_length = 4;
  bitmap_options.size_bytes = DISK_BYTES;
  bitmap_options.granularity_bytes = 65536;
  if (fb_engine_open(NULL, &engine) || fb_device_register(engine, &ops, &device) ||
      fb_disk_open(engine, device, &disk_options, &disk) || fb_bitmap_create(&bitmap_options, &bitmap))
    return 2;
  for (int i = 0; i < THREADS_MAX; i++)
    if (fb_queue_open(engine, 64, &queues[i]))
      return 2;
  printf("library %s\n", fb_version_string());
  for (int threads = 1; threads <= THREADS_MAX; threads++) {
    failures += measure("enter and leave", run_empty, queues, threads, 1);
    failures += measure("look a handle up", run_lookup, queues, threads, 1);
    failures += measure("write_begin + write_end", run_pair, queues, threads, 2);
    failures += measure("bitmap mark", run_mark, queues, threads, 1);
    failures += measure("poll of an empty queue", run_poll, queues, threads, 1);
  }
  if (failures)
    printf("%llu failures\n", (unsigned long long)failures);
  return failures ? 1 : 0;
}
