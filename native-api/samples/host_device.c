/* A host's device: the hypervisor's own block layer below the engine. Here it is memory, read on a worker thread
 * of the host, to show that submit returns at once and the answer comes later from anywhere.
 *
 *   gcc host_device.c -lfastbackup -lpthread -o host_device && ./host_device backup.img
 */
#include <fastbackup.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE (16u << 20)
#define SLOTS 64 /* in_flight_max: the engine never has more at the host */

static unsigned char memory[SIZE];
static fb_device device;
static fb_io_request ring[SLOTS];
static unsigned head, tail, is_over;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void must(fb_status status, const char *what) {
  fb_error error = FB_INIT(fb_error);
  if (status >= 0)
    return;
  fb_last_error(&error);
  fprintf(stderr, "%s: %s (%s)\n", what, error.text, fb_status_name(status));
  exit(1);
}

/* On the engine's thread: takes the request and returns. Must not block. */
static fb_status submit(void *context, const fb_io_request *request) {
  (void)context;
  if (request->operation == FB_IO_FLUSH)
    return FB_OK; /* done already: no completion */
  pthread_mutex_lock(&lock);
  ring[tail++ % SLOTS] = *request;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  return FB_PENDING; /* fb_device_complete will be called, once */
}

static void *worker(void *unused) {
  for (;;) {
    fb_io_request request;
    pthread_mutex_lock(&lock);
    while (head == tail && !is_over)
      pthread_cond_wait(&changed, &lock);
    if (head == tail) {
      pthread_mutex_unlock(&lock);
      return unused;
    }
    request = ring[head++ % SLOTS];
    pthread_mutex_unlock(&lock);
    if (request.operation == FB_IO_READ)
      memcpy(request.buffer, memory + request.offset, request.length);
    else if (request.operation == FB_IO_WRITE)
      memcpy(memory + request.offset, request.buffer, request.length);
    must(fb_device_complete(device, request.token, FB_OK, 0), "complete");
  }
}

int main(int argc, char **argv) {
  fb_engine engine;
  fb_queue queue;
  fb_device target;
  fb_disk disk;
  fb_job job;
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_device_options file = FB_INIT(fb_device_options);
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_completion ended;
  pthread_t thread;
  unsigned i;

  if (argc != 2)
    return 2;
  for (i = 0; i < SIZE; i++)
    memory[i] = (unsigned char)(i >> 12);
  must(fb_engine_open(NULL, &engine), "engine");
  must(fb_queue_open(engine, 16, &queue), "queue");
  pthread_create(&thread, NULL, worker, NULL);

  ops.capacity_bytes = SIZE;
  ops.in_flight_max = SLOTS;
  ops.submit = submit;
  must(fb_device_register(engine, &ops, &device), "register");
  file.flags = FB_DEVICE_CREATE;
  file.create_bytes = SIZE;
  file.path = argv[1];
  file.path_length = (uint32_t)strlen(argv[1]);
  must(fb_device_open(engine, &file, &target), argv[1]);
  options.name = "memory";
  options.name_length = 6;
  must(fb_disk_open(engine, device, &options, &disk), "disk");
  must(fb_backup_create(disk, target, NULL, &job), "job");
  must(fb_job_start(job, queue, 0), "start");
  while (fb_queue_poll(queue, &ended, sizeof ended, 1, 1, -1) == 0)
    ;
  printf("backup: %s\n", fb_status_name(ended.status));

  must(fb_job_close(job), "close");
  must(fb_disk_close(disk), "close");
  must(fb_device_close(device), "close"); /* no call of submit comes after this */
  must(fb_device_close(target), "close");
  pthread_mutex_lock(&lock);
  is_over = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
  must(fb_queue_close(queue), "close");
  must(fb_engine_close(engine), "close");
  return ended.status == FB_OK ? 0 : 1;
}
