/* Export "snapshot": the disk as it was when the running job began, whatever guests write meanwhile. A connection
 * belongs to the job that ran when it was opened: when that ends its reads fail, they never show anything else.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#include <string.h>

#include "parts.h"

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
