/* Enough of the interface of QEMU's include/qemu/hbitmap.h over fb_bitmap that a program written for the one compiles
 * against the other: a line or two a function. The names and meanings are QEMU's; granularity is the logarithm there.
 * Where QEMU asserts, this does. */
#ifndef HBITMAP_H
#define HBITMAP_H
#include "check.h"
#include <stdbool.h>

typedef struct HBitmap {
  fb_bitmap bitmap;
} HBitmap;

typedef struct HBitmapIter {
  const HBitmap *hb;
  uint64_t position;
} HBitmapIter;

UNUSED static fb_bitmap_state hb_state(const HBitmap *hb) {
  fb_bitmap_state state = FB_INIT(fb_bitmap_state);
  CHECK_OK(fb_bitmap_query(hb->bitmap, &state));
  return state;
}

UNUSED static HBitmap *hbitmap_alloc(uint64_t size, int granularity) {
  fb_bitmap_options options = FB_INIT(fb_bitmap_options);
  HBitmap *hb = (HBitmap *)calloc(1, sizeof *hb);
  CHECK(hb != NULL);
  options.size_bytes = size;
  options.granularity_bytes = UINT64_C(1) << granularity;
  CHECK_OK(fb_bitmap_create(&options, &hb->bitmap));
  return hb;
}

UNUSED static void hbitmap_free(HBitmap *hb) {
  CHECK_OK(fb_bitmap_close(hb->bitmap));
  free(hb);
}

UNUSED static void hbitmap_truncate(HBitmap *hb, uint64_t size) {
  CHECK_OK(fb_bitmap_truncate(hb->bitmap, size));
}

/* result may be a or b. */
UNUSED static void hbitmap_merge(const HBitmap *a, const HBitmap *b, HBitmap *result) {
  CHECK_OK(fb_bitmap_merge(a->bitmap, b->bitmap, result->bitmap));
}

UNUSED static bool hbitmap_empty(const HBitmap *hb) {
  return hb_state(hb).dirty_granules == 0;
}

UNUSED static int hbitmap_granularity(const HBitmap *hb) {
  return __builtin_ctzll(hb_state(hb).granularity_bytes);
}

/* QEMU counts items, whole granules also at the end. */
UNUSED static uint64_t hbitmap_count(const HBitmap *hb) {
  fb_bitmap_state state = hb_state(hb);
  return state.dirty_granules * state.granularity_bytes;
}

UNUSED static void hbitmap_set(HBitmap *hb, uint64_t start, uint64_t count) {
  CHECK_OK(fb_bitmap_set(hb->bitmap, start, count));
}

UNUSED static void hbitmap_reset(HBitmap *hb, uint64_t start, uint64_t count) {
  CHECK_OK(fb_bitmap_reset(hb->bitmap, start, count));
}

UNUSED static void hbitmap_reset_all(HBitmap *hb) {
  CHECK_OK(fb_bitmap_reset_all(hb->bitmap));
}

UNUSED static bool hbitmap_get(const HBitmap *hb, uint64_t item) {
  uint32_t dirty;
  CHECK_OK(fb_bitmap_get(hb->bitmap, item, &dirty));
  return dirty != 0;
}

/* The end of a search: QEMU takes any count, and stops at the size. */
UNUSED static uint64_t hb_end(const HBitmap *hb, int64_t start, int64_t count) {
  uint64_t size = hb_state(hb).size_bytes, from = (uint64_t)start;
  return from >= size || size - from <= (uint64_t)count ? size : from + (uint64_t)count;
}

UNUSED static int64_t hbitmap_next_dirty(const HBitmap *hb, int64_t start, int64_t count) {
  uint64_t found, end = hb_end(hb, start, count);
  if ((uint64_t)start >= end)
    return -1;
  CHECK_OK(fb_bitmap_next_dirty(hb->bitmap, (uint64_t)start, end, &found));
  return (int64_t)found; /* UINT64_MAX is -1 */
}

UNUSED static int64_t hbitmap_next_zero(const HBitmap *hb, int64_t start, int64_t count) {
  uint64_t found, end = hb_end(hb, start, count);
  if ((uint64_t)start >= end)
    return -1;
  CHECK_OK(fb_bitmap_next_zero(hb->bitmap, (uint64_t)start, end, &found));
  return (int64_t)found;
}

UNUSED static bool hbitmap_next_dirty_area(const HBitmap *hb, int64_t start, int64_t end, int64_t max_dirty_count,
                                           int64_t *dirty_start, int64_t *dirty_count) {
  fb_extent area;
  uint64_t limit = hb_end(hb, start, end - start);
  if ((uint64_t)start >= limit)
    return false;
  CHECK_OK(fb_bitmap_next_dirty_area(hb->bitmap, (uint64_t)start, limit, (uint64_t)max_dirty_count, &area));
  if (area.length == 0)
    return false;
  *dirty_start = (int64_t)area.offset;
  *dirty_count = (int64_t)area.length;
  return true;
}

UNUSED static bool hbitmap_status(const HBitmap *hb, int64_t start, int64_t count, int64_t *pnum) {
  uint32_t dirty;
  uint64_t run;
  CHECK_OK(fb_bitmap_status(hb->bitmap, (uint64_t)start, (uint64_t)count, &dirty, &run));
  *pnum = (int64_t)run;
  return dirty != 0;
}

UNUSED static void hbitmap_iter_init(HBitmapIter *iterator, const HBitmap *hb, uint64_t first) {
  iterator->hb = hb;
  iterator->position = first & ~(hb_state(hb).granularity_bytes - 1);
}

/* The start of the next dirty granule; what was reset meanwhile is passed over. */
UNUSED static int64_t hbitmap_iter_next(HBitmapIter *iterator) {
  fb_bitmap_state state = hb_state(iterator->hb);
  uint64_t found;
  if (iterator->position >= state.size_bytes)
    return -1;
  CHECK_OK(fb_bitmap_next_dirty(iterator->hb->bitmap, iterator->position, state.size_bytes, &found));
  iterator->position = found == UINT64_MAX ? state.size_bytes : found + state.granularity_bytes;
  return (int64_t)found;
}

UNUSED static uint64_t hbitmap_serialization_align(const HBitmap *hb) {
  uint64_t align;
  CHECK_OK(fb_bitmap_serialize_align(hb->bitmap, &align));
  return align;
}

UNUSED static uint64_t hbitmap_serialization_size(const HBitmap *hb, uint64_t start, uint64_t count) {
  uint64_t size;
  CHECK_OK(fb_bitmap_serialize_size(hb->bitmap, start, count, &size));
  return size;
}

UNUSED static void hbitmap_serialize_part(const HBitmap *hb, uint8_t *buffer, uint64_t start, uint64_t count) {
  uint64_t size = hbitmap_serialization_size(hb, start, count);
  CHECK_OK(fb_bitmap_serialize_part(hb->bitmap, start, count, buffer, size));
}

UNUSED static void hbitmap_deserialize_part(HBitmap *hb, const uint8_t *buffer, uint64_t start, uint64_t count,
                                            bool finish) {
  uint64_t size = hbitmap_serialization_size(hb, start, count);
  CHECK_OK(fb_bitmap_deserialize_part(hb->bitmap, start, count, buffer, size));
  if (finish)
    CHECK_OK(fb_bitmap_deserialize_finish(hb->bitmap));
}

UNUSED static void hbitmap_deserialize_zeroes(HBitmap *hb, uint64_t start, uint64_t count, bool finish) {
  CHECK_OK(fb_bitmap_deserialize_zeroes(hb->bitmap, start, count));
  if (finish)
    CHECK_OK(fb_bitmap_deserialize_finish(hb->bitmap));
}

UNUSED static void hbitmap_deserialize_ones(HBitmap *hb, uint64_t start, uint64_t count, bool finish) {
  CHECK_OK(fb_bitmap_deserialize_ones(hb->bitmap, start, count));
  if (finish)
    CHECK_OK(fb_bitmap_deserialize_finish(hb->bitmap));
}

UNUSED static void hbitmap_deserialize_finish(HBitmap *hb) {
  CHECK_OK(fb_bitmap_deserialize_finish(hb->bitmap));
}
#endif
