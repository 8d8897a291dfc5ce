/* Jobs: verbs where they are allowed and where not, speed, pause, finalize, dismiss, cancel, find by id,
 * transactions. */
#include "check.h"

static fb_job make(fb_disk disk, fb_device target, const char *id, uint32_t flags, uint64_t speed) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_job job;
  options.flags = flags;
  options.speed = speed;
  options.id = id;
  options.id_length = (uint32_t)strlen(id);
  CHECK_OK(fb_backup_create(disk, target, &options, &job));
  return job;
}

static uint32_t state_of(fb_job job) {
  fb_job_state state = FB_INIT(fb_job_state);
  CHECK_OK(fb_job_query(job, &state));
  return state.state;
}

int main(void) {
  memory_disk source[2], target[2];
  fb_engine engine = small_engine();
  fb_device from[2], to[2];
  fb_disk disk[2];
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_backup_options wrong = FB_INIT(fb_backup_options);
  fb_queue queue;
  fb_job job, found, pair[2];
  uint64_t tags[2] = {100, 200};
  fb_completion ended, other;
  int i;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  for (i = 0; i < 2; i++) {
    from[i] = memory_device(engine, &source[i], 8 * MIB);
    memset(source[i].bytes, i + 1, 8 * MIB);
    to[i] = memory_device(engine, &target[i], 8 * MIB);
    options.name = i == 0 ? "first" : "other";
    options.name_length = 5;
    CHECK_OK(fb_disk_open(engine, from[i], &options, &disk[i]));
  }

  /* Refusals before anything happens. */
  CHECK_IS(fb_backup_create(disk[0], from[0], NULL, &job), FB_E_INVALID); /* onto itself */
  CHECK_IS(fb_backup_create(disk[0], from[1], NULL, &job), FB_E_STATE);   /* a guest's disk */
  wrong.sync = 5;
  CHECK_IS(fb_backup_create(disk[0], to[0], &wrong, &job), FB_E_INVALID);
  wrong.sync = FB_SYNC_INCREMENTAL; /* without a bitmap */
  CHECK_IS(fb_backup_create(disk[0], to[0], &wrong, &job), FB_E_INVALID);
  wrong.sync = FB_SYNC_FULL;
  wrong.flags = UINT32_C(1) << 20;
  CHECK_IS(fb_backup_create(disk[0], to[0], &wrong, &job), FB_E_UNSUPPORTED);
  wrong.flags = 0;
  wrong.cluster_bytes = 3000;
  CHECK_IS(fb_backup_create(disk[0], to[0], &wrong, &job), FB_E_INVALID);

  /* Slow, paused, resumed, let go. */
  job = make(disk[0], to[0], "slow", FB_BACKUP_MANUAL_FINALIZE | FB_BACKUP_MANUAL_DISMISS, 1024 * 1024);
  CHECK(state_of(job) == FB_JOB_CREATED);
  CHECK_IS(fb_backup_create(disk[0], to[1], NULL, &found), FB_OK); /* its id is the disk's name */
  CHECK_OK(fb_job_close(found));
  CHECK_OK(fb_job_find(engine, "slow", 4, &found));
  CHECK(found.id == job.id);
  CHECK_IS(fb_job_find(engine, "fast", 4, &found), FB_E_STATE);
  CHECK_IS(fb_job_finalize(job), FB_E_STATE);
  CHECK_IS(fb_job_dismiss(job), FB_E_STATE);
  CHECK_IS(fb_job_start(job, queue, 7), FB_PENDING);
  CHECK_OK(fb_job_pause(job));
  CHECK(state_of(job) == FB_JOB_PAUSED);
  CHECK_IS(fb_job_pause(job), FB_E_STATE);
  CHECK_IS(fb_job_set_speed(job, UINT64_MAX), FB_E_INVALID);
  CHECK_OK(fb_job_set_speed(job, 0));
  CHECK(fb_queue_poll(queue, &ended, sizeof ended, 1, 1, 20000000) == 0);
  CHECK_OK(fb_job_resume(job));
  CHECK_IS(fb_job_resume(job), FB_E_STATE);
  for (i = 0; i < 10000 && state_of(job) != FB_JOB_PENDING; i++)
    CHECK(fb_queue_poll(queue, &ended, sizeof ended, 1, 1, 1000000) == 0);
  CHECK_IS(fb_job_close(job), FB_E_STATE);
  CHECK_OK(fb_job_finalize(job));
  ended = wait_one(queue);
  CHECK(ended.status == FB_OK && ended.user_data == 7 && ended.bytes == 8 * MIB);
  CHECK(state_of(job) == FB_JOB_CONCLUDED);
  CHECK_OK(fb_job_dismiss(job));
  CHECK(state_of(job) == FB_JOB_NULL);
  CHECK_IS(fb_job_find(engine, "slow", 4, &found), FB_E_STATE);
  CHECK_OK(fb_job_close(job));
  CHECK(memcmp(source[0].bytes, target[0].bytes, 8 * MIB) == 0);

  /* Cancelled: the completion says so. */
  job = make(disk[0], to[0], "cancelled", 0, 4096);
  CHECK_IS(fb_job_start(job, queue, 8), FB_PENDING);
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(wait_one(queue).status, FB_E_CANCELED);
  CHECK_IS(fb_job_cancel(job), FB_E_STATE);
  CHECK_OK(fb_job_close(job));

  /* Two disks, one point in time. */
  pair[0] = make(disk[0], to[0], "a", 0, 0);
  pair[1] = make(disk[1], to[1], "b", 0, 0);
  CHECK_IS(fb_transaction_start(pair, tags, 0, 0, queue), FB_E_INVALID);
  CHECK_IS(fb_transaction_start(pair, tags, 2, 2, queue), FB_E_UNSUPPORTED);
  CHECK_IS(fb_transaction_start(pair, tags, 2, FB_TRANSACTION_SEQUENTIAL, queue), FB_PENDING);
  ended = wait_one(queue);
  other = wait_one(queue);
  CHECK(ended.status == FB_OK && other.status == FB_OK && ended.user_data + other.user_data == 300);
  CHECK(memcmp(source[1].bytes, target[1].bytes, 8 * MIB) == 0);
  CHECK_OK(fb_job_close(pair[0]));
  CHECK_OK(fb_job_close(pair[1]));

  /* One fails, both do. */
  pair[0] = make(disk[0], to[0], "a", 0, 4096);
  pair[1] = make(disk[1], to[1], "b", 0, 4096);
  CHECK_IS(fb_transaction_start(pair, tags, 2, 0, queue), FB_PENDING);
  CHECK_OK(fb_job_cancel(pair[1]));
  CHECK_IS(wait_one(queue).status, FB_E_CANCELED);
  CHECK_IS(wait_one(queue).status, FB_E_CANCELED);
  pair[1].id = pair[0].id;
  CHECK_IS(fb_transaction_start(pair, tags, 2, 0, queue), FB_E_INVALID);
  CHECK_OK(fb_job_close(pair[0]));
  return 0; /* the other job is open: leaving with it is fine */
}
