/* Copies that are interrupted and go on: by a kill, and by a cancel; onto a partial file, and onto one that is there.
 * The result is the disk at the instant of the second job, and no file is marked as unfinished then. With three
 * arguments it is the process that is killed.
 */
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DISK_BYTES (48 * MIB)
#define GRANULE UINT64_C(65536)

static char disk_path[300], tracker_path[300], target_path[300], partial_path[320], record_path[300], other_path[300];
static fb_engine engine;
static fb_queue queue;
static fb_device source, target;
static fb_disk disk;

static uint32_t length_of(const char *text) { return (uint32_t)strlen(text); }

static unsigned char *random_bytes(uint64_t length) {
  unsigned char *bytes = (unsigned char *)malloc(length);
  uint64_t state = 88172645463325252u;
  CHECK(bytes != NULL);
  for (uint64_t i = 0; i < length; i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    memcpy(bytes + i, &state, 8);
  }
  return bytes;
}

static void open_disk(void) {
  source = file_device(engine, disk_path, 0);
  disk = disk_on(engine, source);
  CHECK_OK(fb_disk_tracker_attach(disk, tracker_path, length_of(tracker_path)));
}

static void close_disk(void) {
  CHECK_OK(fb_disk_tracker_detach(disk));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(source));
}

static fb_status open_target(uint32_t flags) {
  fb_device_options options = FB_INIT(fb_device_options);
  options.path = target_path;
  options.path_length = length_of(target_path);
  options.flags = flags;
  options.create_bytes = (flags & FB_DEVICE_CREATE) != 0 ? DISK_BYTES : 0;
  return fb_device_open(engine, &options, &target);
}

/* Of device mode: the engine writes. */
static void guest_writes(uint64_t offset, int value) {
  static unsigned char page[4096];
  fb_completion done;
  memset(page, value, sizeof page);
  CHECK_IS(fb_disk_write(disk, queue, page, offset, sizeof page, 0, 7), FB_PENDING);
  done = wait_one(queue);
  CHECK(done.kind == FB_COMPLETION_DISK_IO && done.status == FB_OK);
}

static void add_checkpoint(const char *name) {
  CHECK_IS(fb_checkpoint_add(&disk, 1, name, length_of(name), NULL, NULL, 0, 0, queue, 5), FB_PENDING);
  CHECK(wait_one(queue).status == FB_OK);
}

static fb_backup_options recorded(fb_bitmap bitmap) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  options.sync = bitmap.id != 0 ? FB_SYNC_BITMAP : FB_SYNC_FULL;
  options.bitmap = bitmap;
  options.bitmap_mode = bitmap.id != 0 ? FB_BITMAP_MODE_NEVER : FB_BITMAP_MODE_DEFAULT;
  options.record = record_path;
  options.record_length = length_of(record_path);
  options.record_since = "start";
  options.record_since_length = 5;
  return options;
}

static bool is_recorded(void) {
  char magic[8] = "";
  int file = open(record_path, O_RDONLY);
  bool is_there = file >= 0 && pread(file, magic, 8, 4) == 8 && memcmp(magic, "FBresume", 8) == 0;
  close(file);
  return is_there;
}

/* A slow full copy, as far as its first record; then guests write to what is copied, or not, and to what is not. */
static fb_job begin_copy(void) {
  fb_bitmap none = {0};
  fb_backup_options options = recorded(none);
  fb_job job;
  add_checkpoint("start");
  options.speed = 12 * MIB;
  CHECK_OK(fb_backup_create(disk, target, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 9), FB_PENDING);
  for (int i = 0; !is_recorded(); i++) {
    CHECK(i < 6000);
    usleep(10000);
    CHECK(fb_queue_poll(queue, NULL, sizeof(fb_completion), 0, 0, 0) == 0); /* one that its host drives goes on */
  }
  guest_writes(MIB, 1);
  guest_writes(DISK_BYTES - 4096, 2);
  return job;
}

static fb_status unfinished(fb_device onto, const char *record, fb_bitmap *bitmap) {
  fb_status status =
      fb_backup_unfinished(disk, onto, record, length_of(record), "rest", 4, 0, queue, 6, bitmap);
  return status == FB_PENDING ? wait_one(queue).status : status;
}

static uint64_t bytes_of(fb_bitmap bitmap) {
  fb_bitmap_state state = FB_INIT(fb_bitmap_state);
  CHECK_OK(fb_bitmap_query(bitmap, &state));
  return state.dirty_bytes;
}

static void go_on(void) {
  fb_bitmap rest;
  fb_backup_options options;
  fb_completion end;
  fb_job job;
  uint64_t left;
  CHECK_OK(unfinished(target, record_path, &rest));
  left = bytes_of(rest);
  CHECK(left > 0 && left < DISK_BYTES);
  guest_writes(3 * MIB, 3);
  options = recorded(rest);
  CHECK_OK(fb_backup_create(disk, target, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 9), FB_PENDING);
  end = wait_one(queue);
  CHECK(end.kind == FB_COMPLETION_JOB && end.status == FB_OK && end.bytes < DISK_BYTES);
  CHECK_OK(fb_job_close(job));
  CHECK(access(record_path, F_OK) != 0);
  CHECK_IS(fb_disk_bitmap_remove(disk, rest, queue, 0), FB_PENDING);
  CHECK(wait_one(queue).status == FB_OK);
  CHECK_OK(fb_bitmap_close(rest));
  CHECK_OK(fb_checkpoint_delete(disk, "start", 5));
}

static void files_are_equal(const char *path) {
  int one = open(disk_path, O_RDONLY), two = open(path, O_RDONLY);
  static unsigned char first[MIB], second[MIB];
  CHECK(one >= 0 && two >= 0);
  CHECK(fgetxattr(two, "user.fastbackup.unfinished", NULL, 0) < 0);
  for (uint64_t at = 0; at < DISK_BYTES; at += MIB) {
    CHECK(read(one, first, MIB) == (ssize_t)MIB && read(two, second, MIB) == (ssize_t)MIB);
    CHECK(memcmp(first, second, MIB) == 0);
  }
  CHECK(close(one) == 0 && close(two) == 0);
}

/* ---- what is refused, and leaves nothing ------------------------------------------------------------------------- */

static fb_status refused_job(fb_device onto, fb_backup_options options) {
  fb_job job;
  fb_status status = fb_backup_create(disk, onto, &options, &job);
  CHECK(job.id == 0);
  return status;
}

static void says(const char *words) {
  fb_error error = FB_INIT(fb_error);
  fb_last_error(&error);
  if (strstr(error.text, words) == NULL)
    fprintf(stderr, "'%s' has no '%s'\n", error.text, words);
  CHECK(strstr(error.text, words) != NULL);
}

static void rules(void) {
  fb_bitmap none = {0}, bitmap;
  fb_device nothing = {0};
  fb_backup_options options = recorded(none);
  memory_disk memory;
  fb_device in_memory = memory_device(engine, &memory, DISK_BYTES);
  int letters;
  CHECK_IS(refused_job(target, options), FB_E_INVALID);
  says("no checkpoint 'start' (epoch)");
  add_checkpoint("start");
  CHECK_IS(refused_job(in_memory, options), FB_E_INVALID);
  says("is no file or block device of this machine");
  options.record_since_length = 0;
  CHECK_IS(refused_job(target, options), FB_E_INVALID);
  options = recorded(none);
  options.record = NULL;
  CHECK_IS(refused_job(target, options), FB_E_INVALID);
  says("record is NULL");
  options = recorded(none);
  options.sync = FB_SYNC_TOP;
  CHECK_IS(refused_job(target, options), FB_E_INVALID);
  says("top or none");
  options = recorded(none);
  options.cluster_bytes = 5000; /* refused when the record is open: a new file goes again */
  CHECK(refused_job(target, options) != FB_OK);
  for (int i = 0; access(record_path, F_OK) == 0; i++) {
    CHECK(i < 1000);
    usleep(10000);
  }
  options = recorded(none);
  options.record = other_path;
  options.record_length = length_of(other_path);
  letters = open(other_path, O_WRONLY | O_CREAT, 0600);
  CHECK(letters >= 0 && write(letters, "letters", 7) == 7 && close(letters) == 0);
  CHECK_IS(refused_job(target, options), FB_E_INVALID);
  says("is no whole record of a copy");
  CHECK(unlink(other_path) == 0);
  options.record = disk_path;
  options.record_length = length_of(disk_path);
  CHECK_IS(refused_job(target, options), FB_E_INVALID);
  says("of a job that runs"); /* whose lock it has */
  options.record = "/nowhere/record";
  options.record_length = 15;
  CHECK_IS(refused_job(target, options), FB_E_IO);
  says("'/nowhere/record'");
  CHECK_IS(unfinished(target, record_path, &bitmap), FB_E_IO);
  CHECK_IS(unfinished(target, tracker_path, &bitmap), FB_E_INVALID);
  says("is no whole record of a copy");
  CHECK_IS(unfinished(in_memory, record_path, &bitmap), FB_E_INVALID);
  CHECK_IS(fb_backup_unfinished(disk, target, "", 0, "b", 1, 0, queue, 0, &bitmap), FB_E_INVALID);
  CHECK_IS(fb_backup_unfinished(disk, nothing, "r", 1, "b", 1, 0, queue, 0, &bitmap),
           FB_E_HANDLE);
  CHECK(bitmap.id == 0);
  CHECK_OK(fb_checkpoint_delete(disk, "start", 5)); /* nothing of all that has it in hand */
  CHECK_OK(fb_device_close(in_memory));
  free(memory.bytes);
}

/* Of another target, of a checkpoint that is gone or another one of its name: while there is a record. */
static void foreign_records(void) {
  fb_bitmap bitmap, none = {0};
  fb_device other = file_device(engine, other_path, DISK_BYTES);
  fb_backup_options options = recorded(none);
  CHECK_IS(unfinished(other, record_path, &bitmap), FB_E_INVALID);
  says("onto another target");
  CHECK_IS(refused_job(other, options), FB_E_INVALID);
  says("onto another target");
  CHECK_OK(fb_device_close(other));
  CHECK(unlink(other_path) == 0);
}

static void checkpoint_is_gone(void) {
  fb_bitmap bitmap;
  CHECK_OK(fb_checkpoint_delete(disk, "start", 5));
  CHECK_IS(unfinished(target, record_path, &bitmap), FB_E_INVALID);
  says("(epoch)");
  add_checkpoint("start");
  CHECK_IS(unfinished(target, record_path, &bitmap), FB_E_INVALID);
  says("(epoch)");
  CHECK_OK(fb_checkpoint_delete(disk, "start", 5));
}

/* ---- the ends ---------------------------------------------------------------------------------------------------- */

static void be_killed(void) {
  engine = small_engine();
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  open_disk();
  CHECK_OK(open_target(FB_DEVICE_CREATE | FB_DEVICE_PARTIAL));
  begin_copy();
  CHECK(write(1, "+", 1) == 1);
  pause();
}

static void kill_one(const char *self, const char *folder) {
  int pipes[2], status;
  char letter, words[8];
  pid_t child;
  uint32_t length;
  CHECK(pipe2(pipes, 0) == 0);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(pipes[1], 1);
    execl(self, self, folder, "be", "killed", (char *)NULL);
    _exit(127);
  }
  close(pipes[1]);
  CHECK(read(pipes[0], &letter, 1) == 1 && letter == '+');
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
  close(pipes[0]);
  engine = small_engine();
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  open_disk();
  CHECK_IS(open_target(FB_DEVICE_CREATE | FB_DEVICE_PARTIAL), FB_E_STATE);
  says("FB_DEVICE_RESUME");
  CHECK_IS(open_target(FB_DEVICE_CREATE | FB_DEVICE_PARTIAL | FB_DEVICE_RESUME | FB_DEVICE_REPLACE), FB_E_INVALID);
  CHECK_IS(open_target(FB_DEVICE_CREATE | FB_DEVICE_NAMELESS | FB_DEVICE_RESUME), FB_E_INVALID);
  CHECK_IS(open_target(FB_DEVICE_RESUME), FB_E_INVALID);
  CHECK_OK(open_target(FB_DEVICE_CREATE | FB_DEVICE_PARTIAL | FB_DEVICE_RESUME));
  go_on();
  CHECK_OK(fb_device_publish(target, words, sizeof words, &length));
  CHECK_OK(fb_device_close(target));
  CHECK(access(partial_path, F_OK) != 0);
  close_disk();
  files_are_equal(target_path);
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
}

static void cancel_one(uint32_t engine_flags) {
  fb_job job;
  engine = engine_with(engine_flags);
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  open_disk();
  CHECK_OK(open_target(0)); /* the file of the copy before, or of nobody */
  rules();
  job = begin_copy();
  CHECK_OK(fb_job_cancel(job));
  CHECK(wait_one(queue).status == FB_E_CANCELED);
  CHECK_OK(fb_job_close(job)); /* the record has all that was copied by now */
  foreign_records();
  go_on();
  job = begin_copy();
  CHECK_OK(fb_job_cancel(job));
  CHECK(wait_one(queue).status == FB_E_CANCELED);
  CHECK_OK(fb_job_close(job));
  checkpoint_is_gone();
  CHECK(unlink(record_path) == 0);
  job = begin_copy(); /* anew */
  CHECK_OK(fb_job_cancel(job));
  CHECK(wait_one(queue).status == FB_E_CANCELED);
  CHECK_OK(fb_job_close(job));
  go_on();
  CHECK_OK(fb_device_close(target));
  close_disk();
  files_are_equal(target_path);
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
}

static void make_files(void) {
  unsigned char *bytes = random_bytes(DISK_BYTES);
  int file = open(disk_path, O_WRONLY | O_CREAT, 0600);
  CHECK(file >= 0 && write(file, bytes, DISK_BYTES) == (ssize_t)DISK_BYTES && close(file) == 0);
  free(bytes);
  engine = small_engine();
  source = file_device(engine, disk_path, 0);
  CHECK_OK(fb_tracker_create(source, tracker_path, length_of(tracker_path), 0));
  CHECK_OK(fb_device_close(source));
  CHECK_OK(fb_engine_close(engine));
}

int main(int argc, char **argv) {
  char made[] = "/tmp/fastbackup-records-XXXXXX";
  const char *folder = argc == 4 ? argv[1] : mkdtemp(made);
  CHECK(folder != NULL);
  snprintf(disk_path, sizeof disk_path, "%s/disk", folder);
  snprintf(tracker_path, sizeof tracker_path, "%s/disk.track", folder);
  snprintf(target_path, sizeof target_path, "%s/copy", folder);
  snprintf(partial_path, sizeof partial_path, "%s.partial", target_path);
  snprintf(record_path, sizeof record_path, "%s/record", folder);
  snprintf(other_path, sizeof other_path, "%s/other", folder);
  if (argc == 4)
    be_killed();
  make_files();
  kill_one(argv[0], folder);
  cancel_one(0);
  if (getenv("WITHOUT_IO_URING") == NULL) /* which it needs */
    cancel_one(FB_ENGINE_HOST_DRIVEN);
  CHECK(unlink(disk_path) == 0 && unlink(tracker_path) == 0 && unlink(target_path) == 0 && rmdir(folder) == 0);
  return 0;
}
