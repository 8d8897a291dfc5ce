/* Export "disk": what guests read and write, in device mode: the engine carries every request out behind the disk's
 * gate, so that a job may begin and end at any time. Data goes through the lane's aligned buffer, in parts of its
 * size: the copy costs 0.1 us for 4 KiB, a detour through the page cache very much more.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#include <string.h>

#include "parts.h"

static uint32_t part_of(uint32_t count) { return count < LANE_BUFFER_BYTES ? count : LANE_BUFFER_BYTES; }

int live_read(void *buffer, uint32_t count, uint64_t offset) {
  struct lane *lane = lane_of_thread();
  uint8_t *to = buffer;
  if (lane == NULL)
    return -1;
  while (count > 0) {
    uint32_t part = part_of(count);
    fb_status status;
    do
      status = fb_disk_read(served.disk, lane->queue, lane->buffer, offset, part, 0);
    while (lane_must_retry(status));
    if (lane_finish(lane, status, "read", offset) != 0)
      return -1;
    memcpy(to, lane->buffer, part);
    to += part, offset += part, count -= part;
  }
  return 0;
}

int live_write(const void *buffer, uint32_t count, uint64_t offset, bool is_fua) {
  struct lane *lane = lane_of_thread();
  const uint8_t *from = buffer;
  if (lane == NULL)
    return -1;
  while (count > 0) {
    uint32_t part = part_of(count);
    fb_status status;
    memcpy(lane->buffer, from, part);
    do
      status = fb_disk_write(served.disk, lane->queue, lane->buffer, offset, part, is_fua ? FB_IO_FUA : 0, 0);
    while (lane_must_retry(status));
    if (lane_finish(lane, status, "write", offset) != 0)
      return -1;
    from += part, offset += part, count -= part;
  }
  return 0;
}

int live_zero(uint32_t count, uint64_t offset, bool is_fua, bool may_trim) {
  struct lane *lane = lane_of_thread();
  uint32_t flags = (is_fua ? FB_IO_FUA : 0) | (may_trim ? FB_IO_MAY_UNMAP : 0);
  fb_status status;
  if (lane == NULL)
    return -1;
  do
    status = fb_disk_write_zeroes(served.disk, lane->queue, offset, count, flags, 0);
  while (lane_must_retry(status));
  return lane_finish(lane, status, "zero", offset);
}

int live_flush(void) {
  struct lane *lane = lane_of_thread();
  fb_status status;
  if (lane == NULL)
    return -1;
  do
    status = fb_disk_flush(served.disk, lane->queue, 0);
  while (lane_must_retry(status));
  return lane_finish(lane, status, "flush", 0);
}

int live_trim(uint32_t count, uint64_t offset, bool is_fua) {
  struct lane *lane = lane_of_thread();
  fb_status status;
  if (lane == NULL)
    return -1;
  do
    status = fb_disk_discard(served.disk, lane->queue, offset, count, 0);
  while (lane_must_retry(status));
  if (lane_finish(lane, status, "trim", offset) != 0)
    return -1;
  return is_fua ? live_flush() : 0;
}
