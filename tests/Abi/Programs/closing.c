/* Parents refuse to close while children live or work is in flight; everything else goes on as before the refusal. */
#include "check.h"

int main(void) {
  memory_disk source, target;
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &source, 4 * MIB);
  fb_device to = memory_device(engine, &target, 4 * MIB);
  fb_disk disk = disk_on(engine, from);
  fb_queue queue;
  fb_job job;
  fb_completion ended;
  fb_disk second;
  fb_disk_options options = FB_INIT(fb_disk_options);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_IS(fb_engine_close(engine), FB_E_STATE);
  CHECK_IS(fb_device_close(from), FB_E_STATE);
  options.name = "second";
  options.name_length = 6;
  CHECK_IS(fb_disk_open(engine, from, &options, &second), FB_E_STATE);

  /* A write that was granted and has not ended. */
  CHECK_OK(fb_disk_write_begin(disk, queue, 0, 4096, 1));
  CHECK_IS(fb_disk_close(disk), FB_E_STATE);
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_IS(fb_disk_open(engine, to, &options, &second), FB_E_STATE);
  CHECK_IS(fb_device_close(to), FB_E_STATE);
  CHECK_IS(fb_disk_close(disk), FB_E_STATE);
  CHECK_IS(fb_job_start(job, queue, 5), FB_PENDING);
  CHECK_IS(fb_job_start(job, queue, 5), FB_E_STATE);
  CHECK_IS(fb_job_close(job), FB_E_STATE); /* it waits for the write */
  CHECK_IS(fb_queue_close(queue), FB_E_STATE);
  CHECK_OK(fb_disk_write_end(disk));
  ended = wait_one(queue);
  CHECK(ended.status == FB_OK && ended.user_data == 5 && ended.kind == FB_COMPLETION_JOB && ended.bytes == 4 * MIB);
  CHECK_OK(fb_job_close(job));

  /* A job that was never started, and one that was cancelled before. */
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(fb_job_start(job, queue, 6), FB_E_STATE);
  CHECK_OK(fb_job_close(job));

  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK(source.release_count == 1 && target.release_count == 1);
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
