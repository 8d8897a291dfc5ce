/* A host's device that completes at once, late, on another thread, out of order, or with an error; calls on the
 * engine's thread or on the one that polls; every request completed once, a second completion refused. */
#include "check.h"
#include <pthread.h>
#include <unistd.h>

#define SLOTS 512

static memory_disk data;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t closing = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static fb_io_request parked[SLOTS];
static int parked_count, is_over, called_elsewhere;
static pthread_t polling_thread;
static fb_device device;
static int fail_after = -1;

static fb_status park(void *context, const fb_io_request *request) {
  (void)context;
  pthread_mutex_lock(&lock);
  CHECK(parked_count < SLOTS);
  called_elsewhere += !pthread_equal(pthread_self(), polling_thread);
  parked[parked_count++] = *request;
  pthread_cond_signal(&arrived);
  pthread_mutex_unlock(&lock);
  return FB_PENDING;
}

/* Ends requests on a thread of its own, the newest first. */
static void *finisher(void *argument) {
  (void)argument;
  for (;;) {
    fb_io_request request;
    fb_status status;
    pthread_mutex_lock(&lock);
    while (parked_count == 0 && !is_over)
      pthread_cond_wait(&arrived, &lock);
    if (parked_count == 0) {
      pthread_mutex_unlock(&lock);
      return NULL;
    }
    request = parked[--parked_count];
    status = fail_after == 0 ? FB_E_IO : FB_OK;
    if (fail_after > 0)
      fail_after--;
    pthread_mutex_unlock(&lock);
    if (status == FB_OK)
      CHECK(memory_submit(&data, &request) == FB_OK);
    pthread_mutex_lock(&closing); /* the first answer may be the job's last, and the device's end */
    CHECK_OK(fb_device_complete(device, request.token, status, status == FB_OK ? 0 : 5));
    CHECK_IS(fb_device_complete(device, request.token, FB_OK, 0), FB_E_STATE);
    CHECK_IS(fb_device_complete(device, request.token + (UINT64_C(100000) << 24), FB_OK, 0), FB_E_STATE);
    pthread_mutex_unlock(&closing);
  }
}

static void back_up(fb_engine engine, fb_queue calls, fb_status wanted) {
  memory_disk target;
  fb_device to = memory_device(engine, &target, 16 * MIB);
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_queue queue;
  fb_disk disk;
  fb_job job;
  fb_completion ended;
  fb_job_state state = FB_INIT(fb_job_state);
  pthread_t thread;
  ops.capacity_bytes = 16 * MIB;
  ops.request_align = 512;
  ops.in_flight_max = 16;
  ops.context = &data;
  ops.submit = park;
  ops.release = memory_release;
  ops.queue = calls;
  data.release_count = 0;
  CHECK_OK(fb_device_register(engine, &ops, &device));
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  disk = disk_on(engine, device);
  is_over = 0;
  called_elsewhere = 0;
  polling_thread = pthread_self();
  CHECK(pthread_create(&thread, NULL, finisher, NULL) == 0);
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  if (calls.id != 0)
    while (fb_queue_poll(queue, &ended, sizeof ended, 1, 0, 0) == 0)
      CHECK(fb_queue_poll(calls, NULL, sizeof ended, 0, 0, 0) == 0);
  else
    ended = wait_one(queue);
  CHECK_IS(ended.status, wanted);
  CHECK_OK(fb_job_query(job, &state));
  CHECK(state.status == wanted);
  if (wanted == FB_OK)
    CHECK(memcmp(data.bytes, target.bytes, 16 * MIB) == 0);
  else
    CHECK(state.sys_errno == 5 && (state.flags & FB_JOB_IS_SOURCE_FAULT) != 0);
  CHECK(calls.id == 0 || called_elsewhere == 0);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  pthread_mutex_lock(&closing);
  CHECK_OK(fb_device_close(device));
  pthread_mutex_unlock(&closing);
  CHECK(data.release_count == 1);
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(queue));
  pthread_mutex_lock(&lock);
  is_over = 1;
  pthread_cond_signal(&arrived);
  pthread_mutex_unlock(&lock);
  CHECK(pthread_join(thread, NULL) == 0);
  free(target.bytes);
}

int main(void) {
  fb_engine engine = small_engine();
  fb_queue none = {0}, calls;
  fb_device_ops bad = FB_INIT(fb_device_ops);
  fb_device refused;
  uint64_t i;
  data.bytes = (unsigned char *)malloc(16 * MIB);
  for (i = 0; i < 16 * MIB; i++)
    data.bytes[i] = (unsigned char)(i * 2654435761u >> 13);
  back_up(engine, none, FB_OK);
  CHECK_OK(fb_queue_open(engine, 1, &calls));
  back_up(engine, calls, FB_OK);
  fail_after = 3;
  back_up(engine, none, FB_E_IO);
  CHECK_OK(fb_queue_close(calls));

  /* A refused registration releases the context too. */
  data.release_count = 0;
  bad.capacity_bytes = 1000;
  bad.request_align = 512;
  bad.context = &data;
  bad.submit = park;
  bad.release = memory_release;
  CHECK_IS(fb_device_register(engine, &bad, &refused), FB_E_ALIGN);
  CHECK(data.release_count == 1);
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
