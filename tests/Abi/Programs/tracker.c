/* Trackers: what is tracked when, and what a kill leaves. With two numbers: so many processes that write with threads
 * are killed at random, one after the other, as far as so many seconds reach; each time the tracker must tell every
 * granule that was granted, and none that nobody was about to write to.
 */
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DISK_BYTES (UINT64_C(32) << 30)
#define GRANULE UINT64_C(65536)
#define GRANULES (DISK_BYTES / GRANULE)
#define WRITERS 3
#define KILLS_PER_BACKUP 250 /* else all of the disk would be named in the end, and any answer right */

static char disk_path[300], tracker_path[300], log_path[300];

/* What the writers have been about to write, and what was granted: outlives them. */
struct log {
  unsigned char begun[GRANULES], granted[GRANULES];
  uint64_t write_count;
};

static struct log *open_log(void) {
  int file = open(log_path, O_RDWR | O_CREAT, 0600);
  struct log *log;
  CHECK(file >= 0 && ftruncate(file, sizeof(struct log)) == 0);
  log = (struct log *)mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(log != MAP_FAILED);
  close(file);
  return log;
}

static uint32_t length_of(const char *text) { return (uint32_t)strlen(text); }

/* ---- a fresh tracker names everything; here a copy of all of it has just been made ------------------------------ */

static uint32_t crc32c(const unsigned char *bytes, size_t count) {
  uint32_t crc = 0xffffffff;
  while (count-- > 0) {
    crc ^= *bytes++;
    for (int i = 0; i < 8; i++)
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

static void forget_all(void) {
  unsigned char head[8192], page[4096];
  uint32_t count, crc;
  int file = open(tracker_path, O_RDWR);
  CHECK(file >= 0 && pread(file, head, sizeof head, 0) == sizeof head);
  memcpy(&count, head + 208, 4);
  for (uint32_t i = 0; i < count; i++) {
    const unsigned char *area = head + 512 + 48 * i;
    uint16_t kind;
    uint64_t at, length;
    memcpy(&kind, area, 2);
    memcpy(&at, area + 16, 8);
    memcpy(&length, area + 24, 8);
    for (uint64_t end = at + length; (kind == 2 || kind == 3) && at < end; at += sizeof page) {
      CHECK(pread(file, page, sizeof page, (off_t)at) == sizeof page);
      memset(page + 64, 0, sizeof page - 64);
      crc = crc32c(page + 4, sizeof page - 4);
      memcpy(page, &crc, 4);
      CHECK(pwrite(file, page, sizeof page, (off_t)at) == sizeof page);
    }
  }
  close(file);
}

/* ---- the writers ------------------------------------------------------------------------------------------------ */

static fb_engine engine;
static fb_device tracked;
static fb_disk disk;
static struct log *shared;

static uint64_t next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void mark(unsigned char *map, uint64_t offset, uint64_t length) {
  for (uint64_t granule = offset / GRANULE; granule <= (offset + length - 1) / GRANULE; granule++)
    __atomic_store_n(&map[granule], 1, __ATOMIC_SEQ_CST);
}

static void write_one(fb_queue queue, uint64_t offset, uint64_t length) {
  fb_status status;
  mark(shared->begun, offset, length);
  status = fb_disk_write_begin(disk, queue, offset, length, 0);
  CHECK(status == FB_OK || status == FB_PENDING);
  if (status == FB_PENDING)
    CHECK(wait_one(queue).status == FB_OK);
  mark(shared->granted, offset, length); /* from here on the data may be there */
  (void)__atomic_add_fetch(&shared->write_count, 1, __ATOMIC_SEQ_CST);
  CHECK_OK(fb_disk_write_end(disk));
}

static void *write_for_ever(void *seed) {
  uint64_t state = (uint64_t)(uintptr_t)seed;
  fb_queue queue;
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  for (uint64_t at = next(&state) % DISK_BYTES;; at += next(&state) % 200000) {
    uint64_t length = 1 + next(&state) % (next(&state) % 100 == 0 ? 6 * MIB : 200000);
    if (next(&state) % 16 == 0)
      at = next(&state);
    at %= DISK_BYTES;
    write_one(queue, at, length < DISK_BYTES - at ? length : DISK_BYTES - at);
  }
  return NULL;
}

static void expect_tracker(uint32_t tracker, uint32_t restart) {
  fb_disk_state state = FB_INIT(fb_disk_state);
  CHECK_OK(fb_disk_query(disk, &state));
  CHECK(state.tracker == tracker && state.tracker_restart == restart);
}

static void open_tracked(void) {
  tracked = file_device(engine, disk_path, 0);
  disk = disk_on(engine, tracked);
  CHECK_OK(fb_disk_tracker_attach(disk, tracker_path, length_of(tracker_path)));
}

static void close_disk(void) {
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(tracked));
}

static int be_writers(const char *seed) {
  pthread_t thread;
  uint64_t state = strtoull(seed, NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
  shared = open_log();
  engine = small_engine();
  open_tracked();
  CHECK(write(1, "+", 1) == 1); /* it begins */
  for (int i = 0; i < WRITERS; i++)
    CHECK(pthread_create(&thread, NULL, write_for_ever, (void *)(uintptr_t)(next(&state) | 1)) == 0);
  pause();
  return 0;
}

/* ---- who kills them --------------------------------------------------------------------------------------------- */

static pid_t start_writers(const char *self, const char *folder, int number, int *said) {
  char text[20];
  int pipes[2];
  pid_t child;
  CHECK(pipe2(pipes, O_CLOEXEC) == 0);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    snprintf(text, sizeof text, "%d", number);
    dup2(pipes[1], 1);
    execl(self, self, "writers", folder, text, (char *)NULL);
    _exit(127);
  }
  close(pipes[1]);
  *said = pipes[0];
  return child;
}

static void judge(fb_device device, int number, uint64_t *named) {
  fb_bitmap bitmap;
  uint64_t missed = 0, too_many = 0;
  CHECK_OK(fb_tracker_read(device, tracker_path, length_of(tracker_path), &bitmap));
  *named = 0;
  for (uint64_t granule = 0; granule < GRANULES; granule++) {
    uint32_t dirty;
    CHECK_OK(fb_bitmap_get(bitmap, granule * GRANULE, &dirty));
    *named += dirty;
    missed += shared->granted[granule] && dirty == 0;
    too_many += dirty == 1 && !shared->begun[granule];
  }
  if (missed + too_many > 0)
    fprintf(stderr, "kill %d: %llu granules missed, %llu for nothing\n", number, (unsigned long long)missed,
            (unsigned long long)too_many);
  CHECK(missed + too_many == 0);
  CHECK_OK(fb_bitmap_close(bitmap));
}

static void wait_until_it_begins(int said) {
  char letter;
  CHECK(read(said, &letter, 1) == 1 && letter == '+');
}

static void be_backed_up(void) {
  open_tracked();
  CHECK_OK(fb_disk_tracker_detach(disk));
  close_disk();
  forget_all();
  memset(shared->begun, 0, sizeof shared->begun);
  memset(shared->granted, 0, sizeof shared->granted);
}

static void kill_many(const char *self, const char *folder, int count, long seconds) {
  struct timespec begin, now;
  uint64_t state = 88172645463325252u, named = 0;
  int number;
  fb_device device;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  now = begin;
  for (number = 0; number < count && now.tv_sec - begin.tv_sec < seconds; number++) {
    int said, status;
    pid_t child = start_writers(self, folder, number, &said);
    /* Some are killed while they open the tracker. */
    if (next(&state) % 4 != 0)
      wait_until_it_begins(said);
    usleep((useconds_t)(next(&state) % 40000));
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    close(said);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    device = file_device(engine, disk_path, 0);
    judge(device, number, &named);
    CHECK_OK(fb_device_close(device));
    if ((number + 1) % KILLS_PER_BACKUP == 0)
      be_backed_up();
    clock_gettime(CLOCK_MONOTONIC, &now);
  }
  be_backed_up();
  printf("%d kills, %llu writes, %llu of %llu granules named, 0 missed, 0 for nothing, %ld s\n", number,
         (unsigned long long)shared->write_count, (unsigned long long)named, (unsigned long long)GRANULES,
         (long)(now.tv_sec - begin.tv_sec));
}

/* ---- clauses ---------------------------------------------------------------------------------------------------- */

static uint64_t disk_bytes = DISK_BYTES;

static uint64_t changed_bytes(fb_device device) {
  fb_bitmap_state state = FB_INIT(fb_bitmap_state);
  fb_bitmap bitmap;
  CHECK_OK(fb_tracker_read(device, tracker_path, length_of(tracker_path), &bitmap));
  CHECK_OK(fb_bitmap_query(bitmap, &state));
  CHECK_OK(fb_bitmap_close(bitmap));
  CHECK(state.size_bytes == disk_bytes);
  return state.dirty_bytes;
}

/* Grows while it is tracked, beside writes; and while it is not, which its tracker takes for writes of others. */
static void grows(fb_queue queue) {
  fb_device device;
  fb_bitmap bitmap;
  fb_queue grower;
  CHECK_OK(fb_queue_open(engine, 16, &grower));
  open_tracked();
  write_one(queue, 100 * GRANULE, 1);
  CHECK_IS(fb_disk_grow(disk, DISK_BYTES + GRANULE, grower, 3), FB_PENDING);
  write_one(queue, 200 * GRANULE, 1);
  CHECK(wait_one(grower).status == FB_OK);
  disk_bytes += GRANULE;
  CHECK_OK(fb_disk_write_begin(disk, queue, DISK_BYTES + GRANULE - 1, 1, 0) == FB_PENDING ? wait_one(queue).status
                                                                                         : FB_OK);
  CHECK_OK(fb_disk_write_end(disk));
  write_one(queue, 300 * GRANULE, 1);
  CHECK_OK(fb_disk_tracker_detach(disk));
  close_disk();
  device = file_device(engine, disk_path, 0);
  CHECK(changed_bytes(device) == (2 + 3 + 1) * GRANULE);
  disk = disk_on(engine, device);
  CHECK_IS(fb_disk_grow(disk, DISK_BYTES + 3 * GRANULE, grower, 3), FB_PENDING);
  CHECK(wait_one(grower).status == FB_OK);
  CHECK_OK(fb_disk_close(disk)); /* nobody tracked it: who knows what else was written */
  CHECK_IS(fb_tracker_read(device, tracker_path, length_of(tracker_path), &bitmap), FB_E_STATE);
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_queue_close(grower));
  open_tracked(); /* and its host is told why the next backup is a full one */
  expect_tracker(FB_TRACKER_GOOD, FB_RESTART_FOREIGN_WRITES);
  CHECK_OK(fb_disk_tracker_detach(disk));
  close_disk();
  disk_bytes += 2 * GRANULE;
  device = file_device(engine, disk_path, 0);
  CHECK(changed_bytes(device) == disk_bytes);
  CHECK_OK(fb_device_close(device));
}

static void clauses(void) {
  uint32_t length = length_of(tracker_path);
  memory_disk memory;
  fb_bitmap bitmap;
  fb_queue queue;
  fb_device device = file_device(engine, disk_path, 0), other = memory_device(engine, &memory, MIB);
  fb_disk without;
  CHECK(changed_bytes(device) == 0);
  CHECK_IS(fb_tracker_create(device, tracker_path, length, 0), FB_E_IO); /* it is there */
  CHECK_IS(fb_tracker_create(device, tracker_path, length, 1000), FB_E_INVALID);
  CHECK_IS(fb_tracker_create(other, tracker_path, length, 0), FB_E_INVALID);
  CHECK_IS(fb_tracker_read(device, disk_path, length_of(disk_path), &bitmap), FB_E_INVALID);
  CHECK_IS(fb_tracker_read(device, "/nowhere", 8, &bitmap), FB_E_IO);
  CHECK(bitmap.id == 0);
  without = disk_on(engine, other);
  CHECK_IS(fb_disk_tracker_attach(without, tracker_path, length), FB_E_INVALID);
  CHECK_IS(fb_disk_tracker_detach(without), FB_E_STATE);
  CHECK_OK(fb_disk_close(without));
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  CHECK_OK(fb_disk_write_begin(disk, queue, 0, 1, 0));
  CHECK_IS(fb_disk_tracker_attach(disk, tracker_path, length), FB_E_STATE); /* a write is under way */
  CHECK_OK(fb_disk_write_end(disk));
  expect_tracker(FB_TRACKER_NONE, FB_RESTART_NONE);
  CHECK_OK(fb_disk_tracker_attach(disk, tracker_path, length));
  CHECK_IS(fb_disk_tracker_attach(disk, tracker_path, length), FB_E_STATE);
  expect_tracker(FB_TRACKER_GOOD, FB_RESTART_NONE);
  CHECK_IS(fb_disk_close(disk), FB_E_STATE); /* its tracker first */
  write_one(queue, 5 * GRANULE + 1, GRANULE);
  CHECK_OK(fb_disk_tracker_detach(disk));
  CHECK_OK(fb_disk_close(disk));
  CHECK(changed_bytes(device) == 2 * GRANULE);
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_device_close(other));
  grows(queue);
  CHECK_OK(fb_queue_close(queue));
}

int main(int argc, char **argv) {
  char made[] = "/tmp/fastbackup-tracker-XXXXXX";
  bool is_writers = argc == 4 && strcmp(argv[1], "writers") == 0;
  const char *folder = is_writers ? argv[2] : mkdtemp(made);
  CHECK(folder != NULL);
  snprintf(disk_path, sizeof disk_path, "%s/disk", folder);
  snprintf(tracker_path, sizeof tracker_path, "%s/disk.track", folder);
  snprintf(log_path, sizeof log_path, "%s/log", folder);
  if (is_writers)
    return be_writers(argv[3]);
  shared = open_log();
  engine = small_engine();
  CHECK_OK(fb_device_close(file_device(engine, disk_path, DISK_BYTES)));
  {
    fb_device device = file_device(engine, disk_path, 0);
    CHECK_OK(fb_tracker_create(device, tracker_path, length_of(tracker_path), 0));
    CHECK(changed_bytes(device) == DISK_BYTES);
    CHECK_OK(fb_device_close(device));
    forget_all();
  }
  if (argc == 3)
    kill_many(argv[0], folder, atoi(argv[1]), atol(argv[2]));
  else
    clauses();
  CHECK_OK(fb_engine_close(engine));
  CHECK(unlink(disk_path) == 0 && unlink(tracker_path) == 0 && unlink(log_path) == 0 && rmdir(folder) == 0);
  return 0;
}
