/* The files that a job needs besides the disk, by the library's rules: a backup is FILE.partial until it is whole, so
 * that an unfinished copy never looks like one; scratch and fleecing files lose their names at once, so that nothing is
 * left after a crash.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "parts.h"

static uint32_t replace_flag(void) { return parameters.may_overwrite ? FB_DEVICE_REPLACE : 0; }

int target_open(const char *path, fb_device *out) {
  return served_open_device(path, FB_DEVICE_PARTIAL | replace_flag(), served.size_bytes, out);
}

int target_publish(fb_device target, const char *path) {
  char words[512];
  uint32_t length = 0;
  if (fb_device_publish(target, words, sizeof words, &length) != FB_OK)
    return answer_refused(path);
  if (length > 0)
    nbdkit_error("%s: warning: %s", path, words);
  return 0;
}

int unnamed_open(const char *path, fb_device *out) {
  return served_open_device(path, FB_DEVICE_NAMELESS | replace_flag(), served.size_bytes, out);
}
