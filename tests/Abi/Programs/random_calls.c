/* Calls that no sane host makes, as fast as they go, from 1 to 8 threads: forged, stale and foreign handles,
 * structs of random bytes, ranges past every end, closes in the middle of calls. Nothing may crash or hang, a
 * status is always one of the header's, and afterwards an engine still makes a true copy.
 *
 *   random_calls [MILLIONS] [SEED]     of calls, default 4 and 1; prints how many were made
 *
 * What it does not do: bad pointers (they are the host's promise), writes ended that never began (they hold jobs).
 */
#include "check.h"
#include <pthread.h>
#include <unistd.h>

#define THREADS_MAX 8
#define POOL 16
#define KINDS 9
#define ENGINES_MAX 2
#define SOCKETS 3

static volatile uint64_t pool[KINDS][POOL]; /* handles by kind, of all ages */
static volatile int engine_count;
static volatile int is_over;
static volatile uint64_t total;
static volatile uint64_t ended_jobs; /* of any status */
static volatile uint64_t copied_jobs; /* to the end: what is random must not only be refused */
static memory_disk data;

typedef struct random_caller {
  pthread_t thread;
  uint64_t seed;
  uint64_t calls;
  unsigned char buffer[8192];
} random_caller;

static void add(volatile uint64_t *where, uint64_t value) {
  (void)__atomic_fetch_add(where, value, __ATOMIC_SEQ_CST);
}

static uint64_t chance(random_caller *self) {
  self->seed ^= self->seed << 13;
  self->seed ^= self->seed >> 7;
  self->seed ^= self->seed << 17;
  return self->seed;
}

/* Mostly small, sometimes a border, sometimes anything. */
static uint64_t number(random_caller *self) {
  uint64_t kind = chance(self) % 16, value = chance(self);
  if (kind < 10)
    return value % 70000;
  if (kind < 13)
    return value % (4 * MIB);
  if (kind == 13)
    return UINT64_MAX - value % 3;
  return kind == 14 ? UINT64_C(1) << (value % 64) : value;
}

/* Mostly one of the kind that is asked for, open or closed long ago; sometimes another kind's, or forged. */
static uint64_t handle(random_caller *self, uint32_t kind) {
  uint64_t way = chance(self) % 32;
  uint64_t id = pool[way < 3 ? chance(self) % KINDS : kind][chance(self) % POOL];
  if (way == 3)
    return chance(self);
  if (way == 4)
    return id ^ UINT64_C(1) << (chance(self) % 64);
  return way == 5 ? 0 : id;
}

static fb_status close_any(uint64_t id) {
  fb_engine engine = {id};
  fb_queue queue = {id};
  fb_device device = {id};
  fb_disk disk = {id};
  fb_bitmap bitmap = {id};
  fb_job job = {id};
  fb_monitor monitor = {id};
  fb_server server = {id};
  switch (id >> 56) {
  case FB_KIND_ENGINE: return fb_engine_close(engine);
  case FB_KIND_QUEUE: return fb_queue_close(queue);
  case FB_KIND_DEVICE: return fb_device_close(device);
  case FB_KIND_DISK: return fb_disk_close(disk);
  case FB_KIND_BITMAP: return fb_bitmap_close(bitmap);
  case FB_KIND_JOB: return fb_job_cancel(job), fb_job_close(job);
  case FB_KIND_MONITOR: return fb_monitor_close(monitor);
  case FB_KIND_SERVER: return fb_server_close(server);
  default: return FB_E_HANDLE;
  }
}

/* A new handle takes the place of one that could be closed, or that was closed before; else it is closed itself.
 * An amount of memory is not what is tested. */
static void keep(random_caller *self, uint64_t id) {
  volatile uint64_t *place = &pool[(id >> 56) % KINDS][chance(self) % POOL];
  uint64_t old = *place;
  if (id == 0)
    return;
  if (close_any(old) == FB_E_STATE || !__sync_bool_compare_and_swap(place, old, id))
    close_any(id);
}

/* Random bytes with a size that is often right; never longer than the buffer behind it. */
static void *noise(random_caller *self, uint32_t size) {
  uint64_t *words = (uint64_t *)(void *)self->buffer;
  uint32_t i;
  uint64_t kind = chance(self) % 4;
  for (i = 0; i < 32; i++)
    words[i] = kind == 0 ? chance(self) : kind == 1 ? chance(self) % 4 : 0;
  *(uint32_t *)(void *)self->buffer = chance(self) % 8 == 0 ? (uint32_t)number(self) : size;
  return self->buffer;
}

static void valid(int64_t status) {
  CHECK(status >= 0 || strcmp(fb_status_name((fb_status)status), "FB_E_?") != 0);
  if (status == FB_E_BUG) {
    fb_error error = FB_INIT(fb_error);
    fb_last_error(&error);
    fprintf(stderr, "FB_E_BUG: %s\n", error.text);
    exit(1);
  }
}

static void call_bitmap(random_caller *self) {
  fb_bitmap a = {handle(self, FB_KIND_BITMAP)}, b = {handle(self, FB_KIND_BITMAP)};
  fb_bitmap c = {handle(self, FB_KIND_BITMAP)};
  uint64_t offset = number(self), length = number(self), out = 0;
  uint32_t flag = 0;
  fb_extent areas[8];
  switch (chance(self) % 27) {
  case 26: valid(fb_bitmap_sha256(a, offset % 9 == 0 ? NULL : self->buffer)); break;
  case 0: valid(fb_bitmap_reset(a, offset & ~UINT64_C(511), length & ~UINT64_C(511))); break;
  case 1: valid(fb_bitmap_get(a, offset, &flag)); break;
  case 2: valid(fb_bitmap_count(a, offset, length, &out)); break;
  case 3: valid(fb_bitmap_next_dirty(a, offset, length, &out)); break;
  case 4: valid(fb_bitmap_next_zero(a, offset, length, &out)); break;
  case 5: valid(fb_bitmap_next_dirty_area(a, offset, length, number(self), areas)); break;
  case 6: valid(fb_bitmap_status(a, offset, length, &flag, &out)); break;
  case 7: valid(fb_bitmap_areas(a, &offset, areas, (uint32_t)chance(self) % 9)); break;
  case 8: valid(fb_bitmap_query(a, (fb_bitmap_state *)noise(self, sizeof(fb_bitmap_state)))); break;
  case 9: valid(fb_bitmap_equal(a, b, &flag)); break;
  case 10: valid(fb_bitmap_serialize_align(a, &out)); break;
  case 11: valid(fb_bitmap_serialize_size(a, offset, length, &out)); break;
  case 12: valid(fb_bitmap_serialize_part(a, 0, length, self->buffer, sizeof self->buffer)); break;
  case 13: valid(fb_bitmap_get(a, offset, NULL)); break;
  case 14:
    if (chance(self) % 8 == 0)
      valid(fb_bitmap_close(a));
    break;
  case 15: {
    fb_bitmap made = {0};
    fb_bitmap_options *options = (fb_bitmap_options *)noise(self, sizeof(fb_bitmap_options));
    if (chance(self) % 2 == 0) {
      options->flags = 0;
      options->size_bytes = 4 * MIB;
      options->size_max_bytes = 0;
      options->granularity_bytes = UINT64_C(512) << (chance(self) % 8);
    }
    options->size_bytes %= UINT64_C(1) << 40; /* address space is not what is tested */
    options->size_max_bytes %= UINT64_C(1) << 40;
    options->flags &= ~FB_BITMAP_RESIDENT;
    if (options->granularity_bytes < 512)
      options->granularity_bytes = 4096;
    valid(fb_bitmap_create(options, &made));
    keep(self, made.id);
    break;
  }
  case 16: valid(fb_bitmap_set(a, offset, length)); break;
  case 17: valid(fb_bitmap_and(a, b)); break;
  case 18: valid(fb_bitmap_and_not(a, b)); break;
  case 19: valid(fb_bitmap_merge(a, b, c)); break;
  case 20: valid(fb_bitmap_drain(a, b)); break;
  case 21: valid(fb_bitmap_truncate(a, number(self) % (16 * MIB))); break;
  case 22: valid(fb_bitmap_deserialize_part(a, 0, length, self->buffer, sizeof self->buffer)); break;
  case 23: valid(fb_bitmap_deserialize_ones(a, offset, length)); break;
  case 24: valid(fb_bitmap_deserialize_finish(a)); break;
  default: valid(fb_bitmap_reset_all(a)); break;
  }
}

static void on_event(void *context, const fb_event *event) {
  fb_job_state state = FB_INIT(fb_job_state);
  (void)context;
  valid(fb_job_query(event->job, &state));
  valid(event->status);
}

/* None, a good one, or one that is refused. */
static fb_status set_events(fb_queue queue, uint64_t tag) {
  fb_event_sink sink = FB_INIT(fb_event_sink);
  sink.flags = tag % 8 == 1;
  sink.tell = tag % 16 == 3 ? NULL : on_event;
  return fb_queue_set_events(queue, tag % 32 == 5 ? NULL : &sink);
}

/* A write that was granted late is ended, so that jobs go on; its user_data is its disk. */
static void harvest(int32_t count, const fb_completion *done) {
  valid(count);
  for (; count > 0; count--, done++) {
    fb_disk disk = {done->user_data};
    valid(done->status);
    if (done->kind == FB_COMPLETION_WRITE_GRANT && done->status == FB_OK)
      valid(fb_disk_write_end(disk));
    else if (done->kind == FB_COMPLETION_JOB) {
      add(&ended_jobs, 1);
      add(&copied_jobs, done->status == FB_OK);
    }
  }
}

static void call_io(random_caller *self) {
  fb_disk disk = {handle(self, FB_KIND_DISK)};
  fb_queue queue = {handle(self, FB_KIND_QUEUE)};
  fb_job job = {handle(self, FB_KIND_JOB)};
  fb_device device = {handle(self, FB_KIND_DEVICE)};
  uint64_t offset = number(self), length = number(self) % 4096, tag = chance(self);
  fb_completion done[4];
  static uint64_t shared[1024]; /* I/O of requests that outlive this call */
  uint32_t flags = (uint32_t)chance(self) % 4, count;
  int32_t fd;
  switch (chance(self) % 17) {
  case 16:
    valid(fb_snapshot_extents(job, queue, offset, number(self), tag % 16 == 0 ? NULL : (fb_snapshot_extent *)shared,
                              (uint32_t)tag % 300, tag));
    break;
  case 12: valid(fb_disk_read_epoch(disk, tag % 16 == 0 ? NULL : &offset)); break;
  case 13: valid(fb_disk_offer_read(disk, queue, tag % 64, shared, offset, length, tag)); break;
  case 0: valid(fb_disk_read(disk, queue, shared, offset, length, tag)); break;
  case 1: valid(fb_disk_write(disk, queue, shared, offset, length, flags, tag)); break;
  case 2: valid(fb_disk_write_zeroes(disk, queue, offset, number(self), flags, tag)); break;
  case 3: valid(fb_disk_discard(disk, queue, offset, number(self), tag)); break;
  case 4: valid(fb_disk_flush(disk, queue, tag)); break;
  case 5: valid(fb_snapshot_read(job, queue, shared, offset, length, tag)); break;
  case 6: valid(fb_snapshot_discard(job, queue, offset, length, tag)); break;
  case 7: valid(fb_device_complete(device, tag, (fb_status)(tag % 40) - 20, (int32_t)(tag % 200))); break;
  case 8: valid(fb_queue_event_fd(queue, &fd)); break;
  case 9: valid(fb_queue_wake(queue)); break;
  case 10: valid(fb_queue_pending(queue, &count)); break;
  case 11: valid(tag % 2 == 0 ? fb_queue_set_callback(queue, NULL) : set_events(queue, tag)); break;
  default: harvest(fb_queue_poll(queue, done, sizeof *done, 4, 0, 0), done); break;
  }
}

static void name_socket(char *path, size_t size, int number) {
  (void)snprintf(path, size, "/tmp/fb-random-%d-%d", (int)getpid(), number);
}

/* Each costs a thread, so they are few. */
static void call_monitor(random_caller *self, fb_engine engine) {
  fb_monitor monitor = {handle(self, FB_KIND_MONITOR)}, made = {0};
  fb_monitor_options *options = (fb_monitor_options *)noise(self, sizeof(fb_monitor_options));
  char path[64];
  if (chance(self) % 16 != 0)
    return;
  name_socket(path, sizeof path, (int)(chance(self) % SOCKETS));
  options->path = path;
  options->path_length = (uint32_t)(chance(self) % 8 == 0 ? chance(self) % 300 : strlen(path));
  if (options->path_length > sizeof path)
    options->path_length = 0;
  if (chance(self) % 4 != 0)
    options->flags = options->reserved = 0;
  valid(chance(self) % 2 == 0 ? fb_monitor_close(monitor) : fb_monitor_open(engine, options, &made));
  keep(self, made.id);
}

/* Without clients: what those may say is for tests/Fuzz. */
static void call_server(random_caller *self, fb_engine engine) {
  fb_server server = {handle(self, FB_KIND_SERVER)}, made = {0};
  fb_server_state state = FB_INIT(fb_server_state);
  char path[64];
  name_socket(path, sizeof path, SOCKETS + (int)(chance(self) % SOCKETS));
  switch (chance(self) % 8) {
  case 0: {
    fb_server_options *where = (fb_server_options *)noise(self, sizeof(fb_server_options));
    where->path = chance(self) % 8 == 0 ? NULL : path;
    where->address = chance(self) % 8 == 0 ? "127.0.0.1" : NULL;
    where->path_length = where->path == NULL ? 0 : (uint32_t)strlen(path);
    where->address_length = where->address == NULL ? 0 : 9;
    if (chance(self) % 4 != 0)
      where->flags = where->reserved = 0;
    valid(fb_server_open(engine, where, &made));
    keep(self, made.id);
    break;
  }
  case 1: valid(fb_server_close(server)); break;
  case 2: valid(fb_server_get_state(server, chance(self) % 8 == 0 ? NULL : &state)); break;
  case 3: {
    uint32_t length = (uint32_t)(chance(self) % 4);
    valid(fb_server_remove_export(server, path, length, (uint32_t)(chance(self) % 3)));
    break;
  }
  default: {
    fb_export_options *what = (fb_export_options *)noise(self, sizeof(fb_export_options));
    what->disk.id = chance(self) % 4 == 0 ? 0 : handle(self, FB_KIND_DISK);
    what->job.id = chance(self) % 2 == 0 ? 0 : handle(self, FB_KIND_JOB);
    what->name = path;
    what->description = what->bitmap = NULL;
    what->name_length = (uint32_t)(chance(self) % 4);
    what->description_length = what->bitmap_length = 0;
    if (chance(self) % 4 != 0)
      what->flags &= 3, what->reserved = 0;
    valid(fb_server_add_export(server, what));
  }
  }
}

static void call_cold(random_caller *self) {
  fb_engine engine = {handle(self, FB_KIND_ENGINE)};
  fb_queue queue = {handle(self, FB_KIND_QUEUE)}, made_queue = {0};
  fb_device device = {handle(self, FB_KIND_DEVICE)}, made_device = {0};
  fb_disk disk = {handle(self, FB_KIND_DISK)}, made_disk = {0};
  fb_bitmap bitmap = {handle(self, FB_KIND_BITMAP)}, made_bitmap = {0};
  fb_job job = {handle(self, FB_KIND_JOB)}, made_job = {0};
  fb_event events[4];
  uint64_t tag = chance(self), sequence = tag % 2000;
  uint32_t length = 0;
  int is_closing = chance(self) % 8 == 0; /* else hardly anything would live long enough to be used */
  switch (chance(self) % 35) {
  case 34: call_server(self, engine); break;
  case 32: valid(fb_disk_snapshot(disk, tag % 9 == 0 ? NULL : &made_job)); break;
  case 33: call_monitor(self, engine); break;
  case 0:
    valid(fb_queue_open(engine, (uint32_t)number(self) % 300, &made_queue));
    keep(self, made_queue.id);
    break;
  case 1:
    if (is_closing)
      valid(fb_queue_close(queue));
    break;
  case 2: {
    fb_device_ops *ops = (fb_device_ops *)noise(self, sizeof(fb_device_ops));
    ops->context = &data;
    ops->submit = memory_submit;
    ops->release = NULL;
    ops->capacity_bytes = 4 * MIB; /* what memory_submit has */
    if (chance(self) % 2 == 0) {
      ops->flags = 0;
      ops->request_align = ops->in_flight_max = 0;
      ops->queue.id = chance(self) % 2 == 0 ? 0 : queue.id;
    }
    valid(fb_device_register(engine, ops, &made_device));
    keep(self, made_device.id);
    break;
  }
  case 3:
    if (is_closing)
      valid(fb_device_close(device));
    break;
  case 4: {
    fb_disk_options *options = (fb_disk_options *)noise(self, sizeof(fb_disk_options));
    options->name = "disk";
    options->name_length = 4;
    options->waiting_max %= 8192; /* some hundred bytes each */
    if (chance(self) % 2 == 0)
      options->flags = options->waiting_max = 0;
    valid(fb_disk_open(engine, device, options, &made_disk));
    keep(self, made_disk.id);
    break;
  }
  case 5:
    if (is_closing)
      valid(fb_disk_close(disk));
    break;
  case 6: {
    fb_backup_options *options = (fb_backup_options *)noise(self, sizeof(fb_backup_options));
    options->id = "job-0" + 0;
    options->id_length = (uint32_t)(tag >> 8) % 6;
    if (chance(self) % 2 == 0) {
      options->flags %= 32;
      options->warm_ms = options->warm_ms % 4 == 0 ? FB_NO_WARM_UP : options->warm_ms % 64;
      options->guest_priority %= 3;
      options->capture_bytes_max = tag % 2 == 0 ? 0 : MIB;
      options->sync = options->bitmap_mode = options->task_max = 0;
      options->speed = 0;
      options->cluster_bytes = options->reserved = 0;
      options->on_source_error = options->on_target_error = options->on_cbw_error = 0;
    }
    options->bitmap.id = tag % 3 == 0 ? bitmap.id : 0;
    options->scratch.id = tag % 7 == 0 ? handle(self, FB_KIND_DEVICE) : 0;
    options->scratch_bytes_max = tag % 14 == 0 ? number(self) : 0;
    options->record = tag % 11 == 0 ? "/nowhere/record" : NULL;
    options->record_length = tag % 11 == 0 ? 15 : (uint32_t)(tag % 17 == 0);
    options->record_since = tag % 11 == 0 ? "monday" : NULL;
    options->record_since_length = tag % 11 == 0 ? (uint32_t)(tag >> 9) % 7 : 0;
    if (tag % 64 == 0)
      valid(fb_backup_unfinished(disk, device, "/nowhere/record", (uint32_t)(tag >> 9) % 16, "bitmap-0", 8, 0, queue,
                                 tag, &made_bitmap));
    valid(fb_backup_create(disk, device, tag % 5 == 0 ? NULL : options, &made_job));
    keep(self, made_job.id);
    break;
  }
  case 7:
  case 8:
    valid(fb_job_start(job, queue, tag));
    if (chance(self) % 2 == 0)
      valid(fb_job_finalize(job));
    break;
  case 9: valid(fb_job_pause(job)); break;
  case 10: valid(fb_job_resume(job)); break;
  case 11: valid(fb_job_cancel(job)); break;
  case 12: valid(fb_job_set_speed(job, number(self))); break;
  case 13: valid(fb_job_finalize(job)); break;
  case 14: valid(fb_job_dismiss(job)); break;
  case 15:
    if (is_closing)
      valid(fb_job_close(job));
    break;
  case 16: valid(fb_job_query(job, (fb_job_state *)noise(self, sizeof(fb_job_state)))); break;
  case 17: valid(fb_job_latency(job, (fb_latency *)noise(self, sizeof(fb_latency)))); break;
  case 18: valid(fb_job_find(engine, "job-0", (uint32_t)tag % 7, &made_job)); break;
  case 19:
    valid(fb_disk_bitmap_add(disk, "bitmap-0", (uint32_t)tag % 9, UINT64_C(512) << (tag % 8), (uint32_t)(tag >> 61) / 2,
                             queue, tag, &made_bitmap));
    keep(self, made_bitmap.id);
    break;
  case 20: valid(fb_disk_bitmap_remove(disk, bitmap, queue, tag)); break;
  case 21: valid(fb_disk_bitmap_clear(disk, bitmap, queue, tag)); break;
  case 22: valid(fb_disk_bitmap_enable(disk, bitmap, (uint32_t)tag % 3, queue, tag)); break;
  case 23: valid(fb_disk_bitmap_merge(disk, bitmap, (fb_bitmap){handle(self, FB_KIND_BITMAP)}, queue, tag)); break;
  case 24: valid(fb_engine_events(engine, &sequence, events, sizeof *events, (uint32_t)tag % 5)); break;
  case 25: valid(fb_engine_query(engine, (fb_engine_state *)noise(self, sizeof(fb_engine_state)))); break;
  case 26: valid(fb_device_query(device, (fb_device_state *)noise(self, sizeof(fb_device_state)))); break;
  case 27: valid(fb_disk_query(disk, (fb_disk_state *)noise(self, sizeof(fb_disk_state)))); break;
  case 29: valid(fb_job_statistics(job, (fb_statistics *)noise(self, sizeof(fb_statistics)))); break;
  case 30: valid(fb_job_set_guest_priority(job, (uint32_t)tag % 4)); break;
  case 28: valid(fb_engine_warning(engine, (uint32_t)tag % 3, (char *)self->buffer, 64, &length)); break;
  default: {
    fb_engine made = {0};
    fb_engine_options *options = (fb_engine_options *)noise(self, sizeof(fb_engine_options));
    if (is_closing)
      valid(fb_engine_close(engine));
    options->buffer_bytes %= 4 * MIB; /* memory is not what is tested */
    if (engine_count >= ENGINES_MAX || chance(self) % 4 != 0)
      break;
    engine_count++;
    valid(fb_engine_open(options, &made));
    keep(self, made.id);
    break;
  }
  }
}

static void *run(void *argument) {
  random_caller *self = (random_caller *)argument;
  while (!is_over) {
    int i;
    /* Most calls are of the I/O path; a cold one waits for a turn of the engine. */
    for (i = 0; i < 1000; i++) {
      fb_bitmap bitmap = {handle(self, FB_KIND_BITMAP)};
      fb_disk disk = {handle(self, FB_KIND_DISK)};
      fb_queue queue = {handle(self, FB_KIND_QUEUE)};
      valid(fb_bitmap_mark(bitmap, number(self), number(self) % 9000));
      valid((int64_t)fb_handle_kind(bitmap.id));
      if (fb_disk_write_begin(disk, queue, number(self), number(self) % 9000, disk.id) == FB_OK)
        valid(fb_disk_write_end(disk));
      valid(fb_disk_report_request(disk, (uint32_t)number(self) % 5, number(self) % 99999, number(self)));
    }
    self->calls += 4000;
    for (i = 0; i < 8; i++)
      call_bitmap(self);
    for (i = 0; i < 4; i++)
      call_io(self);
    for (i = 0; i < 10; i++)
      call_cold(self);
    add(&total, self->calls + 22);
    self->calls = 0;
  }
  return NULL;
}

/* A new engine with queues, targets, disks and bitmaps; of what was there before, every fourth stays. */
static void fill_pool(void) {
  fb_engine engine = small_engine();
  fb_bitmap_options options = FB_INIT(fb_bitmap_options);
  fb_device_ops ops = FB_INIT(fb_device_ops);
  int i;
  ops.capacity_bytes = 4 * MIB;
  ops.context = &data;
  ops.submit = memory_submit;
  options.size_bytes = 4 * MIB;
  options.granularity_bytes = 4096;
  for (i = 0; i < POOL; i++) {
    fb_queue queue;
    fb_device source, target;
    fb_bitmap bitmap;
    if (i % 4 == 3)
      continue;
    CHECK_OK(fb_queue_open(engine, 64, &queue));
    CHECK_OK(fb_device_register(engine, &ops, &source));
    CHECK_OK(fb_device_register(engine, &ops, &target));
    CHECK_OK(fb_bitmap_create(&options, &bitmap));
    pool[FB_KIND_ENGINE][i] = engine.id;
    pool[FB_KIND_QUEUE][i] = queue.id;
    pool[FB_KIND_DEVICE][i] = target.id;
    pool[FB_KIND_DISK][i] = disk_on(engine, source).id;
    pool[FB_KIND_BITMAP][i] = bitmap.id;
  }
}

/* After all of it: an engine works as on the first day. */
static void true_copy(void) {
  memory_disk source, target;
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &source, 4 * MIB), to = memory_device(engine, &target, 4 * MIB);
  fb_queue queue;
  fb_job job;
  memset(source.bytes, 0x5C, 4 * MIB);
  CHECK_OK(fb_queue_open(engine, 4, &queue));
  CHECK_OK(fb_backup_create(disk_on(engine, from), to, NULL, &job));
  CHECK_IS(fb_job_start(job, queue, 1), FB_PENDING);
  CHECK_IS(wait_one(queue).status, FB_OK);
  CHECK(memcmp(source.bytes, target.bytes, 4 * MIB) == 0);
}

int main(int argc, char **argv) {
  static random_caller callers[THREADS_MAX];
  uint64_t wanted = (argc > 1 ? strtoull(argv[1], NULL, 10) : 4) * 1000000;
  uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  int threads, i;
  data.bytes = (unsigned char *)malloc(4 * MIB);
  for (threads = 1; threads <= THREADS_MAX; threads *= 2) {
    is_over = 0;
    for (i = 0; i < threads; i++) {
      callers[i].seed = (seed * 1000 + (uint64_t)threads * 10 + (uint64_t)i) * UINT64_C(0x9E3779B97F4A7C15) | 1;
      callers[i].calls = 0;
    }
    fill_pool();
    for (i = 0; i < threads; i++)
      CHECK(pthread_create(&callers[i].thread, NULL, run, &callers[i]) == 0);
    while (total < wanted / 8 * (uint64_t)threads)
      usleep(1000);
    is_over = 1;
    for (i = 0; i < threads; i++)
      CHECK(pthread_join(callers[i].thread, NULL) == 0);
  }
  for (i = 0; i < 2 * SOCKETS; i++) {
    char path[64];
    name_socket(path, sizeof path, i);
    (void)unlink(path);
  }
  true_copy();
  printf("%llu calls, %llu jobs ended, %llu of them well\n", (unsigned long long)total,
         (unsigned long long)ended_jobs, (unsigned long long)copied_jobs);
  CHECK(ended_jobs > 0 || wanted < 20000000);
  return 0;
}
