/* monitor=: a control socket beside the exports, where programs begin, watch and end jobs of the disk by QEMU's
 * protocol. Its jobs are seen like the plugin's own: by events (jobs.c), and through the export "snapshot".
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#include <string.h>

#include "parts.h"

static fb_monitor monitor; /* set before the control thread starts; closed by it, or after it */

int monitor_open(void) {
  fb_monitor_options options = FB_INIT(fb_monitor_options);
  if (parameters.monitor == NULL)
    return 0;
  options.path = parameters.monitor;
  options.path_length = (uint32_t)strlen(parameters.monitor);
  return fb_monitor_open(served.engine, &options, &monitor) == FB_OK ? 0 : answer_refused(parameters.monitor);
}

void monitor_close(void) { (void)fb_monitor_close(monitor); }
