/* A monitor of an engine without a thread: what its clients ask for happens on the thread that polls, as all else; a
 * host with one thread needs no locks. Nobody polls for a while: the command waits, and a close ends it. */
#include "check.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static pthread_t host;
static int stranger_count, call_count;

static fb_status submit(void *context, const fb_io_request *request) {
  call_count++;
  stranger_count += !pthread_equal(pthread_self(), host);
  return memory_submit(context, request);
}

static char path[64], target[64];
static volatile int answer_count, connected_count;

/* A client: says all at once and counts the answers. */
static void *run_client(void *lines) {
  struct sockaddr_un address;
  char buffer[4096];
  ssize_t count, i;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path);
  CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
  connected_count++;
  CHECK(write(fd, lines, strlen(lines)) == (ssize_t)strlen(lines));
  while ((count = read(fd, buffer, sizeof buffer)) > 0)
    for (i = 0; i + 8 <= count; i++)
      answer_count += memcmp(buffer + i, "\"return\"", 8) == 0;
  close(fd);
  return NULL;
}

static fb_monitor open_monitor(fb_engine engine) {
  fb_monitor_options options = FB_INIT(fb_monitor_options);
  fb_monitor monitor;
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  CHECK_OK(fb_monitor_open(engine, &options, &monitor));
  return monitor;
}

int main(void) {
  static memory_disk data;
  static char lines[1024];
  fb_engine engine = engine_with(FB_ENGINE_HOST_DRIVEN);
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_completion done;
  fb_device device;
  fb_disk disk;
  fb_queue queue;
  fb_monitor monitor;
  pthread_t client;
  FILE *file;
  host = pthread_self();
  sprintf(path, "/tmp/fb-driven-%ld.sock", (long)getpid());
  sprintf(target, "/tmp/fb-driven-%ld.img", (long)getpid());
  file = fopen(target, "w");
  CHECK(file != NULL && ftruncate(fileno(file), (off_t)(4 * MIB)) == 0 && fclose(file) == 0);
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  data.bytes = (unsigned char *)calloc(1, 4 * MIB);
  data.size = 4 * MIB;
  ops.capacity_bytes = data.size;
  ops.context = &data;
  ops.submit = submit;
  CHECK_OK(fb_device_register(engine, &ops, &device));
  disk = disk_on(engine, device);

  monitor = open_monitor(engine);
  sprintf(lines,
          "{'execute':'qmp_capabilities'}{'execute':'blockdev-add','arguments':{'driver':'file','node-name':'t',"
          "'filename':'%s'}}{'execute':'blockdev-backup','arguments':{'device':'disk','target':'t','sync':'full',"
          "'job-id':'j','speed':65536,'auto-dismiss':false}}{'execute':'job-pause','arguments':{'id':'j'}}{'execute':"
          "'job-resume','arguments':{'id':'j'}}{'execute':'block-job-set-speed','arguments':{'device':'j','speed':0}}"
          "{'execute':'query-jobs'}",
          target);
  CHECK(pthread_create(&client, NULL, run_client, lines) == 0);
  while (answer_count < 7 || call_count == 0)
    fb_queue_poll(queue, &done, sizeof done, 1, 1, 10000000);
  CHECK_OK(fb_monitor_close(monitor));
  CHECK(pthread_join(client, NULL) == 0);
  CHECK(call_count > 0 && stranger_count == 0);

  answer_count = 0;
  monitor = open_monitor(engine);
  CHECK(pthread_create(&client, NULL, run_client, lines) == 0);
  while (connected_count < 2) usleep(1000); /* its thread may be late */
  usleep(200000);                           /* and nobody polls */
  CHECK_OK(fb_monitor_close(monitor));
  CHECK(pthread_join(client, NULL) == 0);
  CHECK(stranger_count == 0);

  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  free(data.bytes);
  unlink(target);
  return 0;
}
