/* See qemu/osdep.h: the disabled trace points of a release build. */
#define trace_hbitmap_iter_skip_words(...) ((void)0)
#define trace_hbitmap_set(...) ((void)0)
#define trace_hbitmap_reset(...) ((void)0)
