/* A full backup of a disk image or block device, from C, with the shortest way to wait: fb_queue_poll blocks.
 *
 *   gcc full_backup.c -lfastbackup -o full_backup && ./full_backup disk.img backup.img
 */
#include <fastbackup.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every refusal leaves a sentence for people. */
static void must(fb_status status, const char *what) {
  fb_error error = FB_INIT(fb_error);
  if (status >= 0)
    return;
  fb_last_error(&error);
  fprintf(stderr, "%s: %s (%s)\n", what, error.text, fb_status_name(status));
  exit(1);
}

static fb_device open_device(fb_engine engine, const char *path, uint32_t flags, uint64_t create_bytes) {
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device device;
  options.flags = flags;
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.create_bytes = create_bytes;
  must(fb_device_open(engine, &options, &device), path);
  return device;
}

int main(int argc, char **argv) {
  fb_engine engine;
  fb_queue queue;
  fb_device source, target;
  fb_disk disk;
  fb_job job;
  fb_device_state size = FB_INIT(fb_device_state);
  fb_disk_options disk_options = FB_INIT(fb_disk_options);
  fb_job_state state = FB_INIT(fb_job_state);
  fb_completion ended;

  if (argc != 3 || fb_abi_version() != FB_ABI_VERSION) {
    fprintf(stderr, "usage: %s SOURCE TARGET (library %s)\n", argv[0], fb_version_string());
    return 2;
  }
  must(fb_engine_open(NULL, &engine), "engine");
  must(fb_queue_open(engine, 16, &queue), "queue");

  /* Where data lies: the disk to copy, and a new file of the same size. */
  source = open_device(engine, argv[1], FB_DEVICE_READ_ONLY, 0);
  must(fb_device_query(source, &size), "size");
  target = open_device(engine, argv[2], FB_DEVICE_CREATE, size.capacity_bytes);

  /* What is copied is a disk: a device whose writers, if there are any, pass the engine's gate. */
  disk_options.name = "disk";
  disk_options.name_length = 4;
  must(fb_disk_open(engine, source, &disk_options, &disk), "disk");

  must(fb_backup_create(disk, target, NULL, &job), "job");
  must(fb_job_start(job, queue, 1), "start");
  while (fb_queue_poll(queue, &ended, sizeof ended, 1, 1, 500000000) == 0) {
    must(fb_job_query(job, &state), "query");
    printf("%3.0f %%\n", 100.0 * (double)state.done_bytes / (double)(state.total_bytes ? state.total_bytes : 1));
  }
  must(fb_job_query(job, &state), "query");
  printf("%s: %" PRIu64 " bytes, %" PRIu64 " written, %" PRIu64 " skipped as zero\n", fb_status_name(ended.status),
         state.done_bytes, state.written_bytes, state.skipped_zero_bytes);

  /* Children first; a parent refuses to close while it has any. */
  must(fb_job_close(job), "close job");
  must(fb_disk_close(disk), "close disk");
  must(fb_device_close(target), "close target");
  must(fb_device_close(source), "close source");
  must(fb_queue_close(queue), "close queue");
  must(fb_engine_close(engine), "close engine");
  return ended.status == FB_OK ? 0 : 1;
}
