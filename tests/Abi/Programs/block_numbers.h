/* What random_backups.c holds images against: disks whose blocks each belong to one guest, who writes its own numbers
 * into them, 1, 2, 3 ... over all its blocks of all disks. A block says after which of its guest's writes it can have
 * been seen, and before which; all blocks of an image must leave each guest one number at least. And what it needs:
 * devices in memory that fail and then leave garbage, chance from a seed. */
#ifndef BLOCK_NUMBERS_H
#define BLOCK_NUMBERS_H
#include "check.h"
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u
#define WORDS (BLOCK / 8)
#define BLOCKS 256u
#define SIZE ((uint64_t)BLOCKS * BLOCK)
#define DISKS 2u
#define GUESTS 4u /* the last is the director */
#define DIRECTOR (GUESTS - 1)
#define WRITES_MAX 200000u

typedef struct store { /* a device in memory, which may fail and then leaves garbage */
  fb_device device;
  unsigned char *bytes;
  unsigned fail_permille;
  uint64_t random;
} store;

/* Each guest's writes, by their numbers: when the same block is written the next time. Filled in before a write is
 * ended, read for images of moments after that. */
static unsigned next_of[GUESTS][WRITES_MAX];
static unsigned first_of[DISKS][BLOCKS];
static unsigned last_of[DISKS][BLOCKS];
static unsigned issued[GUESTS], landed[GUESTS];

static uint64_t seed, chance;

static uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

static unsigned below(unsigned n) {
  return (unsigned)(next_random(&chance) % n);
}

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void note_write(unsigned guest, unsigned disk, unsigned block, unsigned number) {
  if (last_of[disk][block] == 0)
    first_of[disk][block] = number;
  else
    next_of[guest][last_of[disk][block]] = number;
  last_of[disk][block] = number;
}

typedef struct moment {
  unsigned low[GUESTS], high[GUESTS]; /* writes of each that may be the last before it */
} moment;

static void stop_wrong(const char *what, unsigned disk, unsigned block, uint64_t word) {
  printf("WRONG: %s: disk %u, block %u has %016llx; FASTBACKUP_SEED=%llu\n", what, disk, block,
         (unsigned long long)word, (unsigned long long)seed);
  fflush(stdout);
  _exit(3);
}

/* Narrows the moment down by an image of a disk; ends the program where there is none. */
static void narrow(moment *when, unsigned disk, const unsigned char *image, const char *what) {
  unsigned block, i;
  for (block = 0; block < BLOCKS; block++) {
    const uint64_t *words = (const uint64_t *)(const void *)(image + (size_t)block * BLOCK);
    unsigned guest = block % GUESTS, number = (unsigned)words[0], next;
    for (i = 1; i < WORDS; i++)
      if (words[i] != words[0])
        stop_wrong(what, disk, block, words[i]);
    if (words[0] != 0 && (words[0] >> 32) != guest + 1)
      stop_wrong(what, disk, block, words[0]);
    next = number == 0 ? first_of[disk][block] : next_of[guest][number];
    if (number > when->low[guest])
      when->low[guest] = number;
    if (next != 0 && next - 1 < when->high[guest])
      when->high[guest] = next - 1;
    if (when->low[guest] > when->high[guest])
      stop_wrong(what, disk, block, words[0]);
  }
}

static void note_landed(unsigned *into) {
  unsigned guest;
  for (guest = 0; guest < GUESTS; guest++)
    into[guest] = __atomic_load_n(&landed[guest], __ATOMIC_ACQUIRE);
}

static moment moment_since(const unsigned *low) {
  moment when;
  unsigned guest;
  for (guest = 0; guest < GUESTS; guest++) {
    when.low[guest] = low[guest];
    when.high[guest] = __atomic_load_n(&issued[guest], __ATOMIC_ACQUIRE);
  }
  return when;
}

#endif
