/* Checkpoints of trackers: rules, what is since one, several disks and jobs at one instant while threads write, and a
 * process that is killed: what has been answered is there afterwards. With three arguments it is that process.
 */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISKS 2
#define DISK_BYTES (64 * MIB)
#define GRANULE UINT64_C(65536)
#define GRANULES (DISK_BYTES / GRANULE)

static char disk_path[DISKS][300], tracker_path[DISKS][300];
static fb_engine engine;
static fb_device device[DISKS];
static fb_disk disk[DISKS];
static fb_queue queue;

static uint32_t length_of(const char *text) { return (uint32_t)strlen(text); }

static void open_disk(int i) {
  device[i] = file_device(engine, disk_path[i], 0);
  disk[i] = disk_on(engine, device[i]);
  CHECK_OK(fb_disk_tracker_attach(disk[i], tracker_path[i], length_of(tracker_path[i])));
}

static void close_disk(int i) {
  CHECK_OK(fb_disk_tracker_detach(disk[i]));
  CHECK_OK(fb_disk_close(disk[i]));
  CHECK_OK(fb_device_close(device[i]));
}

static fb_status add(const fb_disk *disks, uint32_t count, const char *name) {
  return fb_checkpoint_add(disks, count, name, length_of(name), NULL, NULL, 0, 0, queue, 5);
}

static void add_and_wait(const fb_disk *disks, uint32_t count, const char *name) {
  fb_completion end;
  CHECK_IS(add(disks, count, name), FB_PENDING);
  end = wait_one(queue);
  CHECK(end.kind == FB_COMPLETION_DISK_CHANGE && end.user_data == 5 && end.status == FB_OK);
}

/* Granted, and not ended; the first write to a region waits for the tracker. */
static void begin_write_at(int i, uint64_t granule) {
  fb_status status = fb_disk_write_begin(disk[i], queue, granule * GRANULE + 7, 1, 9);
  CHECK(status == FB_OK || (status == FB_PENDING && wait_one(queue).status == FB_OK));
}

static void write_at(int i, uint64_t granule) {
  begin_write_at(i, granule);
  CHECK_OK(fb_disk_write_end(disk[i]));
}

static fb_bitmap bitmap_since(int i, const char *since, const char *name) {
  fb_bitmap bitmap;
  CHECK_IS(fb_checkpoint_bitmap(disk[i], since, length_of(since), name, length_of(name), 0, queue, 6, &bitmap),
           FB_PENDING);
  CHECK(wait_one(queue).status == FB_OK);
  return bitmap;
}

static uint64_t bytes_of(fb_bitmap bitmap) {
  fb_bitmap_state state = FB_INIT(fb_bitmap_state);
  CHECK_OK(fb_bitmap_query(bitmap, &state));
  return state.dirty_bytes;
}

static void remove_bitmap(int i, fb_bitmap bitmap) {
  CHECK_IS(fb_disk_bitmap_remove(disk[i], bitmap, queue, 0), FB_PENDING);
  CHECK(wait_one(queue).status == FB_OK);
  CHECK_OK(fb_bitmap_close(bitmap));
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static void list_is(int i, const char *names) {
  char all[200] = "", name[8];
  fb_checkpoint point = FB_INIT(fb_checkpoint);
  uint32_t index = 0;
  while (fb_checkpoint_get(disk[i], index, name, sizeof name, &point) == FB_OK) {
    CHECK(point.created_ns > UINT64_C(1600000000000000000) && point.struct_size == sizeof point);
    snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s:%u:%llu", index++ > 0 ? " " : "", name,
             point.name_length, (unsigned long long)(point.changed_bytes / GRANULE));
  }
  CHECK_IS(fb_checkpoint_get(disk[i], index, name, sizeof name, &point), FB_E_RANGE);
  if (strcmp(all, names) != 0)
    fprintf(stderr, "checkpoints are '%s', not '%s'\n", all, names);
  CHECK(strcmp(all, names) == 0);
}

static void rules(void) {
  char long_name[1025], name[4];
  memory_disk memory;
  fb_checkpoint point = FB_INIT(fb_checkpoint);
  fb_device other = memory_device(engine, &memory, MIB);
  fb_disk without = disk_on(engine, other), none = {0}, twice[2];
  fb_bitmap bitmap;
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[1024] = 0;
  twice[0] = twice[1] = disk[0];
  list_is(0, "");
  CHECK_IS(add(disk, 0, "monday"), FB_E_INVALID);
  CHECK_IS(add(NULL, 1, "monday"), FB_E_INVALID);
  CHECK_IS(add(disk, 257, "monday"), FB_E_INVALID);
  CHECK_IS(add(disk, 1, ""), FB_E_INVALID);
  CHECK_IS(add(disk, 1, long_name), FB_E_INVALID);
  CHECK_IS(add(twice, 2, "monday"), FB_E_INVALID);
  CHECK_IS(add(&none, 1, "monday"), FB_E_HANDLE);
  CHECK_IS(add(&without, 1, "monday"), FB_E_STATE); /* it has no tracker */
  CHECK_IS(fb_checkpoint_add(disk, 1, "monday", 6, NULL, NULL, 1, 0, queue, 0), FB_E_INVALID); /* jobs are NULL */
  CHECK_IS(fb_checkpoint_delete(disk[0], "monday", 6), FB_E_INVALID);
  CHECK_IS(fb_checkpoint_bitmap(disk[0], "monday", 6, "b", 1, 0, queue, 0, &bitmap), FB_E_INVALID);
  CHECK(bitmap.id == 0);
  CHECK_IS(fb_checkpoint_get(disk[0], 0, NULL, 8, &point), FB_E_INVALID);
  CHECK_IS(fb_checkpoint_get(without, 0, name, sizeof name, &point), FB_E_STATE);
  list_is(0, ""); /* nothing of all that is in anybody's hand */
  CHECK_OK(fb_disk_close(without));
  CHECK_OK(fb_device_close(other));

  add_and_wait(disk, 1, "monday");
  CHECK_IS(add(disk, 1, "monday"), FB_E_INVALID);
  CHECK_IS(add(disk, 2, "monday"), FB_E_INVALID); /* and the second disk has none after it */
  list_is(0, "monday:6:0");
  list_is(1, "");
  write_at(0, 3);
  write_at(0, 8);
  add_and_wait(disk, 2, "tuesday");
  write_at(0, 8);
  write_at(1, 1);
  list_is(0, "monday:6:2 tuesday:7:1");
  list_is(1, "tuesday:7:1");
  CHECK_OK(fb_checkpoint_get(disk[0], 1, name, sizeof name, &point));
  CHECK(strcmp(name, "tue") == 0 && point.name_length == 7);

  bitmap = bitmap_since(0, "monday", "inc");
  CHECK(bytes_of(bitmap) == 2 * GRANULE);
  write_at(0, 20);
  CHECK(bytes_of(bitmap) == 3 * GRANULE); /* it goes on recording */
  CHECK_IS(fb_checkpoint_bitmap(disk[0], "monday", 6, "inc", 3, 0, queue, 0, &bitmap), FB_E_STATE);
  CHECK_IS(fb_checkpoint_bitmap(disk[0], "monday", 6, "b", 1, 1000, queue, 0, &bitmap), FB_E_INVALID);
  CHECK(bitmap.id == 0);
  CHECK_OK(fb_disk_bitmap_find(disk[0], "inc", 3, &bitmap));
  remove_bitmap(0, bitmap);

  CHECK_OK(fb_checkpoint_delete(disk[0], "tuesday", 7));
  list_is(0, "monday:6:3");
  close_disk(0); /* they outlive the attach */
  open_disk(0);
  list_is(0, "monday:6:3");
  CHECK_OK(fb_checkpoint_delete(disk[0], "monday", 6));
  CHECK_OK(fb_checkpoint_delete(disk[1], "tuesday", 7));
}

/* ---- jobs and checkpoints at one instant, while threads write ---------------------------------------------------- */

static volatile bool is_over;

/* Writes granule after granule to both disks; how far it came is what the instant must cut. */
static void *write_on(void *unused) {
  fb_queue own;
  CHECK_OK(fb_queue_open(engine, 8, &own));
  for (uint64_t granule = 0; granule < GRANULES && !is_over; granule++)
    for (int i = 0; i < DISKS; i++) {
      fb_status status = fb_disk_write_begin(disk[i], own, granule * GRANULE, GRANULE, 0);
      CHECK(status == FB_OK || (status == FB_PENDING && wait_one(own).status == FB_OK));
      CHECK_OK(fb_disk_write_end(disk[i]));
    }
  CHECK_OK(fb_queue_close(own));
  return unused;
}

static uint64_t first_set(fb_bitmap bitmap, uint64_t *count) {
  uint64_t first = GRANULES;
  uint32_t dirty;
  *count = bytes_of(bitmap) / GRANULE;
  for (uint64_t granule = GRANULES; granule-- > 0;) {
    CHECK_OK(fb_bitmap_get(bitmap, granule * GRANULE, &dirty));
    first = dirty ? granule : first;
  }
  return first;
}

static void jobs_at_one_instant(void) {
  static memory_disk copy[DISKS];
  fb_device target[DISKS];
  fb_bitmap base[DISKS], since[DISKS];
  fb_job job[DISKS];
  uint64_t user_data[DISKS] = {100, 101}, copied[DISKS], first[DISKS], count;
  pthread_t thread;
  int ends = 0;
  add_and_wait(disk, 2, "base");
  for (int i = 0; i < DISKS; i++) {
    fb_backup_options options = FB_INIT(fb_backup_options);
    base[i] = bitmap_since(i, "base", "base");
    target[i] = memory_device(engine, &copy[i], DISK_BYTES);
    options.sync = FB_SYNC_INCREMENTAL;
    options.bitmap = base[i];
    options.id = i == 0 ? "a" : "b";
    options.id_length = 1;
    CHECK_OK(fb_backup_create(disk[i], target[i], &options, &job[i]));
  }
  is_over = false;
  CHECK(pthread_create(&thread, NULL, write_on, NULL) == 0);
  while (bytes_of(base[0]) < 40 * GRANULE)
    usleep(100);
  CHECK_IS(fb_checkpoint_add(disk, 2, "next", 4, job, user_data, 2, FB_TRANSACTION_SEQUENTIAL, queue, 5), FB_PENDING);
  while (ends < 3) {
    fb_completion end = wait_one(queue);
    CHECK(end.status == FB_OK);
    if (end.kind == FB_COMPLETION_JOB)
      copied[end.user_data - 100] = end.bytes / GRANULE;
    else
      CHECK(end.kind == FB_COMPLETION_DISK_CHANGE && end.user_data == 5);
    ends++;
  }
  is_over = true;
  CHECK(pthread_join(thread, NULL) == 0);
  for (int i = 0; i < DISKS; i++) {
    /* All before the instant is in the copy, all from it on in what is since the checkpoint, nothing in both. */
    since[i] = bitmap_since(i, "next", "since");
    first[i] = first_set(since[i], &count);
    CHECK(copied[i] == first[i] || count == 0);
    remove_bitmap(i, since[i]);
    CHECK_OK(fb_job_close(job[i]));
    remove_bitmap(i, base[i]);
    CHECK_OK(fb_device_close(target[i]));
    CHECK_OK(fb_checkpoint_delete(disk[i], "base", 4));
    CHECK_OK(fb_checkpoint_delete(disk[i], "next", 4));
    free(copy[i].bytes);
  }
  CHECK(first[0] - first[1] <= 1); /* the second disk is written behind the first: one instant for both */
}

/* Cancelled before their moment, which a granted write keeps away: no checkpoint either. */
static void cancelled_jobs_make_none(void) {
  memory_disk copy;
  fb_device target = memory_device(engine, &copy, DISK_BYTES);
  uint64_t user_data = 100;
  fb_job job;
  CHECK_OK(fb_backup_create(disk[0], target, NULL, &job));
  begin_write_at(0, 0);
  CHECK_IS(fb_checkpoint_add(disk, 2, "never", 5, &job, &user_data, 1, 0, queue, 5), FB_PENDING);
  CHECK_IS(fb_checkpoint_delete(disk[1], "never", 5), FB_E_STATE); /* in hand */
  CHECK_IS(fb_disk_tracker_detach(disk[1]), FB_E_STATE);
  CHECK_OK(fb_job_cancel(job));
  CHECK_OK(fb_disk_write_end(disk[0]));
  for (int i = 0; i < 2; i++)
    CHECK(wait_one(queue).status == FB_E_CANCELED);
  list_is(0, "");
  list_is(1, "");
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_device_close(target));
  free(copy.bytes);
}

/* ---- a process that is killed ------------------------------------------------------------------------------------ */

static void be_killed(void) {
  engine = small_engine();
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  open_disk(0);
  add_and_wait(disk, 1, "kept");
  write_at(0, 11);
  CHECK(write(1, "+", 1) == 1);
  pause();
}

static void kill_one(const char *self, const char *folder) {
  int pipes[2], status;
  char letter;
  pid_t child;
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
  open_disk(0);
  list_is(0, "kept:4:1");
  close_disk(0);
  CHECK_OK(fb_engine_close(engine));
}

/* ---- with a thread of the engine and with those of the host that wait -------------------------------------------- */

static void all_with(uint32_t engine_flags) {
  engine = engine_with(engine_flags);
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  for (int i = 0; i < DISKS; i++) {
    fb_device fresh = file_device(engine, disk_path[i], DISK_BYTES);
    CHECK_OK(fb_tracker_create(fresh, tracker_path[i], length_of(tracker_path[i]), 0));
    CHECK_OK(fb_device_close(fresh));
    open_disk(i);
  }
  rules();
  jobs_at_one_instant();
  cancelled_jobs_make_none();
  for (int i = 0; i < DISKS; i++)
    close_disk(i);
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
}

static void remove_files(void) {
  for (int i = 0; i < DISKS; i++)
    CHECK(unlink(disk_path[i]) == 0 && unlink(tracker_path[i]) == 0);
}

int main(int argc, char **argv) {
  char made[] = "/tmp/fastbackup-points-XXXXXX";
  const char *folder = argc == 4 ? argv[1] : mkdtemp(made);
  CHECK(folder != NULL);
  for (int i = 0; i < DISKS; i++) {
    snprintf(disk_path[i], sizeof disk_path[i], "%s/disk%d", folder, i);
    snprintf(tracker_path[i], sizeof tracker_path[i], "%s/disk%d.track", folder, i);
  }
  if (argc == 4)
    be_killed();
  all_with(0);
  kill_one(argv[0], folder);
  remove_files();
  if (getenv("WITHOUT_IO_URING") == NULL) { /* which it needs */
    all_with(FB_ENGINE_HOST_DRIVEN);
    remove_files();
  }
  CHECK(rmdir(folder) == 0);
  return 0;
}
