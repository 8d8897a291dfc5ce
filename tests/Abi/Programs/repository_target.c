/* A repository as the target of jobs, while a guest writes: a whole point, one that goes on from it by a bitmap, and
 * what is refused. With an argument that is the folder: the disks of both moments stay there beside the repository, for
 * whoever compares them with what other programs read. */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define SIZE (24 * MIB + 4096)

static char own_folder[] = "/tmp/fb-points-XXXXXX";
static const char *folder;
static fb_engine engine;
static fb_queue queue, guest_queue;
static fb_disk disk;
static memory_disk memory;
static volatile bool is_writing;

static const char *in_folder(const char *name) {
  static char paths[4][512];
  static int next;
  char *path = paths[next++ % 4];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void set(const char **text, uint32_t *length, const char *value) {
  *text = value;
  *length = (uint32_t)strlen(value);
}

static fb_repository_options point_of(const char *parent) {
  fb_repository_options options = FB_INIT(fb_repository_options);
  options.flags = FB_REPOSITORY_CREATE;
  set(&options.repository, &options.repository_length, in_folder("repo"));
  set(&options.password_file, &options.password_file_length, in_folder("password"));
  set(&options.host, &options.host_length, "vm7");
  set(&options.disk, &options.disk_length, "system");
  options.disk_bytes = SIZE;
  options.chunk_bytes = 128 << 10;
  if (parent != NULL)
    set(&options.parent, &options.parent_length, parent);
  return options;
}

static void save(const char *name, const void *bytes, size_t length, int mode) {
  int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, mode);
  CHECK(fd >= 0 && write(fd, bytes, length) == (ssize_t)length && close(fd) == 0);
}

static void *write_on(void *unused) {
  uint64_t seed = 88172645463325252u;
  (void)unused;
  while (is_writing) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    CHECK_OK(hooked_write(disk, guest_queue, &memory, seed % (SIZE / 512) * 512, (int)(seed >> 40 & 255), 512));
  }
  return NULL;
}

/* A job into the repository, while a guest writes from its T0 on. */
static void back_up(fb_device target, const fb_bitmap *bitmap, const char *moment) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_job_state state = FB_INIT(fb_job_state);
  pthread_t guest;
  fb_completion done;
  fb_job job;
  options.sync = bitmap != NULL ? FB_SYNC_INCREMENTAL : FB_SYNC_FULL;
  if (bitmap != NULL) {
    options.bitmap = *bitmap;
    options.bitmap_mode = FB_BITMAP_MODE_ON_SUCCESS;
  }
  options.speed = 60 * MIB; /* so that the guest is faster somewhere */
  save(moment, memory.bytes, SIZE, 0600);
  CHECK_OK(fb_backup_create(disk, target, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 0), FB_PENDING);
  do
    CHECK_OK(fb_job_query(job, &state));
  while (state.state == FB_JOB_CREATED);
  is_writing = true;
  CHECK(pthread_create(&guest, NULL, write_on, NULL) == 0);
  while (fb_queue_poll(queue, &done, sizeof done, 1, 1, INT64_C(60000000000)) != 1)
    CHECK_OK(fb_job_query(job, &state));
  is_writing = false;
  CHECK(pthread_join(guest, NULL) == 0);
  CHECK(done.status == FB_OK);
  CHECK_OK(fb_job_close(job));
}

static void refuse(fb_repository_options options, fb_status status, const char *words) {
  fb_error error = FB_INIT(fb_error);
  fb_device device;
  CHECK_IS(fb_repository_open(engine, &options, &device), status);
  CHECK(device.id == 0);
  CHECK_OK(fb_last_error(&error));
  if (strstr(error.text, words) == NULL || strstr(error.text, "sesame") != NULL) {
    fprintf(stderr, "not '%s': %s\n", words, error.text);
    exit(1);
  }
}

static void check_refusals(void) {
  fb_repository_options options = point_of(NULL);
  options.flags = 2;
  refuse(options, FB_E_UNSUPPORTED, "flags");
  options = point_of(NULL);
  options.disk_bytes = 0;
  refuse(options, FB_E_INVALID, "size 0");
  options = point_of(NULL);
  options.chunk_bytes = 100000;
  refuse(options, FB_E_INVALID, "chunk size 100000");
  options = point_of(NULL);
  options.pack_bytes = 1;
  refuse(options, FB_E_INVALID, "pack size 1");
  options = point_of("yesterday");
  refuse(options, FB_E_INVALID, "'yesterday'");
  options = point_of("00000000");
  refuse(options, FB_E_INVALID, "'00000000'");
  options = point_of("latest"); /* made without a checkpoint */
  refuse(options, FB_E_INVALID, "no checkpoint");
  options = point_of(NULL);
  set(&options.disk, &options.disk_length, "a/b");
  refuse(options, FB_E_INVALID, "disk name 'a/b'");
  options = point_of(NULL);
  set(&options.repository, &options.repository_length, "sftp:host:repo");
  refuse(options, FB_E_INVALID, "sftp:host:repo");
  options = point_of(NULL);
  options.flags = 0;
  set(&options.repository, &options.repository_length, in_folder("nothing"));
  refuse(options, FB_E_INVALID, "there is no repository");
  options = point_of(NULL);
  set(&options.password_file, &options.password_file_length, in_folder("wrong"));
  refuse(options, FB_E_INVALID, "password");
  options = point_of(NULL);
  set(&options.password_file, &options.password_file_length, in_folder("open"));
  refuse(options, FB_E_INVALID, "can be read or written by others");
}

/* What would make no whole point is refused when the job is made. */
static void check_jobs(fb_device target, const fb_bitmap *bitmap) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  uint32_t length = 9;
  char point[65];
  fb_job job;
  options.sync = FB_SYNC_TOP;
  CHECK_IS(fb_backup_create(disk, target, &options, &job), FB_E_INVALID);
  options.sync = FB_SYNC_FULL;
  options.on_target_error = FB_ON_ERROR_IGNORE;
  CHECK_IS(fb_backup_create(disk, target, &options, &job), FB_E_INVALID);
  options.on_target_error = 0;
  options.cluster_bytes = 65536; /* below a chunk */
  CHECK_IS(fb_backup_create(disk, target, &options, &job), FB_E_ALIGN);
  options.cluster_bytes = 0;
  options.sync = FB_SYNC_INCREMENTAL; /* of no parent */
  options.bitmap = *bitmap;
  options.bitmap_mode = FB_BITMAP_MODE_ON_SUCCESS;
  CHECK_IS(fb_backup_create(disk, target, &options, &job), FB_E_INVALID);
  CHECK_IS(fb_repository_point(target, point, sizeof point, &length), FB_E_STATE);
  CHECK(length == 0 && point[0] == 0);
}

static void check_jobs_are_over(fb_device target) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_job job;
  CHECK_IS(fb_backup_create(disk, target, &options, &job), FB_E_INVALID);
}

int main(int count, char **arguments) {
  fb_repository_options options;
  fb_device source, target;
  fb_completion done;
  fb_bitmap bitmap;
  char first[65], second[65], name[128];
  struct stat found;
  uint64_t i;
  folder = count > 1 ? arguments[1] : mkdtemp(own_folder);
  CHECK(folder != NULL);
  save("password", "sesame\n", 7, 0600);
  save("wrong", "sesami\n", 7, 0600);
  save("open", "sesame\n", 7, 0644);
  engine = small_engine();
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  CHECK_OK(fb_queue_open(engine, 16, &guest_queue));
  source = memory_device(engine, &memory, SIZE);
  for (i = 0; i < 16 * MIB; i++)
    memory.bytes[i] = (unsigned char)(i * 2654435761u >> 13 & (i & MIB ? 3 : 255));
  disk = disk_on(engine, source);
  CHECK_IS(fb_disk_bitmap_add(disk, "daily", 5, 65536, 0, queue, 0, &bitmap), FB_PENDING);
  done = wait_one(queue);
  CHECK(done.status == FB_OK);

  options = point_of(NULL);
  CHECK_OK(fb_repository_open(engine, &options, &target));
  check_jobs(target, &bitmap);
  back_up(target, NULL, "moment-1");
  CHECK_OK(fb_repository_point(target, first, sizeof first, NULL));
  (void)snprintf(name, sizeof name, "repo/snapshots/%s", first);
  CHECK(strlen(first) == 64 && stat(in_folder(name), &found) == 0);
  check_jobs_are_over(target);
  CHECK_OK(fb_device_close(target));
  check_refusals();

  /* What has changed since: the bitmap has recorded what the guest wrote meanwhile. */
  CHECK_OK(hooked_write(disk, queue, &memory, SIZE - 100, 9, 100));
  options = point_of(first);
  options.disk_bytes = SIZE + 1;
  refuse(options, FB_E_INVALID, "bytes then");
  options = point_of(first);
  options.chunk_bytes = 0; /* as the parent has it */
  CHECK_OK(fb_repository_open(engine, &options, &target));
  back_up(target, &bitmap, "moment-2");
  CHECK_OK(fb_repository_point(target, second, sizeof second, NULL));
  CHECK(strcmp(first, second) != 0);
  CHECK_OK(fb_device_close(target));

  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_bitmap_close(bitmap));
  CHECK_OK(fb_device_close(source));
  CHECK_OK(fb_queue_close(guest_queue));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  if (count < 2) {
    (void)snprintf(name, sizeof name, "rm -r '%s'", folder);
    CHECK(system(name) == 0);
  }
  printf("%s %s\n", first, second);
  return 0;
}
