/* fork: a child is told by fb_is_forked_child and FB_GUARDED, also under load; exec finds no file of the library
 * open. */
#include "check.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static fb_disk disk;
static fb_engine engine;
static volatile int is_over;
static memory_disk data;

static void *guest(void *argument) {
  fb_queue queue;
  (void)argument;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  while (!is_over)
    CHECK_OK(hooked_write(disk, queue, &data, 0, 1, 4096));
  CHECK_OK(fb_queue_close(queue));
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[4];
  fb_device device;
  int i, status;
  if (argc > 1) {
    /* After exec: nothing but what the parent had before the library. */
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    CHECK(folder != NULL);
    while ((entry = readdir(folder)) != NULL)
      CHECK(atoi(entry->d_name) <= 2 || atoi(entry->d_name) == dirfd(folder));
    return 0;
  }
  /* Whatever the one who runs this has left open is not the library's. */
  for (i = 3; i < 256; i++)
    close(i);
  engine = small_engine();
  device = memory_device(engine, &data, 4 * MIB);
  disk = disk_on(engine, device);
  for (i = 0; i < 4; i++)
    CHECK(pthread_create(&threads[i], NULL, guest, NULL) == 0);
  CHECK(fb_is_forked_child() == 0);
  for (i = 0; i < 100; i++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      if (FB_GUARDED(fb_disk_write_end(disk)) != FB_E_FORKED || fb_is_forked_child() != 1)
        _exit(1);
      if (i % 10 == 0)
        execl(argv[0], argv[0], "child", (char *)NULL);
      _exit(i % 10 == 0 ? 2 : 0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  CHECK(fb_is_forked_child() == 0);
  is_over = 1;
  for (i = 0; i < 4; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
