/* Export "snapshot": the disk as it was when the running job began, whatever guests write meanwhile. A connection
 * belongs to the job that ran when it was opened: when that ends its reads fail, they never show anything else.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#include <string.h>
#include <time.h>

#include "parts.h"

#define EXTENTS_AT_ONCE 4096u /* of 24 bytes, in a lane's buffer */
#define LOOK_NS 1000000L
#define LOOKS_MAX 5000

bool snapshot_find(fb_job *job) {
  const struct timespec pause = {0, LOOK_NS};
  int looks = 0;
  while (fb_disk_snapshot(served.disk, job) != FB_OK) {
    if (!session_is_running() || looks++ == LOOKS_MAX) /* guests' writes that were under way hold its instant up */
      return false;
    (void)nanosleep(&pause, NULL);
  }
  return true;
}

int snapshot_read(fb_job job, void *buffer, uint32_t count, uint64_t offset) {
  struct lane *lane = lane_of_thread();
  uint8_t *to = buffer;
  if (lane == NULL)
    return -1;
  while (count > 0) {
    uint32_t part = count < LANE_BUFFER_BYTES ? count : LANE_BUFFER_BYTES;
    fb_status status;
    do
      status = fb_snapshot_read(job, lane->queue, lane->buffer, offset, part, 0);
    while (lane_must_retry(status));
    if (lane_finish(lane, status, "snapshot", offset) != 0)
      return -1;
    memcpy(to, lane->buffer, part);
    to += part, offset += part, count -= part;
  }
  return 0;
}

/* One answer's extents. The bytes that they cover, or 0 after a message. */
static uint64_t ask(struct lane *lane, fb_job job, uint32_t count, uint64_t offset) {
  fb_status status;
  fb_completion done;
  do
    status = fb_snapshot_extents(job, lane->queue, offset, count, (fb_snapshot_extent *)lane->buffer, EXTENTS_AT_ONCE,
                                 0);
  while (lane_must_retry(status));
  return lane_finish_with(lane, status, "snapshot's extents", offset, &done) == 0 ? done.bytes : 0;
}

int snapshot_extents(fb_job job, uint32_t count, uint64_t offset, bool is_one, struct nbdkit_extents *extents) {
  struct lane *lane = lane_of_thread();
  uint64_t end = offset + count;
  if (lane == NULL)
    return -1;
  while (offset < end) {
    const fb_snapshot_extent *one = (const fb_snapshot_extent *)lane->buffer;
    uint64_t answered = offset + ask(lane, job, (uint32_t)(end - offset), offset);
    if (answered == offset)
      return -1;
    for (; offset < answered; offset += one->length, one++) {
      uint32_t type = (one->flags & FB_SNAPSHOT_EXTENT_ZERO) != 0 ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;
      if (nbdkit_add_extent(extents, one->offset, one->length, type) != 0)
        return -1;
      if (is_one)
        return 0;
    }
  }
  return 0;
}
