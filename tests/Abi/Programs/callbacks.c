/* Callbacks: each completion once, on the dispatching thread, never inside submit; release once; the log sink;
 * events. */
#include "check.h"
#include <pthread.h>

static fb_disk disk;
static fb_queue queue;
static pthread_t main_thread;
static int call_count, release_count, log_release_count, line_count, is_submitting, depth;
static int log_has_ended;
static uint64_t tags;

static void on_completion(void *context, const fb_completion *completion) {
  fb_completion unused;
  CHECK(context == &call_count && pthread_equal(pthread_self(), main_thread) && !is_submitting);
  CHECK(++depth == 1);
  CHECK_IS(completion->status, FB_OK);
  call_count++;
  tags += completion->user_data;
  /* May submit, but not poll, dispatch or close the same queue. */
  if (completion->user_data == 1) {
    is_submitting = 1;
    CHECK_IS(fb_disk_flush(disk, queue, 1000), FB_PENDING);
    is_submitting = 0;
  }
  CHECK_IS(fb_queue_poll(queue, &unused, sizeof unused, 1, 0, 0), FB_E_STATE);
  CHECK_IS(fb_queue_dispatch(queue, 1, 0, 0), FB_E_STATE);
  CHECK_IS(fb_queue_close(queue), FB_E_STATE);
  depth--;
}

static void on_release(void *context) {
  ++*(int *)context;
}

static void on_count_release(void *context) {
  CHECK(context == &call_count);
  release_count++;
}

static void on_line(void *context, uint32_t level, const char *text, uint32_t length) {
  CHECK(context == &log_release_count && level >= FB_LOG_ERROR && level <= FB_LOG_NOTICE);
  CHECK(strlen(text) == length && length > 0);
  log_has_ended += strstr(text, "has ended: FB_OK") != NULL;
  line_count++;
}

int main(void) {
  memory_disk data, copy;
  fb_engine engine = small_engine();
  fb_device device = memory_device(engine, &data, 4 * MIB), target = memory_device(engine, &copy, 4 * MIB);
  fb_callback callback = FB_INIT(fb_callback);
  fb_log_sink sink = FB_INIT(fb_log_sink);
  fb_job job;
  fb_event events[64];
  uint64_t sequence = 0;
  int32_t count, i, has_ended = 0;
  main_thread = pthread_self();
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  CHECK_IS(fb_queue_dispatch(queue, 1, 0, 0), FB_E_STATE); /* none is set */
  callback.context = &call_count;
  callback.release = on_count_release;
  CHECK_IS(fb_queue_set_callback(queue, &callback), FB_E_INVALID); /* refused, and released */
  CHECK(release_count == 1);
  callback.call = on_completion;
  CHECK_OK(fb_queue_set_callback(queue, &callback));
  sink.context = &log_release_count;
  sink.write = on_line;
  sink.release = on_release;
  CHECK_OK(fb_queue_set_log(queue, &sink));
  is_submitting = 1;
  for (i = 0; i < 8; i++)
    CHECK_IS(fb_disk_discard(disk, queue, 0, 4096, (uint64_t)i), FB_PENDING);
  is_submitting = 0;
  while (call_count < 9)
    CHECK(fb_queue_dispatch(queue, 16, 1, INT64_C(10000000000)) > 0);
  CHECK(tags == 28 + 1000);
  CHECK_OK(fb_backup_create(disk, target, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 0), FB_PENDING);
  CHECK(fb_queue_dispatch(queue, 1, 1, INT64_C(10000000000)) == 1);
  CHECK(fb_queue_dispatch(queue, 1, 0, 0) == 0); /* writes what is left of the log */
  CHECK(line_count > 2 && log_has_ended == 1);

  /* The same as typed events, twice from two places. */
  count = fb_engine_events(engine, &sequence, events, sizeof *events, 64);
  CHECK(count > 3);
  for (i = 0; i < count; i++) {
    CHECK(events[i].sequence == (uint64_t)i + 1 && events[i].job.id == job.id);
    has_ended += events[i].kind == FB_EVENT_JOB_ENDED && events[i].status == FB_OK;
  }
  CHECK(has_ended == 1 && sequence == (uint64_t)count);
  CHECK(fb_engine_events(engine, &sequence, events, sizeof *events, 64) == 0);
  sequence = 1;
  CHECK(fb_engine_events(engine, &sequence, events, sizeof *events, 1) == 1 && sequence == 2);

  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_queue_set_callback(queue, NULL));
  CHECK(release_count == 2);
  CHECK_OK(fb_queue_set_callback(queue, &callback));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_queue_close(queue));
  CHECK(release_count == 3 && log_release_count == 1);
  return 0;
}
