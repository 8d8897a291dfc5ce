/* The short way to the live disk, hook mode: the worker thread itself reads, or asks leave and writes, on a descriptor
 * of the plugin's own (an image has none). In device mode a request wakes the engine's thread and is woken by it;
 * nbdkit has a thread per request anyway, so while no job runs that buys nothing and costs a fifth of the guest's
 * latency.
 *
 *   no job runs     whole pages go the short way, all else through the engine
 *   a job runs      everything goes through the engine: it then sees how guests fare, request by request, and steps
 *                   back for them; of hook mode it only learns the mean of writes
 *
 * Which way a request goes decides its speed, never what it does: both ways pass the disk's gate. Only one thing needs
 * care. A write through the page cache and a direct one into the same page do not get along, and the engine keeps only
 * its own apart; so beside what is not on whole pages nothing takes the short way.
 *
 *   not on pages   counts itself, waits until the short way is empty, goes through the engine; many at once
 *   whole pages    looks at that count once it is on the short way; is there one, or one that waits: through the engine
 *
 * Nobody holds the lock while he waits for the engine: a copy may take as long as its target lets it, and what one
 * request waits the next must not wait on top.
 */
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <fcntl.h>
#include <nbdkit-plugin.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include "parts.h"

/* Held for writing: no write is on the short way. Whoever wants that goes first, or busy guests would keep it out. */
static pthread_rwlock_t short_way = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static uint32_t alone_count; /* requests of which the short way must know nothing; atomic */

static bool is_whole(uint32_t count, uint64_t offset) { return ((count | offset) & (PAGE_BYTES - 1)) == 0; }

enum way way_begin(uint32_t count, uint64_t offset, bool has_short) {
  if (!is_whole(count, offset)) {
    (void)__atomic_add_fetch(&alone_count, 1, __ATOMIC_SEQ_CST);
    pthread_rwlock_wrlock(&short_way); /* those that came before have left; those that come see the count */
    pthread_rwlock_unlock(&short_way);
    return WAY_ENGINE_ALONE;
  }
  if (!has_short || served.file < 0 || jobs_are_running() || pthread_rwlock_tryrdlock(&short_way) != 0)
    return WAY_ENGINE;
  if (__atomic_load_n(&alone_count, __ATOMIC_SEQ_CST) == 0)
    return WAY_SHORT;
  pthread_rwlock_unlock(&short_way);
  return WAY_ENGINE;
}

void way_end(enum way way) {
  if (way == WAY_ENGINE_ALONE)
    (void)__atomic_sub_fetch(&alone_count, 1, __ATOMIC_SEQ_CST);
}

bool direct_read(struct lane *lane, uint32_t count, uint64_t offset) {
  return served.file >= 0 && is_whole(count, offset) && !jobs_are_running() &&
         pread(served.file, lane->buffer, count, (off_t)offset) == (ssize_t)count;
}

/* A grant that was waited for is given back: by then a job runs, and the engine does the write. */
static enum direct_outcome wait_for_grant(struct lane *lane, fb_status status, uint64_t offset) {
  if (lane_finish(lane, status, "write", offset) != 0)
    return DIRECT_REFUSED;
  (void)fb_disk_write_end(served.disk);
  return DIRECT_UNFINISHED;
}

enum direct_outcome direct_write(struct lane *lane, uint32_t count, uint64_t offset, bool is_fua) {
  struct iovec vector = {.iov_base = lane->buffer, .iov_len = count};
  ssize_t written = -1;
  fb_status status = fb_disk_write_begin(served.disk, lane->queue, offset, count, 0);
  if (status == FB_OK) {
    written = pwritev2(served.file, &vector, 1, (off_t)offset, is_fua ? RWF_DSYNC : 0);
    (void)fb_disk_write_end(served.disk);
  }
  pthread_rwlock_unlock(&short_way);
  if (status == FB_OK)
    return written == (ssize_t)count ? DIRECT_DONE : DIRECT_UNFINISHED;
  return status == FB_E_QUEUE_FULL ? DIRECT_UNFINISHED : wait_for_grant(lane, status, offset);
}
