/* A disk becomes larger: writes and bitmaps reach the new end, what was dirty stays so, a backup made later copies all
 * of it. Refused while jobs are open, and below its size; a file is made longer. */
#include "check.h"
#include <sys/stat.h>
#include <unistd.h>

#define SMALL (4 * MIB + 512)
#define LARGE (8 * MIB)

static fb_queue queue;
static memory_disk data;

static uint64_t size_of(fb_disk disk) {
  fb_disk_state state = FB_INIT(fb_disk_state);
  CHECK_OK(fb_disk_query(disk, &state));
  return state.capacity_bytes;
}

static fb_bitmap added(fb_disk disk, const char *name, uint64_t granularity, uint32_t flags) {
  fb_bitmap bitmap;
  CHECK_IS(fb_disk_bitmap_add(disk, name, (uint32_t)strlen(name), granularity, flags, queue, 1, &bitmap), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
  return bitmap;
}

static uint64_t dirty_bytes(fb_bitmap bitmap, uint64_t size) {
  fb_bitmap_state state = FB_INIT(fb_bitmap_state);
  CHECK_OK(fb_bitmap_query(bitmap, &state));
  CHECK(state.size_bytes == size);
  return state.dirty_bytes;
}

static void done(fb_status submitted, fb_status wanted) {
  CHECK_IS(submitted, FB_PENDING);
  CHECK(wait_one(queue).status == wanted);
}

/* A device of the host: the host has made its memory larger already. */
static void host_device(fb_engine engine) {
  memory_disk target;
  fb_device from, to;
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_disk disk;
  fb_bitmap fine, coarse, off;
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_job job;
  data.bytes = (unsigned char *)calloc(1, LARGE);
  ops.capacity_bytes = SMALL;
  ops.request_align = 512;
  ops.context = &data;
  ops.submit = memory_submit;
  CHECK_OK(fb_device_register(engine, &ops, &from));
  disk = disk_on(engine, from);
  fine = added(disk, "fine", 512, 0);
  coarse = added(disk, "coarse", 65536, 0);
  off = added(disk, "off", 65536, FB_DISK_BITMAP_DISABLED);
  CHECK_OK(hooked_write(disk, queue, &data, 0, 1, 512));
  CHECK_OK(hooked_write(disk, queue, &data, SMALL - 512, 1, 512));
  CHECK_IS(fb_disk_write_begin(disk, queue, SMALL, 1, 1), FB_E_RANGE);

  CHECK_IS(fb_disk_grow(disk, SMALL - 512, queue, 2), FB_E_INVALID);
  CHECK_IS(fb_disk_grow(disk, SMALL + 1, queue, 2), FB_E_INVALID);
  CHECK_IS(fb_disk_grow(disk, UINT64_MAX, queue, 2), FB_E_INVALID);
  to = memory_device(engine, &target, LARGE);
  options.flags = FB_BACKUP_LARGER_TARGET;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_disk_grow(disk, LARGE, queue, 2), FB_E_STATE);
  CHECK_OK(fb_job_close(job));

  /* It waits for writes under way, which may be the last before it; a job that is made meanwhile comes first. */
  CHECK_OK(fb_disk_write_begin(disk, queue, MIB, 512, 1));
  CHECK_IS(fb_disk_grow(disk, LARGE, queue, 2), FB_PENDING);
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_OK(fb_disk_write_end(disk));
  CHECK_IS(wait_one(queue).status, FB_E_STATE);
  CHECK(size_of(disk) == SMALL && dirty_bytes(fine, SMALL) == 3 * 512);
  CHECK_OK(fb_job_close(job));

  CHECK_OK(fb_disk_write_begin(disk, queue, 2 * MIB, 512, 1));
  CHECK_IS(fb_disk_grow(disk, LARGE, queue, 2), FB_PENDING);
  CHECK_OK(fb_disk_write_end(disk));
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK(size_of(disk) == LARGE);
  CHECK(dirty_bytes(fine, LARGE) == 4 * 512);
  CHECK(dirty_bytes(coarse, LARGE) == 4 * 65536); /* the short one at the old end is whole now */
  CHECK(dirty_bytes(off, LARGE) == 0);
  CHECK_OK(hooked_write(disk, queue, &data, LARGE - 512, 7, 512));
  CHECK(dirty_bytes(fine, LARGE) == 5 * 512);
  done(fb_disk_grow(disk, LARGE, queue, 2), FB_OK); /* as large already */
  done(fb_disk_bitmap_clear(disk, fine, queue, 3), FB_OK);
  CHECK(dirty_bytes(fine, LARGE) == 0);

  done(fb_backup_create(disk, to, NULL, &job) == FB_OK ? fb_job_start(job, queue, 4) : FB_E_BUG, FB_OK);
  CHECK(memcmp(target.bytes, data.bytes, LARGE) == 0);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_bitmap_close(fine));
  CHECK_OK(fb_bitmap_close(coarse));
  CHECK_OK(fb_bitmap_close(off));
}

/* A file is made longer, and written to its new end in device mode. */
static void file(fb_engine engine) {
  static unsigned char buffer[4096];
  char path[] = "/tmp/fastbackup-grow-XXXXXX";
  struct stat status;
  fb_device device;
  fb_disk disk;
  int fd = mkstemp(path);
  CHECK(fd >= 0 && ftruncate(fd, MIB + 1) == 0);
  device = file_device(engine, path, 0);
  disk = disk_on(engine, device);
  done(fb_disk_grow(disk, 2 * MIB, queue, 1), FB_OK);
  CHECK(fstat(fd, &status) == 0 && status.st_size == 2 * MIB);
  memset(buffer, 9, sizeof buffer);
  done(fb_disk_write(disk, queue, buffer, 2 * MIB - sizeof buffer, sizeof buffer, 0, 2), FB_OK);
  memset(buffer, 0, sizeof buffer);
  done(fb_disk_read(disk, queue, buffer, 2 * MIB - sizeof buffer, sizeof buffer, 3), FB_OK);
  CHECK(buffer[0] == 9 && buffer[4095] == 9);
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK(close(fd) == 0 && unlink(path) == 0);
}

int main(void) {
  fb_engine engine = small_engine();
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  host_device(engine);
  file(engine);
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
