/* A host-driven engine has no thread but one a file, for calls that may hang: a loop that waits for its event fd, and
 * polls when that is readable, carries out a whole backup of files beside guests' writes, timers included. Waiting in
 * poll itself does the same. */
#include "check.h"
#include <dirent.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SIZE (16 * MIB)

/* All but the kernel's own, which carry out what a file system does not do without waiting, and those of files. */
static int thread_count(int *of_files) {
  DIR *folder = opendir("/proc/self/task");
  struct dirent *task;
  int count = 0;
  *of_files = 0;
  CHECK(folder != NULL);
  while ((task = readdir(folder)) != NULL) {
    char path[300], name[32] = "";
    FILE *file;
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
    file = fopen(path, "r");
    if (task->d_name[0] == '.' || file == NULL)
      continue;
    CHECK(fgets(name, sizeof name, file) != NULL);
    fclose(file);
    if (strncmp(name, "fb-file", 7) == 0) {
      ++*of_files;
      continue;
    }
    CHECK(strncmp(name, "fb-", 3) != 0);
    count += strncmp(name, "iou-", 4) != 0;
  }
  closedir(folder);
  return count;
}

/* So many threads of files, soon: a thread ends a moment after its file is closed. */
static void check_threads(int count, int of_files) {
  int i, now;
  for (i = 0; i < 1000; i++) {
    CHECK(thread_count(&now) == count);
    if (now == of_files)
      return;
    usleep(10000);
  }
  CHECK_IS(now, of_files);
}

/* The host's loop: waits for the descriptor only, and harvests until a completion of this kind has come. */
static fb_completion loop_until(int epoll, fb_queue queue, uint32_t kind) {
  fb_completion done[4];
  for (;;) {
    struct epoll_event event;
    int32_t count, i;
    count = epoll_wait(epoll, &event, 1, 10000);
    CHECK(count == 1 || (count < 0 && errno == EINTR)); /* the kernel's way of ending I/O on this thread */
    count = fb_queue_poll(queue, done, sizeof *done, 4, 0, 0);
    CHECK(count >= 0);
    for (i = 0; i < count; i++)
      if (done[i].kind == kind)
        return done[i];
  }
}

int main(void) {
  char folder[] = "/tmp/host_driven_XXXXXX", source[64], target[64];
  static unsigned char block[65536], copy[65536];
  struct epoll_event event = {0};
  fb_engine_options wrong = FB_INIT(fb_engine_options);
  fb_engine_state state = FB_INIT(fb_engine_state);
  fb_backup_options options = FB_INIT(fb_backup_options);
  memory_disk memory[2];
  fb_engine engine;
  fb_device from, to;
  fb_queue queue;
  fb_disk disk;
  fb_job job;
  FILE *file;
  int before, epoll, fd, i;
  wrong.flags = FB_ENGINE_HOST_DRIVEN | FB_ENGINE_NO_IO_URING;
  CHECK_IS(fb_engine_open(&wrong, &engine), FB_E_INVALID);
  before = thread_count(&i); /* the runtime's own have started */
  wrong.flags = FB_ENGINE_HOST_DRIVEN;
  if (fb_engine_open(&wrong, &engine) != FB_OK) { /* refused where there is no io_uring, and only there */
    engine = small_engine();
    CHECK_OK(fb_engine_query(engine, &state));
    CHECK((state.flags & FB_ENGINE_HAS_IO_URING) == 0);
    return 0;
  }
  CHECK_OK(fb_engine_close(engine));
  engine = engine_with(FB_ENGINE_HOST_DRIVEN);
  check_threads(before, 0);
  CHECK(mkdtemp(folder) != NULL);
  snprintf(source, sizeof source, "%s/source", folder);
  snprintf(target, sizeof target, "%s/target", folder);
  file = fopen(source, "wb");
  CHECK(file != NULL);
  for (i = 0; i < (int)(SIZE / sizeof block); i++) {
    memset(block, i + 1, sizeof block);
    CHECK(fwrite(block, sizeof block, 1, file) == 1);
  }
  CHECK(fclose(file) == 0);
  from = file_device(engine, source, 0);
  to = file_device(engine, target, SIZE);
  disk = disk_on(engine, from);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(fb_queue_event_fd(queue, &fd));
  epoll = epoll_create1(0);
  event.events = EPOLLIN;
  CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);

  /* Slow: only a timer can move it on. */
  options.speed = 64 * MIB;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  for (i = 0; i < 64; i++) { /* device mode, from the back: before the background comes there */
    memset(block, 0xEE, sizeof block);
    CHECK_IS(fb_disk_write(disk, queue, block, SIZE - (uint64_t)(i + 1) * 65536, 4096, 0, 2), FB_PENDING);
    CHECK_IS(loop_until(epoll, queue, FB_COMPLETION_DISK_IO).status, FB_OK);
  }
  CHECK_IS(loop_until(epoll, queue, FB_COMPLETION_JOB).status, FB_OK);
  CHECK_OK(fb_job_close(job));
  file = fopen(target, "rb");
  CHECK(file != NULL);
  for (i = 0; i < (int)(SIZE / sizeof block); i++) {
    memset(block, i + 1, sizeof block);
    CHECK(fread(copy, sizeof copy, 1, file) == 1 && memcmp(block, copy, sizeof copy) == 0);
  }
  fclose(file);
  check_threads(before, 2);
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  unlink(source);
  unlink(target);
  rmdir(folder);

  /* The host's own devices and write hooks; poll waits by itself. */
  from = memory_device(engine, &memory[0], SIZE);
  to = memory_device(engine, &memory[1], SIZE);
  memset(memory[0].bytes, 7, SIZE);
  disk = disk_on(engine, from);
  options.speed = 0;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 3), FB_PENDING);
  {
    fb_queue guests;
    CHECK_OK(fb_queue_open(engine, 8, &guests));
    for (i = 0; i < 256; i++)
      CHECK_OK(hooked_write(disk, guests, &memory[0], (uint64_t)(255 - i) * 65536, 9, 512));
    CHECK_OK(fb_queue_close(guests));
  }
  CHECK_IS(wait_one(queue).status, FB_OK);
  for (i = 0; i < (int)SIZE; i++)
    CHECK(memory[1].bytes[i] == 7);
  check_threads(before, 0);
  CHECK_OK(fb_job_close(job));

  /* Nothing to do: nothing is readable, and a wait is a wait. */
  while (fb_queue_poll(queue, NULL, sizeof(fb_completion), 0, 0, 0) == 0 && epoll_wait(epoll, &event, 1, 100) == 1)
    ;
  CHECK(epoll_wait(epoll, &event, 1, 300) == 0);
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_engine_close(engine));
  check_threads(before, 0);
  return 0;
}
