/* The short way to the live disk, hook mode: the worker thread itself reads, or asks leave and writes, on a descriptor
 * of the plugin's own. In device mode a request wakes the engine's thread and is woken by it; nbdkit has a thread per
 * request anyway, so while no job runs that buys nothing and costs a fifth of the guest's latency.
 *
 *   no job runs     whole pages go the short way, all else through the engine
 *   a job runs      everything goes through the engine: it then sees how guests fare, request by request, and steps
 *                   back for them; of hook mode it only learns the mean of writes
 *
 * Which way a request goes decides its speed, never what it does: both ways pass the disk's gate. Only one thing needs
 * care. A write through the page cache and a direct one into the same page do not get along, and the engine keeps only
 * its own apart; so what is not on whole pages goes through the engine alone, without the short way beside it.
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

static bool is_whole(uint32_t count, uint64_t offset) { return ((count | offset) & (PAGE_BYTES - 1)) == 0; }

enum way way_begin(uint32_t count, uint64_t offset, bool has_short) {
  if (!is_whole(count, offset)) {
    pthread_rwlock_wrlock(&short_way);
    return WAY_ENGINE_ALONE;
  }
  if (!has_short || jobs_are_running())
    return WAY_ENGINE;
  pthread_rwlock_rdlock(&short_way);
  return WAY_SHORT;
}

void way_end(enum way way) {
  if (way != WAY_ENGINE)
    pthread_rwlock_unlock(&short_way);
}

bool direct_read(struct lane *lane, uint32_t count, uint64_t offset) {
  return is_whole(count, offset) && !jobs_are_running() &&
         pread(served.file, lane->buffer, count, (off_t)offset) == (ssize_t)count;
}

enum direct_outcome direct_write(struct lane *lane, uint32_t count, uint64_t offset, bool is_fua) {
  struct iovec vector = {.iov_base = lane->buffer, .iov_len = count};
  ssize_t written;
  fb_status status;
  do
    status = fb_disk_write_begin(served.disk, lane->queue, offset, count, 0);
  while (lane_must_retry(status));
  if (status != FB_OK && lane_finish(lane, status, "write", offset) != 0)
    return DIRECT_REFUSED;
  written = pwritev2(served.file, &vector, 1, (off_t)offset, is_fua ? RWF_DSYNC : 0);
  (void)fb_disk_write_end(served.disk);
  return written == (ssize_t)count ? DIRECT_DONE : DIRECT_UNFINISHED;
}
