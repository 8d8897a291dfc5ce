/* An existing file that a job writes to is marked from before the first write to the end of a job that makes it whole:
 * one of everything, or one with the bitmap that has kept all. A file that jobs do not write to is never marked. */
#include <stdbool.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

#define SIZE (4 * MIB)

static char folder[] = "/tmp/fb-unfinished-XXXXXX";
static char image[64], beside[80];
static fb_engine engine;
static fb_queue queue;
static fb_disk disk;

static bool is_marked(void) {
  return getxattr(image, "user.fastbackup.unfinished", NULL, 0) >= 0 || access(beside, F_OK) == 0;
}

static fb_status wait_for(uint32_t kind) {
  fb_completion done;
  do
    CHECK(fb_queue_poll(queue, &done, sizeof done, 1, 1, -1) == 1);
  while (done.kind != kind);
  return done.status;
}

/* Cancelled once it has written something, or to its end. */
static void back_up(fb_device target, fb_bitmap bitmap, bool is_to_the_end) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_job_state state = FB_INIT(fb_job_state);
  fb_job job;
  options.sync = bitmap.id != 0 ? FB_SYNC_INCREMENTAL : FB_SYNC_FULL;
  options.bitmap = bitmap;
  options.speed = is_to_the_end ? 0 : 65536;
  CHECK_OK(fb_backup_create(disk, target, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 0), FB_PENDING);
  if (!is_to_the_end) {
    do
      CHECK_OK(fb_job_query(job, &state));
    while (state.written_bytes == 0);
    CHECK(is_marked());
    CHECK_OK(fb_job_cancel(job));
  }
  CHECK(wait_for(FB_COMPLETION_JOB) == (is_to_the_end ? FB_OK : FB_E_CANCELED));
  CHECK_OK(fb_job_close(job));
}

static fb_bitmap add_bitmap(const char *name) {
  fb_bitmap bitmap;
  CHECK_IS(fb_disk_bitmap_add(disk, name, (uint32_t)strlen(name), 65536, 0, queue, 0, &bitmap), FB_PENDING);
  CHECK(wait_for(FB_COMPLETION_DISK_CHANGE) == FB_OK);
  return bitmap;
}

static void guest_writes(void) {
  static unsigned char bytes[SIZE];
  memset(bytes, ++bytes[0], sizeof bytes); /* never zeroes: they are skipped */
  CHECK_IS(fb_disk_write(disk, queue, bytes, 0, sizeof bytes, 0, 0), FB_PENDING);
  CHECK(wait_for(FB_COMPLETION_DISK_IO) == FB_OK);
}

int main(void) {
  memory_disk memory;
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_bitmap none = {0}, daily, other;
  fb_device source, target;
  CHECK(mkdtemp(folder) != NULL);
  (void)snprintf(image, sizeof image, "%s/image", folder);
  (void)snprintf(beside, sizeof beside, "%s.unfinished", image);
  engine = small_engine();
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  source = memory_device(engine, &memory, SIZE);
  memset(memory.bytes, 5, SIZE);
  options.name = "disk";
  options.name_length = 4;
  CHECK_OK(fb_disk_open(engine, source, &options, &disk));
  target = file_device(engine, image, SIZE);
  CHECK(!is_marked());

  back_up(target, none, false);
  CHECK(is_marked());
  daily = add_bitmap("daily");
  other = add_bitmap("other");
  guest_writes();
  back_up(target, daily, true); /* of what a copy of everything has left unfinished this is not enough */
  CHECK(is_marked());
  back_up(target, none, true);
  CHECK(!is_marked());

  guest_writes();
  back_up(target, daily, false);
  CHECK(is_marked());
  back_up(target, other, true); /* it knows of more or less than the other, who can tell */
  CHECK(is_marked());
  back_up(target, none, true);
  CHECK(!is_marked());
  guest_writes();
  back_up(target, daily, false);
  back_up(target, daily, true);
  CHECK(!is_marked());

  guest_writes();
  back_up(target, daily, false);
  CHECK_IS(fb_disk_bitmap_clear(disk, daily, queue, 0), FB_PENDING);
  CHECK(wait_for(FB_COMPLETION_DISK_CHANGE) == FB_OK);
  guest_writes();
  back_up(target, daily, true); /* it has forgotten what the first one would have copied */
  CHECK(is_marked());
  back_up(target, none, true);

  /* The same file as a guest's disk: what guests write is no image in the making. */
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_disk_open(engine, target, &options, &disk));
  guest_writes();
  CHECK(!is_marked());

  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(target));
  CHECK_OK(fb_device_close(source));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  CHECK(unlink(image) == 0 && rmdir(folder) == 0);
  return 0;
}
