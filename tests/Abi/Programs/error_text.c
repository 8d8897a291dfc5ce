/* fb_last_error: one record per thread, a sentence that names the cause, kept by calls that succeed. */
#include "check.h"
#include <pthread.h>

static fb_error last(void) {
  fb_error error = FB_INIT(fb_error);
  CHECK_OK(fb_last_error(&error));
  CHECK(error.text_length == strlen(error.text));
  return error;
}

static void *other_thread(void *argument) {
  fb_error error = last();
  (void)argument;
  CHECK(error.status == FB_OK && error.text[0] == 0 && error.offset == UINT64_MAX);
  return NULL;
}

int main(void) {
  fb_engine engine = small_engine();
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device device;
  fb_bitmap_options shape = FB_INIT(fb_bitmap_options);
  fb_bitmap bitmap;
  fb_error error;
  pthread_t thread;
  static unsigned char page[4096];
  fb_error *small = (fb_error *)(void *)page;

  options.path = "/nowhere/disk.img";
  options.path_length = (uint32_t)strlen(options.path);
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_IO);
  CHECK(device.id == 0);
  error = last();
  CHECK(error.status == FB_E_IO && error.sys_errno == 2);
  CHECK(strstr(error.text, "/nowhere/disk.img") != NULL);
  CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);

  shape.size_bytes = 100;
  shape.granularity_bytes = 1;
  CHECK_OK(fb_bitmap_create(&shape, &bitmap));
  CHECK(last().status == FB_E_IO); /* a success leaves it alone */
  CHECK_IS(fb_bitmap_mark(bitmap, 90, 11), FB_E_RANGE);
  error = last();
  CHECK(error.status == FB_E_RANGE && error.offset == 90 && error.text[0] != 0);

  /* Text that is not UTF-8 or has a NUL inside. */
  options.path = "a\0b";
  options.path_length = 3;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options.path = "\xff\xfe";
  options.path_length = 2;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);

  /* A record that is too small, or none. */
  small->struct_size = 64;
  CHECK_IS(fb_last_error(small), FB_E_INVALID);
  CHECK_IS(fb_last_error(NULL), FB_E_INVALID);

  CHECK(strcmp(fb_status_name(FB_E_SNAPSHOT_LOST), "FB_E_SNAPSHOT_LOST") == 0);
  CHECK(strcmp(fb_status_name(-99), "FB_E_?") == 0);
  CHECK_OK(fb_bitmap_close(bitmap));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
