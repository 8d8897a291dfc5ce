/* Whether a job runs on the disk, whoever began it. The engine writes a line to the log of the control queue for each
 * event, on the thread that sleeps in it; there the events are read and the running jobs counted, so that a worker
 * thread asks by one load. For some microseconds the answer is that of before: see direct.c why that does no harm.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "parts.h"

#define EVENTS_AT_ONCE 32
#define JOBS_MAX 64u

static uint32_t running_count; /* read by all threads */

/* --- the thread of the control queue */
static uint64_t sequence;
static uint64_t running[JOBS_MAX]; /* ids; more than so many at once are not kept apart and count for ever */

static uint32_t place_of(uint64_t id) {
  uint32_t count = running_count, at = 0;
  while (at < count && running[at] != id)
    at++;
  return at;
}

static void note(const fb_event *event) {
  uint32_t at = place_of(event->job.id), count = running_count;
  bool has_ended = event->kind == FB_EVENT_JOB_ENDED;
  bool has_begun = event->kind == FB_EVENT_JOB_STATE && event->value == FB_JOB_RUNNING;
  if (has_begun && at == count && count < JOBS_MAX) {
    running[count] = event->job.id;
    __atomic_store_n(&running_count, count + 1, __ATOMIC_RELAXED);
  } else if (has_ended && at < count) {
    running[at] = running[count - 1];
    __atomic_store_n(&running_count, count - 1, __ATOMIC_RELAXED);
  }
}

void jobs_look(void) {
  fb_event events[EVENTS_AT_ONCE];
  int32_t count, i;
  while ((count = fb_engine_events(served.engine, &sequence, events, sizeof events[0], EVENTS_AT_ONCE)) > 0)
    for (i = 0; i < count; i++)
      note(&events[i]);
}

bool jobs_are_running(void) { return __atomic_load_n(&running_count, __ATOMIC_RELAXED) != 0; }

static void on_line(void *context, uint32_t level, const char *text, uint32_t length) {
  (void)context, (void)length;
  jobs_look();
  if (level == FB_LOG_ERROR)
    nbdkit_error("%s", text);
  else
    nbdkit_debug("%s", text);
}

int jobs_watch(fb_queue control) {
  fb_log_sink sink = FB_INIT(fb_log_sink);
  sink.write = on_line;
  return fb_queue_set_log(control, &sink) == FB_OK ? 0 : answer_refused("log");
}
