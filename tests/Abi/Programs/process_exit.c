/* Leaving with jobs alive, guests writing, and a thread that waits in a poll: exit(0) is exit(0), 20 times. */
#include "check.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static fb_engine engine;
static fb_disk disk;
static memory_disk data;

static void *guest(void *argument) {
  fb_queue queue;
  (void)argument;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  for (;;) {
    fb_status status = fb_disk_write_begin(disk, queue, 0, 4096, 1);
    if (status == FB_PENDING)
      wait_one(queue);
    fb_disk_write_end(disk);
  }
  return NULL;
}

static void *waiter(void *argument) {
  fb_queue queue;
  fb_completion completion;
  (void)argument;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  fb_queue_poll(queue, &completion, sizeof completion, 1, 1, -1);
  return NULL;
}

static void live_and_leave(void) {
  memory_disk target;
  fb_device from, to;
  fb_queue queue;
  fb_job job;
  fb_backup_options options = FB_INIT(fb_backup_options);
  pthread_t thread;
  engine = small_engine();
  from = memory_device(engine, &data, 16 * MIB);
  to = memory_device(engine, &target, 16 * MIB);
  disk = disk_on(engine, from);
  options.speed = MIB;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK(pthread_create(&thread, NULL, guest, NULL) == 0);
  CHECK(pthread_create(&thread, NULL, guest, NULL) == 0);
  CHECK(pthread_create(&thread, NULL, waiter, NULL) == 0);
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  usleep(20000);
  exit(0);
}

int main(int argc, char **argv) {
  int i, status;
  if (argc > 1)
    live_and_leave();
  for (i = 0; i < 20; i++) {
    pid_t child = fork(); /* before the first call: a host may do that */
    CHECK(child >= 0);
    if (child == 0) {
      execl(argv[0], argv[0], "live", (char *)NULL);
      _exit(3);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  return 0;
}
