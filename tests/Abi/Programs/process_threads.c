/* Threads: 20,000 that come and go without leaving memory behind, some between begin and end of a write, and stacks of
 * 64 KiB. */
#include "check.h"
#include <limits.h>
#include <pthread.h>

static fb_bitmap bitmap;
static fb_engine engine;
static fb_disk disk;
static fb_queue writes;

/* What is in use: closing a queue collects what was left behind. */
static uint64_t resident_bytes(void) {
  unsigned long total = 0, resident = 0;
  int i;
  for (i = 0; i < 3; i++) {
    fb_queue queue;
    CHECK_OK(fb_queue_open(engine, 1, &queue));
    CHECK_OK(fb_queue_close(queue));
  }
  FILE *file;
  file = fopen("/proc/self/statm", "r");
  CHECK(file != NULL && fscanf(file, "%lu %lu", &total, &resident) == 2);
  fclose(file);
  return (uint64_t)resident * 4096;
}

static void *short_life(void *argument) {
  CHECK_OK(fb_bitmap_mark(bitmap, 12345, 1));
  CHECK_IS(fb_bitmap_mark(bitmap, UINT64_MAX, 1), FB_E_RANGE);
  CHECK_OK(fb_disk_write_begin(disk, writes, 4096, 4096, 1)); /* its end comes from another thread, or never */
  if (argument != NULL)
    CHECK_OK(fb_disk_write_end(disk));
  return NULL;
}

/* Everything a host calls, on a small stack. */
static void *small_stack(void *argument) {
  memory_disk target;
  fb_device to = memory_device(engine, &target, 4 * MIB);
  fb_queue queue;
  fb_job job;
  fb_error error = FB_INIT(fb_error);
  fb_job_state state = FB_INIT(fb_job_state);
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device none;
  (void)argument;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK_OK(fb_job_query(job, &state));
  CHECK_OK(fb_job_close(job));
  options.path = "/nowhere";
  options.path_length = 8;
  CHECK_IS(fb_device_open(engine, &options, &none), FB_E_IO);
  CHECK_OK(fb_last_error(&error));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_device_close(to));
  return NULL;
}

int main(void) {
  fb_bitmap_options options = FB_INIT(fb_bitmap_options);
  memory_disk data;
  fb_device device;
  pthread_t thread;
  pthread_attr_t small;
  uint64_t before = 0;
  fb_disk_state state = FB_INIT(fb_disk_state);
  memory_disk target;
  fb_device to;
  fb_completion early;
  fb_job job;
  int i;
  options.size_bytes = MIB;
  options.granularity_bytes = 512;
  CHECK_OK(fb_bitmap_create(&options, &bitmap));
  engine = small_engine();
  device = memory_device(engine, &data, 4 * MIB);
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 8, &writes));
  CHECK(pthread_attr_init(&small) == 0);
  CHECK(pthread_attr_setstacksize(&small, 65536) == 0);
  CHECK(pthread_create(&thread, &small, small_stack, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  for (i = 0; i < 20000; i++) {
    if (i == 10000) /* what the collector lets lie grows at first, then stands still */
      before = resident_bytes();
    CHECK(pthread_create(&thread, &small, short_life, i % 4 == 0 ? NULL : &disk) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    if (i % 4 == 0 && i >= 40)
      CHECK_OK(fb_disk_write_end(disk));
  }
  CHECK(resident_bytes() < before + 8 * MIB);

  /* Ten writes were never ended by their threads, which are gone: a point in time waits for them, then comes. */
  CHECK_OK(fb_disk_query(disk, &state));
  CHECK(state.writes_in_flight == 10);
  CHECK_IS(fb_disk_close(disk), FB_E_STATE);
  to = memory_device(engine, &target, 4 * MIB);
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_IS(fb_job_start(job, writes, 5), FB_PENDING);
  CHECK(fb_queue_poll(writes, &early, sizeof early, 1, 1, 50000000) == 0);
  for (i = 0; i < 10; i++)
    CHECK_OK(fb_disk_write_end(disk));
  CHECK_IS(wait_one(writes).status, FB_OK);
  return 0;
}
