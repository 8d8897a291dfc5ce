/* A second runtime of the same making in one process: here a copy of the library, as another product's would be.
 * Both work, one after the other and at once. The copy's path is the argument; without one there is nothing to
 * test. */
#include "check.h"
#include <dlfcn.h>

typedef uint32_t version_call(void);
typedef fb_status open_call(const fb_engine_options *options, fb_engine *out);
typedef fb_status close_call(fb_engine engine);

int main(int argc, char **argv) {
  version_call *version;
  open_call *open_second;
  close_call *close_second;
  fb_engine engine, second;
  memory_disk data;
  fb_device device;
  void *library;
  int i;
  if (argc < 2)
    return 0;
  engine = small_engine();
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  CHECK(library != NULL);
  *(void **)(&version) = dlsym(library, "fb_abi_version");
  *(void **)(&open_second) = dlsym(library, "fb_engine_open");
  *(void **)(&close_second) = dlsym(library, "fb_engine_close");
  CHECK(version != NULL && version != fb_abi_version && version() == FB_ABI_VERSION);
  for (i = 0; i < 5; i++) {
    CHECK(open_second(NULL, &second) == FB_OK);
    device = memory_device(engine, &data, 4 * MIB);
    CHECK_OK(fb_device_close(device));
    CHECK(close_second(second) == FB_OK);
  }
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
