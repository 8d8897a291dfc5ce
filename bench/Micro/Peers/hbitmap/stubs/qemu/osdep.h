/* The little of QEMU's environment that util/hbitmap.c needs, so that it can be compiled alone. */
#ifndef FASTBACKUP_BENCH_OSDEP_H
#define FASTBACKUP_BENCH_OSDEP_H

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <endian.h>

typedef struct Error Error;

#define BITS_PER_LONG ((int)(sizeof(unsigned long) * CHAR_BIT))
#define BITS_PER_BYTE CHAR_BIT
#define BITS_TO_LONGS(n) (((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
#define ROUND_UP(n, d) (((n) + (d) - 1) & -(0 ? (n) : (d)))
#define QEMU_IS_ALIGNED(n, m) (((n) % (m)) == 0)
#define g_new0(type, count) ((type *)calloc((count), sizeof(type)))
#define g_renew(type, memory, count) ((type *)realloc((memory), (count) * sizeof(type)))
#define g_free free

#define cpu_to_le64(x) htole64(x)
#define le64_to_cpu(x) le64toh(x)
#define cpu_to_le32s(p) (*(p) = htole32(*(p)))
#define cpu_to_le64s(p) (*(p) = htole64(*(p)))
#define le32_to_cpus(p) (*(p) = le32toh(*(p)))
#define le64_to_cpus(p) (*(p) = le64toh(*(p)))

#endif
