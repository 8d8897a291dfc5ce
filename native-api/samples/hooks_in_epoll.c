/* Hook mode: the host keeps its own I/O path and its event loop, and asks leave before each guest write. Here the
 * guest is a counter that overwrites the whole disk while a backup runs; the copy is the disk as it was when the
 * backup began.
 *
 *   gcc hooks_in_epoll.c -lfastbackup -o hooks_in_epoll && ./hooks_in_epoll disk.img backup.img
 */
#include <fastbackup.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BLOCK 65536
#define TAG_JOB UINT64_MAX /* user_data of the job; guests' writes have their block number */

static int disk_fd; /* the host's own way to the disk */
static fb_disk disk;
static fb_queue queue;

static void must(fb_status status, const char *what) {
  fb_error error = FB_INIT(fb_error);
  if (status >= 0)
    return;
  fb_last_error(&error);
  fprintf(stderr, "%s: %s (%s)\n", what, error.text, fb_status_name(status));
  exit(1);
}

/* The guest's write itself, once it may land. In a hypervisor this is asynchronous, and write_end is in its
 * callback. */
static void land(uint64_t block) {
  char data[BLOCK];
  memset(data, 0xAB, sizeof data);
  if (pwrite(disk_fd, data, sizeof data, (off_t)(block * BLOCK)) != BLOCK)
    perror("pwrite");
  must(fb_disk_write_end(disk), "write_end"); /* also when the write failed */
}

static void on_guest_write(uint64_t block) {
  fb_status status = fb_disk_write_begin(disk, queue, block * BLOCK, BLOCK, block);
  must(status, "write_begin");
  if (status == FB_OK)
    land(block); /* nothing to save: at once, without a system call */
  /* FB_PENDING: on_completion lands it */
}

static void on_completion(const fb_completion *done, int *is_running) {
  if (done->kind == FB_COMPLETION_WRITE_GRANT && done->status == FB_OK)
    land(done->user_data);
  else if (done->kind == FB_COMPLETION_WRITE_GRANT)
    fprintf(stderr, "fail guest write %llu\n", (unsigned long long)done->user_data);
  else if (done->user_data == TAG_JOB) {
    printf("backup: %s\n", fb_status_name(done->status));
    *is_running = 0;
  }
}

static fb_device open_device(fb_engine engine, const char *path, uint32_t flags, uint64_t create_bytes) {
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device device;
  options.flags = flags;
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.create_bytes = create_bytes;
  must(fb_device_open(engine, &options, &device), path);
  return device;
}

int main(int argc, char **argv) {
  fb_engine engine;
  fb_device source;
  fb_device_state size = FB_INIT(fb_device_state);
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_job job;
  struct epoll_event event = {.events = EPOLLIN};
  uint64_t next_block = 0;
  int32_t fd, count, i;
  int loop, is_running = 1;

  if (argc != 3 || (disk_fd = open(argv[1], O_RDWR | O_CLOEXEC)) < 0)
    return 2;
  must(fb_engine_open(NULL, &engine), "engine");
  must(fb_queue_open(engine, 256, &queue), "queue");
  /* The host writes through its own descriptor, in the page cache: the engine must read there, too. */
  source = open_device(engine, argv[1], FB_DEVICE_READ_ONLY | FB_DEVICE_PAGE_CACHE, 0);
  must(fb_device_query(source, &size), "size");
  options.name = "vda";
  options.name_length = 3;
  must(fb_disk_open(engine, source, &options, &disk), "disk");

  loop = epoll_create1(EPOLL_CLOEXEC);
  must(fb_queue_event_fd(queue, &fd), "event fd");
  if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) != 0)
    return 2;

  must(fb_backup_create(disk, open_device(engine, argv[2], FB_DEVICE_CREATE, size.capacity_bytes), NULL, &job), "job");
  must(fb_job_start(job, queue, TAG_JOB), "start");
  while (is_running || next_block < size.capacity_bytes / BLOCK) {
    fb_completion done[32];
    if (next_block < size.capacity_bytes / BLOCK)
      on_guest_write(next_block++);
    (void)epoll_wait(loop, &event, 1, next_block < size.capacity_bytes / BLOCK ? 0 : 1000);
    while ((count = fb_queue_poll(queue, done, sizeof *done, 32, 0, 0)) > 0)
      for (i = 0; i < count; i++)
        on_completion(&done[i], &is_running);
  }
  return 0; /* leaving without closing is fine, too */
}
