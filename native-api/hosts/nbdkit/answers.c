/* Statuses of the library as errno of the client and as text of the log. NBD knows few errors: EPERM, EIO, ENOMEM,
 * EINVAL, ENOSPC, EOVERFLOW, ENOTSUP and ESHUTDOWN; nbdkit makes EINVAL of all others.
 */
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <inttypes.h>
#include <nbdkit-plugin.h>

#include "parts.h"

static int errno_of(fb_status status, int32_t sys_errno) {
  switch (status) {
  case FB_E_NO_SPACE:
    return ENOSPC;
  case FB_E_NO_MEMORY:
    return ENOMEM;
  case FB_E_RANGE:
  case FB_E_INVALID:
  case FB_E_ALIGN:
    return EINVAL;
  case FB_E_UNSUPPORTED:
    return sys_errno == EROFS ? EPERM : ENOTSUP;
  case FB_E_CANCELED: /* the session has ended: what this connection shows is no more */
  case FB_E_HANDLE:
  case FB_E_STATE:
    return ESHUTDOWN;
  default:
    return EIO;
  }
}

int answer_failed(const char *what, fb_status status, int32_t sys_errno, uint64_t offset) {
  if (sys_errno != 0)
    errno = sys_errno;
  nbdkit_error(sys_errno != 0 ? "%s at %" PRIu64 ": %s: %m" : "%s at %" PRIu64 ": %s", what, offset,
               fb_status_name(status));
  nbdkit_set_error(errno_of(status, sys_errno));
  return -1;
}

int answer_refused(const char *what) {
  fb_error error = FB_INIT(fb_error);
  (void)fb_last_error(&error);
  nbdkit_error("%s: %s", what, error.text_length > 0 ? error.text : fb_status_name(error.status));
  nbdkit_set_error(errno_of(error.status, error.sys_errno));
  return -1;
}

static void on_line(void *context, uint32_t level, const char *text, uint32_t length) {
  (void)context, (void)length;
  if (level == FB_LOG_ERROR)
    nbdkit_error("%s", text);
  else
    nbdkit_debug("%s", text);
}

int answer_log(fb_queue control) {
  fb_log_sink sink = FB_INIT(fb_log_sink);
  sink.write = on_line;
  return fb_queue_set_log(control, &sink) == FB_OK ? 0 : answer_refused("log");
}
