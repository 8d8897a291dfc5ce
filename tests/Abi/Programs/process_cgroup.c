/* A memory cgroup of 64 MiB, joined before the first call (its file of processes is the argument; without one there is
 * no limit): an engine with 16 MiB of buffers backs up a disk of a file while the guest writes. */
#include "check.h"
#include <unistd.h>

#define SIZE (32 * MIB)

int main(int argc, char **argv) {
  char folder[] = "/tmp/process_cgroup_XXXXXX", source[64], target[64];
  static unsigned char block[65536];
  fb_engine_options options = FB_INIT(fb_engine_options);
  fb_engine engine;
  fb_device from, to;
  fb_queue queue;
  fb_disk disk;
  fb_job job;
  uint64_t offset, i;
  FILE *file;
  int is_ended = 0, writes = 0;
  if (argc > 1) {
    file = fopen(argv[1], "w");
    CHECK(file != NULL && fprintf(file, "%d\n", (int)getpid()) > 0 && fclose(file) == 0);
  }
  CHECK(mkdtemp(folder) != NULL);
  snprintf(source, sizeof source, "%s/source", folder);
  snprintf(target, sizeof target, "%s/target", folder);
  options.buffer_bytes = 16 * MIB;
  CHECK_OK(fb_engine_open(&options, &engine));
  CHECK_OK(fb_queue_open(engine, 64, &queue));
  from = file_device(engine, source, SIZE);
  to = file_device(engine, target, SIZE);
  disk = disk_on(engine, from);
  memset(block, 0x3C, sizeof block);
  for (offset = 0; offset < SIZE; offset += sizeof block) {
    CHECK_IS(fb_disk_write(disk, queue, block, offset, sizeof block, 0, 0), FB_PENDING);
    CHECK(wait_one(queue).status == FB_OK);
  }
  memset(block, 0xC3, sizeof block);
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  for (offset = 0; !is_ended || writes < 16; writes++) {
    fb_completion done;
    CHECK_IS(fb_disk_write(disk, queue, block, offset, 4096, 0, 2), FB_PENDING);
    do {
      done = wait_one(queue);
      CHECK(done.status == FB_OK);
      is_ended |= done.user_data == 1;
    } while (done.user_data == 1);
    offset = (offset + 5 * sizeof block) % SIZE;
  }
  file = fopen(target, "rb");
  CHECK(file != NULL);
  for (offset = 0; offset < SIZE; offset += sizeof block) {
    CHECK(fread(block, 1, sizeof block, file) == sizeof block);
    for (i = 0; i < sizeof block; i++)
      CHECK(block[i] == 0x3C);
  }
  fclose(file);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  CHECK(unlink(source) == 0 && unlink(target) == 0 && rmdir(folder) == 0);
  return 0;
}
