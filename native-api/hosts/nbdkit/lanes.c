/* Worker threads of nbdkit come and go with their connections; opening a queue takes a turn of the engine. So a thread
 * takes a lane from a list when its first request comes, keeps it, and gives it back when it ends. There are as many
 * lanes as threads were alive at once, each with a buffer of 1 MiB: nbdkit's own buffers lie on no sector, and what is
 * not aligned goes through the page cache.
 */
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <nbdkit-plugin.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "parts.h"

#define DEPTH 4u
#define LOOK_NS INT64_C(500000000) /* a request that waits so long looks whether the server is about to end */
#define RETRY_NS 200000L

static pthread_key_t key;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lane *first;      /* all; guarded by lock */
static struct lane *first_free; /* guarded by lock */
static __thread struct lane *mine;

static void on_thread_end(void *lane) {
  struct lane *free_lane = lane;
  pthread_mutex_lock(&lock);
  free_lane->next_free = first_free;
  first_free = free_lane;
  pthread_mutex_unlock(&lock);
}

static struct lane *make(void) {
  struct lane *lane = calloc(1, sizeof *lane);
  if (lane == NULL) {
    nbdkit_error("no memory for a worker thread");
    return NULL;
  }
  lane->buffer = mmap(NULL, LANE_BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (lane->buffer == MAP_FAILED) {
    nbdkit_error("no memory for a worker thread's buffer: %m");
    free(lane);
    return NULL;
  }
  if (fb_queue_open(served.engine, DEPTH, &lane->queue) != FB_OK) {
    answer_refused("a worker thread's queue");
    munmap(lane->buffer, LANE_BUFFER_BYTES);
    free(lane);
    return NULL;
  }
  pthread_mutex_lock(&lock);
  lane->next = first;
  first = lane;
  pthread_mutex_unlock(&lock);
  return lane;
}

/* A write beyond RLIMIT_FSIZE is EFBIG for the guest, not the end of the server: for good, since what this thread of
 * nbdkit does from now on is this disk's I/O. */
static void block_file_size_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGXFSZ);
  (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

struct lane *lane_of_thread(void) {
  struct lane *lane;
  if (mine != NULL)
    return mine;
  block_file_size_signal();
  pthread_mutex_lock(&lock);
  lane = first_free;
  if (lane != NULL)
    first_free = lane->next_free;
  pthread_mutex_unlock(&lock);
  if (lane == NULL)
    lane = make();
  if (lane != NULL && pthread_setspecific(key, lane) != 0) {
    on_thread_end(lane);
    nbdkit_error("no memory for a worker thread");
    return NULL;
  }
  mine = lane;
  return lane;
}

int lanes_open(void) {
  errno = pthread_key_create(&key, on_thread_end);
  if (errno == 0)
    return 0;
  nbdkit_error("pthread_key_create: %m");
  return -1;
}

/* Every request has ended; a thread that has not ended yet does no more than give its lane back, which it must not
 * find freed: the key goes first. */
void lanes_close(void) {
  (void)pthread_key_delete(key);
  pthread_mutex_lock(&lock);
  while (first != NULL) {
    struct lane *lane = first;
    first = lane->next;
    if (fb_queue_close(lane->queue) == FB_OK) { /* else a request is still out, into this buffer */
      munmap(lane->buffer, LANE_BUFFER_BYTES);
      free(lane);
    }
  }
  first_free = NULL;
  pthread_mutex_unlock(&lock);
}

bool lane_must_retry(fb_status submitted) {
  struct timespec pause = {0, RETRY_NS};
  if (submitted != FB_E_QUEUE_FULL)
    return false;
  (void)nanosleep(&pause, NULL);
  return true;
}

int lane_finish(struct lane *lane, fb_status submitted, const char *what, uint64_t offset) {
  fb_completion done;
  return submitted == FB_OK ? 0 : lane_finish_with(lane, submitted, what, offset, &done);
}

int lane_finish_with(struct lane *lane, fb_status submitted, const char *what, uint64_t offset, fb_completion *done) {
  int32_t count = 0;
  if (submitted != FB_PENDING)
    return answer_refused(what);
  while ((count = fb_queue_poll(lane->queue, done, sizeof *done, 1, 1, LOOK_NS)) == 0)
    session_on_slow_request();
  if (count < 0) /* the buffer is still in use: no answer may be given that says otherwise */
    return answer_failed(what, count, 0, offset);
  if (done->status != FB_OK)
    return answer_failed(what, done->status, done->sys_errno, done->offset == UINT64_MAX ? offset : done->offset);
  return 0;
}
