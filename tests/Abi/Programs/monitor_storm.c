/* Commands with thousands of actions make little for the collector, which stops guests, and leave no pages for guests'
 * first writes to take: both count, whatever the machine does beside. */
#include "check.h"
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ACTION_COUNT 2500

static fb_engine engine;
static fb_disk disk;
static fb_queue queue;
static int client;
static char path[64], command[1 << 20], answer[1 << 20];

static uint64_t heap_bytes(void) {
  fb_engine_state state = FB_INIT(fb_engine_state);
  CHECK_OK(fb_engine_query(engine, &state));
  return state.heap_bytes;
}

static long fault_count(void) {
  struct rusage usage;
  CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
  return usage.ru_minflt;
}

/* One line from the monitor. */
static void hear(void) {
  size_t heard = 0;
  do {
    ssize_t count = read(client, answer + heard, sizeof answer - heard - 1);
    CHECK(count > 0);
    heard += (size_t)count;
  } while (answer[heard - 1] != '\n');
  answer[heard] = 0;
}

static void connect_client(void) {
  struct sockaddr_un address;
  client = socket(AF_UNIX, SOCK_STREAM, 0);
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path);
  CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
  hear(); /* the greeting */
}

/* Waits for the answer, which must not be an error. */
static void say(const char *text) {
  size_t length = strlen(text), said = 0;
  while (said < length) {
    ssize_t count = write(client, text + said, length - said);
    CHECK(count > 0);
    said += (size_t)count;
  }
  hear();
  CHECK(strncmp(answer, "{\"return\": ", 11) == 0);
}

/* One action on each of the bitmaps. Returns what it made on the heap. */
static uint64_t storm(const char *type) {
  uint64_t before = heap_bytes();
  char *end = command + sprintf(command, "{'execute':'transaction','arguments':{'actions':[");
  int i;
  for (i = 0; i < ACTION_COUNT; i++)
    end += sprintf(end, "%s{'type':'block-dirty-bitmap-%s','data':{'node':'disk','name':'bitmap-%d'}}", i ? "," : "",
                   type, i);
  sprintf(end, "]}}");
  say(command);
  return heap_bytes() - before;
}

/* Bitmaps that a query tells of. */
static int told_count(void) {
  const char *at = answer;
  int count = 0;
  say("{'execute':'query-named-block-nodes'}");
  while ((at = strstr(at, "\"name\": \"bitmap-")) != NULL) at++, count++;
  return count;
}

/* Returns the pages that one write takes. */
static long write_once(void) {
  long before = fault_count();
  CHECK_OK(fb_disk_write_begin(disk, queue, 4096, 4096, 1));
  CHECK_OK(fb_disk_write_end(disk));
  return fault_count() - before;
}

int main(void) {
  static memory_disk data;
  fb_monitor_options options = FB_INIT(fb_monitor_options);
  fb_monitor monitor;
  fb_device device;
  int round;
  engine = small_engine();
  device = memory_device(engine, &data, 64 * MIB);
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  sprintf(path, "/tmp/fb-storm-%ld.sock", (long)getpid());
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  CHECK_OK(fb_monitor_open(engine, &options, &monitor));
  connect_client();
  say("{'execute':'qmp_capabilities'}");
  for (round = 0; round < 3; round++) {
    CHECK(storm("add") < 8 * MIB); /* the bitmaps themselves: 1 KiB each */
    CHECK(write_once() < 100);
    CHECK(told_count() == ACTION_COUNT);
    CHECK(storm("disable") < 3 * MIB / 2);
    CHECK(storm("enable") < 3 * MIB / 2);
    CHECK(storm("clear") < 2 * MIB);
    CHECK(write_once() < 100);
    CHECK(storm("remove") < 2 * MIB);
    CHECK(told_count() == 0);
  }
  CHECK_OK(fb_monitor_close(monitor));
  close(client);
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
