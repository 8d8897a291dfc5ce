/* A host with disks, a guest and a monitor, told what to do by lines on its stdin; one line of answer each.
 *
 *   monitor_host SOCKET [--driven | --threads] NAME=FILE...
 *
 *   write DISK OFFSET LENGTH BYTE   writes; 0 or the status
 *   guest DISK|-                    writes at random places of it, 4 KiB each, until told otherwise; "-" is answered
 *                                   when none is under way any more
 *   count                           how many such writes have ended
 *   hold DISK, release DISK         a granted write that does not end, and its end
 *   snapshot DISK OFFSET            a byte of the newest readable point in time, or the status
 *   sha256 DISK BITMAP              the hash of a bitmap found by its name
 *   find JOB                        the state of a job found by its id, or the status
 *   start JOB                       starts a job found by its id; the status
 *   backup DISK FILE ID SPEED       a job of the host's own; the status
 *   end ID                          waits for that job and closes it; its status
 *   open SOCKET, close              a monitor more, and the end of the first: status and milliseconds
 *   cycle SOCKET COUNT              opens and closes so many; how many descriptors are open then
 *   quit */
#include <dirent.h>
#include <fastbackup.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DISKS_MAX 4
#define BLOCK 4096

struct disk {
  char name[64];
  fb_device device;
  fb_disk disk;
  uint64_t size;
};

static fb_engine engine;
static fb_queue queue, guest_queue;
static fb_monitor monitor;
static fb_job own_job;
static fb_device own_target;
static struct disk disks[DISKS_MAX];
static int disk_count;
static int is_driven;
static volatile int is_over;
static struct disk *volatile guest_disk;
static struct disk *volatile guest_seen; /* what the guest writes to now */
static volatile uint64_t guest_count;

static void must(fb_status status, const char *what) {
  fb_error error = FB_INIT(fb_error);
  if (status >= 0)
    return;
  fb_last_error(&error);
  fprintf(stderr, "%s: %s: %s\n", what, fb_status_name(status), error.text);
  exit(1);
}

static struct disk *find(const char *name) {
  int i;
  for (i = 0; i < disk_count; i++)
    if (strcmp(disks[i].name, name) == 0)
      return &disks[i];
  return NULL;
}

static fb_device open_file(const char *path, fb_status *status) {
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device device = {0};
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  *status = fb_device_open(engine, &options, &device);
  return device;
}

/* The status of the one thing that is on its way in the queue. */
static fb_status finish(fb_queue from, fb_status status) {
  fb_completion completion;
  if (status != FB_PENDING)
    return status;
  while (fb_queue_poll(from, &completion, sizeof completion, 1, 1, 1000000000) == 0) {
  }
  return completion.status;
}

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static void *run_guest(void *unused) {
  static char buffer[BLOCK];
  uint64_t seed = 88172645463325252u;
  (void)unused;
  while (!is_over) {
    struct disk *disk = guest_seen = guest_disk;
    struct timespec pause = {0, disk == NULL ? 5000000 : 200000};
    if (disk != NULL) {
      uint64_t place = next_random(&seed) % (disk->size / BLOCK);
      memset(buffer, (int)(seed & 0xff), sizeof buffer);
      if (finish(guest_queue, fb_disk_write(disk->disk, guest_queue, buffer, place * BLOCK, BLOCK, 0, 0)) == FB_OK)
        guest_count++;
    }
    nanosleep(&pause, NULL);
  }
  return NULL;
}

/* A host without engine threads: somebody must poll. */
static void *run_engine(void *unused) {
  fb_queue own;
  fb_completion completion;
  (void)unused;
  must(fb_queue_open(engine, 16, &own), "queue");
  while (!is_over)
    fb_queue_poll(own, &completion, sizeof completion, 1, 1, 2000000);
  must(fb_queue_close(own), "queue_close");
  return NULL;
}

static fb_status open_monitor(const char *path, fb_monitor *out) {
  fb_monitor_options options = FB_INIT(fb_monitor_options);
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  return fb_monitor_open(engine, &options, out);
}

static void answer(long long number) {
  printf("%lld\n", number);
}

static void do_write(struct disk *disk, uint64_t offset, uint64_t length, int byte) {
  char *buffer = malloc(length);
  memset(buffer, byte, length);
  answer(finish(queue, fb_disk_write(disk->disk, queue, buffer, offset, length, 0, 0)));
  free(buffer);
}

static void do_snapshot(struct disk *disk, uint64_t offset) {
  unsigned char buffer[BLOCK];
  fb_job job;
  fb_status status = fb_disk_snapshot(disk->disk, &job);
  if (status == FB_OK)
    status = finish(queue, fb_snapshot_read(job, queue, buffer, offset, BLOCK, 0));
  answer(status < 0 ? status : buffer[0]);
}

static void do_sha256(struct disk *disk, const char *name) {
  uint8_t hash[32];
  fb_bitmap bitmap;
  int i;
  must(fb_disk_bitmap_find(disk->disk, name, (uint32_t)strlen(name), &bitmap), "find");
  must(fb_bitmap_sha256(bitmap, hash), "sha256");
  for (i = 0; i < 32; i++)
    printf("%02x", hash[i]);
  puts("");
}

static void do_find(const char *id) {
  fb_job job;
  fb_job_state state = FB_INIT(fb_job_state);
  fb_status status = fb_job_find(engine, id, (uint32_t)strlen(id), &job);
  if (status == FB_OK)
    status = fb_job_query(job, &state);
  answer(status < 0 ? status : (long long)state.state);
}

static void do_backup(struct disk *disk, const char *file, const char *id, uint64_t speed) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_status status;
  own_target = open_file(file, &status);
  options.id = id;
  options.id_length = (uint32_t)strlen(id);
  options.speed = speed;
  if (status == FB_OK)
    status = fb_backup_create(disk->disk, own_target, &options, &own_job);
  if (status == FB_OK)
    status = fb_job_start(own_job, queue, 0);
  answer(status);
}

static void do_end(void) {
  fb_status status = finish(queue, FB_PENDING);
  must(fb_job_close(own_job), "job_close");
  must(fb_device_close(own_target), "device_close");
  answer(status);
}

static void do_close(void) {
  struct timespec start, end;
  fb_status status;
  clock_gettime(CLOCK_MONOTONIC, &start);
  status = fb_monitor_close(monitor);
  clock_gettime(CLOCK_MONOTONIC, &end);
  if (status == FB_OK)
    monitor.id = 0;
  printf("%d %lld\n", status,
         (long long)(end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
}

static void do_start(const char *id) {
  fb_job job;
  fb_status status = fb_job_find(engine, id, (uint32_t)strlen(id), &job);
  answer(status < 0 ? status : fb_job_start(job, queue, 0));
}

static void do_cycle(const char *path, int count) {
  struct dirent *entry;
  fb_monitor other;
  DIR *folder;
  long long open_count = 0;
  for (; count > 0; count--) {
    must(open_monitor(path, &other), "monitor_open");
    must(fb_monitor_close(other), "monitor_close");
  }
  folder = opendir("/proc/self/fd");
  while ((entry = readdir(folder)) != NULL)
    open_count++;
  closedir(folder);
  answer(open_count);
}

static void set_guest(struct disk *disk) {
  struct timespec pause = {0, 1000000};
  guest_disk = disk;
  while (guest_seen != disk)
    nanosleep(&pause, NULL);
}

static int obey(char *line) {
  char word[32] = "", a[256] = "", b[256] = "", c[256] = "", d[32] = "";
  fb_monitor other;
  (void)sscanf(line, "%31s %255s %255s %255s %31s", word, a, b, c, d);
  if (strcmp(word, "write") == 0)
    do_write(find(a), strtoull(b, NULL, 10), strtoull(c, NULL, 10), atoi(d));
  else if (strcmp(word, "guest") == 0)
    set_guest(find(a)), answer(0);
  else if (strcmp(word, "count") == 0)
    answer((long long)guest_count);
  else if (strcmp(word, "hold") == 0)
    answer(finish(queue, fb_disk_write_begin(find(a)->disk, queue, 0, BLOCK, 0)));
  else if (strcmp(word, "release") == 0)
    answer(fb_disk_write_end(find(a)->disk));
  else if (strcmp(word, "snapshot") == 0)
    do_snapshot(find(a), strtoull(b, NULL, 10));
  else if (strcmp(word, "sha256") == 0)
    do_sha256(find(a), b);
  else if (strcmp(word, "find") == 0)
    do_find(a);
  else if (strcmp(word, "start") == 0)
    do_start(a);
  else if (strcmp(word, "cycle") == 0)
    do_cycle(a, atoi(b));
  else if (strcmp(word, "backup") == 0)
    do_backup(find(a), b, c, strtoull(d, NULL, 10));
  else if (strcmp(word, "end") == 0)
    do_end();
  else if (strcmp(word, "open") == 0)
    answer(open_monitor(a, &other));
  else if (strcmp(word, "close") == 0)
    do_close();
  else
    return 0;
  return 1;
}

int main(int count, char **arguments) {
  static char line[1024];
  fb_engine_options options = FB_INIT(fb_engine_options);
  pthread_t guest, driver;
  int i = 2;
  options.buffer_bytes = 16u << 20;
  is_driven = count > 2 && strcmp(arguments[2], "--driven") == 0;
  options.flags = is_driven ? FB_ENGINE_HOST_DRIVEN : 0;
  if (count > 2 && strcmp(arguments[2], "--threads") == 0)
    options.flags = FB_ENGINE_NO_IO_URING;
  must(fb_engine_open(&options, &engine), "engine");
  must(fb_queue_open(engine, 64, &queue), "queue");
  must(fb_queue_open(engine, 64, &guest_queue), "queue");
  if (is_driven)
    pthread_create(&driver, NULL, run_engine, NULL);
  for (i += options.flags != 0; i < count && disk_count < DISKS_MAX; i++) {
    struct disk *disk = &disks[disk_count++];
    char *file = strchr(arguments[i], '=');
    fb_disk_options disk_options = FB_INIT(fb_disk_options);
    fb_device_state state = FB_INIT(fb_device_state);
    fb_status status;
    *file++ = 0;
    strncpy(disk->name, arguments[i], sizeof disk->name - 1);
    disk->device = open_file(file, &status);
    must(status, file);
    must(fb_device_query(disk->device, &state), "query");
    disk->size = state.capacity_bytes;
    disk_options.name = disk->name;
    disk_options.name_length = (uint32_t)strlen(disk->name);
    must(fb_disk_open(engine, disk->device, &disk_options, &disk->disk), "disk");
  }
  must(open_monitor(arguments[1], &monitor), "monitor");
  pthread_create(&guest, NULL, run_guest, NULL);
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL && obey(line))
    fflush(stdout);
  is_over = 1;
  pthread_join(guest, NULL);
  must(fb_monitor_close(monitor), "monitor_close");
  if (is_driven)
    pthread_join(driver, NULL);
  for (i = 0; i < disk_count; i++) {
    must(fb_disk_close(disks[i].disk), "disk_close");
    must(fb_device_close(disks[i].device), "device_close");
  }
  must(fb_queue_close(queue), "queue_close");
  must(fb_queue_close(guest_queue), "queue_close");
  must(fb_engine_close(engine), "engine_close");
  puts("closed");
  return 0;
}
