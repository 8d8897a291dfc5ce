/* The threads in a host's process: its own, one of the runtime without a name of its own, and
 * those of engines and of their files, which are called fb-*. */
#include "check.h"
#include <dirent.h>
#include <unistd.h>

/* Counts threads by their names. */
static void count(int *engines, int *others) {
  DIR *folder = opendir("/proc/self/task");
  struct dirent *entry;
  *engines = *others = 0;
  CHECK(folder != NULL);
  while ((entry = readdir(folder)) != NULL) {
    char path[300], name[64] = "";
    FILE *file;
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == (int)getpid())
      continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
    file = fopen(path, "r");
    if (file == NULL)
      continue; /* it has just ended */
    CHECK(fgets(name, sizeof name, file) != NULL);
    fclose(file);
    if (strncmp(name, "fb-", 3) == 0)
      ++*engines;
    else
      ++*others;
  }
  closedir(folder);
}

/* A thread gets its name, and goes, a moment after the call that began it. */
static void expect(int wanted_engines, int wanted_others) {
  int engines = -1, others = -1, i;
  for (i = 0; i < 2000 && (engines != wanted_engines || others != wanted_others); i++) {
    usleep(1000);
    count(&engines, &others);
  }
  if (engines != wanted_engines || others != wanted_others)
    fprintf(stderr, "%d of engines, %d others\n", engines, others);
  CHECK(engines == wanted_engines && others == wanted_others);
}

int main(void) {
  char folder[] = "/tmp/thread_names_XXXXXX", path[64];
  int engines = 0, others = 0, i;
  fb_engine engine;
  fb_device file;
  expect(0, 0);
  CHECK(fb_abi_version() == FB_ABI_VERSION);
  expect(0, 1);
  engine = small_engine();
  expect(1, 1); /* the reactor */
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/file", folder);
  file = file_device(engine, path, MIB);
  for (i = 0; i < 2000 && engines < 2; i++) {
    usleep(1000);
    count(&engines, &others);
  }
  CHECK(engines >= 2); /* one for calls that block, or more: the file system decides */
  CHECK_OK(fb_device_close(file));
  expect(1, 1);
  unlink(path);
  rmdir(folder);
  CHECK_OK(fb_engine_close(engine));
  expect(0, 1);
  return 0;
}
