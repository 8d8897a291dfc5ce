/* Bitmaps against an array of bytes: every operation, granularities from 1 byte to 2 GiB, sizes that fit nothing. */
#include "check.h"

#define BITS_MAX 5000

static uint64_t seed = 42;

static uint64_t chance(uint64_t below) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (seed >> 33) % below;
}

static fb_bitmap make(uint64_t size, uint64_t granularity) {
  fb_bitmap_options options = FB_INIT(fb_bitmap_options);
  fb_bitmap bitmap;
  options.size_bytes = size;
  options.granularity_bytes = granularity;
  CHECK_OK(fb_bitmap_create(&options, &bitmap));
  return bitmap;
}

static void compare(fb_bitmap bitmap, const unsigned char *model, uint64_t bits, uint64_t size, uint64_t granularity) {
  fb_bitmap_state state = FB_INIT(fb_bitmap_state);
  fb_extent areas[7];
  uint64_t position = 0, next = 0, found, run, dirty_count = 0, i;
  uint32_t dirty;
  int32_t count;
  for (i = 0; i < bits; i++) {
    dirty_count += model[i];
    CHECK_OK(fb_bitmap_get(bitmap, i * granularity, &dirty));
    CHECK(dirty == model[i]);
  }
  CHECK_OK(fb_bitmap_query(bitmap, &state));
  CHECK(state.dirty_granules == dirty_count && state.granule_count == bits && state.size_bytes == size);
  CHECK_OK(fb_bitmap_count(bitmap, 0, size, &found));
  CHECK(found == dirty_count);
  /* Areas, page by page, are the runs of the model. */
  while ((count = fb_bitmap_areas(bitmap, &position, areas, 7)) > 0)
    for (i = 0; i < (uint64_t)count; i++) {
      while (next < bits && !model[next])
        next++;
      CHECK(next < bits && areas[i].offset == next * granularity);
      while (next < bits && model[next])
        next++;
      CHECK(areas[i].offset + areas[i].length == (next == bits ? size : next * granularity));
    }
  CHECK(count == 0 && position == size);
  while (next < bits)
    CHECK(!model[next++]);
  /* Searches from a few places. */
  for (i = 0; i < 20 && bits > 0; i++) {
    uint64_t from = chance(bits), at = from;
    while (at < bits && !model[at])
      at++;
    CHECK_OK(fb_bitmap_next_dirty(bitmap, from * granularity, size, &found));
    CHECK(found == (at == bits ? UINT64_MAX : at * granularity));
    for (at = from; at < bits && model[at]; at++)
      ;
    CHECK_OK(fb_bitmap_next_zero(bitmap, from * granularity, size, &found));
    CHECK(found == (at == bits ? UINT64_MAX : at * granularity));
    for (at = from; at < bits && model[at] == model[from]; at++)
      ;
    CHECK_OK(fb_bitmap_status(bitmap, from * granularity, size - from * granularity, &dirty, &run));
    CHECK(dirty == model[from] && from * granularity + run == (at == bits ? size : at * granularity));
  }
}

static void against_model(uint64_t bits, uint64_t granularity, uint64_t missing) {
  static unsigned char model[BITS_MAX], other_model[BITS_MAX];
  uint64_t size = bits * granularity - missing, i, round;
  fb_bitmap bitmap = make(size, granularity), other = make(size, granularity);
  memset(model, 0, sizeof model);
  memset(other_model, 0, sizeof other_model);
  for (round = 0; round < 60; round++) {
    uint64_t first = chance(bits), count = 1 + chance(bits - first), k;
    uint64_t begin = first * granularity;
    uint64_t end = first + count == bits ? size : (first + count) * granularity;
    switch (chance(8)) {
    case 0:
    case 1:
      begin += chance(end - begin > granularity ? granularity : 1);
      CHECK_OK(fb_bitmap_mark(bitmap, begin, end - begin));
      memset(model + first, 1, count);
      break;
    case 2:
      CHECK_OK(fb_bitmap_set(other, begin, end - begin));
      memset(other_model + first, 1, count);
      break;
    case 3:
      CHECK_OK(fb_bitmap_reset(bitmap, begin, end - begin));
      memset(model + first, 0, count);
      break;
    case 4:
      CHECK_OK(fb_bitmap_merge(bitmap, other, bitmap));
      for (k = 0; k < bits; k++)
        model[k] |= other_model[k];
      break;
    case 5:
      CHECK_OK(fb_bitmap_and_not(bitmap, other));
      for (k = 0; k < bits; k++)
        model[k] &= (unsigned char)!other_model[k];
      break;
    case 6:
      CHECK_OK(fb_bitmap_invert(bitmap));
      for (k = 0; k < bits; k++)
        model[k] = (unsigned char)!model[k];
      break;
    default:
      CHECK_OK(fb_bitmap_drain(other, bitmap));
      for (k = 0; k < bits; k++)
        model[k] |= other_model[k];
      memset(other_model, 0, sizeof other_model);
      break;
    }
    compare(bitmap, model, bits, size, granularity);
  }
  CHECK_OK(fb_bitmap_and(bitmap, other));
  for (i = 0; i < bits; i++)
    model[i] &= other_model[i];
  compare(bitmap, model, bits, size, granularity);
  CHECK_OK(fb_bitmap_close(bitmap));
  CHECK_OK(fb_bitmap_close(other));
}

static void serialised_form(void) {
  const uint64_t size = 1000 * 512;
  fb_bitmap from = make(size, 512), to = make(size, 512);
  uint64_t align, bytes, offset;
  uint32_t equal = 0;
  unsigned char part[16];
  CHECK_OK(fb_bitmap_mark(from, 0, 512));
  CHECK_OK(fb_bitmap_mark(from, 512 * 65, 512));
  CHECK_OK(fb_bitmap_mark(from, size - 1, 1));
  CHECK_OK(fb_bitmap_serialize_align(from, &align));
  CHECK(align == 64 * 512);
  CHECK_IS(fb_bitmap_deserialize_finish(to), FB_E_STATE);
  for (offset = 0; offset < size; offset += 2 * align) {
    uint64_t length = size - offset < 2 * align ? size - offset : 2 * align;
    CHECK_OK(fb_bitmap_serialize_size(from, offset, length, &bytes));
    CHECK(bytes <= sizeof part);
    CHECK_OK(fb_bitmap_serialize_part(from, offset, length, part, bytes));
    if (offset == 0)
      CHECK(part[0] == 1 && part[8] == 2); /* little-endian words, granule 0 lowest */
    CHECK_OK(fb_bitmap_deserialize_part(to, offset, length, part, bytes));
  }
  CHECK_OK(fb_bitmap_deserialize_finish(to));
  CHECK_OK(fb_bitmap_equal(from, to, &equal));
  CHECK(equal == 1);
  CHECK_OK(fb_bitmap_deserialize_ones(to, 0, align));
  CHECK_OK(fb_bitmap_deserialize_zeroes(to, align, size - align));
  CHECK_OK(fb_bitmap_deserialize_finish(to));
  CHECK_OK(fb_bitmap_count(to, 0, size, &bytes));
  CHECK(bytes == 64);
  CHECK_IS(fb_bitmap_serialize_part(from, 1, align, part, sizeof part), FB_E_ALIGN);
  CHECK_IS(fb_bitmap_serialize_part(from, 0, 2 * align, part, 8), FB_E_INVALID);
  CHECK_OK(fb_bitmap_close(from));
  CHECK_OK(fb_bitmap_close(to));
}

static void sizes_and_refusals(void) {
  fb_bitmap_options options = FB_INIT(fb_bitmap_options);
  fb_bitmap bitmap, coarse;
  fb_extent area;
  uint64_t found;
  uint32_t dirty;
  options.size_bytes = UINT64_C(1) << 50;
  options.granularity_bytes = 3;
  CHECK_IS(fb_bitmap_create(&options, &bitmap), FB_E_INVALID);
  options.granularity_bytes = 1;
  CHECK_IS(fb_bitmap_create(&options, &bitmap), FB_E_RANGE);
  options.granularity_bytes = UINT64_C(1) << 31;
  CHECK_OK(fb_bitmap_create(&options, &coarse));
  CHECK_OK(fb_bitmap_mark(coarse, (UINT64_C(1) << 50) - 1, 1));
  CHECK_IS(fb_bitmap_mark(coarse, UINT64_MAX, 2), FB_E_RANGE);
  CHECK_IS(fb_bitmap_mark(coarse, UINT64_C(1) << 50, 1), FB_E_RANGE);
  bitmap = make(1000, 64); /* 15 granules and a short one */
  CHECK_OK(fb_bitmap_mark(bitmap, 999, 1));
  CHECK_IS(fb_bitmap_reset(bitmap, 1, 64), FB_E_ALIGN);
  CHECK_OK(fb_bitmap_next_dirty_area(bitmap, 0, 1000, UINT64_MAX, &area));
  CHECK(area.offset == 960 && area.length == 40);
  CHECK_OK(fb_bitmap_next_dirty_area(bitmap, 0, 1000, 7, &area));
  CHECK(area.offset == 960 && area.length == 7);
  CHECK_IS(fb_bitmap_next_dirty_area(bitmap, 0, 1000, 0, &area), FB_E_INVALID);
  CHECK_IS(fb_bitmap_next_dirty(bitmap, 0, 1001, &found), FB_E_RANGE);
  CHECK_IS(fb_bitmap_get(bitmap, 1000, &dirty), FB_E_RANGE);
  CHECK_OK(fb_bitmap_truncate(bitmap, 500)); /* forgets what lies behind, for good */
  CHECK_OK(fb_bitmap_truncate(bitmap, 100000000));
  CHECK_OK(fb_bitmap_next_dirty(bitmap, 0, 100000000, &found));
  CHECK(found == UINT64_MAX);
  CHECK_OK(fb_bitmap_mark(bitmap, 99999999, 1));
  CHECK_OK(fb_bitmap_reset_all(bitmap));
  CHECK_OK(fb_bitmap_next_dirty(bitmap, 0, 100000000, &found));
  CHECK(found == UINT64_MAX);
  CHECK_IS(fb_bitmap_and(bitmap, coarse), FB_E_INVALID);
  CHECK_OK(fb_bitmap_close(bitmap));
  CHECK_OK(fb_bitmap_close(coarse));
}

int main(void) {
  against_model(1, 1, 0);
  against_model(4999, 1, 0);
  against_model(700, 4096, 4095);
  against_model(513, UINT64_C(1) << 31, 12345);
  serialised_form();
  sizes_and_refusals();
  return 0;
}
