/* The files that a job needs besides the disk. A backup is FILE.partial until it is whole, so that an unfinished copy
 * never looks like one; scratch and fleecing files lose their names at once, so that nothing is left after a crash.
 */
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <nbdkit-plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"

static char *joined(const char *path, const char *end) {
  char *text = malloc(strlen(path) + strlen(end) + 1);
  if (text == NULL)
    nbdkit_error("no memory for a path");
  else
    strcat(strcpy(text, path), end);
  return text;
}

static bool is_block_device(const char *path) {
  struct stat state;
  return stat(path, &state) == 0 && S_ISBLK(state.st_mode);
}

static int open_block_device(const char *path, fb_device *out) {
  if (parameters.may_overwrite)
    return served_open_device(path, 0, 0, out);
  nbdkit_error("%s: what is on this block device would be lost; overwrite=true allows it", path);
  return -1;
}

int target_open(const char *path, struct target_file *out) {
  out->partial = NULL;
  if (is_block_device(path))
    return open_block_device(path, &out->device);
  out->partial = joined(path, ".partial");
  if (out->partial == NULL)
    return -1;
  if (parameters.may_overwrite)
    (void)unlink(out->partial);
  return served_open_device(out->partial, 0, served.size_bytes, &out->device);
}

/* A name is safe once its folder is on stable storage. */
static int flush_folder(const char *path) {
  char *copy = joined(path, "");
  int folder = -1, answer = -1;
  if (copy == NULL)
    return -1;
  folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0 && fsync(folder) == 0)
    answer = 0;
  else
    nbdkit_error("%s: its folder cannot be flushed: %m", path);
  if (folder >= 0)
    (void)close(folder);
  free(copy);
  return answer;
}

int target_publish(const struct target_file *target, const char *path) {
  if (target->partial == NULL)
    return 0;
  if (rename(target->partial, path) == 0)
    return flush_folder(path);
  nbdkit_error("%s: cannot be renamed to %s: %m", target->partial, path);
  return -1;
}

void target_close(struct target_file *target) {
  (void)fb_device_close(target->device);
  free(target->partial);
  target->device.id = 0;
  target->partial = NULL;
}

int unnamed_open(const char *path, fb_device *out) {
  struct stat state;
  char *name;
  int answer;
  if (is_block_device(path))
    return open_block_device(path, out);
  if (stat(path, &state) == 0 && S_ISDIR(state.st_mode)) {
    char end[40];
    static int count;
    (void)snprintf(end, sizeof end, "/fastbackup-%ld-%d", (long)getpid(), ++count);
    name = joined(path, end);
  } else {
    name = joined(path, "");
  }
  if (name == NULL)
    return -1;
  answer = served_open_device(name, 0, served.size_bytes, out);
  if (answer == 0 && unlink(name) != 0)
    nbdkit_error("%s: %m", name);
  free(name);
  return answer;
}
