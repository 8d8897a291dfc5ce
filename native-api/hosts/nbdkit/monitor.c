/* The control socket (monitor=): the library's own thread serves it. It goes before everything else, so that no client
 * begins a job on a server that ends; the jobs that clients began end with it.
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
#include <pthread.h>
#include <string.h>

#include "parts.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fb_monitor monitor; /* guarded by lock */

int monitor_open(void) {
  fb_monitor_options options = FB_INIT(fb_monitor_options);
  fb_status status;
  if (parameters.monitor == NULL)
    return 0;
  options.path = parameters.monitor;
  options.path_length = (uint32_t)strlen(parameters.monitor);
  pthread_mutex_lock(&lock);
  status = fb_monitor_open(served.engine, &options, &monitor);
  pthread_mutex_unlock(&lock);
  return status == FB_OK ? 0 : answer_refused("monitor");
}

void monitor_close(void) {
  pthread_mutex_lock(&lock);
  if (fb_monitor_close(monitor) != FB_E_STATE) /* else a guest's write has not ended: once more at the end */
    monitor.id = 0;
  pthread_mutex_unlock(&lock);
}
