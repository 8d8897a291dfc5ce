/* Export "disk": what guests read and write, in parts of the lane's buffer. Direct I/O wants aligned memory, which
 * nbdkit's is not: the copy costs 0.1 us for 4 KiB. Most requests go the short way of direct.c; this file is the way
 * through the engine, and what happens when the short one does not get to its end: the engine does the part again, and
 * has the words for what is wrong.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"

#define CHANGE_BYTES_MAX (64u << 20) /* of one zero or trim: a job that runs copies what lies under it first */

static uint32_t smaller(uint32_t count, uint32_t limit) { return count < limit ? count : limit; }

static int read_part(struct lane *lane, uint32_t count, uint64_t offset) {
  fb_status status;
  do
    status = fb_disk_read(served.disk, lane->queue, lane->buffer, offset, count, 0);
  while (lane_must_retry(status));
  return lane_finish(lane, status, "read", offset);
}

int live_read(void *buffer, uint32_t count, uint64_t offset) {
  struct lane *lane = lane_of_thread();
  uint8_t *to = buffer;
  int answer = lane == NULL ? -1 : 0;
  while (answer == 0 && count > 0) {
    uint32_t part = smaller(count, LANE_BUFFER_BYTES);
    if (!direct_read(lane, part, offset))
      answer = read_part(lane, part, offset);
    if (answer == 0)
      memcpy(to, lane->buffer, part);
    to += part, offset += part, count -= part;
  }
  return answer;
}

static int write_part(struct lane *lane, uint32_t count, uint64_t offset, bool is_fua) {
  fb_status status;
  do
    status = fb_disk_write(served.disk, lane->queue, lane->buffer, offset, count, is_fua ? FB_IO_FUA : 0, 0);
  while (lane_must_retry(status));
  return lane_finish(lane, status, "write", offset);
}

int live_write(const void *buffer, uint32_t count, uint64_t offset, bool is_fua) {
  struct lane *lane = lane_of_thread();
  const uint8_t *from = buffer;
  int answer = lane == NULL ? -1 : 0;
  while (answer == 0 && count > 0) {
    uint32_t part = smaller(count, LANE_BUFFER_BYTES);
    enum way way = way_begin(part, offset, true);
    enum direct_outcome outcome = DIRECT_UNFINISHED;
    memcpy(lane->buffer, from, part);
    if (way == WAY_SHORT)
      outcome = direct_write(lane, part, offset, is_fua);
    if (outcome != DIRECT_DONE)
      answer = outcome == DIRECT_REFUSED ? -1 : write_part(lane, part, offset, is_fua);
    way_end(way);
    from += part, offset += part, count -= part;
  }
  return answer;
}

static int zero_part(struct lane *lane, uint32_t count, uint64_t offset, uint32_t flags) {
  fb_status status;
  do
    status = fb_disk_write_zeroes(served.disk, lane->queue, offset, count, flags, 0);
  while (lane_must_retry(status));
  return lane_finish(lane, status, "zero", offset);
}

static int trim_part(struct lane *lane, uint32_t count, uint64_t offset, uint32_t flags) {
  fb_status status;
  (void)flags;
  do
    status = fb_disk_discard(served.disk, lane->queue, offset, count, 0);
  while (lane_must_retry(status));
  return lane_finish(lane, status, "trim", offset);
}

/* A zero or trim, part by part: each ends on a page, so that only the outer edges touch a part of one. */
static int change(uint32_t count, uint64_t offset, uint32_t flags,
                  int (*part_of_it)(struct lane *, uint32_t, uint64_t, uint32_t)) {
  struct lane *lane = lane_of_thread();
  int answer = lane == NULL ? -1 : 0;
  while (answer == 0 && count > 0) {
    uint32_t part = smaller(count, CHANGE_BYTES_MAX - (uint32_t)(offset % PAGE_BYTES));
    enum way way = way_begin(part, offset, false);
    answer = part_of_it(lane, part, offset, flags);
    way_end(way);
    offset += part, count -= part;
  }
  return answer;
}

int live_zero(uint32_t count, uint64_t offset, bool is_fua, bool may_trim) {
  return change(count, offset, (is_fua ? FB_IO_FUA : 0) | (may_trim ? FB_IO_MAY_UNMAP : 0), zero_part);
}

int live_trim(uint32_t count, uint64_t offset, bool is_fua) {
  return change(count, offset, 0, trim_part) != 0 ? -1 : is_fua ? live_flush() : 0;
}

static int flush_image(void) {
  struct lane *lane = lane_of_thread();
  fb_status status;
  if (lane == NULL)
    return -1;
  do
    status = fb_disk_flush(served.disk, lane->queue, 0);
  while (lane_must_retry(status));
  return lane_finish(lane, status, "flush", 0);
}

/* One file, one flush: it covers what went either way, on every connection. */
int live_flush(void) {
  if (served.file < 0)
    return flush_image();
  if (fdatasync(served.file) == 0)
    return 0;
  nbdkit_error("flush: %m");
  return -1;
}
