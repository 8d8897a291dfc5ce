/* Hook mode from 8 threads: each writes its own blocks in rounds, one after the other, so the disk at any instant
 * holds a prefix of one round and the rest of the round before. Backups taken meanwhile must be such an instant.
 * With "driven" the engine has no thread: those that wait carry it. */
#include "check.h"
#include <pthread.h>

#define THREADS 8
#define BLOCKS 256
#define BLOCK 4096

static memory_disk data;
static fb_disk disk;
static fb_engine engine;
static volatile int is_over;

static void *guest(void *argument) {
  uint64_t base = (uint64_t)(uintptr_t)argument * BLOCKS * BLOCK;
  fb_queue queue;
  int round, block;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  for (round = 1; !is_over; round++)
    for (block = 0; block < BLOCKS; block++)
      CHECK_OK(hooked_write(disk, queue, &data, base + (uint64_t)block * BLOCK, round & 0xFF, BLOCK));
  CHECK_OK(fb_queue_close(queue));
  return NULL;
}

/* One instant: per thread at most one step down by one round, each block of one value. */
static void check_instant(const unsigned char *bytes) {
  int thread, block, i;
  for (thread = 0; thread < THREADS; thread++) {
    const unsigned char *own = bytes + (uint64_t)thread * BLOCKS * BLOCK;
    int steps = 0;
    for (block = 0; block < BLOCKS; block++) {
      for (i = 1; i < BLOCK; i++)
        CHECK(own[block * BLOCK + i] == own[block * BLOCK]);
      if (block > 0 && own[block * BLOCK] != own[(block - 1) * BLOCK]) {
        CHECK(((own[(block - 1) * BLOCK] - own[block * BLOCK]) & 0xFF) == 1);
        steps++;
      }
    }
    CHECK(steps <= 1);
  }
}

int main(int argc, char **argv) {
  memory_disk target;
  const uint64_t size = (uint64_t)THREADS * BLOCKS * BLOCK;
  pthread_t threads[THREADS];
  fb_device from, to;
  fb_queue queue;
  fb_latency waits = FB_INIT(fb_latency);
  uint64_t waited = 0;
  int i;
  engine = engine_with(argc > 1 && strcmp(argv[1], "driven") == 0 ? FB_ENGINE_HOST_DRIVEN : 0);
  from = memory_device(engine, &data, size);
  to = memory_device(engine, &target, size);
  disk = disk_on(engine, from);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  for (i = 0; i < THREADS; i++)
    CHECK(pthread_create(&threads[i], NULL, guest, (void *)(uintptr_t)i) == 0);
  for (i = 0; i < 60; i++) {
    fb_job job;
    CHECK_OK(fb_backup_create(disk, to, NULL, &job));
    CHECK_IS(fb_job_start(job, queue, (uint64_t)i), FB_PENDING);
    CHECK_IS(wait_one(queue).status, FB_OK);
    CHECK_OK(fb_job_latency(job, &waits));
    waited += waits.count;
    CHECK_OK(fb_job_close(job));
    check_instant(target.bytes);
  }
  is_over = 1;
  for (i = 0; i < THREADS; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(waited > 0); /* or nothing of this was tested */
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
