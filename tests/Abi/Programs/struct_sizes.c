/* struct_size: an older host, a newer host with a clean and with a dirty tail, and garbage. */
#include "check.h"

int main(void) {
  unsigned char page[8192];
  fb_engine_options *options = (fb_engine_options *)(void *)page;
  fb_bitmap_options *shape = (fb_bitmap_options *)(void *)page;
  fb_bitmap_state *state = (fb_bitmap_state *)(void *)page;
  fb_engine engine;
  fb_bitmap bitmap;
  uint32_t first = (uint32_t)sizeof *options;

  memset(page, 0, sizeof page);
  options->struct_size = first - 1; /* shorter than the first release's */
  CHECK_IS(fb_engine_open(options, &engine), FB_E_INVALID);
  CHECK(engine.id == 0);
  options->struct_size = 0;
  CHECK_IS(fb_engine_open(options, &engine), FB_E_INVALID);
  options->struct_size = UINT32_MAX;
  CHECK_IS(fb_engine_open(options, &engine), FB_E_INVALID);

  options->struct_size = first + 64; /* newer, and says nothing that we do not know */
  options->buffer_bytes = 4 * MIB;
  CHECK_OK(fb_engine_open(options, &engine));
  CHECK_OK(fb_engine_close(engine));
  page[first + 63] = 1; /* newer, and does */
  CHECK_IS(fb_engine_open(options, &engine), FB_E_UNSUPPORTED);
  page[first + 63] = 0;
  options->struct_size = first;
  options->flags = UINT32_C(1) << 31;
  CHECK_IS(fb_engine_open(options, &engine), FB_E_UNSUPPORTED);
  CHECK_IS(fb_engine_open(NULL, NULL), FB_E_INVALID);

  /* Filled in: as much as both know, nothing behind it. */
  memset(page, 0, sizeof page);
  shape->struct_size = (uint32_t)sizeof *shape;
  shape->size_bytes = 10 * MIB;
  shape->granularity_bytes = 4096;
  CHECK_OK(fb_bitmap_create(shape, &bitmap));
  memset(page, 0xEE, sizeof page);
  state->struct_size = (uint32_t)sizeof *state + 100;
  CHECK_OK(fb_bitmap_query(bitmap, state));
  CHECK(state->struct_size == (uint32_t)sizeof *state + 100);
  CHECK(state->size_bytes == 10 * MIB && state->granule_count == 2560 && state->dirty_bytes == 0);
  CHECK(page[sizeof *state] == 0xEE);
  state->struct_size = 8;
  CHECK_IS(fb_bitmap_query(bitmap, state), FB_E_INVALID);
  CHECK_IS(fb_bitmap_query(bitmap, NULL), FB_E_INVALID);
  CHECK_OK(fb_bitmap_close(bitmap));

  /* Arrays carry the size of their elements. */
  {
    fb_queue queue;
    fb_completion completion;
    options = NULL;
    CHECK_OK(fb_engine_open(options, &engine));
    CHECK_OK(fb_queue_open(engine, 4, &queue));
    CHECK_IS(fb_queue_poll(queue, &completion, sizeof completion - 8, 1, 0, 0), FB_E_INVALID);
    CHECK_IS(fb_queue_poll(queue, &completion, sizeof completion, 1, 2, 0), FB_E_INVALID);
    CHECK_IS(fb_queue_poll(queue, NULL, sizeof completion, 1, 0, 0), FB_E_INVALID);
    CHECK_OK(fb_queue_close(queue));
    CHECK_OK(fb_engine_close(engine));
  }
  return 0;
}
