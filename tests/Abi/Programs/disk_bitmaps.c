/* Bitmaps of a disk: they record guest writes of both modes, change in quiesced moments only, and outlive their
 * disk. */
#include "check.h"

static fb_disk disk;
static fb_queue queue;

static uint64_t dirty_bytes(fb_bitmap bitmap, uint32_t flags) {
  fb_bitmap_state state = FB_INIT(fb_bitmap_state);
  CHECK_OK(fb_bitmap_query(bitmap, &state));
  CHECK(state.flags == flags);
  return state.dirty_bytes;
}

static void done(fb_status submitted) {
  fb_completion completion;
  CHECK_IS(submitted, FB_PENDING);
  completion = wait_one(queue);
  CHECK(completion.kind == FB_COMPLETION_DISK_CHANGE && completion.user_data == 3);
  CHECK_IS(completion.status, FB_OK);
}

int main(void) {
  const uint32_t live = FB_BITMAP_IS_OF_DISK | FB_BITMAP_IS_ENABLED;
  static unsigned char buffer[4096];
  memory_disk data;
  fb_engine engine = small_engine();
  fb_device device = memory_device(engine, &data, 8 * MIB);
  fb_bitmap bitmap, off, own, found;
  fb_bitmap_options shape = FB_INIT(fb_bitmap_options);
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  done(fb_disk_bitmap_add(disk, "b", 1, 4096, 0, queue, 3, &bitmap));
  done(fb_disk_bitmap_add(disk, "off", 3, 0, FB_DISK_BITMAP_DISABLED, queue, 3, &off));
  CHECK_IS(fb_disk_bitmap_add(disk, "b", 1, 4096, 0, queue, 3, &found), FB_E_STATE);
  CHECK_IS(fb_disk_bitmap_add(disk, "c", 1, 256, 0, queue, 3, &found), FB_E_INVALID);
  CHECK_IS(fb_disk_bitmap_add(disk, "", 0, 4096, 0, queue, 3, &found), FB_E_INVALID);
  CHECK_OK(fb_disk_bitmap_find(disk, "b", 1, &found));
  CHECK(found.id == bitmap.id);
  CHECK_IS(fb_disk_bitmap_find(disk, "x", 1, &found), FB_E_STATE);

  CHECK_OK(hooked_write(disk, queue, &data, 4095, 1, 2));
  CHECK(dirty_bytes(bitmap, live) == 8192);
  CHECK_IS(fb_disk_write(disk, queue, buffer, MIB, 4096, FB_IO_FUA, 9), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK_IS(fb_disk_write_zeroes(disk, queue, 2 * MIB, 65536, FB_IO_MAY_UNMAP, 9), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK_IS(fb_disk_discard(disk, queue, 3 * MIB, 4096, 9), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK_IS(fb_disk_read(disk, queue, buffer, 4 * MIB, 4096, 9), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK(dirty_bytes(bitmap, live) == 8192 + 4096 + 65536 + 4096);
  CHECK(dirty_bytes(off, FB_BITMAP_IS_OF_DISK) == 0);
  done(fb_disk_bitmap_enable(disk, off, 1, queue, 3));
  CHECK_OK(hooked_write(disk, queue, &data, 0, 1, 1));
  CHECK(dirty_bytes(off, live) == 65536);

  /* Not to be changed as a bitmap of its own. */
  CHECK_IS(fb_bitmap_mark(bitmap, 0, 1), FB_E_STATE);
  CHECK_IS(fb_bitmap_reset_all(bitmap), FB_E_STATE);
  CHECK_IS(fb_bitmap_truncate(bitmap, 0), FB_E_STATE);
  CHECK_IS(fb_bitmap_close(bitmap), FB_E_STATE);

  shape.size_bytes = 8 * MIB;
  shape.granularity_bytes = 512;
  CHECK_OK(fb_bitmap_create(&shape, &own));
  CHECK_OK(fb_bitmap_mark(own, 7 * MIB, 1));
  done(fb_disk_bitmap_merge(disk, bitmap, own, queue, 3));
  CHECK(dirty_bytes(bitmap, live) == 8192 + 4096 + 65536 + 4096 + 4096);
  CHECK_OK(fb_bitmap_merge(own, bitmap, own));
  done(fb_disk_bitmap_clear(disk, bitmap, queue, 3));
  CHECK(dirty_bytes(bitmap, live) == 0);
  CHECK_IS(fb_disk_bitmap_clear(disk, own, queue, 3), FB_E_INVALID);
  CHECK_OK(hooked_write(disk, queue, &data, 0, 1, 1));

  /* Removed: a bitmap of its own, which no write marks any more. Closing the disk does the same. */
  done(fb_disk_bitmap_remove(disk, bitmap, queue, 3));
  CHECK_OK(hooked_write(disk, queue, &data, 5 * MIB, 1, 1));
  CHECK(dirty_bytes(bitmap, 0) == 4096);
  CHECK_OK(fb_bitmap_mark(bitmap, 4096, 1));
  CHECK_OK(fb_bitmap_close(bitmap));
  CHECK_OK(fb_disk_close(disk));
  CHECK(dirty_bytes(off, 0) == 2 * 65536);
  CHECK_OK(fb_bitmap_close(off));
  CHECK_OK(fb_bitmap_close(own));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
