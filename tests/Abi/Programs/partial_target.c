/* A target that gets its name when it is whole: partial until then, gone if nothing was written, published once, never
 * over what has appeared; and what fb_path_check says of such places beforehand. */
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char folder[] = "/tmp/fb-partial-XXXXXX";

static const char *in_folder(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static bool is_there(const char *name) { return access(in_folder(name), F_OK) == 0; }

static fb_status open_partial(fb_engine engine, uint32_t more, fb_device *out) {
  fb_device_options options = FB_INIT(fb_device_options);
  options.path = in_folder("copy");
  options.path_length = (uint32_t)strlen(options.path);
  options.flags = FB_DEVICE_CREATE | FB_DEVICE_PARTIAL | more;
  options.create_bytes = 4 * MIB;
  return fb_device_open(engine, &options, out);
}

static fb_status check(uint32_t kind, const char *path, uint32_t flags) {
  fb_path_options options = FB_INIT(fb_path_options);
  options.kind = kind;
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.bytes = 4 * MIB;
  options.flags = flags;
  return fb_path_check(&options);
}

static int32_t last_errno(void) {
  fb_error error = FB_INIT(fb_error);
  CHECK_OK(fb_last_error(&error));
  return error.sys_errno;
}

static void back_up(fb_engine engine, fb_disk disk, fb_device target) {
  fb_queue queue;
  fb_job job;
  fb_completion done;
  CHECK_OK(fb_queue_open(engine, 4, &queue));
  CHECK_OK(fb_backup_create(disk, target, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 0), FB_PENDING);
  CHECK(fb_queue_poll(queue, &done, sizeof done, 1, 1, -1) == 1 && done.status == FB_OK);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_queue_close(queue));
}

int main(void) {
  memory_disk memory;
  fb_engine engine;
  fb_device source, target, second;
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_disk disk;
  struct stat before, after;
  uint32_t length = 7;
  char words[64];
  CHECK(mkdtemp(folder) != NULL);

  /* Before there is an engine. */
  CHECK_OK(check(FB_PATH_TARGET, in_folder("copy"), 0));
  CHECK_OK(check(FB_PATH_SCRATCH, folder, 0));
  CHECK_OK(check(FB_PATH_MONITOR, in_folder("m.sock"), 0));
  CHECK_IS(check(FB_PATH_TARGET, in_folder("nowhere/copy"), 0), FB_E_IO);
  CHECK_IS(check(FB_PATH_SCRATCH, in_folder("nowhere/copy"), 0), FB_E_IO);
  CHECK_IS(check(FB_PATH_MONITOR, in_folder("nowhere/m.sock"), 0), FB_E_IO);
  CHECK_IS(check(FB_PATH_TARGET, folder, 0), FB_E_INVALID);
  CHECK_IS(check(9, folder, 0), FB_E_INVALID);
  CHECK_IS(check(FB_PATH_TARGET, folder, 1), FB_E_UNSUPPORTED);

  engine = small_engine();
  source = memory_device(engine, &memory, 4 * MIB);
  memset(memory.bytes, 5, 4 * MIB);
  options.name = "disk";
  options.name_length = 4;
  CHECK_OK(fb_disk_open(engine, source, &options, &disk));

  /* Nothing was written: it goes away again. */
  CHECK_OK(open_partial(engine, 0, &target));
  CHECK(is_there("copy.partial") && !is_there("copy"));
  CHECK_IS(open_partial(engine, FB_DEVICE_REPLACE, &second), FB_E_STATE); /* this one is being written */
  CHECK_IS(check(FB_PATH_TARGET, in_folder("copy"), FB_DEVICE_REPLACE), FB_E_STATE);
  CHECK_OK(fb_device_close(target));
  CHECK(!is_there("copy.partial"));

  /* Written, and left behind: it is known for what it is. */
  CHECK_OK(open_partial(engine, 0, &target));
  back_up(engine, disk, target);
  CHECK_OK(fb_device_close(target));
  CHECK(is_there("copy.partial") && !is_there("copy"));
  CHECK_IS(open_partial(engine, 0, &target), FB_E_STATE);
  CHECK_IS(check(FB_PATH_TARGET, in_folder("copy"), 0), FB_E_STATE);
  CHECK(last_errno() == ESTALE);

  /* Replaced, written, published; again changes nothing. */
  CHECK_OK(open_partial(engine, FB_DEVICE_REPLACE, &target));
  back_up(engine, disk, target);
  CHECK(stat(in_folder("copy.partial"), &before) == 0);
  CHECK_OK(fb_device_publish(target, words, sizeof words, &length));
  CHECK(length == 0 && words[0] == '\0');
  CHECK_OK(fb_device_publish(target, NULL, 0, NULL));
  CHECK(stat(in_folder("copy"), &after) == 0 && before.st_ino == after.st_ino && !is_there("copy.partial"));
  CHECK_OK(fb_device_close(target));
  CHECK_IS(fb_device_publish(target, NULL, 0, NULL), FB_E_HANDLE);
  CHECK(is_there("copy"));

  /* What is there stays. */
  CHECK_IS(open_partial(engine, 0, &target), FB_E_STATE);
  CHECK(last_errno() == EEXIST);
  CHECK_IS(open_partial(engine, FB_DEVICE_NAMELESS, &target), FB_E_INVALID);
  CHECK_IS(fb_device_publish(source, NULL, 0, NULL), FB_E_INVALID);

  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(source));
  CHECK_OK(fb_engine_close(engine));
  CHECK(unlink(in_folder("copy")) == 0 && rmdir(folder) == 0);
  return 0;
}
