/* Which parts of the live disk hold data: SEEK_DATA and SEEK_HOLE on a descriptor of our own. The kernel answers for
 * all that was written before it is asked, also past the page cache, so a hole is never told where a client's finished
 * write lies. What is written meanwhile may be told either way. Block devices and images tell nothing: all of them
 * is data.
 */
#define NBDKIT_API_VERSION 2
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SEEK_DATA */
#endif
#include <errno.h>
#include <linux/magic.h>
#include <nbdkit-plugin.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "parts.h"

/* The first byte at or after offset that is data (a hole), at most end. */
static uint64_t find(uint64_t offset, uint64_t end, int whence) {
  off_t found = lseek(served.file, (off_t)offset, whence);
  if (found < 0 && errno == ENXIO) /* nothing but a hole up to the end of the file */
    return end;
  if (found < 0) /* the file system cannot tell: data from here on */
    return whence == SEEK_DATA ? offset : end;
  return (uint64_t)found < end ? (uint64_t)found : end;
}

int live_extents(uint32_t count, uint64_t offset, bool is_one, struct nbdkit_extents *extents) {
  uint64_t end = offset + count;
  while (offset < end) {
    uint64_t data = find(offset, end, SEEK_DATA), hole;
    if (data > offset && nbdkit_add_extent(extents, offset, data - offset, NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO))
      return -1;
    if (data == end || (is_one && data > offset))
      return 0;
    hole = find(data, end, SEEK_HOLE);
    if (hole == data) /* it became a hole meanwhile: say data, and go on */
      hole = data + PAGE_BYTES < end ? data + PAGE_BYTES : end;
    if (nbdkit_add_extent(extents, data, hole - data, 0) != 0)
      return -1;
    if (is_one)
      return 0;
    offset = hole;
  }
  return 0;
}

/* A punch or a range of unwritten extents is fast on these; where it is not known the client is told to write. */
bool live_zero_is_fast(bool may_trim) {
  struct statfs system;
  if (served.file < 0)
    return true; /* an entry in the image */
  if (served.is_block || fstatfs(served.file, &system) != 0)
    return false;
  switch (system.f_type) {
  case EXT4_SUPER_MAGIC:
  case XFS_SUPER_MAGIC:
  case BTRFS_SUPER_MAGIC:
    return true;
  default:
    return may_trim && system.f_type == TMPFS_MAGIC; /* has no other way than to punch */
  }
}
