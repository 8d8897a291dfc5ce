/* Guests, jobs, bitmaps, snapshots and failing devices at random, against a model that knows one thing: an image that
 * is called good is the disk at one moment between the start and the end of its job, for all disks of a transaction
 * the same one.
 *
 *   random_backups [SECONDS]     rounds for so long (3), from FASTBACKUP_SEED or the clock; the seed is printed first
 *
 * block_numbers.h has the model. Chains of incremental images are held to it as well: after each success the whole
 * target is one moment, whatever failed before. A second bitmap of a disk is made from the first by a clear and a merge
 * now and then, its target by copying the other's. The director of the jobs writes, too, and holds a write up while it
 * starts, cancels and changes.
 * Threads are not repeated by a seed, choices are: a fault comes again within some rounds. */
#include "block_numbers.h"
#include <pthread.h>

#define CHAINS 2u /* of a disk */
#define WAIT_NS INT64_C(60000000000)
#define CHANGE 1000u /* user data of bitmap changes: this and the chain's number */

typedef struct chain { /* a bitmap and the target that it is for */
  fb_bitmap bitmap;
  store target;
  fb_job job; /* zero: none */
  int is_based; /* target and bitmap together are the disk */
  int may_base; /* they will be when the job has ended: at success, or (2) in any case */
  int group;    /* of the transaction; 0: alone */
  int changes;  /* changes of the bitmap on their way */
  int is_merging;
  unsigned disk;
  unsigned low[GUESTS]; /* writes that had landed before the job was started */
} chain;

static fb_engine engine;
static fb_disk disks[DISKS];
static store sources[DISKS];
static store scratch;
static chain chains[DISKS * CHAINS];
static chain *scratch_user; /* one job at a time */
static fb_queue control, held_queue;
static int is_driven, is_stopping, group_number;
static unsigned long image_count, job_count, snapshot_count, failed_count;

/* ---- devices */

static fb_status carry_out(void *context, const fb_io_request *request) {
  store *on = (store *)context;
  unsigned fail_permille = __atomic_load_n(&on->fail_permille, __ATOMIC_RELAXED);
  int fails = fail_permille > 0 && next_random(&on->random) % 1000 < fail_permille;
  if (fails && request->operation == FB_IO_WRITE)
    memset(on->bytes + request->offset, 0x5A, (size_t)request->length);
  if (fails)
    return FB_E_IO;
  if (request->operation == FB_IO_READ)
    memcpy(request->buffer, on->bytes + request->offset, (size_t)request->length);
  else if (request->operation == FB_IO_WRITE)
    memcpy(on->bytes + request->offset, request->buffer, (size_t)request->length);
  return FB_OK;
}

static void open_store(store *on) {
  fb_device_ops ops = FB_INIT(fb_device_ops);
  on->bytes = (unsigned char *)calloc(1, SIZE);
  on->fail_permille = 0;
  on->random = next_random(&chance);
  ops.capacity_bytes = SIZE;
  ops.context = on;
  ops.submit = carry_out;
  ops.lower_in_flight_max = 1 + below(8);
  CHECK_OK(fb_device_register(engine, &ops, &on->device));
}

static void close_store(store *on) {
  CHECK_OK(fb_device_close(on->device));
  free(on->bytes);
}

static void fill(unsigned char *bytes, unsigned guest, unsigned number) {
  uint64_t *words = (uint64_t *)(void *)bytes;
  unsigned i;
  for (i = 0; i < WORDS; i++)
    words[i] = ((uint64_t)(guest + 1) << 32) | number;
}

/* ---- guests */

static void end_write(unsigned guest, unsigned disk, unsigned block, unsigned number) {
  note_write(guest, disk, block, number);
  fill(sources[disk].bytes + (size_t)block * BLOCK, guest, number);
  CHECK_OK(fb_disk_write_end(disks[disk]));
  __atomic_store_n(&landed[guest], number, __ATOMIC_RELEASE);
}

static fb_status await(fb_queue queue, fb_status submitted) {
  fb_completion done;
  if (submitted != FB_PENDING)
    return submitted;
  if (fb_queue_poll(queue, &done, sizeof done, 1, 1, WAIT_NS) != 1)
    stop_wrong("a hang", 0, 0, 0);
  return done.status;
}

static void *be_guest(void *argument) {
  unsigned guest = (unsigned)(uintptr_t)argument, place = 0;
  uint64_t random = seed * 31 + guest + 1;
  unsigned char *buffer = (unsigned char *)malloc(BLOCK);
  fb_queue queue;
  CHECK_OK(fb_queue_open(engine, 4, &queue));
  while (!__atomic_load_n(&is_stopping, __ATOMIC_RELAXED) && landed[guest] + 2 < WRITES_MAX) {
    uint64_t dice = next_random(&random);
    unsigned disk = (unsigned)(dice % DISKS), block;
    unsigned number = landed[guest] + 1;
    if ((dice >> 8) % 64 == 0) /* in few places for a while, so that most of a bitmap is clean */
      place = (unsigned)(dice >> 16);
    block = (place + (unsigned)(dice >> 30) % 3) % (BLOCKS / GUESTS) * GUESTS + guest;
    __atomic_store_n(&issued[guest], number, __ATOMIC_RELEASE);
    if ((dice >> 40) % 3 != 0) {
      fb_status status = fb_disk_write_begin(disks[disk], queue, (uint64_t)block * BLOCK, BLOCK, number);
      if (await(queue, status) == FB_OK)
        end_write(guest, disk, block, number);
    } else {
      unsigned before = last_of[disk][block], first = first_of[disk][block];
      fill(buffer, guest, number);
      note_write(guest, disk, block, number); /* it may land at any time from now on */
      if (await(queue, fb_disk_write(disks[disk], queue, buffer, (uint64_t)block * BLOCK, BLOCK, 0, number)) == FB_OK) {
        __atomic_store_n(&landed[guest], number, __ATOMIC_RELEASE);
      } else { /* the next write has the same number, of another block perhaps */
        if (before != 0)
          next_of[guest][before] = 0;
        (last_of[disk][block] = before, first_of[disk][block] = first);
      }
    }
    if ((dice >> 50) % 16 == 0)
      usleep((unsigned)(dice >> 55) % 200);
  }
  CHECK_OK(fb_queue_close(queue));
  free(buffer);
  return NULL;
}

/* ---- the director: its own write */

static int held; /* 0: none; 1: waits for its grant; 2: granted */
static unsigned held_disk, held_block;

static void begin_held(void) {
  fb_status status;
  if (held != 0 || landed[DIRECTOR] + 2 >= WRITES_MAX)
    return;
  (held_disk = below(DISKS), held_block = below(BLOCKS / GUESTS) * GUESTS + DIRECTOR);
  __atomic_store_n(&issued[DIRECTOR], landed[DIRECTOR] + 1, __ATOMIC_RELEASE);
  status = fb_disk_write_begin(disks[held_disk], held_queue, (uint64_t)held_block * BLOCK, BLOCK, 1);
  held = status == FB_PENDING ? 1 : status == FB_OK ? 2 : 0;
}

static void look_at_held(void) {
  fb_completion done;
  if (held == 1 && fb_queue_poll(held_queue, &done, sizeof done, 1, 0, 0) == 1)
    held = done.status == FB_OK ? 2 : 0;
}

static void end_held(void) {
  look_at_held();
  if (held == 2) {
    end_write(DIRECTOR, held_disk, held_block, landed[DIRECTOR] + 1);
    held = 0;
  }
}

/* ---- the director: jobs */

static void fix_job(chain *of, fb_status status) {
  fb_job_state state = FB_INIT(fb_job_state);
  CHECK_OK(fb_job_query(of->job, &state));
  CHECK(state.status == status || (status == FB_E_CANCELED && state.status == FB_OK));
  CHECK_OK(fb_job_close(of->job));
  of->job.id = 0;
  of->target.fail_permille = 0;
  if (scratch_user == of)
    scratch_user = NULL;
  job_count++;
  failed_count += status != FB_OK;
  if (of->may_base == 2 || (of->may_base == 1 && status == FB_OK))
    of->is_based = 1;
}

static void on_ended(unsigned index, fb_status status) {
  static moment group_moment;
  static int moment_group;
  chain *of = &chains[index];
  CHECK(status == FB_OK || status == FB_E_CANCELED || status == FB_E_IO || status == FB_E_STATE ||
        status == FB_E_TIMED_OUT || status == FB_E_SNAPSHOT_LOST);
  fix_job(of, status);
  if (status != FB_OK)
    return;
  /* Both ends of a transaction come one after the other, or neither is a success. */
  if (of->group == 0 || of->group != moment_group)
    group_moment = moment_since(of->low);
  moment_group = of->group;
  narrow(&group_moment, of->disk, of->target.bytes, "an image that is called good");
  image_count++;
}

static void on_changed(chain *of, fb_status status) {
  of->changes--;
  if (status != FB_OK) {
    CHECK(status == FB_E_STATE);
    of->is_merging = -1;
  }
  if (of->changes > 0)
    return;
  of->is_based = of->is_merging == 1; /* the copied target, and what the other bitmap has had since */
  of->is_merging = 0;
}

static void look_at_completions(void) {
  fb_completion done[8];
  int32_t count = fb_queue_poll(control, done, sizeof *done, 8, 0, 0), i;
  CHECK(count >= 0);
  for (i = 0; i < count; i++)
    if (done[i].user_data >= CHANGE)
      on_changed(&chains[done[i].user_data - CHANGE], done[i].status);
    else
      on_ended((unsigned)done[i].user_data, done[i].status);
  if (is_driven)
    look_at_held();
}

static int create_job(chain *of) {
  static const uint32_t later_modes[] = {FB_BITMAP_MODE_ON_SUCCESS, FB_BITMAP_MODE_NEVER, FB_BITMAP_MODE_ALWAYS};
  fb_backup_options options = FB_INIT(fb_backup_options);
  char name[2] = {(char)('0' + (of - chains)), 0};
  if (of->job.id != 0 || of->changes > 0)
    return 0;
  options.bitmap = of->bitmap;
  options.id = name;
  options.id_length = 1;
  options.cluster_bytes = BLOCK << below(5);
  if (!of->is_based || below(4) == 0) {
    options.sync = FB_SYNC_FULL;
    options.bitmap_mode = below(2) ? FB_BITMAP_MODE_ON_SUCCESS : FB_BITMAP_MODE_ALWAYS;
    of->may_base = options.bitmap_mode == FB_BITMAP_MODE_ALWAYS ? 2 : 1;
    of->is_based = 0; /* what a failure leaves of a chain that was there is nobody's to know */
  } else {
    options.sync = FB_SYNC_BITMAP;
    options.bitmap_mode = later_modes[below(3)];
    of->may_base = 0;
  }
  options.task_max = below(3) ? 0 : 1 + below(4);
  options.speed = below(4) ? 0 : 4 * MIB + below(1u << 24);
  options.on_target_error = below(2) ? FB_ON_ERROR_REPORT : FB_ON_ERROR_IGNORE;
  options.on_cbw_error = below(2);
  options.guest_priority = FB_GUEST_PRIORITY_OFF;
  options.capture_bytes_max = below(3) ? 0 : 65536 * (1 + below(4));
  if (below(4) == 0)
    of->target.fail_permille = 1 + below(200);
  if (scratch_user == NULL && below(2)) {
    options.scratch = scratch.device;
    options.capture_bytes_max = 65536;
    scratch.fail_permille = below(3) ? 0 : 100;
    scratch_user = of;
  }
  CHECK_OK(fb_backup_create(disks[of->disk], of->target.device, &options, &of->job));
  note_landed(of->low);
  return 1;
}

static void start_jobs(void) {
  unsigned first = below(DISKS * CHAINS), second = (first + CHAINS) % (DISKS * CHAINS);
  chain *one = &chains[first], *two = &chains[second];
  if (!create_job(one))
    return;
  one->group = 0;
  if (below(3) == 0 && create_job(two)) {
    fb_job both[2];
    uint64_t of_both[2];
    (both[0] = one->job, both[1] = two->job, of_both[0] = first, of_both[1] = second);
    one->group = two->group = ++group_number;
    CHECK_IS(fb_transaction_start(both, of_both, 2, 0, control), FB_PENDING);
    return;
  }
  CHECK_IS(fb_job_start(one->job, control, first), FB_PENDING);
  if (below(held == 2 ? 3 : 8) == 0) /* before its point in time, where a write is held up */
    (void)fb_job_cancel(one->job);
}

static void disturb_job(void) {
  fb_job job = chains[below(DISKS * CHAINS)].job;
  if (job.id == 0)
    return;
  switch (below(5)) {
  case 0:
    (void)fb_job_cancel(job);
    break;
  case 1:
    (void)fb_job_pause(job);
    break;
  case 2:
    (void)fb_job_set_speed(job, below(2) ? 0 : MIB); /* it may have ended */
    break;
  default:
    (void)fb_job_resume(job);
    break;
  }
}

/* One chain becomes a copy of the other of its disk: the target by copying it, the bitmap by a clear and a merge. */
static void fork_chain(void) {
  unsigned to = below(DISKS * CHAINS), from = to ^ 1;
  chain *into = &chains[to], *out_of = &chains[from];
  if (into->job.id != 0 || out_of->job.id != 0 || into->changes + out_of->changes > 0 || !out_of->is_based)
    return;
  memcpy(into->target.bytes, out_of->target.bytes, SIZE);
  (into->changes = 2, into->is_merging = 1);
  CHECK_IS(fb_disk_bitmap_clear(disks[into->disk], into->bitmap, control, CHANGE + to), FB_PENDING);
  CHECK_IS(fb_disk_bitmap_merge(disks[into->disk], into->bitmap, out_of->bitmap, control, CHANGE + to), FB_PENDING);
}

/* A target is lost, and its bitmap begins anew. */
static void forget_chain(void) {
  unsigned index = below(DISKS * CHAINS);
  chain *of = &chains[index];
  if (of->job.id != 0 || of->changes > 0)
    return;
  memset(of->target.bytes, 0x77, SIZE);
  of->changes = 1;
  CHECK_IS(fb_disk_bitmap_clear(disks[of->disk], of->bitmap, control, CHANGE + index), FB_PENDING);
}

/* ---- the director: snapshots */

static void read_snapshot(void) {
  fb_backup_options options = FB_INIT(fb_backup_options);
  unsigned char *image = (unsigned char *)calloc(1, SIZE);
  unsigned disk = below(DISKS), low[GUESTS];
  uint64_t offset = 0, length;
  moment when;
  store target;
  fb_queue queue;
  fb_job job;
  double since = seconds();
  fb_status status;
  end_held();
  if (held != 0)
    goto done;
  open_store(&target);
  CHECK_OK(fb_queue_open(engine, 8, &queue));
  options.flags = FB_BACKUP_SNAPSHOT;
  options.sync = FB_SYNC_NONE;
  options.id = "snapshot";
  options.id_length = 8;
  options.cluster_bytes = BLOCK << below(5);
  note_landed(low);
  CHECK_OK(fb_backup_create(disks[disk], target.device, &options, &job));
  CHECK_IS(fb_job_start(job, held_queue, 2), FB_PENDING);
  while (offset < SIZE) {
    length = (uint64_t)(1 + below(16)) * BLOCK;
    length = length > SIZE - offset ? SIZE - offset : length;
    status = fb_snapshot_read(job, queue, image + offset, offset, length, 3);
    if (status == FB_E_STATE && seconds() - since < 60) { /* not yet */
      look_at_completions();
      usleep(100);
      continue;
    }
    CHECK_OK(await(queue, status));
    if (below(3) == 0)
      CHECK_OK(await(queue, fb_snapshot_discard(job, queue, offset, length, 4)));
    offset += length;
    look_at_completions();
  }
  when = moment_since(low);
  narrow(&when, disk, image, "a snapshot");
  snapshot_count++;
  CHECK_OK(fb_job_cancel(job));
  (void)await(held_queue, FB_PENDING);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_queue_close(queue));
  close_store(&target);
done:
  free(image);
}

/* ---- rounds */

static int is_busy(void) {
  unsigned i;
  for (i = 0; i < DISKS * CHAINS; i++)
    if (chains[i].job.id != 0 || chains[i].changes > 0)
      return 1;
  return held != 0;
}

static void settle(void) {
  double since = seconds();
  while (is_busy()) {
    unsigned i;
    end_held();
    for (i = 0; i < DISKS * CHAINS; i++)
      if (chains[i].job.id != 0) {
        __atomic_store_n(&chains[i].target.fail_permille, 0, __ATOMIC_RELAXED);
        (void)fb_job_set_speed(chains[i].job, 0);
        (void)fb_job_resume(chains[i].job);
      }
    look_at_completions();
    usleep(100);
    if (seconds() - since > 60)
      stop_wrong("a hang at the end", 0, 0, 0);
  }
}

static void open_all(void) {
  fb_disk_options options = FB_INIT(fb_disk_options);
  unsigned i;
  is_driven = below(2) && getenv("WITHOUT_IO_URING") == NULL;
  engine = engine_with(is_driven ? FB_ENGINE_HOST_DRIVEN : 0);
  CHECK_OK(fb_queue_open(engine, 64, &control));
  CHECK_OK(fb_queue_open(engine, 8, &held_queue));
  memset(next_of, 0, sizeof next_of);
  memset(first_of, 0, sizeof first_of);
  memset(last_of, 0, sizeof last_of);
  memset(issued, 0, sizeof issued);
  memset(landed, 0, sizeof landed);
  memset(chains, 0, sizeof chains);
  open_store(&scratch);
  for (i = 0; i < DISKS; i++) {
    open_store(&sources[i]);
    options.name = i == 0 ? "a" : "b";
    options.name_length = 1;
    CHECK_OK(fb_disk_open(engine, sources[i].device, &options, &disks[i]));
  }
  for (i = 0; i < DISKS * CHAINS; i++) {
    chain *of = &chains[i];
    char name[2] = {(char)('p' + i), 0};
    of->disk = i / CHAINS;
    open_store(&of->target);
    CHECK_OK(await(control, fb_disk_bitmap_add(disks[of->disk], name, 1, BLOCK << below(5), 0, control, 1,
                                               &of->bitmap)));
  }
}

static void close_all(void) {
  unsigned i;
  for (i = 0; i < DISKS; i++)
    CHECK_OK(fb_disk_close(disks[i]));
  for (i = 0; i < DISKS * CHAINS; i++) {
    CHECK_OK(fb_bitmap_close(chains[i].bitmap));
    close_store(&chains[i].target);
  }
  for (i = 0; i < DISKS; i++)
    close_store(&sources[i]);
  close_store(&scratch);
  CHECK_OK(fb_queue_close(control));
  CHECK_OK(fb_queue_close(held_queue));
  CHECK_OK(fb_engine_close(engine));
}

static void play_round(void) {
  pthread_t threads[DIRECTOR];
  unsigned i, step, steps = 500 + below(1500);
  open_all();
  is_stopping = 0;
  for (i = 0; i < DIRECTOR; i++)
    CHECK(pthread_create(&threads[i], NULL, be_guest, (void *)(uintptr_t)i) == 0);
  for (step = 0; step < steps; step++) {
    unsigned dice = below(100);
    if (dice < 20)
      start_jobs();
    else if (dice < 40)
      disturb_job();
    else if (dice < 50)
      begin_held();
    else if (dice < 70)
      end_held();
    else if (dice < 77)
      fork_chain();
    else if (dice < 80)
      forget_chain();
    else if (dice < 82)
      read_snapshot();
    else
      usleep(below(300));
    look_at_completions();
  }
  settle();
  __atomic_store_n(&is_stopping, 1, __ATOMIC_RELAXED);
  for (i = 0; i < DIRECTOR; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  /* Nobody writes any more: every chain ends as the disk is. */
  for (i = 0; i < DISKS * CHAINS; i++) {
    chain *of = &chains[i];
    CHECK(create_job(of));
    of->target.fail_permille = 0;
    of->group = 0;
    CHECK_IS(fb_job_start(of->job, control, i), FB_PENDING);
    settle();
    if (memcmp(of->target.bytes, sources[of->disk].bytes, SIZE) != 0)
      stop_wrong("the last image of a chain", of->disk, 0, i);
  }
  close_all();
}

int main(int argc, char **argv) {
  double end = seconds() + (argc > 1 ? atof(argv[1]) : 3.0);
  const char *given = getenv("FASTBACKUP_SEED");
  unsigned long rounds = 0;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20;
  do {
    printf("FASTBACKUP_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    chance = seed;
    play_round();
    rounds++;
    seed++;
  } while (seconds() < end);
  printf("%lu rounds: %lu jobs, of them %lu failed or cancelled; %lu images and %lu snapshots, each of one moment\n",
         rounds, job_count, failed_count, image_count, snapshot_count);
  return 0;
}
