/* What the programs share: a check that ends the program with its line, and the objects that most of them need. */
#ifndef CHECK_H
#define CHECK_H
#include <fastbackup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);              \
      exit(1);                                                                     \
    }                                                                              \
  } while (0)

/* A status that must be this one; says what came instead, and why. */
#define CHECK_IS(call, wanted)                                                     \
  do {                                                                             \
    fb_status status_ = (call);                                                    \
    if (status_ != (wanted)) {                                                     \
      fb_error error_ = FB_INIT(fb_error);                                         \
      fb_last_error(&error_);                                                      \
      fprintf(stderr, "%s:%d: %s is %s: %s\n", __FILE__, __LINE__, #call,          \
              fb_status_name(status_), error_.text);                               \
      exit(1);                                                                     \
    }                                                                              \
  } while (0)
#define CHECK_OK(call) CHECK_IS(call, FB_OK)

#define MIB (UINT64_C(1) << 20)
#define UNUSED __attribute__((unused))

/* A disk in the host's memory, registered as a device. */
typedef struct memory_disk {
  unsigned char *bytes;
  uint64_t size;
  int release_count;
} memory_disk;

UNUSED static fb_status memory_submit(void *context, const fb_io_request *request) {
  memory_disk *disk = (memory_disk *)context;
  if (request->operation == FB_IO_READ)
    memcpy(request->buffer, disk->bytes + request->offset, request->length);
  else if (request->operation == FB_IO_WRITE)
    memcpy(disk->bytes + request->offset, request->buffer, request->length);
  return FB_OK;
}

UNUSED static void memory_release(void *context) {
  ((memory_disk *)context)->release_count++;
}

UNUSED static fb_device memory_device(fb_engine engine, memory_disk *disk, uint64_t size) {
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_device device;
  disk->bytes = (unsigned char *)calloc(1, size);
  disk->size = size;
  disk->release_count = 0;
  CHECK(disk->bytes != NULL);
  ops.capacity_bytes = size;
  ops.context = disk;
  ops.submit = memory_submit;
  ops.release = memory_release;
  CHECK_OK(fb_device_register(engine, &ops, &device));
  return device;
}

/* A file: a new one of so many bytes, or, with 0, one that is there. */
UNUSED static fb_device file_device(fb_engine engine, const char *path, uint64_t create_bytes) {
  fb_device_options options = FB_INIT(fb_device_options);
  fb_device device;
  options.path = path;
  options.path_length = (uint32_t)strlen(path);
  options.flags = create_bytes > 0 ? FB_DEVICE_CREATE : 0;
  options.create_bytes = create_bytes;
  CHECK_OK(fb_device_open(engine, &options, &device));
  return device;
}

UNUSED static fb_engine engine_with(uint32_t flags) {
  fb_engine_options options = FB_INIT(fb_engine_options);
  fb_engine engine;
  options.flags = flags | (getenv("WITHOUT_IO_URING") != NULL ? FB_ENGINE_NO_IO_URING : 0); /* as valgrind needs it */
  options.buffer_bytes = 8 * MIB;
  CHECK_OK(fb_engine_open(&options, &engine));
  return engine;
}

UNUSED static fb_engine small_engine(void) {
  return engine_with(0);
}

UNUSED static fb_disk disk_on(fb_engine engine, fb_device device) {
  fb_disk_options options = FB_INIT(fb_disk_options);
  fb_disk disk;
  options.name = "disk";
  options.name_length = 4;
  CHECK_OK(fb_disk_open(engine, device, &options, &disk));
  return disk;
}

/* Waits for one completion, ten seconds at most. */
UNUSED static fb_completion wait_one(fb_queue queue) {
  fb_completion completion;
  memset(&completion, 0, sizeof completion);
  CHECK(fb_queue_poll(queue, &completion, sizeof completion, 1, 1, INT64_C(10000000000)) == 1);
  return completion;
}

/* A guest write in hook mode, waiting where it must. */
UNUSED static fb_status hooked_write(fb_disk disk, fb_queue queue, memory_disk *data, uint64_t offset, int value,
                                     uint64_t length) {
  fb_status status = fb_disk_write_begin(disk, queue, offset, length, 77);
  if (status == FB_PENDING) {
    fb_completion grant = wait_one(queue);
    CHECK(grant.kind == FB_COMPLETION_WRITE_GRANT && grant.user_data == 77);
    status = grant.status;
  }
  if (status != FB_OK)
    return status;
  memset(data->bytes + offset, value, length);
  CHECK_OK(fb_disk_write_end(disk));
  return FB_OK;
}
#endif
