/* QEMU's hbitmap under the same operations, on the same bits, as the table of the bitmap benchmark. It is compiled
 * at run time with util/hbitmap.c from the distribution's source package; nothing of QEMU is kept here.
 * Arguments: log2 of the bit count, repetitions. Output: one line "operation density nanoseconds items hash". */
#define _GNU_SOURCE
#include "qemu/osdep.h"
#include "qemu/hbitmap.h"
#include <stdio.h>
#include <time.h>

enum { REPETITIONS_MAX = 64, HOT_SETS = 1 << 24, RANDOM_GETS = 1 << 22, HOT_BITS = 1024, PIECES = 64 };

static uint64_t bit_count, hash;
static int repetitions;
static double times[REPETITIONS_MAX];

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t mix(uint64_t i)
{
    uint64_t z = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t position(uint64_t seed, uint64_t i)
{
    return (uint64_t)(((unsigned __int128)mix(seed + i) * bit_count) >> 64);
}

/* Serialised form at a density: random words for 0.5, else that many random bits. */
static uint64_t *make_words(uint64_t seed, double density)
{
    uint64_t *words = calloc(bit_count / 64, sizeof(uint64_t));
    if (density == 0.5)
        for (uint64_t i = 0; i < bit_count / 64; i++)
            words[i] = mix(seed + i);
    else
        for (uint64_t i = 0; i < (uint64_t)(density * (double)bit_count); i++) {
            uint64_t bit = position(seed, i);
            words[bit / 64] |= UINT64_C(1) << (bit % 64);
        }
    return words;
}

static void load(HBitmap *bitmap, uint64_t *words)
{
    hbitmap_deserialize_part(bitmap, (uint8_t *)words, 0, bit_count, false);
    hbitmap_deserialize_finish(bitmap);
}

static int by_value(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* The fastest is the estimate: what else runs on the machine hardly shows. */
static void report(const char *operation, double density, int count, uint64_t items)
{
    qsort(times, (size_t)count, sizeof(double), by_value);
    printf("%s %g %.0f %llu %llu\n", operation, density, times[0],
           (unsigned long long)items, (unsigned long long)hash);
    fflush(stdout);
}

#define MEASURE(prepare, work)                      \
    for (int r = 0; r < repetitions; r++) {         \
        prepare;                                    \
        double start = now_ns();                    \
        work;                                       \
        times[r] = now_ns() - start;                \
    }

static void first_touch_sets(double density)
{
    uint64_t count = (uint64_t)(density * (double)bit_count);
    HBitmap *bitmap = NULL;
    MEASURE(if (bitmap) hbitmap_free(bitmap); bitmap = hbitmap_alloc(bit_count, 0),
            for (uint64_t i = 0; i < count; i++) hbitmap_set(bitmap, position(7, i), 1));
    hash += hbitmap_count(bitmap);
    hbitmap_free(bitmap);
    report("set_first_touch", density, repetitions, count);
}

static void points(double density, uint64_t *words)
{
    HBitmap *bitmap = hbitmap_alloc(bit_count, 0);
    uint64_t count = RANDOM_GETS;
    MEASURE(load(bitmap, words), for (uint64_t i = 0; i < count; i++) hbitmap_set(bitmap, position(11, i), 1));
    report("set_random", density, repetitions, count);
    load(bitmap, words);
    /* In pieces of a millisecond: in a tenth of a second others are at work, too. */
    for (uint64_t piece = 0; piece < (uint64_t)repetitions * PIECES; piece++) {
        uint64_t first = piece % PIECES * (count / PIECES);
        double start = now_ns(), took;
        for (uint64_t i = first; i < first + count / PIECES; i++)
            hash += hbitmap_get(bitmap, position(13, i));
        took = (now_ns() - start) * PIECES;
        if (piece == 0 || took < times[0])
            times[0] = took;
    }
    report("get_random", density, 1, count);
    hbitmap_set(bitmap, 0, HOT_BITS);
    MEASURE(, for (uint64_t i = 0; i < HOT_SETS; i++) hbitmap_set(bitmap, (i * 37) % HOT_BITS, 1));
    report("set_hot", density, repetitions, HOT_SETS);
    hbitmap_free(bitmap);
}

static void walks(double density, uint64_t *words)
{
    HBitmap *bitmap = hbitmap_alloc(bit_count, 0);
    HBitmapIter iterator;
    int64_t offset, length;
    uint64_t items = 0;
    load(bitmap, words);
    MEASURE(items = 0, hbitmap_iter_init(&iterator, bitmap, 0);
            while ((offset = hbitmap_iter_next(&iterator)) >= 0) { hash += (uint64_t)offset; items++; });
    report("iterate", density, repetitions, items);
    MEASURE(items = 0, offset = 0; while (hbitmap_next_dirty_area(bitmap, offset, (int64_t)bit_count, INT64_MAX,
            &offset, &length)) { hash += (uint64_t)offset; offset += length; items++; });
    report("areas", density, repetitions, items);
    hbitmap_free(bitmap);
}

static void wholes(double density, uint64_t *words, uint64_t *other_words)
{
    HBitmap *bitmap = hbitmap_alloc(bit_count, 0), *other = hbitmap_alloc(bit_count, 0);
    uint64_t *out = malloc(bit_count / 8);
    memset(out, 1, bit_count / 8);
    load(bitmap, words);
    load(other, other_words);
    MEASURE(load(bitmap, words), hbitmap_merge(bitmap, other, bitmap));
    hash += hbitmap_count(bitmap);
    report("merge", density, repetitions, 1);
    MEASURE(, load(bitmap, words));
    report("load", density, repetitions, 1);
    MEASURE(, hbitmap_serialize_part(bitmap, (uint8_t *)out, 0, bit_count));
    hash += out[5];
    report("store", density, repetitions, 1);
    MEASURE(load(bitmap, words), hbitmap_reset(bitmap, 0, bit_count));
    report("reset_range", density, repetitions, 1);
    MEASURE(load(bitmap, words), hbitmap_reset_all(bitmap));
    report("reset_all", density, repetitions, 1);
    MEASURE(hbitmap_reset_all(bitmap); load(bitmap, words), hbitmap_set(bitmap, 0, bit_count));
    report("set_range", density, repetitions, 1);
    MEASURE(, hbitmap_reset(bitmap, 0, bit_count); hbitmap_set(bitmap, 0, bit_count));
    hash += hbitmap_count(bitmap);
    free(out);
    hbitmap_free(bitmap);
    hbitmap_free(other);
}

int main(int argc, char **argv)
{
    static const double densities[] = {1e-4, 1e-2, 0.5};
    if (argc != 3)
        return 2;
    bit_count = UINT64_C(1) << atoi(argv[1]);
    repetitions = MIN(atoi(argv[2]), REPETITIONS_MAX);
    for (size_t d = 0; d < 3; d++) {
        double density = densities[d];
        uint64_t *words = make_words(1, density), *other_words = make_words(UINT64_C(1) << 40, density);
        if (density < 0.5)
            first_touch_sets(density);
        points(density, words);
        walks(density, words);
        wholes(density, words, other_words);
        free(words);
        free(other_words);
    }
    return 0;
}
