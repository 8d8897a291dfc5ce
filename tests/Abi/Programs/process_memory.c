/* Address space: the first call takes at most 10 ms of processor time and grows it by less than 2 GiB; 4 GiB are
 * enough for everything. */
#include "check.h"
#include <sys/resource.h>
#include <time.h>

static uint64_t address_space(void) {
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1);
  fclose(file);
  return (uint64_t)pages * 4096;
}

static double milliseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time); /* others use this machine, too */
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

int main(void) {
  struct rlimit limit;
  uint64_t before = address_space(), grown;
  double begin = milliseconds(), first_call;
  fb_engine engine;
  fb_bitmap bitmap;
  fb_bitmap_options options = FB_INIT(fb_bitmap_options);
  CHECK(fb_abi_version() == FB_ABI_VERSION);
  first_call = milliseconds() - begin;
  engine = small_engine();
  grown = address_space() - before;
  printf("first call %.1f ms, engine %.1f ms, address space grown by %.2f GiB\n", first_call, milliseconds() - begin,
         (double)grown / 1073741824.0);
  CHECK(first_call <= 10);
  CHECK(grown < UINT64_C(2) << 30);
  CHECK_OK(fb_engine_close(engine));

  limit.rlim_cur = limit.rlim_max = (rlim_t)4 << 30;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  engine = small_engine();
  options.size_bytes = UINT64_C(16) << 40;
  options.granularity_bytes = 65536;
  CHECK_OK(fb_bitmap_create(&options, &bitmap));
  CHECK_OK(fb_bitmap_mark(bitmap, 0, options.size_bytes));
  CHECK_OK(fb_bitmap_close(bitmap));
  /* What does not fit is refused, and the next call works as before. */
  options.granularity_bytes = 512;
  CHECK_IS(fb_bitmap_create(&options, &bitmap), FB_E_NO_MEMORY);
  options.granularity_bytes = 65536;
  CHECK_OK(fb_bitmap_create(&options, &bitmap));
  CHECK_OK(fb_bitmap_close(bitmap));
  CHECK_OK(fb_engine_close(engine));
  return 0;
}
