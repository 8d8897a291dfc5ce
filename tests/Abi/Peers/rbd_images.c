/* Images of Ceph by the C ABI: SOURCE is copied to TARGET, both rbd: names of images of one size; then what is refused:
 * SNAPSHOT as a target, and NOTHING, which is no image. A host says rbd: where it says a path, and that is all. */
#include "../Programs/check.h"

static fb_status open_image(fb_engine engine, const char *name, uint32_t flags, fb_device *device) {
  fb_device_options options = FB_INIT(fb_device_options);
  options.path = name;
  options.path_length = (uint32_t)strlen(name);
  options.flags = flags;
  return fb_device_open(engine, &options, device);
}

static void refuse(fb_engine engine, const char *name, uint32_t flags, const char *words) {
  fb_error error = FB_INIT(fb_error);
  fb_device device;
  CHECK(open_image(engine, name, flags, &device) < 0);
  CHECK(device.id == 0);
  CHECK_OK(fb_last_error(&error));
  if (strstr(error.text, words) == NULL) {
    fprintf(stderr, "not '%s': %s\n", words, error.text);
    exit(1);
  }
}

int main(int count, char **arguments) {
  fb_device_state from = FB_INIT(fb_device_state), to = FB_INIT(fb_device_state);
  fb_job_state state = FB_INIT(fb_job_state);
  fb_engine engine = small_engine();
  fb_device source, target;
  fb_completion done;
  fb_queue queue;
  fb_disk disk;
  fb_job job;
  CHECK(count == 5);
  CHECK_OK(fb_queue_open(engine, 16, &queue));
  refuse(engine, arguments[4], FB_DEVICE_READ_ONLY, "cannot open");
  refuse(engine, arguments[3], 0, "snapshot");
  CHECK_OK(open_image(engine, arguments[1], FB_DEVICE_READ_ONLY, &source));
  CHECK_OK(open_image(engine, arguments[2], 0, &target));
  CHECK_OK(fb_device_query(source, &from));
  CHECK_OK(fb_device_query(target, &to));
  CHECK(from.capacity_bytes > 0 && from.capacity_bytes == to.capacity_bytes);
  CHECK((from.flags & FB_DEVICE_IS_READ_ONLY) != 0 && (to.flags & FB_DEVICE_IS_READ_ONLY) == 0);
  disk = disk_on(engine, source);
  CHECK_OK(fb_backup_create(disk, target, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 0), FB_PENDING);
  CHECK(fb_queue_poll(queue, &done, sizeof done, 1, 1, INT64_C(60000000000)) == 1);
  CHECK_OK(done.status);
  CHECK_OK(fb_job_query(job, &state));
  CHECK(state.done_bytes == from.capacity_bytes && state.written_bytes < from.capacity_bytes);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(target));
  CHECK_OK(fb_device_close(source));
  CHECK_OK(fb_queue_close(queue));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
