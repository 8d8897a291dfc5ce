/* Who comes first is chosen when a job is made, and changed while it runs; the statistics say so, and what the job
 * holds. */
#include "check.h"

static memory_disk source, target;

static fb_statistics statistics_of(fb_job job) {
  fb_statistics statistics = FB_INIT(fb_statistics);
  CHECK_OK(fb_job_statistics(job, &statistics));
  return statistics;
}

int main(void) {
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &source, 16 * MIB), to = memory_device(engine, &target, 16 * MIB);
  fb_disk disk = disk_on(engine, from);
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_statistics statistics;
  fb_queue queue, guests;
  fb_job job;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(fb_queue_open(engine, 8, &guests));
  memset(source.bytes, 3, 16 * MIB);

  options.guest_priority = 3;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_INVALID);
  options.guest_priority = FB_GUEST_PRIORITY_STRICT;
  options.warm_ms = 10001;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_INVALID);
  options.warm_ms = FB_NO_WARM_UP;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK(statistics_of(job).guest_priority == FB_GUEST_PRIORITY_STRICT);
  CHECK_IS(fb_job_set_guest_priority(job, 3), FB_E_INVALID);
  CHECK_OK(fb_job_set_guest_priority(job, FB_GUEST_PRIORITY_BALANCED));
  CHECK_OK(fb_job_close(job));
  CHECK_IS(fb_job_set_guest_priority(job, FB_GUEST_PRIORITY_OFF), FB_E_HANDLE);

  /* A host of the first release says nothing of all this. */
  options.struct_size = 72;
  options.guest_priority = 77;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK(statistics_of(job).guest_priority == FB_GUEST_PRIORITY_BALANCED);
  CHECK_OK(fb_job_close(job));

  /* Copies for guests only, a waiting write each: counted, timed, in memory for a moment at least. */
  options = (fb_backup_options)FB_INIT(fb_backup_options);
  options.sync = FB_SYNC_NONE;
  options.capture_bytes_max = 4096;
  CHECK_IS(fb_backup_create(disk, to, &options, &job), FB_E_INVALID); /* below one cluster */
  options.capture_bytes_max = 2 * MIB;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  CHECK_OK(hooked_write(disk, guests, &source, 0, 4, 4096));
  CHECK_OK(hooked_write(disk, guests, &source, 8 * MIB, 4, 4096));
  statistics = statistics_of(job);
  CHECK(statistics.guest_waits.count == 2 && statistics.guest_waits.max_ns >= statistics.guest_waits.p50_ns / 2);
  CHECK(statistics.capture_limit_bytes == 2 * MIB);
  CHECK(statistics.capture_peak_bytes >= 65536 && statistics.capture_peak_bytes <= 2 * MIB);
  CHECK(statistics.scratch_limit_bytes == 0 && statistics.scratch_status == FB_OK && statistics.flags == 0);
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(wait_one(queue).status, FB_E_CANCELED);
  CHECK_OK(fb_job_close(job));

  /* What the host tells of its own requests counts like what passes the engine. */
  CHECK(statistics.quiet_guests.count == 0);
  CHECK_IS(fb_disk_report_request(disk, 0, 4096, 1000), FB_E_INVALID);
  CHECK_IS(fb_disk_report_request(disk, FB_REQUEST_FLUSH + 1, 4096, 1000), FB_E_INVALID);
  CHECK_OK(fb_disk_report_request(disk, FB_REQUEST_READ, 4096, 80000));
  CHECK_OK(fb_disk_report_request(disk, FB_REQUEST_WRITE, 1 * MIB, 900000));
  CHECK_OK(fb_disk_report_request(disk, FB_REQUEST_FLUSH, 0, 70000));

  /* Changed while it runs. */
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 2), FB_PENDING);
  CHECK_OK(fb_job_set_guest_priority(job, FB_GUEST_PRIORITY_OFF));
  CHECK_IS(wait_one(queue).status, FB_OK);
  statistics = statistics_of(job);
  CHECK(statistics.guest_priority == FB_GUEST_PRIORITY_OFF);
  CHECK(statistics.quiet_guests.count == 3 && statistics.quiet_guests.max_ns >= 800000);
  CHECK(memcmp(source.bytes, target.bytes, 16 * MIB) == 0);
  CHECK_OK(fb_job_close(job));
  CHECK_IS(fb_job_statistics(job, &statistics), FB_E_HANDLE);
  return 0;
}
