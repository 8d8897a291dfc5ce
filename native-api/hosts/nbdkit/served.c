/* Engine, device and disk. Opened after nbdkit has forked, because neither threads nor the library's runtime would
 * live on in the child; what can be seen without them is checked before (parameters.c), where a message still reaches
 * the user.
 */
#define NBDKIT_API_VERSION 2
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_DIRECT */
#endif
#include <fcntl.h>
#include <nbdkit-plugin.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"

#define WAITING_MAX 4096u /* 16 threads a connection: room for 256 connections, and then requests are tried again */

struct served served = {.file = -1};

static bool has_tracker;

int served_open_device(const char *path, uint32_t flags, uint64_t create_bytes, fb_device *out) {
  fb_device_options options = FB_INIT(fb_device_options);
  options.flags = flags | (create_bytes > 0 ? FB_DEVICE_CREATE : 0) |
                  (parameters.ignores_locks ? FB_DEVICE_IGNORE_LOCKS : 0) |
                  (parameters.format == FB_FORMAT_RAW ? 0 : FB_DEVICE_PROBE_FORMAT);
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.create_bytes = create_bytes;
  options.format = path == parameters.source ? parameters.format : FB_FORMAT_UNSAID;
  return fb_device_open(served.engine, &options, out) == FB_OK ? 0 : answer_refused(path);
}

static int open_own(int access, bool is_direct) {
  served.file = open(parameters.source, access | O_CLOEXEC | (is_direct ? O_DIRECT : 0));
  if (served.file >= 0)
    return 0;
  nbdkit_error("%s: %m", parameters.source);
  return -1;
}

static int open_disk(void) {
  fb_device_state state = FB_INIT(fb_device_state);
  fb_disk_options options = FB_INIT(fb_disk_options);
  uint32_t flags = (parameters.is_page_cache ? FB_DEVICE_PAGE_CACHE : 0) |
                   (parameters.is_read_only ? FB_DEVICE_READ_ONLY : 0);
  int access = parameters.is_read_only ? O_RDONLY : O_RDWR;
  bool is_own = parameters.format != FB_FORMAT_QCOW2 && parameters.absorb_bytes == 0;
  if (served_open_device(parameters.source, flags, 0, &served.device) != 0)
    return -1;
  if (fb_device_query(served.device, &state) != FB_OK)
    return answer_refused(parameters.source);
  served.size_bytes = state.capacity_bytes;
  served.align_bytes = state.request_align > state.buffer_align ? state.request_align : state.buffer_align;
  served.is_block = (state.flags & FB_DEVICE_IS_BLOCK) != 0 || !is_own;
  if (is_own && open_own(access, (state.flags & FB_DEVICE_IS_DIRECT) != 0) != 0)
    return -1;
  options.name = "disk";
  options.name_length = 4;
  options.waiting_max = WAITING_MAX;
  options.absorb_bytes = parameters.absorb_bytes;
  return fb_disk_open(served.engine, served.device, &options, &served.disk) == FB_OK ? 0 : answer_refused("disk");
}

/* A tracker that cannot be used is no reason to hold the guest up: it is told, and the disk served without it. */
static void attach_tracker(void) {
  if (parameters.tracker == NULL)
    return;
  has_tracker = fb_disk_tracker_attach(served.disk, parameters.tracker, (uint32_t)strlen(parameters.tracker)) == FB_OK;
  if (!has_tracker) {
    (void)answer_refused(parameters.tracker);
    nbdkit_error("%s: the disk is served without it", parameters.tracker);
  }
}

static void say_warnings(void) {
  char text[512];
  uint32_t length;
  for (uint32_t i = 0; fb_engine_warning(served.engine, i, text, sizeof text, &length) == FB_OK; i++)
    nbdkit_debug("%s", text);
}

int served_open(void) {
  fb_engine_options options = FB_INIT(fb_engine_options);
  if (fb_abi_version() != FB_ABI_VERSION) {
    nbdkit_error("libfastbackup has ABI %u, this plugin was built for %u", fb_abi_version(), FB_ABI_VERSION);
    return -1;
  }
  options.buffer_bytes = parameters.memory_bytes;
  if (fb_engine_open(&options, &served.engine) != FB_OK)
    return answer_refused("engine");
  if (open_disk() != 0)
    return -1;
  attach_tracker();
  say_warnings();
  return 0;
}

/* In the order of native-api/docs/lifecycle.md. A device that does not answer keeps some of it open: the process ends
 * all the same. */
void served_close(void) {
  if (has_tracker && fb_disk_tracker_detach(served.disk) != FB_OK)
    (void)answer_refused(parameters.tracker);
  (void)fb_disk_close(served.disk);
  (void)fb_device_close(served.device);
  (void)fb_engine_close(served.engine);
  if (served.file >= 0)
    (void)close(served.file);
  served.file = -1;
}
