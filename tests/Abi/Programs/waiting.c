/* The three ways to wait: polling, blocking (with a time limit and with a wake-up), and the event fd in a loop. */
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static fb_queue queue;
static fb_disk disk;

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *wake_soon(void *argument) {
  struct timespec pause = {0, 50000000};
  (void)argument;
  nanosleep(&pause, NULL);
  CHECK_OK(fb_queue_wake(queue));
  return NULL;
}

static int is_readable(int fd, int timeout_ms) {
  struct pollfd look = {fd, POLLIN, 0};
  return poll(&look, 1, timeout_ms) == 1;
}

int main(void) {
  memory_disk data;
  fb_engine engine = small_engine();
  fb_device device = memory_device(engine, &data, 4 * MIB);
  static unsigned char buffer[4096];
  fb_completion done[16];
  uint32_t pending = 0;
  pthread_t thread;
  double begin;
  int32_t fd = -1;
  int i;
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 8, &queue));

  /* Polling. */
  CHECK(fb_queue_poll(queue, done, sizeof *done, 16, 0, 0) == 0);
  CHECK_IS(fb_disk_read(disk, queue, buffer, 0, 4096, 11), FB_PENDING);
  while (fb_queue_poll(queue, done, sizeof *done, 16, 0, 0) == 0)
    ;
  CHECK(done[0].user_data == 11 && done[0].status == FB_OK && done[0].bytes == 4096);

  /* Blocking: as many as asked for; a time limit; a wake-up. */
  for (i = 0; i < 8; i++)
    CHECK_IS(fb_disk_write(disk, queue, buffer, (uint64_t)i * 4096, 4096, 0, (uint64_t)i), FB_PENDING);
  CHECK_IS(fb_disk_flush(disk, queue, 9), FB_E_QUEUE_FULL);
  CHECK_OK(fb_queue_pending(queue, &pending));
  CHECK(pending == 8);
  CHECK(fb_queue_poll(queue, done, sizeof *done, 16, 8, -1) == 8);
  begin = seconds();
  CHECK(fb_queue_poll(queue, done, sizeof *done, 16, 1, 30000000) == 0);
  CHECK(seconds() - begin >= 0.029);
  CHECK(pthread_create(&thread, NULL, wake_soon, NULL) == 0);
  CHECK(fb_queue_poll(queue, done, sizeof *done, 16, 1, -1) == 0);
  CHECK(pthread_join(thread, NULL) == 0);

  /* Event fd: readable when there is something, and not when there is nothing. */
  CHECK_OK(fb_queue_event_fd(queue, &fd));
  CHECK(fb_queue_poll(queue, done, sizeof *done, 16, 0, 0) == 0);
  CHECK(!is_readable(fd, 0));
  for (i = 0; i < 1000; i++) {
    CHECK_IS(fb_disk_discard(disk, queue, 0, 65536, (uint64_t)i), FB_PENDING);
    CHECK(is_readable(fd, 10000));
    CHECK(is_readable(fd, 0)); /* level */
    CHECK(fb_queue_poll(queue, done, sizeof *done, 16, 0, 0) == 1);
    CHECK(done[0].user_data == (uint64_t)i);
    CHECK(!is_readable(fd, 0));
  }
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_queue_close(queue));
  for (i = 0; i < 2000 && fcntl(fd, F_GETFD) >= 0; i++)
    usleep(1000); /* closed a moment later, when no call can use it any more */
  CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
