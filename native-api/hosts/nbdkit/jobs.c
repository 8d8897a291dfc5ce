/* Whether a job runs on the disk, whoever began it. The thread that sleeps in the control queue is told of each event
 * there and counts the running jobs, so that a worker thread asks by one load. For some microseconds the answer is that
 * of before: see direct.c why that does no harm.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "parts.h"

#define JOBS_MAX 64u

static uint32_t running_count; /* read by all threads */

/* --- the thread of the control queue */
static uint64_t running[JOBS_MAX]; /* ids; more than so many at once are not kept apart and count for ever */

static uint32_t place_of(uint64_t id) {
  uint32_t count = running_count, at = 0;
  while (at < count && running[at] != id)
    at++;
  return at;
}

static void on_event(void *context, const fb_event *event) {
  uint32_t at = place_of(event->job.id), count = running_count;
  bool has_ended = event->kind == FB_EVENT_JOB_ENDED;
  bool has_begun = event->kind == FB_EVENT_JOB_STATE && event->value == FB_JOB_RUNNING;
  (void)context;
  if (has_begun && at == count && count < JOBS_MAX) {
    running[count] = event->job.id;
    __atomic_store_n(&running_count, count + 1, __ATOMIC_RELAXED);
  } else if (has_ended && at < count) {
    running[at] = running[count - 1];
    __atomic_store_n(&running_count, count - 1, __ATOMIC_RELAXED);
  }
}

bool jobs_are_running(void) { return __atomic_load_n(&running_count, __ATOMIC_RELAXED) != 0; }

int jobs_watch(fb_queue control) {
  fb_event_sink sink = FB_INIT(fb_event_sink);
  sink.tell = on_event;
  return fb_queue_set_events(control, &sink) == FB_OK ? 0 : answer_refused("events");
}
