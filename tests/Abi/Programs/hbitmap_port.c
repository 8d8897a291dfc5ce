/* A program that knows only QEMU's hbitmap.h runs over fb_bitmap through hbitmap.h here, a shim of a line or two a
 * function: random operations against an array of bytes, a mirror's loop that resets what it copies, and a
 * migration of the bits in parts. */
#include "hbitmap.h"

#define SIZE 30011 /* items: a multiple of nothing */

static uint64_t seed = 7;

static uint64_t chance(uint64_t below) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (seed >> 33) % below;
}

/* The model: one byte per item; a granule is dirty when its first item is. */
static unsigned char model[SIZE];

static void model_fill(uint64_t start, uint64_t count, int granularity, int value) {
  uint64_t mask = (UINT64_C(1) << granularity) - 1, end = (start + count + mask) & ~mask;
  start &= ~mask;
  memset(model + start, value, (end < SIZE ? end : SIZE) - start);
}

static void check_all(const HBitmap *hb, int granularity) {
  int64_t start = 0, count = 0, at = 0, position;
  uint64_t granules = 0, i, step = UINT64_C(1) << granularity;
  HBitmapIter iterator;
  for (i = 0; i < SIZE; i += step)
    granules += model[i];
  CHECK(hbitmap_count(hb) == granules << granularity);
  CHECK(hbitmap_empty(hb) == (granules == 0) && hbitmap_granularity(hb) == granularity);
  hbitmap_iter_init(&iterator, hb, 0);
  while ((position = hbitmap_iter_next(&iterator)) >= 0) {
    CHECK(model[position] && position % (int64_t)step == 0);
    granules--;
  }
  CHECK(granules == 0);
  while (hbitmap_next_dirty_area(hb, at, SIZE, INT64_MAX, &start, &count)) { /* the runs, and what is between */
    for (; at < start; at++)
      CHECK(!model[at]);
    for (; at < start + count; at++)
      CHECK(model[at]);
    CHECK(at == SIZE || !model[at]);
  }
  for (; at < SIZE; at++)
    CHECK(!model[at]);
  for (i = 0; i < 50; i++) {
    int64_t from = (int64_t)chance(SIZE), length = (int64_t)(1 + chance(SIZE)), run;
    int64_t end = from + length < SIZE ? from + length : SIZE;
    CHECK(hbitmap_get(hb, (uint64_t)from) == model[from]);
    for (at = from; at < end && model[at]; at++)
      ;
    CHECK(hbitmap_next_zero(hb, from, length) == (at == end ? -1 : at));
    for (at = from; at < end && !model[at]; at++)
      ;
    CHECK(hbitmap_next_dirty(hb, from, length) == (at == end ? -1 : at));
    CHECK(hbitmap_status(hb, from, end - from, &run) == model[from]);
    for (at = from; at < end && model[at] == model[from]; at++)
      ;
    CHECK(run == at - from);
  }
}

static void random_operations(int granularity) {
  HBitmap *hb = hbitmap_alloc(SIZE, granularity), *other = hbitmap_alloc(SIZE, granularity);
  uint64_t mask = (UINT64_C(1) << granularity) - 1;
  int round;
  memset(model, 0, SIZE);
  for (round = 0; round < 300; round++) {
    uint64_t start = chance(SIZE), count = 1 + chance(chance(4) ? 200 : SIZE);
    count = count < SIZE - start ? count : SIZE - start;
    switch (chance(5)) {
    case 0:
      count = (start + count + mask) & ~mask;
      start &= ~mask;
      count = (count < SIZE ? count : SIZE) - start;
      hbitmap_reset(hb, start, count);
      model_fill(start, count, granularity, 0);
      break;
    case 1:
      hbitmap_set(other, start, count);
      hbitmap_merge(hb, other, hb);
      hbitmap_reset_all(other);
      model_fill(start, count, granularity, 1);
      break;
    default:
      hbitmap_set(hb, start, count);
      model_fill(start, count, granularity, 1);
      break;
    }
    if (round % 10 == 0)
      check_all(hb, granularity);
    if (round == 150) {
      hbitmap_truncate(hb, SIZE / 2); /* forgets the upper half */
      hbitmap_truncate(hb, SIZE);
      model_fill((SIZE / 2 + mask) & ~mask, SIZE - ((SIZE / 2 + mask) & ~mask), granularity, 0);
      check_all(hb, granularity);
    }
  }
  hbitmap_free(other);
  hbitmap_free(hb);
}

static void mirror_loop(void) {
  HBitmap *hb = hbitmap_alloc(SIZE, 4);
  HBitmapIter iterator;
  int64_t item;
  int copied = 0;
  hbitmap_set(hb, 0, 100);
  hbitmap_set(hb, 20000, 1);
  hbitmap_iter_init(&iterator, hb, 0);
  while ((item = hbitmap_iter_next(&iterator)) >= 0) { /* resets while it iterates, also what lies ahead */
    hbitmap_reset(hb, (uint64_t)item, item == 0 ? 48 : 16);
    copied++;
  }
  CHECK(copied == 1 + 4 + 1 && hbitmap_empty(hb)); /* 7 granules of the first run, two of them reset ahead */
  hbitmap_free(hb);
}

static void migration(void) {
  HBitmap *from = hbitmap_alloc(SIZE, 0), *to = hbitmap_alloc(SIZE, 0);
  uint64_t align = hbitmap_serialization_align(from), start, i;
  uint8_t part[1024];
  for (i = 0; i < 500; i++)
    hbitmap_set(from, chance(SIZE), 1);
  hbitmap_set(from, 4 * align, align);
  hbitmap_reset(from, 9 * align, align);
  for (start = 0; start < SIZE; start += align) {
    uint64_t count = align < SIZE - start ? align : SIZE - start;
    if (start == 4 * align)
      hbitmap_deserialize_ones(to, start, count, false);
    else if (start == 9 * align)
      hbitmap_deserialize_zeroes(to, start, count, false);
    else {
      CHECK(hbitmap_serialization_size(from, start, count) <= sizeof part);
      hbitmap_serialize_part(from, part, start, count);
      hbitmap_deserialize_part(to, part, start, count, false);
    }
  }
  hbitmap_deserialize_finish(to);
  for (i = 0; i < SIZE; i++)
    CHECK(hbitmap_get(from, i) == hbitmap_get(to, i));
  CHECK(hbitmap_count(from) == hbitmap_count(to));
  hbitmap_free(from);
  hbitmap_free(to);
}

int main(void) {
  random_operations(0);
  random_operations(3);
  random_operations(9);
  mirror_loop();
  migration();
  return 0;
}
