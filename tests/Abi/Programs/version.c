/* The version that a host compares first, and the text for its log. */
#include <fastbackup.h>
#include <stdio.h>

int main(void) {
  if (fb_abi_version() != FB_ABI_VERSION || fb_is_forked_child() != 0)
    return 1;
  puts(fb_version_string());
  return 0;
}
