/* Events are told by fb_queue_set_events: each once and in order, on the thread that polls, the end of a job before its
 * completion; what may be called inside; release once; also of jobs that a monitor's client makes. */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LONG_NS INT64_C(10000000000)

/* What a sink has seen. */
typedef struct told {
  pthread_t thread; /* that polls */
  fb_queue queue;
  uint64_t last_sequence;
  fb_job job; /* of the newest event */
  int count, ended_count, of_monitor_count, release_count;
  int depth;
} told;

static fb_engine engine;

static void on_event(void *context, const fb_event *event) {
  told *seen = (told *)context;
  fb_event_sink none = FB_INIT(fb_event_sink);
  fb_completion unused;
  fb_job_state state = FB_INIT(fb_job_state);
  fb_status status;
  CHECK(pthread_equal(pthread_self(), seen->thread) && ++seen->depth == 1);
  CHECK(seen->last_sequence == 0 || event->sequence == seen->last_sequence + 1);
  seen->last_sequence = event->sequence;
  seen->job = event->job;
  seen->count++;
  seen->ended_count += event->kind == FB_EVENT_JOB_ENDED;
  seen->of_monitor_count += (event->flags & FB_EVENT_IS_OF_MONITOR) != 0;
  /* Not with the same queue; all else may be called. */
  CHECK_IS(fb_queue_poll(seen->queue, &unused, sizeof unused, 1, 0, 0), FB_E_STATE);
  CHECK_IS(fb_queue_dispatch(seen->queue, 1, 0, 0), FB_E_STATE);
  CHECK_IS(fb_queue_set_events(seen->queue, NULL), FB_E_STATE);
  none.tell = on_event;
  CHECK_IS(fb_queue_set_events(seen->queue, &none), FB_E_STATE);
  CHECK_IS(fb_queue_close(seen->queue), FB_E_STATE);
  status = fb_job_query(event->job, &state);
  CHECK(status == FB_OK || status == FB_E_HANDLE); /* closed by now */
  if (event->kind == FB_EVENT_JOB_ENDED)
    CHECK_OK(fb_queue_wake(seen->queue));
  seen->depth--;
}

static void on_release(void *context) {
  ((told *)context)->release_count++;
}

static void listen_with(told *seen, fb_queue queue) {
  fb_event_sink sink = FB_INIT(fb_event_sink);
  memset(seen, 0, sizeof *seen);
  seen->thread = pthread_self();
  seen->queue = queue;
  sink.context = seen;
  sink.tell = on_event;
  sink.release = on_release;
  CHECK_OK(fb_queue_set_events(queue, &sink));
}

static void refusals(fb_queue queue) {
  fb_event_sink sink = FB_INIT(fb_event_sink);
  told seen;
  memset(&seen, 0, sizeof seen);
  sink.context = &seen;
  sink.release = on_release;
  CHECK_IS(fb_queue_set_events(queue, &sink), FB_E_INVALID); /* tell is NULL */
  sink.tell = on_event;
  sink.flags = 1;
  CHECK_IS(fb_queue_set_events(queue, &sink), FB_E_UNSUPPORTED);
  sink.flags = 0;
  CHECK_IS(fb_queue_set_events((fb_queue){7}, &sink), FB_E_HANDLE);
  CHECK(seen.release_count == 3);
  sink.struct_size = 8;
  CHECK_IS(fb_queue_set_events(queue, &sink), FB_E_INVALID);
  CHECK(seen.release_count == 3); /* not this struct: nothing of it is known */
}

/* The completion and the end come in one call, the end first: a callback that counts both. */
static int ended_at_completion;

static void on_completion(void *context, const fb_completion *completion) {
  CHECK_IS(completion->status, FB_OK);
  ended_at_completion = ((told *)context)->ended_count;
}

static fb_job start_job(fb_disk disk, fb_device target, fb_queue queue) {
  fb_job job;
  CHECK_OK(fb_backup_create(disk, target, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 5), FB_PENDING);
  return job;
}

/* An event may end a wait early, since the sink asks for that. */
static void dispatch_one(fb_queue queue) {
  while (fb_queue_dispatch(queue, 1, 1, LONG_NS) != 1)
    ;
}

/* Told what there is, and no completion. */
static void look(fb_queue queue) {
  CHECK(fb_queue_poll(queue, NULL, sizeof(fb_completion), 0, 0, 0) == 0);
}

static void host_jobs(fb_disk disk, fb_device target) {
  fb_queue first, second;
  told one, two;
  fb_job job;
  fb_callback callback = FB_INIT(fb_callback);
  fb_completion done;
  struct pollfd watch;
  CHECK_OK(fb_queue_open(engine, 16, &first));
  CHECK_OK(fb_queue_open(engine, 16, &second));
  refusals(first);
  listen_with(&one, first);
  listen_with(&two, second);
  watch.events = POLLIN;
  CHECK_OK(fb_queue_event_fd(second, &watch.fd));

  /* By the poll that hands out the completion; the other queue is told all of it, too, and its descriptor says so. */
  job = start_job(disk, target, first);
  while (fb_queue_poll(first, &done, sizeof done, 1, 1, LONG_NS) != 1)
    ;
  CHECK(done.user_data == 5);
  CHECK(one.count > 2 && one.ended_count == 1 && one.job.id == job.id && one.of_monitor_count == 0);
  CHECK(poll(&watch, 1, 10000) == 1);
  CHECK(two.count == 0);
  CHECK_OK(fb_job_close(job)); /* nothing happens to it any more */
  look(first);
  look(second);
  CHECK(two.count == one.count && two.last_sequence == one.last_sequence && two.ended_count == 1);

  /* By a dispatch, in front of the callback. */
  callback.context = &one;
  callback.call = on_completion;
  CHECK_OK(fb_queue_set_callback(first, &callback));
  job = start_job(disk, target, first);
  dispatch_one(first);
  CHECK(one.ended_count == 2 && ended_at_completion == 2);
  CHECK_OK(fb_job_close(job));

  /* Replaced: released once, and the new one hears only of what comes. */
  two.count = 0;
  listen_with(&two, first);
  CHECK(one.release_count == 1 && two.count == 0);
  CHECK_OK(fb_queue_set_events(first, NULL));
  CHECK(two.release_count == 1);
  job = start_job(disk, target, first);
  dispatch_one(first);
  CHECK(one.ended_count == 2 && two.count == 0);
  CHECK_OK(fb_job_close(job));

  /* Closed: released. */
  listen_with(&one, first);
  CHECK_OK(fb_queue_close(first));
  CHECK(one.release_count == 1);
  CHECK_OK(fb_queue_close(second));
}

/* A thread that does nothing but listen: it sleeps in one call, which tells all and goes on waiting, until the sink
 * wakes it at the end. */
static void *listen_until_ended(void *context) {
  told *seen = (told *)context;
  fb_completion unused;
  seen->thread = pthread_self();
  CHECK(fb_queue_poll(seen->queue, &unused, sizeof unused, 1, 1, -1) == 0);
  return NULL;
}

static void jobs_of_a_monitor(void) {
  char path[64], target[64], lines[512];
  fb_monitor_options options = FB_INIT(fb_monitor_options);
  struct sockaddr_un address;
  fb_monitor monitor;
  fb_queue queue;
  told seen;
  pthread_t thread;
  FILE *file;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sprintf(path, "/tmp/fb-events-%ld.sock", (long)getpid());
  sprintf(target, "/tmp/fb-events-%ld.img", (long)getpid());
  file = fopen(target, "w");
  CHECK(file != NULL && ftruncate(fileno(file), (off_t)(4 * MIB)) == 0 && fclose(file) == 0);
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  CHECK_OK(fb_monitor_open(engine, &options, &monitor));
  CHECK_OK(fb_queue_open(engine, 1, &queue));
  listen_with(&seen, queue);
  CHECK(pthread_create(&thread, NULL, listen_until_ended, &seen) == 0);
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path);
  CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  sprintf(lines,
          "{'execute':'qmp_capabilities'}{'execute':'blockdev-add','arguments':{'driver':'file','node-name':'t',"
          "'filename':'%s'}}{'execute':'blockdev-backup','arguments':{'device':'disk','target':'t','sync':'full'}}",
          target);
  CHECK(write(fd, lines, strlen(lines)) == (ssize_t)strlen(lines));
  CHECK(pthread_join(thread, NULL) == 0);
  seen.thread = pthread_self();
  CHECK(seen.count > 2 && seen.of_monitor_count == seen.count && seen.ended_count == 1);
  close(fd);
  CHECK_OK(fb_monitor_close(monitor));
  CHECK_OK(fb_queue_close(queue));
  CHECK(seen.release_count == 1 && unlink(target) == 0);
}

int main(void) {
  memory_disk data, copy;
  fb_device device, target;
  fb_disk disk;
  engine = small_engine();
  device = memory_device(engine, &data, 4 * MIB);
  target = memory_device(engine, &copy, 4 * MIB);
  disk = disk_on(engine, device);
  host_jobs(disk, target);
  jobs_of_a_monitor();
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(target));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
