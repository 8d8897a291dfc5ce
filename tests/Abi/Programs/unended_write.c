/* A granted write that does not end: the point in time waits for it, later writes wait with it for half a second at a
 * time, reads pass; nothing is lost meanwhile, and its end sets everything free. */
#include "check.h"

static uint32_t state_of(fb_job job) {
  fb_job_state state = FB_INIT(fb_job_state);
  CHECK_OK(fb_job_query(job, &state));
  return state.state;
}

int main(void) {
  static unsigned char buffer[4096];
  memory_disk source, target;
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &source, 4 * MIB), to = memory_device(engine, &target, 4 * MIB);
  fb_disk disk = disk_on(engine, from);
  fb_disk_state state = FB_INIT(fb_disk_state);
  fb_queue guests, control;
  fb_completion done;
  fb_job job;
  int is_cancelled;
  CHECK_OK(fb_queue_open(engine, 8, &guests));
  CHECK_OK(fb_queue_open(engine, 8, &control));
  for (is_cancelled = 0; is_cancelled < 2; is_cancelled++) {
    CHECK_OK(fb_disk_write_begin(disk, guests, 0, 4096, 1)); /* under way from here on */
    CHECK_OK(fb_backup_create(disk, to, NULL, &job));
    CHECK_IS(fb_job_start(job, control, 2), FB_PENDING);
    CHECK(state_of(job) == FB_JOB_CREATED);
    CHECK_IS(fb_disk_write_begin(disk, guests, MIB, 4096, 3), FB_PENDING);
    CHECK_IS(fb_disk_read(disk, control, buffer, 0, sizeof buffer, 4), FB_PENDING);
    done = wait_one(control);
    CHECK(done.user_data == 4 && done.status == FB_OK);
    if (is_cancelled)
      CHECK_OK(fb_job_cancel(job)); /* it waits as well: it leaves the disk in a quiesced moment */
    CHECK(fb_queue_poll(guests, &done, sizeof done, 1, 1, 50000000) == 0);
    CHECK_OK(fb_disk_query(disk, &state));
    CHECK(state.writes_in_flight == 1 && state.waiting_count == 1);

    memset(source.bytes, 0x40 + is_cancelled, 4096); /* it lands late, and so before T0 */
    CHECK_OK(fb_disk_write_end(disk));
    done = wait_one(guests);
    CHECK(done.user_data == 3 && done.status == FB_OK);
    CHECK_OK(fb_disk_write_end(disk));
    CHECK_IS(wait_one(control).status, is_cancelled ? FB_E_CANCELED : FB_OK);
    CHECK(target.bytes[0] == 0x40); /* of the first job: the second has not begun */
    CHECK_OK(fb_job_close(job));
  }
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(guests));
  CHECK_OK(fb_queue_close(control));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
