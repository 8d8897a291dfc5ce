/* What a call costs: nanoseconds per call through the shared library, on 1 and 2 threads, and what was allocated.
 *
 *   cost_per_call [CALLS]      default 20,000,000 per row and thread; allocations must be zero, else exit code 1
 *
 * Rows: a call that does nothing but enter and leave (fb_abi_version), looking a handle up, the write hooks with
 * nothing to save, the same on a disk with a dirty bitmap and on one with a tracker, round by round in turns, a bitmap
 * mark, a poll of an empty queue. A figure is the fastest of 2000 rounds, of the slower thread: what else runs on the
 * machine hardly shows. Figures are of one machine: compare rows, not machines.
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
#include <unistd.h>

#define DISK_BYTES (UINT64_C(1) << 30)
#define HOT_BYTES (UINT64_C(32) << 20) /* of a disk in a file: what a tracker holds open */
#define THREADS_MAX 2
#define ROUNDS 2000

static fb_engine engine;
static fb_disk disk, marked, tracked;
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

static void run_pairs_of(worker *self, fb_disk one) {
  for (uint64_t i = 0; i < self->round_calls; i++) {
    self->failures += fb_disk_write_begin(one, self->queue, offset_of(i) % HOT_BYTES, 4096, i) != FB_OK;
    self->failures += fb_disk_write_end(one) != FB_OK;
  }
}

static void run_marked(worker *self) { run_pairs_of(self, marked); }

static void run_tracked(worker *self) { run_pairs_of(self, tracked); }

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

/* Of both the fastest round, in turns: what else the machine does meets both alike. */
static void compare_pairs(fb_queue queue) {
  worker one, other;
  memset(&one, 0, sizeof one);
  one.queue = queue;
  one.round_calls = call_count / ROUNDS;
  one.best_ns = 1e9;
  other = one;
  for (int round = 0; round < ROUNDS; round++) {
    worker *turn[2] = {&one, &other};
    for (int i = 0; i < 2; i++) {
      double begin = now_ns(), ns;
      (i == 0 ? run_marked : run_tracked)(turn[i]);
      ns = (now_ns() - begin) / (double)turn[i]->round_calls;
      if (ns < turn[i]->best_ns)
        turn[i]->best_ns = ns;
    }
  }
  if (one.failures + other.failures > 0)
    abort();
  printf("pair with a dirty bitmap %.2f ns, with a tracker %.2f ns: %.2f times\n", one.best_ns, other.best_ns,
         other.best_ns / one.best_ns);
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

static void finish(fb_queue queue, fb_status status) {
  fb_completion done;
  if (status == FB_PENDING && (fb_queue_poll(queue, &done, sizeof done, 1, 1, -1) != 1 || done.status != FB_OK))
    abort();
  if (status != FB_PENDING && status != FB_OK)
    abort();
}

/* A disk in a file, with a tracker or a dirty bitmap; every granule that is hot was written to once. */
static fb_disk file_disk(const char *folder, const char *name, fb_queue queue, int is_tracked, fb_device *device) {
  char path[200], tracker[220];
  fb_device_options options = FB_INIT(fb_device_options);
  fb_disk_options disk_options = FB_INIT(fb_disk_options);
  fb_disk made;
  fb_bitmap dirty;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  snprintf(tracker, sizeof tracker, "%s.track", path);
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.flags = FB_DEVICE_CREATE;
  options.create_bytes = DISK_BYTES;
  disk_options.name = name;
  disk_options.name_length = (uint32_t)strlen(name);
  if (fb_device_open(engine, &options, device))
    abort();
  if (is_tracked && fb_tracker_create(*device, tracker, (uint32_t)strlen(tracker), 65536))
    abort();
  if (fb_disk_open(engine, *device, &disk_options, &made))
    abort();
  if (is_tracked && fb_disk_tracker_attach(made, tracker, (uint32_t)strlen(tracker)))
    abort();
  if (!is_tracked)
    finish(queue, fb_disk_bitmap_add(made, "dirty", 5, 65536, 0, queue, 0, &dirty));
  for (uint64_t at = 0; at < HOT_BYTES; at += 65536) {
    finish(queue, fb_disk_write_begin(made, queue, at, 4096, 0));
    if (fb_disk_write_end(made))
      abort();
  }
  unlink(path);
  return made;
}

int main(int argc, char **argv) {
  fb_queue queues[THREADS_MAX];
  char folder[] = "/tmp/fb-cost-XXXXXX", tracker[64];
  fb_device file[2];
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
  if (mkdtemp(folder) == NULL)
    return 2;
  marked = file_disk(folder, "marked", queues[0], 0, &file[0]);
  tracked = file_disk(folder, "tracked", queues[0], 1, &file[1]);
  compare_pairs(queues[0]);
  for (int threads = 1; threads <= THREADS_MAX; threads++) {
    failures += measure("enter and leave", run_empty, queues, threads, 1);
    failures += measure("look a handle up", run_lookup, queues, threads, 1);
    failures += measure("write_begin + write_end", run_pair, queues, threads, 2);
    failures += measure("with a dirty bitmap", run_marked, queues, threads, 2);
    failures += measure("with a tracker", run_tracked, queues, threads, 2);
    failures += measure("bitmap mark", run_mark, queues, threads, 1);
    failures += measure("poll of an empty queue", run_poll, queues, threads, 1);
  }
  snprintf(tracker, sizeof tracker, "%s/tracked.track", folder);
  if (fb_disk_tracker_detach(tracked) || unlink(tracker) || rmdir(folder))
    failures++;
  if (failures)
    printf("%llu failures\n", (unsigned long long)failures);
  return failures ? 1 : 0;
}
