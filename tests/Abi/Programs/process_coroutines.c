/* Coroutines: calls of many stacks interleave on one thread, completions come in any order, a stack waits in the
 * middle of its write while others go on. */
#include "check.h"
#include <ucontext.h>

#define COUNT 64
#define STACK 65536

static memory_disk data;
static fb_disk disk;
static fb_queue queue;
static ucontext_t main_context, contexts[COUNT];
static fb_status results[COUNT];
static int is_waiting[COUNT], is_done[COUNT];

static void leave(int self) {
  CHECK(swapcontext(&contexts[self], &main_context) == 0);
}

static void writer(int self) {
  int round;
  for (round = 0; round < 20; round++) {
    uint64_t offset = (uint64_t)((self * 20 + round) * 7919 % 1024) * 4096;
    fb_status status = fb_disk_write_begin(disk, queue, offset, 4096, (uint64_t)self);
    if (status == FB_PENDING) {
      is_waiting[self] = 1;
      leave(self);
      status = results[self];
    }
    CHECK_IS(status, FB_OK);
    leave(self); /* the write is under way */
    memset(data.bytes + offset, self, 4096);
    CHECK_OK(fb_disk_write_end(disk));
  }
  is_done[self] = 1;
  leave(self);
}

int main(void) {
  memory_disk target;
  fb_engine engine = small_engine();
  fb_device from = memory_device(engine, &data, 4 * MIB), to = memory_device(engine, &target, 4 * MIB);
  fb_queue jobs;
  fb_job job;
  fb_completion done[COUNT];
  int i, remaining = COUNT;
  disk = disk_on(engine, from);
  CHECK_OK(fb_queue_open(engine, 128, &queue));
  CHECK_OK(fb_queue_open(engine, 8, &jobs));
  CHECK_OK(fb_backup_create(disk, to, NULL, &job));
  for (i = 0; i < COUNT; i++) {
    CHECK(getcontext(&contexts[i]) == 0);
    contexts[i].uc_stack.ss_sp = malloc(STACK);
    contexts[i].uc_stack.ss_size = STACK;
    contexts[i].uc_link = &main_context;
    makecontext(&contexts[i], (void (*)(void))writer, 1, i);
  }
  for (i = 0; i < COUNT; i++)
    CHECK(swapcontext(&main_context, &contexts[i]) == 0);
  CHECK_IS(fb_job_start(job, jobs, 1), FB_PENDING); /* comes between begins and ends */
  while (remaining > 0) {
    int32_t count = fb_queue_poll(queue, done, sizeof *done, COUNT, 0, 0);
    CHECK(count >= 0);
    for (i = count - 1; i >= 0; i--) {
      int self = (int)done[i].user_data;
      results[self] = done[i].status;
      is_waiting[self] = 0;
    }
    for (i = COUNT - 1; i >= 0; i--)
      if (!is_waiting[i] && !is_done[i]) {
        CHECK(swapcontext(&main_context, &contexts[i]) == 0);
        remaining -= is_done[i];
      }
  }
  CHECK_IS(wait_one(jobs).status, FB_OK);
  CHECK_OK(fb_job_close(job));
  CHECK_OK(fb_disk_close(disk));
  return 0;
}
