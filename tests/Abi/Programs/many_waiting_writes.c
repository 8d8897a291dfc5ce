/* More guest writes wait than any table of the engine has entries, on one disk and on several: a legal waiting_max is
 * served. The engine goes on, and when the backup is given up every one of them is granted. */
#include "check.h"
#include <unistd.h>

#define DISKS_MAX 3
#define DISK_BYTES (64 * MIB)

static int parked_count;

static fb_status hang(void *context, const fb_io_request *request) {
  (void)context;
  (void)request;
  parked_count++;
  return FB_PENDING;
}

static int is_stopped(fb_engine engine) {
  fb_engine_state state = FB_INIT(fb_engine_state);
  CHECK_OK(fb_engine_query(engine, &state));
  return (state.flags & FB_ENGINE_IS_STOPPED) != 0;
}

static fb_disk open_disk(fb_engine engine, int number, fb_device *device) {
  static const char *const names[DISKS_MAX] = {"a", "b", "c"};
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_disk disk;
  ops.capacity_bytes = DISK_BYTES;
  ops.submit = hang;
  CHECK_OK(fb_device_register(engine, &ops, device));
  options.name = names[number];
  options.name_length = 1;
  options.waiting_max = 8192;
  CHECK_OK(fb_disk_open(engine, *device, &options, &disk));
  return disk;
}

/* Begins writes that all wait; a full inbox is tried again. */
static void begin_writes(fb_disk disk, fb_queue queue, int count) {
  int i;
  for (i = 0; i < count; i++) {
    fb_status status;
    while ((status = fb_disk_write_begin(disk, queue, (uint64_t)(i % 1000) * 65536, 4096, 5)) == FB_E_QUEUE_FULL)
      usleep(100);
    CHECK_IS(status, FB_PENDING);
  }
}

static void run(int disk_count, int count) {
  fb_engine engine = small_engine();
  static memory_disk targets[DISKS_MAX];
  fb_device from[DISKS_MAX], to[DISKS_MAX];
  fb_disk disks[DISKS_MAX];
  fb_job jobs[DISKS_MAX];
  fb_queue guests, control;
  fb_disk_state state = FB_INIT(fb_disk_state);
  int i, k;
  CHECK_OK(fb_queue_open(engine, 65536, &guests));
  CHECK_OK(fb_queue_open(engine, 8, &control));
  for (i = 0; i < disk_count; i++) {
    disks[i] = open_disk(engine, i, &from[i]);
    to[i] = memory_device(engine, &targets[i], DISK_BYTES);
    CHECK_OK(fb_backup_create(disks[i], to[i], NULL, &jobs[i]));
    CHECK_IS(fb_job_start(jobs[i], control, 1), FB_PENDING);
    begin_writes(disks[i], guests, count);
  }
  for (i = 0; i < disk_count; i++) {
    do
      CHECK_OK(fb_disk_query(disks[i], &state));
    while (state.waiting_count < (uint32_t)count && !is_stopped(engine));
    CHECK(state.waiting_count == (uint32_t)count);
  }
  CHECK(!is_stopped(engine));
  for (i = 0; i < disk_count; i++) {
    CHECK_OK(fb_job_cancel(jobs[i]));
    for (k = 0; k < count; k++) {
      fb_completion grant = wait_one(guests);
      CHECK(grant.user_data == 5 && grant.status == FB_OK);
      CHECK_OK(fb_disk_write_end(disks[i]));
    }
    CHECK_IS(wait_one(control).status, FB_E_CANCELED);
    CHECK_OK(fb_job_close(jobs[i]));
    CHECK_OK(fb_disk_close(disks[i]));
    CHECK_OK(fb_device_close(from[i])); /* what it was asked for is never answered */
    CHECK_OK(fb_device_close(to[i]));
  }
  CHECK(!is_stopped(engine));
  CHECK_OK(fb_queue_close(guests));
  CHECK_OK(fb_queue_close(control));
  CHECK_OK(fb_engine_close(engine));
  for (i = 0; i < disk_count; i++)
    free(targets[i].bytes);
}

int main(void) {
  run(1, 5000);
  run(DISKS_MAX, 2000);
  CHECK(parked_count > 0);
  return 0;
}
