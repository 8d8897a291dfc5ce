/* qcow2 images: a new one as the target of a job, packed, and one that is based on it with what has changed; each is
 * no image before its job has ended, gone when nothing was written, and the disk of its time when it is read again. As
 * the disk of a guest it becomes larger in place. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char folder[] = "/tmp/fb-image-XXXXXX";
static fb_engine engine;
static fb_queue queue;

static const char *in_folder(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static bool is_there(const char *name) { return access(in_folder(name), F_OK) == 0; }

static fb_device_options new_image(const char *name, const char *backing) {
  fb_device_options options = FB_INIT(fb_device_options);
  options.path = in_folder(name);
  options.path_length = (uint32_t)strlen(options.path);
  options.flags = FB_DEVICE_CREATE | FB_DEVICE_PARTIAL;
  options.create_bytes = 4 * MIB;
  options.format = FB_FORMAT_QCOW2;
  options.packing = FB_PACKING_ZSTD;
  if (backing != NULL) {
    options.backing = in_folder(backing);
    options.backing_length = (uint32_t)strlen(options.backing);
  }
  return options;
}

static void back_up(fb_disk disk, fb_device target, const fb_bitmap *bitmap, uint32_t sync) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_job job;
  fb_completion done;
  options.sync = sync;
  if (bitmap != NULL) {
    options.bitmap = *bitmap;
    options.bitmap_mode = FB_BITMAP_MODE_ON_SUCCESS;
  }
  CHECK_OK(fb_backup_create(disk, target, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 0), FB_PENDING);
  done = wait_one(queue);
  CHECK(done.status == FB_OK);
  CHECK_OK(fb_job_close(job));
}

static bool has_head(const char *name) {
  char head[4] = {0};
  int fd = open(in_folder(name), O_RDONLY);
  CHECK(fd >= 0 && read(fd, head, 4) == 4 && close(fd) == 0);
  return memcmp(head, "QFI\xfb", 4) == 0;
}

/* What an image holds, through a job of its own. */
static void check_content(const char *name, const unsigned char *expected) {
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device_state state = FB_INIT(fb_device_state);
  memory_disk copy;
  fb_device image, target;
  fb_disk disk;
  options.path = in_folder(name);
  options.path_length = (uint32_t)strlen(options.path);
  options.flags = FB_DEVICE_READ_ONLY;
  options.format = FB_FORMAT_QCOW2;
  CHECK_OK(fb_device_open(engine, &options, &image));
  CHECK_OK(fb_device_query(image, &state));
  CHECK(state.capacity_bytes == 4 * MIB && (state.flags & FB_DEVICE_IS_READ_ONLY) != 0);
  CHECK((state.flags & FB_DEVICE_IS_HOST) == 0);
  disk = disk_on(engine, image);
  target = memory_device(engine, &copy, 4 * MIB);
  back_up(disk, target, NULL, FB_SYNC_FULL);
  CHECK(memcmp(copy.bytes, expected, 4 * MIB) == 0);
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(target));
  CHECK_OK(fb_device_close(image));
  free(copy.bytes);
}

static fb_disk opened(const char *name, uint32_t flags, fb_device *image) {
  fb_device_options options = FB_INIT(fb_device_options);
  options.path = in_folder(name);
  options.path_length = (uint32_t)strlen(options.path);
  options.flags = flags;
  options.format = FB_FORMAT_QCOW2;
  CHECK_OK(fb_device_open(engine, &options, image));
  return disk_on(engine, *image);
}

static void close_disk(fb_disk disk, fb_device image) {
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(image));
}

static void enlarge(const char *name) {
  static unsigned char bytes[4096];
  fb_disk_state state = FB_INIT(fb_disk_state);
  fb_device image;
  fb_disk disk = opened(name, FB_DEVICE_READ_ONLY, &image);
  CHECK_IS(fb_disk_grow(disk, 8 * MIB, queue, 1), FB_E_INVALID);
  close_disk(disk, image);
  disk = opened(name, 0, &image);
  CHECK_IS(fb_disk_grow(disk, 2 * MIB, queue, 1), FB_E_INVALID);
  CHECK_IS(fb_disk_grow(disk, 8 * MIB + 1, queue, 1), FB_E_INVALID); /* no whole sector */
  CHECK_IS(fb_disk_grow(disk, UINT64_C(1) << 62, queue, 1), FB_E_INVALID); /* no table is so long */
  CHECK_IS(fb_disk_grow(disk, 8 * MIB, queue, 1), FB_PENDING);
  CHECK(wait_one(queue).status == FB_OK);
  memset(bytes, 9, sizeof bytes);
  CHECK_IS(fb_disk_read(disk, queue, bytes, 4 * MIB, sizeof bytes, 2), FB_PENDING);
  CHECK(wait_one(queue).status == FB_OK && bytes[0] == 0 && bytes[4095] == 0);
  CHECK_IS(fb_disk_write(disk, queue, bytes, 8 * MIB - sizeof bytes, sizeof bytes, 0, 3), FB_PENDING);
  CHECK(wait_one(queue).status == FB_OK);
  close_disk(disk, image);
  disk = opened(name, FB_DEVICE_READ_ONLY, &image);
  CHECK_OK(fb_disk_query(disk, &state));
  CHECK(state.capacity_bytes == 8 * MIB);
  close_disk(disk, image);
}

/* All clusters of the disk have a place: the file is longer than that, and holds no more. */
static void check_places(fb_disk disk, const unsigned char *expected) {
  fb_device_options options = new_image("places", NULL);
  fb_device target;
  struct stat is;
  options.packing = FB_PACKING_NONE;
  options.preallocation = FB_PREALLOCATION_METADATA;
  CHECK_OK(fb_device_open(engine, &options, &target));
  back_up(disk, target, NULL, FB_SYNC_FULL);
  CHECK_OK(fb_device_publish(target, NULL, 0, NULL));
  CHECK_OK(fb_device_close(target));
  CHECK(stat(in_folder("places"), &is) == 0 && is.st_size == (64 + 1 + 4) * 65536);
  check_content("places", expected);
  CHECK(unlink(in_folder("places")) == 0);
}

static void check_refusals(void) {
  fb_device_options options = new_image("new", NULL);
  fb_device device;
  options.flags &= ~FB_DEVICE_PARTIAL;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options = new_image("new", NULL);
  options.packing = 3;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_UNSUPPORTED);
  options = new_image("new", NULL);
  options.packing_level = 20;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options = new_image("new", NULL);
  options.packing = FB_PACKING_NONE;
  options.packing_level = 1;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options = new_image("new", NULL);
  options.format = 3;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_UNSUPPORTED);
  options = new_image("new", NULL);
  options.format = FB_FORMAT_RAW; /* which is neither packed nor based on another */
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options = new_image("new", NULL);
  options.preallocation = 2;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_UNSUPPORTED);
  options.preallocation = FB_PREALLOCATION_METADATA; /* and packed */
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options.flags &= ~(FB_DEVICE_CREATE | FB_DEVICE_PARTIAL);
  options.packing = FB_PACKING_NONE;
  options.create_bytes = 0;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options = new_image("new", NULL);
  options.create_bytes = 100; /* no whole sector */
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options = new_image("new", "nothing");
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_IO);
  options = new_image("new", "full");
  options.create_bytes = 5 * MIB; /* full is no copy of that */
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  options = new_image("full", "full");
  options.flags |= FB_DEVICE_REPLACE;
  CHECK_IS(fb_device_open(engine, &options, &device), FB_E_INVALID);
  CHECK(!is_there("new") && !is_there("new.partial") && !is_there("full.partial"));
}

int main(void) {
  memory_disk memory;
  fb_device_options options;
  fb_backup_options small = FB_INIT(fb_backup_options);
  fb_device source, target;
  fb_completion done;
  fb_bitmap bitmap;
  fb_disk disk;
  fb_job job;
  uint64_t i;
  CHECK(mkdtemp(folder) != NULL);
  engine = small_engine();
  CHECK_OK(fb_queue_open(engine, 4, &queue));
  source = memory_device(engine, &memory, 4 * MIB);
  for (i = 0; i < 3 * MIB; i++)
    memory.bytes[i] = (unsigned char)(i * 2654435761u >> 13 & (i & MIB ? 3 : 255));
  disk = disk_on(engine, source);
  CHECK_IS(fb_disk_bitmap_add(disk, "daily", 5, 65536, 0, queue, 0, &bitmap), FB_PENDING);
  done = wait_one(queue);
  CHECK(done.status == FB_OK);

  /* Nothing was written: it goes away again. */
  options = new_image("full", NULL);
  CHECK_OK(fb_device_open(engine, &options, &target));
  CHECK(is_there("full.partial"));
  CHECK_IS(fb_device_publish(target, NULL, 0, NULL), FB_E_INVALID);
  CHECK_OK(fb_device_close(target));
  CHECK(!is_there("full.partial"));

  /* Full. */
  options = new_image("full", NULL);
  CHECK_OK(fb_device_open(engine, &options, &target));
  small.cluster_bytes = 4096;
  CHECK_IS(fb_backup_create(disk, target, &small, &job), FB_E_ALIGN);
  CHECK(!has_head("full.partial"));
  back_up(disk, target, &bitmap, FB_SYNC_FULL);
  CHECK_OK(fb_device_publish(target, NULL, 0, NULL));
  CHECK_OK(fb_device_close(target));
  CHECK(has_head("full") && !is_there("full.partial"));
  check_content("full", memory.bytes);
  check_refusals();
  check_places(disk, memory.bytes);

  /* What has changed, zeroes among it. */
  CHECK_OK(hooked_write(disk, queue, &memory, 100000, 9, 100));
  CHECK_OK(hooked_write(disk, queue, &memory, MIB, 0, 65536));
  options = new_image("inc", "full");
  CHECK_OK(fb_device_open(engine, &options, &target));
  back_up(disk, target, &bitmap, FB_SYNC_INCREMENTAL);
  CHECK_OK(fb_device_publish(target, NULL, 0, NULL));
  CHECK_OK(fb_device_close(target));
  check_content("inc", memory.bytes);
  enlarge("inc");

  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_bitmap_close(bitmap));
  CHECK_OK(fb_device_close(source));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  CHECK(unlink(in_folder("inc")) == 0 && unlink(in_folder("full")) == 0 && rmdir(folder) == 0);
  return 0;
}
