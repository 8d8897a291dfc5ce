/* fb_server_*: disks and points in time of a host, read and written by the NBD clients that people have. */
#include "../Programs/check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE (16 * MIB)

static char folder[] = "/tmp/fb-server-XXXXXX";
static char socket_path[64];

/* What a shell's command says. */
static const char *output_of(const char *command) {
  static char text[65536];
  size_t length;
  FILE *pipe = popen(command, "r");
  CHECK(pipe != NULL);
  length = fread(text, 1, sizeof text - 1, pipe);
  text[length] = '\0';
  CHECK(pclose(pipe) == 0);
  return text;
}

/* A program and its arguments, for an export by its name. */
static const char *client(const char *program, const char *name) {
  static char command[512];
  (void)snprintf(command, sizeof command, "%s 'nbd+unix:///%s?socket=%s' 2>&1", program, name, socket_path);
  return output_of(command);
}

static int has(const char *text, const char *part) {
  int is_there = strstr(text, part) != NULL;
  if (!is_there)
    fprintf(stderr, "no '%s' in: %s\n", part, text);
  return is_there;
}

static fb_status listen_at(fb_engine engine, const char *path, const char *address, fb_server *server) {
  fb_server_options options = FB_INIT(fb_server_options);
  options.path = path;
  options.address = address;
  options.path_length = path == NULL ? 0 : (uint32_t)strlen(path);
  options.address_length = address == NULL ? 0 : (uint32_t)strlen(address);
  return fb_server_open(engine, &options, server);
}

static fb_status export_as(fb_server server, const char *name, fb_disk disk, fb_job job, uint32_t flags,
                           const char *bitmap) {
  fb_export_options options = FB_INIT(fb_export_options);
  options.flags = flags;
  options.disk = disk;
  options.job = job;
  options.name = name;
  options.name_length = (uint32_t)strlen(name);
  options.bitmap = bitmap;
  options.bitmap_length = bitmap == NULL ? 0 : (uint32_t)strlen(bitmap);
  return fb_server_add_export(server, &options);
}

static fb_server_state state_of(fb_server server) {
  fb_server_state state = FB_INIT(fb_server_state);
  CHECK_OK(fb_server_get_state(server, &state));
  return state;
}

static void wait_for_clients(fb_server server, uint32_t count) {
  int i;
  for (i = 0; state_of(server).client_count != count; i++) {
    CHECK(i < 1000);
    usleep(10000);
  }
}

static const fb_disk no_disk;
static const fb_job no_job;

static void refusals(fb_engine engine, fb_server server, fb_disk disk) {
  fb_server other;
  char file[64];
  CHECK_IS(listen_at(engine, NULL, NULL, &other), FB_E_INVALID);
  CHECK_IS(listen_at(engine, "/tmp/x", "127.0.0.1:1", &other), FB_E_INVALID);
  CHECK_IS(listen_at(engine, NULL, "0.0.0.0:10809", &other), FB_E_INVALID); /* that needs TLS */
  CHECK_IS(listen_at(engine, NULL, "127.0.0.1:0", &other), FB_E_INVALID);
  CHECK_IS(listen_at(engine, NULL, "127.0.0.1", &other), FB_E_INVALID);
  CHECK_IS(listen_at(engine, socket_path, NULL, &other), FB_E_STATE); /* somebody listens there */
  (void)snprintf(file, sizeof file, "%s/disk", folder);
  CHECK_IS(listen_at(engine, file, NULL, &other), FB_E_STATE); /* no socket */
  CHECK(other.id == 0);
  CHECK_IS(export_as(server, "x", no_disk, no_job, 0, NULL), FB_E_INVALID);
  CHECK_IS(export_as(server, "x", disk, no_job, 64, NULL), FB_E_UNSUPPORTED);
  CHECK_IS(export_as(server, "x", disk, no_job, 0, "no such bitmap"), FB_E_INVALID);
  CHECK_IS(fb_server_remove_export(server, "x", 1, 0), FB_E_INVALID);
}

/* The live disk: clients' writes are a guest's, with all that sees those. */
static void live_disk(fb_server server, fb_disk disk, fb_queue queue) {
  static unsigned char buffer[4096];
  CHECK_OK(export_as(server, "vda", disk, no_job, FB_EXPORT_WRITABLE | FB_EXPORT_ALL_BITMAPS, NULL));
  CHECK_IS(export_as(server, "vda", disk, no_job, 0, NULL), FB_E_STATE);
  CHECK_OK(export_as(server, "ro", disk, no_job, 0, "daily"));
  CHECK(state_of(server).export_count == 2);
  CHECK(has(client("nbdinfo --size", "vda"), "16777216"));
  CHECK(has(client("nbdinfo --list", ""), "vda"));
  CHECK(has(client("nbdinfo", "ro"), "qemu:dirty-bitmap:daily"));
  CHECK(has(client("qemu-io -f raw -c 'write -P 0x11 64k 64k' -c flush", "vda"), "wrote 65536"));
  CHECK_IS(fb_disk_read(disk, queue, buffer, 65536, sizeof buffer, 5), FB_PENDING);
  CHECK_OK(wait_one(queue).status);
  CHECK(buffer[0] == 0x11 && buffer[4095] == 0x11);
  CHECK(has(client("nbdinfo --map=qemu:dirty-bitmap:daily", "ro"), "65536       65536    1"));
  CHECK_IS(fb_disk_close(disk), FB_E_STATE);
}

/* A job's point in time stays as it was while clients write to the disk. */
static void point_in_time(fb_engine engine, fb_server server, fb_disk disk, fb_queue queue) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  char path[64];
  fb_device target;
  fb_job job;
  int i;
  (void)snprintf(path, sizeof path, "%s/copy", folder);
  target = file_device(engine, path, SIZE);
  options.sync = FB_SYNC_NONE;
  options.flags = FB_BACKUP_SNAPSHOT;
  CHECK_OK(fb_backup_create(disk, target, &options, &job));
  CHECK_IS(export_as(server, "then", no_disk, job, 0, NULL), FB_E_STATE); /* of which moment? */
  CHECK_IS(fb_job_start(job, queue, 9), FB_PENDING);
  for (i = 0; export_as(server, "then", no_disk, job, 0, NULL) == FB_E_STATE; i++) {
    CHECK(i < 1000);
    usleep(10000);
  }
  CHECK_IS(export_as(server, "w", no_disk, job, FB_EXPORT_WRITABLE, NULL), FB_E_INVALID);
  CHECK(has(client("qemu-io -f raw -c 'write -P 0x22 0 1M'", "vda"), "wrote 1048576"));
  CHECK(!strstr(client("qemu-io -r -f raw -c 'read -P 0x11 64k 64k' -c 'read -P 0 0 64k'", "then"), "failed"));
  CHECK(!strstr(client("qemu-io -r -f raw -c 'read -P 0x22 0 1M'", "vda"), "failed"));
  CHECK_OK(fb_server_remove_export(server, "then", 4, 0));
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(wait_one(queue).status, FB_E_CANCELED);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_device_close(target));
}

/* An export is kept for its clients, or taken from them. */
static void taking_back(fb_server server) {
  static char command[256];
  FILE *guest;
  (void)snprintf(command, sizeof command, "qemu-io -f raw 'nbd+unix:///vda?socket=%s' > /dev/null 2>&1", socket_path);
  guest = popen(command, "w"); /* waits for what it shall do */
  CHECK(guest != NULL);
  wait_for_clients(server, 1);
  usleep(300000); /* through its handshake */
  CHECK_IS(fb_server_remove_export(server, "vda", 3, FB_EXPORT_IF_UNUSED), FB_E_STATE);
  CHECK_OK(fb_server_remove_export(server, "ro", 2, FB_EXPORT_IF_UNUSED));
  CHECK(state_of(server).export_count == 1 && state_of(server).client_count == 1);
  CHECK_OK(fb_server_remove_export(server, "vda", 3, 0));
  wait_for_clients(server, 0);
  (void)pclose(guest);
}

/* An address of this machine; a close with an export and its client. */
static void address(fb_engine engine, fb_disk disk) {
  struct sockaddr_in any;
  socklen_t length = sizeof any;
  char text[64], command[128];
  fb_server server;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  memset(&any, 0, sizeof any);
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(fd, (struct sockaddr *)&any, sizeof any) == 0);
  CHECK(getsockname(fd, (struct sockaddr *)&any, &length) == 0 && close(fd) == 0);
  (void)snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(any.sin_port));
  CHECK_OK(listen_at(engine, NULL, text, &server));
  CHECK_OK(export_as(server, "", disk, no_job, 0, NULL));
  (void)snprintf(command, sizeof command, "nbdinfo --size nbd://%s", text);
  CHECK(has(output_of(command), "16777216"));
  CHECK_OK(fb_server_close(server));
  CHECK_IS(fb_server_close(server), FB_E_HANDLE);
}

/* Clients of an engine without a thread are served by whoever drives it. */
static void driven(void) {
  static memory_disk data;
  fb_engine engine = engine_with(FB_ENGINE_HOST_DRIVEN);
  fb_device device = memory_device(engine, &data, SIZE);
  fb_disk disk = disk_on(engine, device);
  fb_completion done;
  fb_server server;
  fb_queue queue;
  char command[512], answer[64];
  int i;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(listen_at(engine, socket_path, NULL, &server));
  CHECK_OK(export_as(server, "d", disk, no_job, FB_EXPORT_WRITABLE, NULL));
  (void)snprintf(answer, sizeof answer, "%s/answer", folder);
  (void)snprintf(command, sizeof command,
                 "(qemu-io -f raw -c 'write -P 7 0 1M' 'nbd+unix:///d?socket=%s' > %s.new; mv %s.new %s) &",
                 socket_path, answer, answer, answer);
  CHECK(system(command) == 0);
  for (i = 0; access(answer, F_OK) != 0; i++) {
    CHECK(i < 3000);
    CHECK(fb_queue_poll(queue, &done, sizeof done, 1, 1, 10000000) == 0);
  }
  CHECK(data.bytes[0] == 7 && data.bytes[MIB - 1] == 7 && data.bytes[MIB] == 0);
  CHECK_OK(fb_server_close(server));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  free(data.bytes);
}

int main(void) {
  fb_engine engine = small_engine();
  fb_bitmap bitmap;
  fb_device device;
  fb_server server;
  fb_queue queue;
  fb_disk disk;
  char path[64];
  CHECK(mkdtemp(folder) != NULL);
  (void)snprintf(socket_path, sizeof socket_path, "%s/s", folder);
  (void)snprintf(path, sizeof path, "%s/disk", folder);
  device = file_device(engine, path, SIZE);
  disk = disk_on(engine, device);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_IS(fb_disk_bitmap_add(disk, "daily", 5, 65536, 0, queue, 1, &bitmap), FB_PENDING);
  CHECK_OK(wait_one(queue).status);
  CHECK_OK(listen_at(engine, socket_path, NULL, &server));
  CHECK(fb_handle_kind(server.id) == FB_KIND_SERVER);
  refusals(engine, server, disk);
  live_disk(server, disk, queue);
  point_in_time(engine, server, disk, queue);
  taking_back(server);
  CHECK_OK(export_as(server, "again", disk, no_job, 0, NULL));
  address(engine, disk);
  CHECK_IS(fb_engine_close(engine), FB_E_STATE);
  CHECK_OK(fb_server_close(server));
  CHECK(access(socket_path, F_OK) != 0);
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(device));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  driven();
  (void)snprintf(path, sizeof path, "rm -r %s", folder);
  CHECK(system(path) == 0);
  return 0;
}
