/* More jobs on one disk than can watch it, made while there was room and started one by one: what is too much fails by
 * itself, the others and the guest go on. */
#include "check.h"

#define WATCHED_MAX 64

int main(void) {
  static memory_disk source, targets[WATCHED_MAX + 1];
  static fb_device to[WATCHED_MAX + 1];
  static fb_job jobs[WATCHED_MAX + 1];
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &source, MIB);
  fb_disk disk = disk_on(engine, from);
  fb_engine_state state = FB_INIT(fb_engine_state);
  fb_completion done;
  fb_queue queue, guest;
  int i;
  CHECK_OK(fb_queue_open(engine, 128, &queue));
  CHECK_OK(fb_queue_open(engine, 8, &guest));
  for (i = 0; i <= WATCHED_MAX; i++) {
    fb_backup_options options = FB_INIT(fb_backup_options);
    char id[16];
    options.sync = FB_SYNC_NONE;
    options.id = id;
    options.id_length = (uint32_t)sprintf(id, "job-%d", i);
    to[i] = memory_device(engine, &targets[i], MIB);
    CHECK_OK(fb_backup_create(disk, to[i], &options, &jobs[i]));
  }
  for (i = 0; i <= WATCHED_MAX; i++)
    CHECK_IS(fb_job_start(jobs[i], queue, (uint64_t)i), FB_PENDING);
  done = wait_one(queue);
  CHECK(done.user_data == WATCHED_MAX && done.status == FB_E_QUEUE_FULL);
  CHECK_OK(fb_engine_query(engine, &state));
  CHECK((state.flags & FB_ENGINE_IS_STOPPED) == 0);
  CHECK_OK(hooked_write(disk, guest, &source, 0, 7, 4096));
  for (i = 0; i < WATCHED_MAX; i++)
    CHECK_OK(fb_job_cancel(jobs[i]));
  for (i = 0; i < WATCHED_MAX; i++)
    CHECK(wait_one(queue).status == FB_E_CANCELED);
  for (i = 0; i <= WATCHED_MAX; i++) {
    CHECK_OK(fb_job_close(jobs[i]));
    CHECK_OK(fb_device_close(to[i]));
    free(targets[i].bytes);
  }
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_queue_close(guest));
  CHECK_OK(fb_engine_close(engine));
  free(source.bytes);
  return 0;
}
