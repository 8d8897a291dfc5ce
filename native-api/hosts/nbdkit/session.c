/* The job that the plugin starts itself (backup= or fleece=), and the thread that looks after it. The thread sleeps in
 * the control queue and wakes for three things: the job has ended, nbdkit is about to end, or a request has waited for
 * long. The last matters because nbdkit ends only when every request has: one that waits for a copy onto a target
 * which does not answer would hold the server for half a minute. Then, and only then, the job is given up.
 */
#define NBDKIT_API_VERSION 2
#include <inttypes.h>
#include <nbdkit-plugin.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "parts.h"

#define CONTROL_DEPTH 16u
#define END_LIMIT_S 5 /* a cancelled job ends within 0.1 s; the rest is for a machine that is busy */

#define START_LIMIT_S 5

enum phase { PHASE_NONE, PHASE_DELAYED, PHASE_STARTING, PHASE_RUNNING, PHASE_ENDED };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t phase_changed = PTHREAD_COND_INITIALIZER;
static enum phase phase; /* guarded by lock, as all below */
static fb_job job; /* this and the next two: the thread's own until the job runs */
static fb_device target;
static fb_device scratch;
static bool is_closing;
static int64_t start_ns; /* while delayed */

static bool is_slow; /* atomic: guests' threads set it, and shall wait for nothing here */

static fb_queue control; /* constant while the thread runs */
static pthread_t thread;
static bool has_thread;

static const char *job_path(void) { return parameters.backup != NULL ? parameters.backup : parameters.fleece; }

static int open_files(void) {
  if (parameters.scratch != NULL && unnamed_open(parameters.scratch, &scratch) != 0)
    return -1;
  return parameters.backup != NULL ? target_open(parameters.backup, &target) : unnamed_open(parameters.fleece, &target);
}

/* What there is of job, target and scratch; a target to which nothing was written goes away. */
static bool close_files(void) {
  if (fb_job_close(job) != FB_OK)
    return false; /* somebody reads the snapshot this moment */
  (void)fb_device_close(target);
  (void)fb_device_close(scratch);
  job.id = target.id = scratch.id = 0;
  return true;
}

static int create_and_start(void) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  options.sync = parameters.backup != NULL ? parameters.sync : FB_SYNC_NONE;
  options.flags = FB_BACKUP_LARGER_TARGET | (options.sync != FB_SYNC_TOP ? FB_BACKUP_SNAPSHOT : 0);
  options.speed = parameters.speed;
  options.guest_priority = parameters.guest_priority;
  options.scratch = scratch;
  if (fb_backup_create(served.disk, target, &options, &job) != FB_OK)
    return answer_refused(job_path());
  return fb_job_start(job, control, 0) < 0 ? answer_refused(job_path()) : 0;
}

/* Without the lock: a target's file system may not answer, and guests must not wait for that. */
static bool start(void) {
  if (open_files() == 0 && create_and_start() == 0)
    return true;
  (void)close_files();
  nbdkit_error("%s: the job could not begin, the disk is served without it", job_path());
  return false;
}

static void on_ended(const fb_completion *done) {
  /* Without the lock: the target's file system may be slow, and nobody else touches the target any more. */
  if (done->status == FB_OK && parameters.backup != NULL && target_publish(target, parameters.backup) == 0)
    nbdkit_debug("backup done: %s, %" PRIu64 " bytes", parameters.backup, done->bytes);
  pthread_mutex_lock(&lock);
  if (done->status != FB_OK && !is_closing)
    nbdkit_error("%s: the job has failed, the disk goes on: %s", job_path(), fb_status_name(done->status));
  (void)close_files(); /* or at the end */
  phase = PHASE_ENDED;
  pthread_cond_broadcast(&phase_changed);
  pthread_mutex_unlock(&lock);
}

/* nbdkit tells a thread that sleeps whether it is about to end; nothing else does. The server takes no commands any
 * more then, and jobs that came from the monitor end with it. */
static void give_up_if_server_ends(void) {
  fb_job given;
  if (nbdkit_nanosleep(0, 1) == 0)
    return;
  pthread_mutex_lock(&lock);
  is_closing = true;
  given = job;
  pthread_mutex_unlock(&lock);
  (void)fb_job_cancel(given);
  monitor_close();
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Under the lock: the thread begins the job when it is due. */
static void ask_for_start(void) {
  phase = PHASE_DELAYED;
  start_ns = now_ns() + parameters.delay_s * INT64_C(1000000000);
}

/* Under the lock. As long as is decent for a guest that waits for its disk: a target that has not answered by then gets
 * its backup later. The point in time lies behind when this returns, unless guests' writes are under way. */
static void wait_for_start(void) {
  struct timespec limit;
  int failed = 0;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += START_LIMIT_S;
  while (parameters.delay_s == 0 && (phase == PHASE_DELAYED || phase == PHASE_STARTING) && failed == 0)
    failed = pthread_cond_timedwait(&phase_changed, &lock, &limit);
}

static void begin_if_due(void) {
  bool is_due, has_started;
  pthread_mutex_lock(&lock);
  is_due = phase == PHASE_DELAYED && !is_closing && now_ns() >= start_ns;
  if (is_due)
    phase = PHASE_STARTING;
  pthread_mutex_unlock(&lock);
  if (!is_due)
    return;
  has_started = start();
  pthread_mutex_lock(&lock);
  /* There is no second try, and the disk goes on without a job; but a client that wants the snapshot may ask again. */
  phase = has_started ? PHASE_RUNNING : parameters.when == START_AT_SNAPSHOT ? PHASE_NONE : PHASE_ENDED;
  if (has_started && is_closing)
    (void)fb_job_cancel(job);
  pthread_cond_broadcast(&phase_changed);
  pthread_mutex_unlock(&lock);
}

static int64_t wait_ns(void) {
  int64_t left_ns = -1;
  pthread_mutex_lock(&lock);
  if (phase == PHASE_DELAYED && !is_closing)
    left_ns = start_ns - now_ns() > 0 ? start_ns - now_ns() : 0;
  pthread_mutex_unlock(&lock);
  return left_ns;
}

static void *run(void *unused) {
  fb_completion done;
  bool is_end = false, must_look = false;
  while (!is_end) {
    if (fb_queue_poll(control, &done, sizeof done, 1, 1, wait_ns()) == 1 && done.kind == FB_COMPLETION_JOB)
      on_ended(&done);
    begin_if_due();
    pthread_mutex_lock(&lock);
    is_end = is_closing && phase != PHASE_RUNNING;
    pthread_mutex_unlock(&lock);
    must_look = __atomic_exchange_n(&is_slow, false, __ATOMIC_RELAXED) && jobs_are_running();
    if (must_look)
      give_up_if_server_ends();
  }
  return unused;
}

static int add_bitmap(void) {
  fb_bitmap bitmap;
  fb_completion done;
  fb_status status = fb_disk_bitmap_add(served.disk, parameters.bitmap, (uint32_t)strlen(parameters.bitmap), 0, 0,
                                        control, 0, &bitmap);
  if (status < 0)
    return answer_refused(parameters.bitmap);
  while (fb_queue_poll(control, &done, sizeof done, 1, 1, -1) == 0)
    ;
  return done.status == FB_OK ? 0 : answer_failed(parameters.bitmap, done.status, done.sys_errno, 0);
}

static bool has_job(void) { return parameters.backup != NULL || parameters.fleece != NULL; }

static void begin_now_or_later(void) {
  pthread_mutex_lock(&lock);
  if (phase == PHASE_NONE && !is_closing)
    ask_for_start();
  (void)fb_queue_wake(control);
  wait_for_start();
  pthread_mutex_unlock(&lock);
}

int session_open(void) {
  int failed;
  if (fb_queue_open(served.engine, CONTROL_DEPTH, &control) != FB_OK)
    return answer_refused("control queue");
  if (jobs_watch(control) != 0 || answer_log(control) != 0)
    return -1;
  if (parameters.bitmap != NULL && add_bitmap() != 0)
    return -1;
  if (monitor_open() != 0)
    return -1;
  failed = pthread_create(&thread, NULL, run, NULL);
  if (failed != 0)
    nbdkit_error("cannot start a thread: %s", strerror(failed));
  has_thread = failed == 0;
  if (has_thread && has_job() && parameters.when == START_AT_START)
    begin_now_or_later();
  return has_thread ? 0 : -1;
}

bool session_waits_for_snapshot(void) {
  bool is_waiting;
  pthread_mutex_lock(&lock);
  is_waiting = has_job() && parameters.when == START_AT_SNAPSHOT && phase == PHASE_NONE && !is_closing;
  pthread_mutex_unlock(&lock);
  return is_waiting;
}

void session_on_open(bool is_snapshot) {
  if (has_job() && parameters.when == (is_snapshot ? START_AT_SNAPSHOT : START_AT_CONNECT))
    begin_now_or_later();
}

bool session_is_running(void) {
  bool is_running;
  pthread_mutex_lock(&lock);
  is_running = phase == PHASE_RUNNING;
  pthread_mutex_unlock(&lock);
  return is_running;
}

void session_on_slow_request(void) {
  __atomic_store_n(&is_slow, true, __ATOMIC_RELAXED);
  (void)fb_queue_wake(control);
}

/* Waits for the job's end as long as is decent. */
static void wait_for_end(void) {
  struct timespec limit;
  int failed = 0;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += END_LIMIT_S;
  while ((phase == PHASE_RUNNING || phase == PHASE_STARTING) && failed == 0)
    failed = pthread_cond_timedwait(&phase_changed, &lock, &limit);
}

void session_close(void) {
  bool has_ended;
  if (!has_thread)
    return;
  pthread_mutex_lock(&lock);
  is_closing = true;
  if (phase == PHASE_RUNNING)
    (void)fb_job_cancel(job);
  wait_for_end();
  has_ended = phase != PHASE_RUNNING && phase != PHASE_STARTING;
  pthread_mutex_unlock(&lock);
  monitor_close();
  (void)fb_queue_wake(control);
  if (!has_ended)
    return; /* the process ends with the thread in it */
  pthread_join(thread, NULL);
  (void)close_files();
  (void)fb_queue_close(control);
}
