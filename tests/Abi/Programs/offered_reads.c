/* What a host reads for its guest anyway is backed up from its memory, by jobs that want it: each cluster once. An
 * offer that is older than the point in time is left alone, and without a taker an offer costs nothing. */
#include "check.h"

static memory_disk source, target;
static uint64_t read_bytes;

static fb_status counting_submit(void *context, const fb_io_request *request) {
  if (request->operation == FB_IO_READ)
    read_bytes += request->length;
  return memory_submit(context, request);
}

int main(void) {
  fb_engine engine = small_engine();
  fb_device from, to = memory_device(engine, &target, 8 * MIB);
  fb_device_ops ops = FB_INIT(fb_device_ops);
  fb_backup_options options = FB_INIT(fb_backup_options);
  fb_statistics statistics = FB_INIT(fb_statistics);
  static unsigned char guest[MIB];
  uint64_t epoch = 0, old_epoch = 0;
  fb_queue queue, guests;
  fb_completion done;
  fb_disk disk;
  fb_job job;
  source.bytes = (unsigned char *)malloc(8 * MIB);
  memset(source.bytes, 9, 8 * MIB);
  memset(guest, 9, sizeof guest);
  ops.capacity_bytes = 8 * MIB;
  ops.context = &source;
  ops.submit = counting_submit;
  CHECK_OK(fb_device_register(engine, &ops, &from));
  disk = disk_on(engine, from);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  CHECK_OK(fb_queue_open(engine, 1, &guests));

  CHECK_IS(fb_disk_read_epoch(disk, NULL), FB_E_INVALID);
  CHECK_OK(fb_disk_read_epoch(disk, &old_epoch));
  CHECK_OK(fb_disk_offer_read(disk, guests, old_epoch, guest, 0, sizeof guest, 1)); /* nobody wants it */
  CHECK_IS(fb_disk_offer_read(disk, guests, old_epoch, NULL, 0, 4096, 1), FB_E_INVALID);
  CHECK_IS(fb_disk_offer_read(disk, guests, old_epoch, guest, 8 * MIB, 1, 1), FB_E_RANGE);

  options.flags = FB_BACKUP_TAKE_GUEST_READS;
  options.speed = 4096; /* the background gets nowhere */
  options.guest_priority = FB_GUEST_PRIORITY_OFF;
  CHECK_OK(fb_backup_create(disk, to, &options, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  do
    CHECK_OK(fb_disk_read_epoch(disk, &epoch));
  while (epoch == old_epoch); /* the point in time is taken */
  CHECK_IS(fb_disk_offer_read(disk, guests, old_epoch, guest, 4 * MIB, sizeof guest, 5), FB_PENDING);
  CHECK_IS(fb_disk_offer_read(disk, guests, epoch, guest, 0, sizeof guest, 6), FB_E_QUEUE_FULL);
  done = wait_one(guests);
  CHECK(done.kind == FB_COMPLETION_READ_OFFER && done.status == FB_OK && done.user_data == 5);
  CHECK_OK(fb_job_statistics(job, &statistics));
  CHECK(statistics.offered_bytes == 0); /* older than the point in time */
  CHECK_IS(fb_disk_offer_read(disk, guests, epoch, guest, 4 * MIB, sizeof guest, 7), FB_PENDING);
  CHECK(wait_one(guests).user_data == 7);
  memset(guest, 0, sizeof guest); /* it is the host's again */
  CHECK_OK(fb_job_statistics(job, &statistics));
  CHECK(statistics.offered_bytes == sizeof guest);
  CHECK_OK(fb_job_set_speed(job, 0));
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK(memcmp(source.bytes, target.bytes, 8 * MIB) == 0);
  CHECK(read_bytes == 7 * MIB); /* all but what was offered */
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_offer_read(disk, guests, epoch, guest, 0, sizeof guest, 8));
  return 0;
}
