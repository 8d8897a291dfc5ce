/* See osdep.h. As in QEMU: the compiler's builtins, with the width as the answer for zero. */
#ifndef FASTBACKUP_BENCH_HOST_UTILS_H
#define FASTBACKUP_BENCH_HOST_UTILS_H
static inline int ctzl(unsigned long x) { return x ? __builtin_ctzl(x) : 64; }
static inline int clzl(unsigned long x) { return x ? __builtin_clzl(x) : 64; }
static inline int ctol(unsigned long x) { return ctzl(~x); }
static inline int ctpopl(unsigned long x) { return __builtin_popcountl(x); }
#endif
