/* dlclose and dlopen 1,000 times, with an engine alive and without; the handles go on working. */
#include "check.h"
#include <dlfcn.h>

typedef uint32_t version_call(void);

int main(void) {
  fb_engine engine = small_engine();
  fb_engine_state state = FB_INIT(fb_engine_state);
  int i;
  for (i = 0; i < 1000; i++) {
    version_call *version;
    void *library = dlopen("libfastbackup.so.1", RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    *(void **)(&version) = dlsym(library, "fb_abi_version");
    CHECK(version != NULL && version() == FB_ABI_VERSION);
    CHECK(dlclose(library) == 0);
    CHECK(version() == FB_ABI_VERSION); /* still there */
    if (i == 500) {
      CHECK_OK(fb_engine_query(engine, &state));
      CHECK_OK(fb_engine_close(engine));
    }
  }
  engine = small_engine();
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
