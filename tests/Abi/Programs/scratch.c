/* A scratch device takes guests' copies when memory is full and the target does not keep up: guests go on, and the copy
 * is still the disk as it was. Its use is exclusive, and it is refused where it cannot be right. */
#include "check.h"
#include <pthread.h>

#define PARKED_MAX 1024

static memory_disk source, target, spare;
static fb_device to;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fb_io_request parked[PARKED_MAX];
static int parked_count, is_slow;

/* A target that takes nothing while it is slow. */
static fb_status slow_submit(void *context, const fb_io_request *request) {
  fb_status status = FB_PENDING;
  pthread_mutex_lock(&lock);
  if (is_slow && request->operation == FB_IO_WRITE && parked_count < PARKED_MAX)
    parked[parked_count++] = *request;
  else
    status = memory_submit(context, request);
  pthread_mutex_unlock(&lock);
  return status;
}

static void let_go(void) {
  int i;
  pthread_mutex_lock(&lock);
  is_slow = 0;
  for (i = 0; i < parked_count; i++) {
    CHECK(memory_submit(&target, &parked[i]) == FB_OK);
    CHECK_OK(fb_device_complete(to, parked[i].token, FB_OK, 0));
  }
  pthread_mutex_unlock(&lock);
}

int main(void) {
  fb_engine engine = small_engine(), stranger = small_engine();
  fb_device from = memory_device(engine, &source, 16 * MIB), scratch = memory_device(engine, &spare, 8 * MIB);
  memory_disk other;
  fb_device foreign = memory_device(stranger, &other, 8 * MIB);
  fb_disk disk = disk_on(engine, from);
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_statistics statistics = FB_INIT(fb_statistics);
  unsigned char *before = (unsigned char *)malloc(16 * MIB);
  fb_queue queue, guests;
  fb_job job, second;
  uint64_t i;
  ops.capacity_bytes = target.size = 16 * MIB;
  ops.context = &target;
  ops.submit = slow_submit;
  target.bytes = (unsigned char *)calloc(1, 16 * MIB);
  CHECK_OK(fb_device_register(engine, &ops, &to));
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(fb_queue_open(engine, 8, &guests));
  for (i = 0; i < 16 * MIB; i++)
    source.bytes[i] = (unsigned char)(i * 2654435761u >> 15);
  memcpy(before, source.bytes, 16 * MIB);

  options.scratch_bytes_max = MIB;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_INVALID); /* of no scratch */
  options.scratch = to;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_INVALID);
  options.scratch = from;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_INVALID);
  options.scratch = foreign;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_INVALID);
  options.scratch.id = 12345;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_HANDLE);
  options.scratch = scratch;
  options.scratch_bytes_max = 4096;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_INVALID); /* below one cluster */
  options.scratch_bytes_max = 0;
  options.capture_bytes_max = MIB;
  options.sync = FB_SYNC_NONE; /* the background would wait for the target */
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_backup_create(disk, to, &options, &second), FB_E_STATE);
  CHECK_IS(fb_device_close(scratch), FB_E_STATE);
  is_slow = 1;
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  for (i = 0; i < 64; i++) /* 4 MiB of clusters, where memory may have one */
    CHECK_OK(hooked_write(disk, guests, &source, i * 65536, 0xEE, 65536));
  CHECK_OK(fb_job_statistics(job, &statistics));
  CHECK(statistics.capture_peak_bytes <= MIB && statistics.capture_limit_bytes == MIB);
  CHECK(statistics.spilled_bytes >= 2 * MIB && statistics.scratch_limit_bytes == 8 * MIB);
  CHECK(statistics.scratch_bytes >= 2 * MIB && statistics.scratch_status == FB_OK);
  let_go();
  for (i = 0; i < 100000 && statistics.scratch_bytes + statistics.capture_bytes > 0; i++) {
    fb_completion none;
    CHECK(fb_queue_poll(queue, &none, sizeof none, 1, 1, 100000) == 0);
    CHECK_OK(fb_job_statistics(job, &statistics));
  }
  CHECK(statistics.scratch_bytes == 0);
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(wait_one(queue).status, FB_E_CANCELED);
  CHECK(memcmp(before, target.bytes, 4 * MIB) == 0);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_device_close(scratch));
  return 0;
}
