/* A host device that never answers holds nothing up: its job can be cancelled and closed, guests go on, the disk, the
 * devices and the engine can be closed. Requests that the host still has may be ended by the old handle, and give their
 * memory back; release comes after the last of them, or when the engine is closed. */
#include "check.h"
#include <unistd.h>

#define PARKED_MAX 1024

static memory_disk source, hung;
static fb_io_request parked[PARKED_MAX];
static volatile int parked_count;

/* Reads are answered, nothing else ever is. */
static fb_status hang(void *context, const fb_io_request *request) {
  (void)context;
  if (request->operation == FB_IO_READ)
    return memory_submit(&hung, request);
  CHECK(parked_count < PARKED_MAX);
  parked[parked_count++] = *request;
  return FB_PENDING;
}

static uint64_t free_bytes(fb_engine engine) {
  fb_engine_state state = FB_INIT(fb_engine_state);
  CHECK_OK(fb_engine_query(engine, &state));
  return state.buffer_free_bytes;
}

static fb_device hung_device(fb_engine engine, fb_queue calls) {
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_device device;
  ops.capacity_bytes = 8 * MIB;
  ops.in_flight_max = 16;
  ops.context = &hung;
  ops.submit = hang;
  ops.release = memory_release;
  ops.queue = calls;
  hung.release_count = 0;
  parked_count = 0;
  CHECK_OK(fb_device_register(engine, &ops, &device));
  return device;
}

/* A job onto a device that does not answer, begun and given up. Returns the device, which nobody uses any more. */
static fb_device give_up(fb_engine engine, fb_disk disk, fb_queue calls) {
  fb_device to = hung_device(engine, calls);
  fb_queue queue;
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_device_state state = FB_INIT(fb_device_state);
  fb_completion none;
  fb_job job, other;
  int i;
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  options.guest_priority = FB_GUEST_PRIORITY_OFF;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  for (i = 0; i < 10000 && state.in_flight_count == 0; i++) {
    CHECK(fb_queue_poll(queue, &none, sizeof none, 1, 1, 1000000) == 0);
    CHECK_OK(fb_device_query(to, &state));
  }
  CHECK(calls.id != 0 || parked_count > 0);
  CHECK_IS(fb_device_close(to), FB_E_STATE); /* the job uses it */
  CHECK_OK(hooked_write(disk, queue, &source, 0, 1, 4096));
  CHECK_OK(fb_job_cancel(job));
  CHECK_IS(wait_one(queue).status, FB_E_CANCELED);
  CHECK_OK(hooked_write(disk, queue, &source, 4 * MIB, 2, 4096));
  CHECK_OK(fb_job_close(job));
  CHECK_IS(fb_backup_create(disk, to, NULL, &other), FB_E_STATE); /* it still has requests of that job */
  CHECK_OK(fb_queue_close(queue));
  return to;
}

int main(void) {
  static const fb_queue none = {0};
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &source, 8 * MIB), to;
  fb_disk disk = disk_on(engine, from);
  fb_queue calls;
  uint64_t all = free_bytes(engine);
  int i, count;
  hung.bytes = (unsigned char *)calloc(1, 8 * MIB);
  memset(source.bytes, 5, 8 * MIB);

  /* Ended after the close: the memory comes back, and release with the last one. */
  to = give_up(engine, disk, none);
  CHECK(free_bytes(engine) < all);
  count = parked_count;
  CHECK_OK(fb_device_close(to));
  CHECK(fb_handle_kind(to.id) == FB_KIND_NONE);
  CHECK_IS(fb_device_close(to), FB_E_HANDLE);
  CHECK(hung.release_count == 0);
  for (i = 0; i < count; i++) {
    CHECK(((unsigned char *)parked[i].buffer)[0] == 5); /* still there to be taken from */
    CHECK_OK(fb_device_complete(to, parked[i].token, FB_E_IO, 5));
  }
  for (i = 0; i < 10000 && (hung.release_count == 0 || free_bytes(engine) != all); i++)
    usleep(1000);
  CHECK(hung.release_count == 1 && free_bytes(engine) == all && parked_count == count); /* it got no call more */
  CHECK_IS(fb_device_complete(to, parked[0].token, FB_OK, 0), FB_E_HANDLE);

  /* Calls that wait for a thread that does not come: closed at once, and the queue as well. */
  CHECK_OK(fb_queue_open(engine, 4, &calls));
  to = give_up(engine, disk, calls);
  CHECK_IS(fb_queue_close(calls), FB_E_STATE);
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_queue_close(calls));
  for (i = 0; i < 10000 && hung.release_count == 0; i++)
    usleep(1000);
  CHECK(hung.release_count == 1 && parked_count == 0 && free_bytes(engine) == all);

  /* Never ended: the engine can be closed, its memory stays where the host may still read it. */
  to = give_up(engine, disk, none);
  CHECK_OK(fb_device_close(to));
  CHECK_OK(fb_disk_close(disk));
  CHECK_OK(fb_device_close(from));
  CHECK(hung.release_count == 0 && parked_count > 0);
  CHECK_OK(fb_engine_close(engine));
  CHECK(hung.release_count == 1);
  CHECK(((volatile unsigned char *)parked[0].buffer)[0] == source.bytes[parked[0].offset]);
  CHECK_IS(fb_device_complete(to, parked[0].token, FB_OK, 0), FB_E_HANDLE);
  return 0;
}
