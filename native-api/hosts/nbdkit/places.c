/* What can be known of the places for backup, scratch and monitor before nbdkit goes to the background: there a refusal
 * still ends the start with a message. Asked of the library in a child process, since its runtime must not begin in one
 * that forks later.
 *
 * Two things are told and are no reason not to start: a partial file that an earlier run has left, say one that was
 * killed with its server; and, for a job that begins later, a file system that says no today (the folder may be mounted
 * by then). Then the guest gets its disk, and only the backup is refused.
 */
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <nbdkit-plugin.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts.h"

static void ask(int out, uint32_t kind, const char *path, uint64_t bytes) {
  static const char allow[] = "overwrite=true";
  fb_path_options options = FB_INIT(fb_path_options);
  fb_error error = FB_INIT(fb_error);
  if (path == NULL)
    return;
  options.kind = kind;
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.source = parameters.source;
  options.source_length = (uint32_t)strlen(parameters.source);
  options.allow = allow;
  options.allow_length = sizeof allow - 1;
  options.bytes = bytes;
  options.flags = (kind != FB_PATH_MONITOR && parameters.may_overwrite ? FB_DEVICE_REPLACE : 0) |
                  (parameters.ignores_locks ? FB_DEVICE_IGNORE_LOCKS : 0);
  if (fb_path_check(&options) == FB_OK)
    return;
  (void)fb_last_error(&error);
  (void)!write(out, &error, sizeof error); /* less than a pipe takes at once */
}

static void ask_all(int out, uint64_t bytes) {
  ask(out, FB_PATH_TARGET, parameters.backup, bytes);
  ask(out, FB_PATH_SCRATCH, parameters.fleece, bytes);
  ask(out, FB_PATH_SCRATCH, parameters.scratch, bytes);
  ask(out, FB_PATH_MONITOR, parameters.monitor, 0);
}

static bool may_start(const fb_error *error) {
  bool is_later = parameters.when != START_AT_START || parameters.delay_s > 0;
  return error->sys_errno == ESTALE || (is_later && error->status == FB_E_IO);
}

static int hear_all(int in) {
  fb_error error;
  int answer = 0;
  while (read(in, &error, sizeof error) == (ssize_t)sizeof error) {
    bool is_served = may_start(&error);
    nbdkit_error("%s%s", error.text, is_served ? "; the disk is served, the job may be refused" : "");
    if (!is_served)
      answer = -1;
  }
  return answer;
}

int places_check(uint64_t bytes) {
  int ends[2], answer;
  pid_t child;
  if (parameters.backup == NULL && parameters.fleece == NULL && parameters.monitor == NULL)
    return 0;
  if (pipe(ends) != 0 || (child = fork()) < 0) {
    nbdkit_error("cannot look at the places: %m");
    return -1;
  }
  if (child == 0) {
    ask_all(ends[1], bytes);
    _exit(0);
  }
  (void)close(ends[1]);
  answer = hear_all(ends[0]);
  (void)close(ends[0]);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
    ;
  return answer;
}
