/* Changes of bitmaps that wait for a write under way: as many as a queue takes, made in the order of the calls, also
 * across disks; what is not right any more in its moment is FB_E_STATE, and nothing was changed. */
#include "check.h"

#define CHANGES 40000
#define CHANGES_CHECKED 500 /* where each costs a thousandth of a second */

static fb_engine engine;
static fb_queue queue;
static memory_disk left_data, right_data, target_data;
static fb_disk left, right;

static fb_disk named_disk(fb_device device, const char *name) {
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_disk disk;
  options.name = name;
  options.name_length = (uint32_t)strlen(name);
  CHECK_OK(fb_disk_open(engine, device, &options, &disk));
  return disk;
}

static fb_bitmap added(fb_disk disk, const char *name) {
  fb_bitmap bitmap;
  CHECK_IS(fb_disk_bitmap_add(disk, name, (uint32_t)strlen(name), 65536, 0, queue, 1, &bitmap), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
  return bitmap;
}

static void done(fb_status submitted) {
  CHECK_IS(submitted, FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
}

static uint32_t is_dirty(fb_bitmap bitmap, uint64_t offset) {
  uint32_t dirty;
  CHECK_OK(fb_bitmap_get(bitmap, offset, &dirty));
  return dirty;
}

/* Cleared first, merged second: what the second brings stays. */
static void in_order(fb_bitmap b, fb_bitmap c) {
  CHECK_OK(hooked_write(left, queue, &left_data, 0, 1, 65536)); /* both know of it */
  CHECK_OK(fb_disk_write_begin(left, queue, MIB, 1, 1));        /* under way */
  CHECK_IS(fb_disk_bitmap_clear(left, b, queue, 2), FB_PENDING);
  CHECK_IS(fb_disk_bitmap_merge(left, b, c, queue, 3), FB_PENDING);
  CHECK_IS(fb_disk_bitmap_clear(left, c, queue, 4), FB_PENDING);
  CHECK_OK(fb_disk_write_end(left));
  CHECK(wait_one(queue).user_data == 2);
  CHECK(wait_one(queue).user_data == 3);
  CHECK(wait_one(queue).user_data == 4);
  CHECK(is_dirty(b, 0) && is_dirty(b, MIB) && !is_dirty(c, 0) && !is_dirty(c, MIB));
  done(fb_disk_bitmap_clear(left, b, queue, 5));
}

/* A source of another disk is taken before that disk clears it, though nothing of that disk is under way. */
static void across_disks(fb_bitmap sum, fb_bitmap source) {
  CHECK_OK(hooked_write(right, queue, &right_data, 3 * MIB, 1, 1));
  CHECK_OK(fb_disk_write_begin(left, queue, 0, 1, 1));
  CHECK_IS(fb_disk_bitmap_merge(left, sum, source, queue, 2), FB_PENDING);
  CHECK_IS(fb_disk_bitmap_clear(right, source, queue, 3), FB_PENDING);
  CHECK_IS(fb_disk_bitmap_remove(right, source, queue, 4), FB_PENDING);
  CHECK_OK(fb_disk_write_end(left));
  CHECK(wait_one(queue).user_data == 2);
  CHECK(wait_one(queue).user_data == 3);
  CHECK(wait_one(queue).user_data == 4);
  CHECK(is_dirty(sum, 3 * MIB) && !is_dirty(source, 3 * MIB));
  CHECK_OK(fb_bitmap_close(source));
  done(fb_disk_bitmap_clear(left, sum, queue, 5));
}

/* A job that was started before takes the source: its newer writes are kept apart, so it is not merged from. */
static void busy_source(fb_bitmap sum, fb_device to) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_bitmap source = added(right, "busy");
  fb_completion completion;
  fb_queue jobs;
  fb_job job;
  CHECK_OK(fb_queue_open(engine, 4, &jobs));
  CHECK_OK(hooked_write(right, queue, &right_data, 0, 1, 1));
  options.sync = FB_SYNC_BITMAP;
  options.bitmap = source;
  options.bitmap_mode = FB_BITMAP_MODE_NEVER;
  options.flags = FB_BACKUP_MANUAL_FINALIZE;
  CHECK_OK(fb_backup_create(right, to, &options, &job));
  CHECK_OK(fb_disk_write_begin(right, queue, MIB, 1, 1));
  CHECK_IS(fb_job_start(job, jobs, 2), FB_PENDING);
  CHECK_IS(fb_disk_bitmap_merge(left, sum, source, queue, 3), FB_PENDING);
  CHECK_IS(fb_disk_bitmap_merge(right, source, sum, queue, 4), FB_PENDING);
  CHECK_OK(fb_disk_write_end(right));
  completion = wait_one(queue);
  CHECK(completion.user_data == 3 && completion.status == FB_E_STATE);
  completion = wait_one(queue);
  CHECK(completion.user_data == 4 && completion.status == FB_E_STATE);
  CHECK(!is_dirty(sum, 0));
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(wait_one(jobs).status, FB_E_CANCELED);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_queue_close(jobs));
  done(fb_disk_bitmap_merge(left, sum, source, queue, 5)); /* free again, with both of its writes */
  CHECK(is_dirty(sum, 0) && is_dirty(sum, MIB));
  done(fb_disk_bitmap_remove(right, source, queue, 6));
  CHECK_OK(fb_bitmap_close(source));
}

/* A bitmap of the host's own is taken as it is at the call. */
static void own_source(fb_bitmap sum) {
  fb_bitmap_options shape = FB_INIT(fb_bitmap_options);
  fb_bitmap own;
  done(fb_disk_bitmap_clear(left, sum, queue, 1));
  shape.size_bytes = 8 * MIB;
  shape.granularity_bytes = 512;
  CHECK_OK(fb_bitmap_create(&shape, &own));
  CHECK_OK(fb_bitmap_mark(own, 2 * MIB, 1));
  CHECK_OK(fb_disk_write_begin(left, queue, 0, 1, 1));
  CHECK_IS(fb_disk_bitmap_merge(left, sum, own, queue, 2), FB_PENDING);
  CHECK_OK(fb_bitmap_truncate(own, MIB));
  CHECK_OK(fb_bitmap_close(own));
  CHECK_OK(fb_disk_write_end(left));
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK(is_dirty(sum, 2 * MIB) && is_dirty(sum, 0) && !is_dirty(sum, MIB));
}

static void as_many_as_the_queue_takes(fb_bitmap b) {
  fb_engine_state state = FB_INIT(fb_engine_state);
  int count = getenv("WITHOUT_IO_URING") != NULL ? CHANGES_CHECKED : CHANGES, i;
  CHECK_OK(fb_disk_write_begin(left, queue, 0, 1, 1));
  for (i = 0; i < count; i++)
    CHECK_IS(fb_disk_bitmap_enable(left, b, 1, queue, (uint64_t)i), FB_PENDING);
  CHECK_OK(fb_disk_write_end(left));
  for (i = 0; i < count; i++) {
    fb_completion completion = wait_one(queue);
    CHECK(completion.user_data == (uint64_t)i && completion.status == FB_OK);
  }
  CHECK_OK(fb_engine_query(engine, &state));
  CHECK((state.flags & FB_ENGINE_IS_STOPPED) == 0);
}

int main(void) {
  fb_device left_device, right_device, to;
  fb_bitmap b, c;
  engine = small_engine();
  left_device = memory_device(engine, &left_data, 8 * MIB);
  right_device = memory_device(engine, &right_data, 8 * MIB);
  to = memory_device(engine, &target_data, 8 * MIB);
  left = named_disk(left_device, "left");
  right = named_disk(right_device, "right");
  CHECK_OK(fb_queue_open(engine, 65536, &queue));
  b = added(left, "b");
  c = added(left, "c");
  in_order(b, c);
  across_disks(b, added(right, "source"));
  busy_source(b, to);
  own_source(b);
  as_many_as_the_queue_takes(b);
  CHECK_OK(fb_disk_close(left));
  CHECK_OK(fb_disk_close(right));
  CHECK_OK(fb_bitmap_close(b));
  CHECK_OK(fb_bitmap_close(c));
  CHECK_OK(fb_device_close(left_device));
  CHECK_OK(fb_device_close(right_device));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
