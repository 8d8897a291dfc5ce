/* Handles: zero, forged, stale, of another kind, closed twice: FB_E_HANDLE, and close(0) does nothing. */
#include "check.h"

static void none_works(uint64_t id) {
  fb_engine engine = {id};
  fb_queue queue = {id};
  fb_device device = {id};
  fb_disk disk = {id};
  fb_bitmap bitmap = {id};
  fb_job job = {id};
  fb_completion completion;
  fb_job_state state = FB_INIT(fb_job_state);
  CHECK(fb_handle_kind(id) == FB_KIND_NONE);
  CHECK_IS(fb_queue_open(engine, 1, &queue), FB_E_HANDLE);
  queue.id = id;
  CHECK_IS(fb_queue_poll(queue, &completion, sizeof completion, 1, 0, 0), FB_E_HANDLE);
  CHECK_IS(fb_device_complete(device, 0, 0, 0), FB_E_HANDLE);
  CHECK_IS(fb_disk_write_begin(disk, queue, 0, 0, 0), FB_E_HANDLE);
  CHECK_IS(fb_disk_write_end(disk), FB_E_HANDLE);
  CHECK_IS(fb_bitmap_mark(bitmap, 0, 0), FB_E_HANDLE);
  CHECK_IS(fb_job_query(job, &state), FB_E_HANDLE);
  CHECK_IS(fb_job_cancel(job), FB_E_HANDLE);
  if (id != 0) {
    CHECK_IS(fb_engine_close(engine), FB_E_HANDLE);
    CHECK_IS(fb_queue_close(queue), FB_E_HANDLE);
    CHECK_IS(fb_device_close(device), FB_E_HANDLE);
    CHECK_IS(fb_disk_close(disk), FB_E_HANDLE);
    CHECK_IS(fb_bitmap_close(bitmap), FB_E_HANDLE);
    CHECK_IS(fb_job_close(job), FB_E_HANDLE);
  } else {
    CHECK_OK(fb_engine_close(engine));
    CHECK_OK(fb_queue_close(queue));
    CHECK_OK(fb_device_close(device));
    CHECK_OK(fb_disk_close(disk));
    CHECK_OK(fb_bitmap_close(bitmap));
    CHECK_OK(fb_job_close(job));
  }
}

int main(void) {
  fb_bitmap_options options = FB_INIT(fb_bitmap_options);
  fb_bitmap bitmap, again;
  fb_engine engine = small_engine();
  fb_queue queue;
  none_works(0);
  none_works(UINT64_MAX);
  none_works(UINT64_C(0x0500000001000000) + 12345);
  options.size_bytes = MIB;
  options.granularity_bytes = 512;
  CHECK_OK(fb_bitmap_create(&options, &bitmap));
  CHECK(fb_handle_kind(bitmap.id) == FB_KIND_BITMAP);
  CHECK_OK(fb_bitmap_mark(bitmap, 0, 1));
  /* The right slot with another generation, and with another kind. */
  none_works(bitmap.id + (UINT64_C(1) << 24));
  none_works(bitmap.id ^ (UINT64_C(3) << 56));
  CHECK_OK(fb_bitmap_close(bitmap));
  none_works(bitmap.id);
  /* The slot is used again; the old handle stays stale. */
  CHECK_OK(fb_bitmap_create(&options, &again));
  none_works(bitmap.id);
  CHECK_OK(fb_bitmap_mark(again, 0, 1));
  /* Another kind. */
  CHECK_OK(fb_queue_open(engine, 4, &queue));
  again.id = queue.id;
  CHECK_IS(fb_bitmap_mark(again, 0, 1), FB_E_HANDLE);
  CHECK_IS(fb_bitmap_close(again), FB_E_HANDLE);
  CHECK_OK(fb_queue_close(queue));
  CHECK_IS(fb_queue_close(queue), FB_E_HANDLE);
  CHECK_OK(fb_engine_close(engine));
  CHECK_IS(fb_engine_close(engine), FB_E_HANDLE);
  return 0;
}
