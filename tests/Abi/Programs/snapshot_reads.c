/* A job with sync none and a snapshot: while guests overwrite the disk it reads as it was at the start of the job. */
#include "check.h"

int main(void) {
  memory_disk source, target;
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &source, 8 * MIB);
  fb_device to = memory_device(engine, &target, 8 * MIB);
  fb_disk disk = disk_on(engine, from);
  fb_queue queue, reads;
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_job job;
  fb_completion done;
  static unsigned char buffer[MIB];
  uint64_t i, k;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(fb_queue_open(engine, 600, &reads));
  memset(source.bytes, 0x11, 8 * MIB);
  options.sync = FB_SYNC_NONE;
  options.flags = FB_BACKUP_SNAPSHOT;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_snapshot_read(job, reads, buffer, 0, 512, 0), FB_E_STATE); /* of which instant? */
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  for (i = 0; i < 64; i++) {
    CHECK_OK(hooked_write(disk, reads, &source, i * 131072 + 512, 0x22, 70000 - 512));
    CHECK_IS(fb_snapshot_read(job, reads, buffer, i * 131072, 131072, i), FB_PENDING);
    done = wait_one(reads);
    CHECK(done.status == FB_OK && done.kind == FB_COMPLETION_SNAPSHOT_IO && done.bytes == 131072);
    for (k = 0; k < 131072; k++)
      CHECK(buffer[k] == 0x11);
  }
  CHECK(source.bytes[600] == 0x22);
  /* More at once than the snapshot takes at once. */
  for (i = 0; i < 600; i++)
    CHECK_IS(fb_snapshot_read(job, reads, buffer + i * 512, i * 8192, 512, i), FB_PENDING);
  CHECK_IS(fb_snapshot_read(job, reads, buffer, 0, 512, i), FB_E_QUEUE_FULL);
  for (i = 0; i < 600; i++)
    CHECK_IS(wait_one(reads).status, FB_OK);
  for (i = 0; i < 600 * 512; i++)
    CHECK(buffer[i] == 0x11);
  CHECK_IS(fb_snapshot_read(job, reads, buffer, 8 * MIB, 1, 0), FB_E_RANGE);
  CHECK_IS(fb_snapshot_read(job, reads, NULL, 0, 1, 0), FB_E_INVALID);
  /* What is given up cannot be read any more. */
  CHECK_IS(fb_snapshot_discard(job, reads, 0, MIB, 1), FB_PENDING);
  CHECK_IS(wait_one(reads).status, FB_OK);
  CHECK_IS(fb_snapshot_read(job, reads, buffer, 4096, 512, 2), FB_PENDING);
  CHECK_IS(wait_one(reads).status, FB_E_INVALID);
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(wait_one(queue).status, FB_E_CANCELED);
  CHECK_IS(fb_snapshot_read(job, reads, buffer, 2 * MIB, 512, 3), FB_PENDING);
  CHECK_IS(wait_one(reads).status, FB_E_SNAPSHOT_LOST);
  CHECK_OK(fb_job_close(job));
  options.flags = 0;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_snapshot_read(job, reads, buffer, 0, 512, 0), FB_E_STATE);
  CHECK_OK(fb_job_close(job));
  return 0;
}
