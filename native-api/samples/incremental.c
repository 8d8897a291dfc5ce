/* Incremental: a full backup, a bitmap that records what guests write from its point in time on, what has changed
 * as a list of areas, and a second backup that copies only that. Guests write in device mode: the engine does
 * their I/O.
 *
 *   gcc incremental.c -lfastbackup -o incremental && ./incremental disk.img backup.img
 */
#include <fastbackup.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fb_queue queue;

static void must(fb_status status, const char *what) {
  fb_error error = FB_INIT(fb_error);
  if (status >= 0)
    return;
  fb_last_error(&error);
  fprintf(stderr, "%s: %s (%s)\n", what, error.text, fb_status_name(status));
  exit(1);
}

static fb_device open_device(fb_engine engine, const char *path, uint32_t flags, uint64_t create_bytes) {
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device device;
  options.flags = flags;
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.create_bytes = create_bytes;
  must(fb_device_open(engine, &options, &device), path);
  return device;
}

/* Waits for the one thing that was submitted. */
static void finish(fb_status submitted, const char *what) {
  fb_completion done;
  must(submitted, what);
  while (fb_queue_poll(queue, &done, sizeof done, 1, 1, -1) == 0)
    ;
  if (done.status != FB_OK) {
    fprintf(stderr, "%s: %s, errno %d\n", what, fb_status_name(done.status), done.sys_errno);
    exit(1);
  }
}

static void back_up(fb_disk disk, fb_device target, fb_bitmap bitmap, uint32_t sync) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_job_state state = FB_INIT(fb_job_state);
  fb_device_state size = FB_INIT(fb_device_state);
  fb_job job;
  options.sync = sync;
  options.bitmap = bitmap;
  /* Success: the bitmap holds what was written since this backup's point in time. Failure: nothing is forgotten. */
  options.bitmap_mode = FB_BITMAP_MODE_ON_SUCCESS;
  must(fb_backup_create(disk, target, &options, &job), "job");
  finish(fb_job_start(job, queue, 0), "backup");
  must(fb_job_query(job, &state), "query");
  must(fb_device_query(target, &size), "size");
  printf("copied %" PRIu64 " of %" PRIu64 " bytes\n", state.done_bytes, size.capacity_bytes);
  must(fb_job_close(job), "close");
}

int main(int argc, char **argv) {
  static unsigned char data[65536];
  fb_engine engine;
  fb_device source, target;
  fb_device_state size = FB_INIT(fb_device_state);
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_disk disk;
  fb_bitmap bitmap;
  fb_extent areas[16];
  uint64_t position = 0;
  int32_t count, i;

  if (argc != 3)
    return 2;
  must(fb_engine_open(NULL, &engine), "engine");
  must(fb_queue_open(engine, 16, &queue), "queue");
  source = open_device(engine, argv[1], 0, 0);
  must(fb_device_query(source, &size), "size");
  target = open_device(engine, argv[2], FB_DEVICE_CREATE, size.capacity_bytes);
  options.name = "vda";
  options.name_length = 3;
  must(fb_disk_open(engine, source, &options, &disk), "disk");

  finish(fb_disk_bitmap_add(disk, "daily", 5, 65536, 0, queue, 0, &bitmap), "bitmap");
  back_up(disk, target, bitmap, FB_SYNC_FULL);

  /* The guest writes. */
  memset(data, 0x5A, sizeof data);
  finish(fb_disk_write(disk, queue, data, UINT64_C(1) << 20, 100, 0, 0), "write");
  finish(fb_disk_write(disk, queue, data, UINT64_C(5) << 20, sizeof data, 0, 0), "write");

  /* What has changed, 16 areas at a time. */
  while ((count = fb_bitmap_areas(bitmap, &position, areas, 16)) > 0)
    for (i = 0; i < count; i++)
      printf("changed: offset %" PRIu64 ", %" PRIu64 " bytes\n", areas[i].offset, areas[i].length);
  must(count, "areas");
  back_up(disk, target, bitmap, FB_SYNC_INCREMENTAL);

  must(fb_disk_close(disk), "close"); /* the bitmap is one of its own now, to be kept or closed */
  must(fb_bitmap_close(bitmap), "close");
  must(fb_device_close(target), "close");
  must(fb_device_close(source), "close");
  must(fb_queue_close(queue), "close");
  must(fb_engine_close(engine), "close");
  return 0;
}
