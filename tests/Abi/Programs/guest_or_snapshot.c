/* When old data cannot be saved, either the guest's write fails or the snapshot is lost, as the job was told;
 * never both, and never silently. A granted write is ended, a refused one is not. */
#include "check.h"

static memory_disk source, target;
static volatile int is_failing;

static fb_status failing_submit(void *context, const fb_io_request *request) {
  return is_failing && request->operation == FB_IO_WRITE ? FB_E_IO : memory_submit(context, request);
}

/* The target of a job that copies only what guests overwrite fails; returns what the guest's write got. */
static fb_status write_over_failure(uint32_t policy, fb_status *job_status, fb_status *read_status) {
  static unsigned char buffer[4096];
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &source, 4 * MIB), to;
  fb_disk disk = disk_on(engine, from);
  fb_queue jobs, queue;
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_disk_state state = FB_INIT(fb_disk_state);
  fb_job_state job_state = FB_INIT(fb_job_state);
  fb_job job;
  fb_status written;
  ops.capacity_bytes = 4 * MIB;
  ops.context = &target;
  ops.submit = failing_submit;
  target.bytes = (unsigned char *)calloc(1, 4 * MIB);
  memset(source.bytes, 7, 4 * MIB);
  CHECK_OK(fb_device_register(engine, &ops, &to));
  CHECK_OK(fb_queue_open(engine, 8, &jobs));
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  options.sync = FB_SYNC_NONE;
  options.flags = FB_BACKUP_SNAPSHOT;
  options.on_cbw_error = policy;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, jobs, 1), FB_PENDING);
  CHECK_OK(hooked_write(disk, queue, &source, 0, 8, 4096)); /* saved, as it should be */
  is_failing = 1;
  written = hooked_write(disk, queue, &source, MIB, 9, 65536); /* a whole cluster: it goes to the target at once */
  if (policy == FB_ON_CBW_ERROR_BREAK_SNAPSHOT)
    *job_status = wait_one(jobs).status; /* the guest went on at once; the old data met the target later */
  is_failing = 0;
  CHECK_OK(fb_disk_query(disk, &state));
  CHECK(state.writes_in_flight == 0 && state.waiting_count == 0);
  CHECK_IS(fb_snapshot_read(job, queue, buffer, MIB, sizeof buffer, 2), FB_PENDING);
  *read_status = wait_one(queue).status;
  CHECK(*read_status != FB_OK || buffer[0] == 7);
  if (policy == FB_ON_CBW_ERROR_BREAK_GUEST_WRITE) {
    CHECK_OK(fb_job_cancel(job));
    *job_status = wait_one(jobs).status;
  }
  CHECK_OK(fb_job_query(job, &job_state));
  CHECK(job_state.status == *job_status);
  CHECK(*job_status == FB_E_CANCELED || job_state.sys_errno == 5);
  CHECK_OK(hooked_write(disk, queue, &source, 2 * MIB, 9, 4096)); /* guests go on in any case */
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(jobs));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  free(target.bytes);
  return written;
}

int main(void) {
  fb_status job, read;
  CHECK_IS(write_over_failure(FB_ON_CBW_ERROR_BREAK_GUEST_WRITE, &job, &read), FB_E_IO);
  CHECK(job == FB_E_CANCELED && read == FB_OK && source.bytes[MIB] == 7);
  CHECK_IS(write_over_failure(FB_ON_CBW_ERROR_BREAK_SNAPSHOT, &job, &read), FB_OK);
  CHECK(source.bytes[MIB] == 9);
  CHECK(job == FB_E_IO && read == FB_E_SNAPSHOT_LOST);
  return 0;
}
