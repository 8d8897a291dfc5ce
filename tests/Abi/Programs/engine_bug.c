/* A bug stops one engine and nothing else. The bug is real: the host has damaged the ring that the engine shares with
 * the kernel (it moves the head back, so that old completions come again), and an invariant of the engine fails.
 * From then on guests' writes pass, also the one that waits; the job says that its snapshot is lost; every other
 * call is FB_E_BUG; all can be closed; another engine of the process never notices. */
#include "check.h"
#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SIZE (4 * MIB)
#define RINGS_MAX 16

static fb_status hold(void *context, const fb_io_request *request) {
  (void)context;
  (void)request;
  return FB_PENDING; /* for ever: guests that need this target wait */
}

/* Where the kernel has put the head of a completion ring: the same place in all rings. */
static uint32_t head_offset(void) {
  struct io_uring_params parameters;
  int fd;
  memset(&parameters, 0, sizeof parameters);
  fd = (int)syscall(SYS_io_uring_setup, 4, &parameters);
  CHECK(fd >= 0);
  close(fd);
  return parameters.cq_off.head;
}

static uint32_t rings(unsigned char **found) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  uint32_t count = 0;
  CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long start, end, offset;
    if (strstr(line, "[io_uring]") == NULL || sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) != 3)
      continue;
    if (offset == 0 && count < RINGS_MAX) /* IORING_OFF_SQ_RING: both queues' positions */
      found[count++] = (unsigned char *)start;
  }
  fclose(maps);
  return count;
}

static void whole_backup(fb_engine engine) {
  memory_disk data, copy;
  fb_device from = memory_device(engine, &data, SIZE), to = memory_device(engine, &copy, SIZE);
  fb_disk disk = disk_on(engine, from);
  fb_queue queue;
  fb_job job;
  memset(data.bytes, 0x5A, SIZE);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  CHECK(wait_one(queue).status == FB_OK);
  CHECK(memcmp(data.bytes, copy.bytes, SIZE) == 0);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(queue));
}

int main(void) {
  char folder[] = "/tmp/engine_bug_XXXXXX", path[64];
  static unsigned char block[65536];
  fb_engine_state state = FB_INIT(fb_engine_state);
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_job_state job_state = FB_INIT(fb_job_state);
  fb_error error = FB_INIT(fb_error);
  unsigned char *mine[RINGS_MAX];
  fb_engine engine = small_engine(), neighbour;
  fb_queue queue, jobs;
  fb_device from, to, late;
  fb_completion done;
  fb_disk disk;
  fb_job job, second;
  uint32_t i, ring_count, *head;
  CHECK_OK(fb_engine_query(engine, &state));
  if (!(state.flags & FB_ENGINE_HAS_IO_URING)) { /* no ring that could be damaged */
    CHECK_OK(fb_engine_close(engine));
    return 0;
  }
  ring_count = rings(mine);
  CHECK(ring_count == 1);
  neighbour = small_engine();
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/disk", folder);
  from = file_device(engine, path, SIZE);
  disk = disk_on(engine, from);
  ops.capacity_bytes = SIZE;
  ops.submit = hold;
  CHECK_OK(fb_device_register(engine, &ops, &to));
  CHECK_OK(fb_queue_open(engine, 64, &queue));
  CHECK_OK(fb_queue_open(engine, 8, &jobs));
  for (i = 0; i < 16; i++) { /* completions of I/O, for the ring to show again */
    CHECK_IS(fb_disk_read(disk, queue, block, i * sizeof block, sizeof block, i), FB_PENDING);
    CHECK(wait_one(queue).status == FB_OK);
  }
  CHECK_IS(fb_disk_write(disk, queue, block, SIZE / 2, sizeof block, 0, 0), FB_PENDING); /* in a hole none waits */
  CHECK(wait_one(queue).status == FB_OK);
  options.on_cbw_error = FB_ON_CBW_ERROR_BREAK_GUEST_WRITE;
  options.cbw_timeout_ms = FB_NO_TIMEOUT;
  options.flags = FB_BACKUP_SNAPSHOT;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, jobs, 2), FB_PENDING);
  do {
    CHECK_OK(fb_job_query(job, &job_state));
  } while (job_state.in_flight_bytes == 0);
  CHECK_IS(fb_disk_write_begin(disk, queue, SIZE / 2, 4096, 3), FB_PENDING);
  nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* the engine has nothing to do now, and sleeps */
  CHECK(fb_queue_poll(queue, &done, sizeof done, 1, 0, 0) == 0);

  head = (uint32_t *)(void *)(mine[0] + head_offset());
  __atomic_fetch_sub(head, 12, __ATOMIC_SEQ_CST);
  (void)fb_disk_read(disk, queue, block, 0, 4096, 4); /* wakes it */

  for (i = 0; i < 2; i++) { /* the write that waited passes; the read, which the engine would have carried out, fails */
    done = wait_one(queue);
    CHECK(done.user_data == 3 ? done.status == FB_OK : done.status == FB_E_BUG && done.user_data == 4);
  }
  CHECK_OK(fb_disk_write_end(disk));
  done = wait_one(jobs);
  CHECK(done.user_data == 2 && done.status == FB_E_BUG);
  CHECK_OK(fb_engine_query(engine, &state));
  CHECK(state.flags & FB_ENGINE_IS_STOPPED);
  for (i = 0; i < 1000; i++) {
    CHECK_OK(fb_disk_write_begin(disk, queue, i * 4096, 4096, 5));
    CHECK_OK(fb_disk_write_end(disk));
  }
  CHECK_IS(fb_backup_create(disk, to, NULL, &second), FB_E_BUG);
  CHECK_OK(fb_last_error(&error));
  CHECK(error.status == FB_E_BUG && error.text_length > 0);
  CHECK_IS(fb_device_register(engine, &ops, &late), FB_E_BUG);
  CHECK_IS(fb_disk_read(disk, queue, block, 0, 4096, 6), FB_E_BUG);
  CHECK_IS(fb_snapshot_read(job, queue, block, 0, 4096, 7), FB_E_BUG);
  CHECK_OK(fb_job_query(job, &job_state));
  CHECK(job_state.status == FB_E_BUG);

  whole_backup(neighbour);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_queue_close(jobs));
  CHECK_OK(fb_engine_close(engine));
  CHECK_OK(fb_engine_close(neighbour));
  CHECK(unlink(path) == 0 && rmdir(folder) == 0);
  return 0;
}
