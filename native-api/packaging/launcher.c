/*
 * bin/fastbackup: becomes the command that is compiled for the highest level of this processor, as the loader does for
 * libraries (glibc-hwcaps), which knows no such thing for programs. The levels are files beside it:
 *
 *   bin/fastbackup
 *   lib/fastbackup/{v4,v3,v1}/fastbackup     AVX-512, AVX2, any; those that are there
 *
 * Costs one exec, less than a millisecond. Wherever bin and lib are moved together, it finds them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifdef __x86_64__
#include <cpuid.h>

/* Source: the x86-64 psABI, "Micro-Architecture Levels". */
static int has_v3(void) {
  unsigned a, b, c, d, extended;
  if (!__get_cpuid(0x80000001, &a, &b, &extended, &d) || !__get_cpuid(1, &a, &b, &c, &d))
    return 0;
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("fma") && (c & bit_MOVBE) && (c & bit_F16C) && (extended & bit_LZCNT);
}

static int has_v4(void) {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#else
static int has_v3(void) { return 0; }
static int has_v4(void) { return 0; }
#endif

static int has_v1(void) { return 1; }

static const struct {
  const char *name;
  int (*is_there)(void);
} levels[] = {{"v4", has_v4}, {"v3", has_v3}, {"v1", has_v1}};

/* The folder above bin, with links resolved; where /proc is not mounted, by the name that was executed. */
static int find_prefix(char *path) {
  const char *name = (const char *)getauxval(AT_EXECFN);
  int i;
  if (realpath("/proc/self/exe", path) == NULL && (name == NULL || realpath(name, path) == NULL))
    return 0;
  for (i = 0; i < 2; i++) {
    char *slash = strrchr(path, '/');
    if (slash == NULL)
      return 0;
    *slash = '\0';
  }
  return 1;
}

int main(int count, char **arguments) {
  char prefix[PATH_MAX], path[PATH_MAX + 64];
  size_t i;
  (void)count;
  if (!find_prefix(prefix)) {
    fprintf(stderr, "fastbackup: cannot find the folder of this program: %s; mount /proc\n", strerror(errno));
    return 1;
  }
  for (i = 0; i < sizeof levels / sizeof *levels; i++) {
    if (!levels[i].is_there())
      continue;
    snprintf(path, sizeof path, "%s/lib/fastbackup/%s/fastbackup", prefix, levels[i].name);
    execv(path, arguments);
    if (errno != ENOENT)
      break;
  }
  fprintf(stderr, "fastbackup: cannot start '%s': %s; install the package again\n", path, strerror(errno));
  return 1;
}
