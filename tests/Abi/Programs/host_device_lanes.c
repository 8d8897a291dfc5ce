/* A host's device that works on one request at a time: a guest's write that needs a copy comes before all snapshot
 * reads that the host has not been given yet, also where one of those is at the very place. The host is a thread that
 * takes its requests in the order in which they came, so long for each. */
#include "check.h"
#include <pthread.h>
#include <unistd.h>

#define READS 256u
#define SIZE (64 * MIB)
#define CLUSTER 65536u
#define WORK_US 2000u
#define QUEUED_MAX 4096u

static memory_disk source;
static fb_device device;
static fb_io_request queued[QUEUED_MAX];
static unsigned head, tail, most_at_once;
static unsigned copied_at[SIZE / CLUSTER]; /* how many requests had ended when the cluster was copied */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int is_over;

static fb_status enqueue(void *context, const fb_io_request *request) {
  (void)context;
  pthread_mutex_lock(&lock);
  queued[tail++ % QUEUED_MAX] = *request;
  if (tail - head > most_at_once)
    most_at_once = tail - head;
  pthread_cond_signal(&arrived);
  pthread_mutex_unlock(&lock);
  return FB_PENDING;
}

static void *work(void *unused) {
  (void)unused;
  for (;;) {
    fb_io_request request;
    pthread_mutex_lock(&lock);
    while (head == tail && !is_over)
      pthread_cond_wait(&arrived, &lock);
    if (head == tail) {
      pthread_mutex_unlock(&lock);
      return NULL;
    }
    request = queued[head % QUEUED_MAX];
    pthread_mutex_unlock(&lock);
    usleep(WORK_US);
    CHECK(memory_submit(&source, &request) == FB_OK);
    pthread_mutex_lock(&lock);
    head++;
    if (request.length == CLUSTER)
      copied_at[request.offset / CLUSTER] = head;
    pthread_mutex_unlock(&lock);
    CHECK_OK(fb_device_complete(device, request.token, FB_OK, 0));
  }
}

/* How many requests the device ended until a write got what it waited for, its own copy among them: of some writes the
 * fewest, because the machine may hold any of them up. */
static unsigned wait_of_writes(fb_disk disk, fb_queue queue, unsigned first_cluster) {
  unsigned fewest = UINT32_MAX, i;
  for (i = 0; i < 5; i++) {
    unsigned before, count;
    pthread_mutex_lock(&lock);
    before = head;
    pthread_mutex_unlock(&lock);
    CHECK_OK(hooked_write(disk, queue, &source, (uint64_t)(first_cluster + i) * CLUSTER, 7, CLUSTER));
    pthread_mutex_lock(&lock);
    count = copied_at[first_cluster + i] - before;
    pthread_mutex_unlock(&lock);
    fewest = count < fewest ? count : fewest;
  }
  printf("writes from cluster %u on waited for %u requests\n", first_cluster, fewest);
  return fewest;
}

int main(void) {
  fb_engine engine = small_engine();
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_queue guest, jobs, readers;
  fb_completion done;
  memory_disk target;
  fb_device to;
  fb_disk disk;
  fb_job job;
  pthread_t thread;
  unsigned i;
  unsigned char *buffers = (unsigned char *)malloc(READS * 4096);
  source.bytes = (unsigned char *)calloc(1, SIZE);
  ops.capacity_bytes = SIZE;
  ops.in_flight_max = 16;
  ops.submit = enqueue;
  ops.lower_in_flight_max = 17;
  CHECK_IS(fb_device_register(engine, &ops, &device), FB_E_INVALID);
  ops.lower_in_flight_max = 0;
  ops.reserved = 1;
  CHECK_IS(fb_device_register(engine, &ops, &device), FB_E_UNSUPPORTED);
  ops.reserved = 0;
  CHECK_OK(fb_device_register(engine, &ops, &device));
  CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
  to = memory_device(engine, &target, SIZE);
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 8, &guest));
  CHECK_OK(fb_queue_open(engine, 8, &jobs));
  CHECK_OK(fb_queue_open(engine, READS, &readers));
  options.flags = FB_BACKUP_SNAPSHOT;
  options.sync = FB_SYNC_NONE;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, jobs, 1), FB_PENDING);
  do { /* until the point in time is there: a snapshot can be read from then on */
    fb_status status = fb_snapshot_read(job, readers, buffers, 0, 4096, 0);
    if (status == FB_PENDING && wait_one(readers).status == FB_OK)
      break;
    usleep(1000);
  } while (1);

  CHECK(wait_of_writes(disk, guest, 1) == 1); /* alone: its own copy */
  for (i = 0; i < READS; i++)
    CHECK_IS(fb_snapshot_read(job, readers, buffers + i * 4096, (uint64_t)(i + 100) * CLUSTER, 4096, i), FB_PENDING);
  usleep(10 * WORK_US);
  CHECK(wait_of_writes(disk, guest, 10) <= 3); /* two that the host has, its own */
  CHECK(wait_of_writes(disk, guest, 300) <= 4); /* and the reader of that very place, in front of the others */
  CHECK(most_at_once <= 4);

  for (i = 0; i < READS; i++)
    CHECK(fb_queue_poll(readers, &done, sizeof done, 1, 1, INT64_C(10000000000)) == 1 && done.status == FB_OK);
  CHECK_OK(fb_job_cancel(job));
  (void)wait_one(jobs);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(readers));
  CHECK_OK(fb_queue_close(jobs));
  CHECK_OK(fb_queue_close(guest));
  pthread_mutex_lock(&lock);
  is_over = 1;
  pthread_cond_signal(&arrived);
  pthread_mutex_unlock(&lock);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_OK(fb_engine_close(engine));
  free(source.bytes);
  free(target.bytes);
  free(buffers);
  return 0;
}
