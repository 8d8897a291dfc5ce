/* What a snapshot tells of its holes: those of the file as it was at the job's start, while guests write and punch. */
#include <stdbool.h>
#include <unistd.h>

#include "check.h"

#define SIZE (16 * MIB)

static fb_device open_file(fb_engine engine, const char *path, uint64_t create_bytes) {
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device device;
  options.flags = FB_DEVICE_PAGE_CACHE | (create_bytes > 0 ? FB_DEVICE_CREATE : 0);
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.create_bytes = create_bytes;
  CHECK_OK(fb_device_open(engine, &options, &device));
  return device;
}

/* Data in [4 MiB, 5 MiB), holes around it: asked for in parts, whatever the answers' lengths are. What guests have
 * overwritten may be in memory this moment, and is called data then. */
static void expect_the_moment(fb_job job, fb_queue queue, uint32_t capacity, bool is_exact) {
  fb_snapshot_extent extents[8];
  fb_completion done;
  uint64_t offset = 0, covered;
  uint32_t i;
  while (offset < SIZE) {
    CHECK_IS(fb_snapshot_extents(job, queue, offset, SIZE - offset, extents, capacity, 7), FB_PENDING);
    done = wait_one(queue);
    CHECK(done.status == FB_OK && done.kind == FB_COMPLETION_SNAPSHOT_IO && done.user_data == 7 && done.bytes > 0);
    for (i = 0, covered = 0; covered < done.bytes; covered += extents[i++].length) {
      bool is_zero = (extents[i].flags & FB_SNAPSHOT_EXTENT_ZERO) != 0;
      uint64_t end = extents[i].offset + extents[i].length;
      CHECK(i < capacity && extents[i].offset == offset + covered && extents[i].length > 0);
      CHECK(is_zero || !is_exact || (extents[i].offset >= 4 * MIB && end <= 5 * MIB));
      CHECK(!is_zero || end <= 4 * MIB || extents[i].offset >= 5 * MIB);
    }
    offset += done.bytes;
  }
  CHECK(offset == SIZE);
}

int main(void) {
  char source[] = "/tmp/fb-extents-XXXXXX", target[sizeof source + 8];
  fb_engine engine = small_engine();
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_snapshot_extent one;
  fb_device from, to;
  fb_disk disk;
  fb_queue queue, control;
  fb_job job;
  static unsigned char ones[MIB];
  int file = mkstemp(source);
  CHECK(file >= 0 && ftruncate(file, SIZE) == 0);
  memset(ones, 1, sizeof ones);
  CHECK(pwrite(file, ones, MIB, 4 * MIB) == MIB);
  (void)snprintf(target, sizeof target, "%s.target", source);
  from = open_file(engine, source, 0);
  to = open_file(engine, target, SIZE);
  disk = disk_on(engine, from);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(fb_queue_open(engine, 8, &control));
  options.sync = FB_SYNC_NONE;
  options.flags = FB_BACKUP_SNAPSHOT;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_snapshot_extents(job, queue, 0, SIZE, &one, 1, 0), FB_E_STATE); /* of which instant? */
  CHECK_IS(fb_job_start(job, control, 1), FB_PENDING);
  while (fb_snapshot_extents(job, queue, 0, 0, &one, 1, 0) == FB_E_STATE)
    usleep(1000);
  CHECK(wait_one(queue).bytes == 0);
  expect_the_moment(job, queue, 8, true);
  CHECK_IS(fb_disk_write(disk, queue, ones, 0, MIB, 0, 1), FB_PENDING);
  CHECK_OK(wait_one(queue).status);
  CHECK_IS(fb_disk_write_zeroes(disk, queue, 4 * MIB, MIB / 2, FB_IO_MAY_UNMAP, 1), FB_PENDING);
  CHECK_OK(wait_one(queue).status);
  expect_the_moment(job, queue, 8, false);
  expect_the_moment(job, queue, 1, false);
  CHECK_IS(fb_snapshot_extents(job, queue, SIZE, 1, &one, 1, 0), FB_E_RANGE);
  CHECK_IS(fb_snapshot_extents(job, queue, 0, 1, NULL, 1, 0), FB_E_INVALID);
  CHECK_IS(fb_snapshot_extents(job, queue, 0, 1, &one, 0, 0), FB_E_INVALID);
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(wait_one(control).status, FB_E_CANCELED);
  CHECK_IS(fb_snapshot_extents(job, queue, 0, SIZE, &one, 1, 0), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_E_SNAPSHOT_LOST);
  CHECK(unlink(source) == 0 && unlink(target) == 0);
  return 0;
}
