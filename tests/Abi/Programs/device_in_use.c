/* A file that another program writes to is not opened for writing, and for reading with a word; it can be opened all
 * the same. A file of another format is refused when that is asked for, and only then: a guest may write anything.
 * The other program is a second open file description here, with QEMU's lock of one that writes: byte 101. */
#include "check.h"
#include <fcntl.h>
#include <unistd.h>

static fb_status open_with(fb_engine engine, const char *path, uint32_t flags, fb_device *out) {
  fb_device_options options = FB_INIT(fb_device_options);
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.flags = flags;
  return fb_device_open(engine, &options, out);
}

static uint32_t flags_of(fb_device device) {
  fb_device_state state = FB_INIT(fb_device_state);
  CHECK_OK(fb_device_query(device, &state));
  return state.flags;
}

int main(void) {
  char path[] = "/tmp/fb-in-use-XXXXXX";
  struct flock lock;
  fb_engine engine = small_engine();
  fb_device device, second;
  int other = mkstemp(path);
  CHECK(other >= 0 && ftruncate(other, 65536) == 0);
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = 101;
  lock.l_len = 1;
  CHECK(fcntl(other, F_OFD_SETLK, &lock) == 0);

  CHECK_IS(open_with(engine, path, 0, &device), FB_E_STATE);
  CHECK(device.id == 0);
  CHECK_OK(open_with(engine, path, FB_DEVICE_READ_ONLY, &device));
  CHECK((flags_of(device) & FB_DEVICE_IS_IN_USE) != 0);
  CHECK_OK(fb_device_close(device));
  CHECK_OK(open_with(engine, path, FB_DEVICE_IGNORE_LOCKS, &device));
  CHECK_OK(fb_device_close(device));

  lock.l_type = F_UNLCK;
  CHECK(fcntl(other, F_OFD_SETLK, &lock) == 0);
  CHECK_OK(open_with(engine, path, 0, &device));
  CHECK_IS(open_with(engine, path, 0, &second), FB_E_STATE); /* one writer at a time, here too */
  CHECK_OK(open_with(engine, path, FB_DEVICE_READ_ONLY, &second));
  CHECK((flags_of(second) & FB_DEVICE_IS_IN_USE) == 0); /* the host knows its own devices */
  lock.l_type = F_WRLCK;
  CHECK(fcntl(other, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_RDLCK); /* and others see that it writes */
  CHECK_OK(fb_device_close(second));
  CHECK_OK(fb_device_close(device));

  CHECK(pwrite(other, "QFI\xfb\0\0\0\3", 8, 0) == 8);
  CHECK_IS(open_with(engine, path, FB_DEVICE_PROBE_FORMAT, &device), FB_E_UNSUPPORTED);
  CHECK_OK(open_with(engine, path, 0, &device));
  CHECK_OK(fb_device_close(device));

  /* A server's disk, by its name: this one is not there, and none is created. */
  CHECK_IS(open_with(engine, "nbd://127.0.0.1:1/x", 0, &device), FB_E_IO);
  CHECK_IS(open_with(engine, "nbd://127.0.0.1:1/x", FB_DEVICE_CREATE, &device), FB_E_INVALID);
  CHECK_IS(open_with(engine, "nbd://127.0.0.1:0/x", FB_DEVICE_READ_ONLY, &device), FB_E_INVALID);

  CHECK_OK(fb_engine_close(engine));
  CHECK(unlink(path) == 0 && close(other) == 0);
  return 0;
}
