/* fastbackup: an nbdkit plugin that serves a disk and its frozen view, and backs it up meanwhile.
 *
 *   nbdkit ./nbdkit-fastbackup-plugin.so source=disk.raw backup=copy.raw
 *
 * This file is nbdkit's table: which part of parts.h answers what. A handle is one connection.
 */
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <nbdkit-plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

struct connection {
  bool is_snapshot;
  fb_job job; /* of the snapshot */
};

static void plugin_dump(void) { printf("fastbackup_abi=%u\n", FB_ABI_VERSION); }

static int plugin_after_fork(void) { return served_open() == 0 && lanes_open() == 0 ? session_open() : -1; }

static void plugin_cleanup(void) {
  session_close();
  lanes_close();
  served_close();
}

static int plugin_list_exports(int readonly, int is_tls, struct nbdkit_exports *exports) {
  fb_job job;
  (void)readonly, (void)is_tls;
  if (nbdkit_add_export(exports, "disk", "the live disk") != 0)
    return -1;
  if (fb_disk_snapshot(served.disk, &job) != FB_OK && !session_waits_for_snapshot())
    return 0;
  return nbdkit_add_export(exports, "snapshot", "the disk as it was when the running job began");
}

static const char *plugin_default_export(int readonly, int is_tls) {
  (void)readonly, (void)is_tls;
  return "disk";
}

/* False: the snapshot that it wants is not there. */
static bool begin_connection(struct connection *connection) {
  session_on_open(connection->is_snapshot);
  return !connection->is_snapshot || snapshot_find(&connection->job);
}

static void *plugin_open(int readonly) {
  const char *name = nbdkit_export_name();
  struct connection *connection;
  (void)readonly;
  if (name == NULL)
    return NULL;
  connection = calloc(1, sizeof *connection);
  if (connection == NULL) {
    nbdkit_error("no memory for a connection");
    return NULL;
  }
  connection->is_snapshot = strcmp(name, "snapshot") == 0;
  if (!connection->is_snapshot && strcmp(name, "disk") != 0 && name[0] != '\0')
    nbdkit_error("export %s: there are \"disk\" and, while a job runs, \"snapshot\"", name);
  else if (!begin_connection(connection))
    nbdkit_error("export snapshot: no job runs whose snapshot could be read");
  else
    return connection;
  free(connection);
  return NULL;
}

static void plugin_close(void *handle) { free(handle); }

static bool is_snapshot(const void *handle) { return ((const struct connection *)handle)->is_snapshot; }

static int64_t plugin_get_size(void *handle) {
  (void)handle;
  return (int64_t)served.size_bytes;
}

static int plugin_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum) {
  (void)handle;
  *minimum = 1; /* anything is served; what is not on the preferred size costs a detour through the page cache */
  *preferred = served.align_bytes < PAGE_BYTES ? PAGE_BYTES : served.align_bytes;
  *maximum = 0xffffffff;
  return 0;
}

static int only_live(void *handle) { return !is_snapshot(handle) && !parameters.is_read_only; }

/* The engine does what all connections to the disk ask for, and its flush covers all that was finished before. Two
 * connections to the snapshot may show two points in time, of two jobs: a client must not take them for one. */
static int plugin_can_multi_conn(void *handle) { return !is_snapshot(handle); }

static int plugin_can_fua(void *handle) { return is_snapshot(handle) ? NBDKIT_FUA_NONE : NBDKIT_FUA_NATIVE; }

static int plugin_can_extents(void *handle) { return is_snapshot(handle) || !served.is_block; }

static int plugin_pread(void *handle, void *buffer, uint32_t count, uint64_t offset, uint32_t flags) {
  const struct connection *connection = handle;
  (void)flags;
  return connection->is_snapshot ? snapshot_read(connection->job, buffer, count, offset)
                                 : live_read(buffer, count, offset);
}

static int plugin_pwrite(void *handle, const void *buffer, uint32_t count, uint64_t offset, uint32_t flags) {
  (void)handle;
  return live_write(buffer, count, offset, (flags & NBDKIT_FLAG_FUA) != 0);
}

static int plugin_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags) {
  bool may_trim = (flags & NBDKIT_FLAG_MAY_TRIM) != 0;
  (void)handle;
  if ((flags & NBDKIT_FLAG_FAST_ZERO) != 0 && !live_zero_is_fast(may_trim)) {
    nbdkit_debug("zeroes would have to be written here");
    errno = ENOTSUP;
    nbdkit_set_error(ENOTSUP);
    return -1;
  }
  return live_zero(count, offset, (flags & NBDKIT_FLAG_FUA) != 0, may_trim);
}

static int plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags) {
  (void)handle;
  return live_trim(count, offset, (flags & NBDKIT_FLAG_FUA) != 0);
}

static int plugin_flush(void *handle, uint32_t flags) {
  (void)handle, (void)flags;
  return live_flush();
}

static int plugin_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                          struct nbdkit_extents *extents) {
  const struct connection *connection = handle;
  bool is_one = (flags & NBDKIT_FLAG_REQ_ONE) != 0;
  return connection->is_snapshot ? snapshot_extents(connection->job, count, offset, is_one, extents)
                                 : live_extents(count, offset, is_one, extents);
}

static struct nbdkit_plugin plugin = {
    .name = "fastbackup",
    .longname = "FastBackup: a disk that can be backed up while it is used",
    .version = FASTBACKUP_VERSION,
    .description = "Serves a raw disk, and the disk as it was when a backup began.",
    .config = parameters_take,
    .config_complete = parameters_check,
    .config_help = parameters_help,
    .magic_config_key = "source",
    .dump_plugin = plugin_dump,
    .after_fork = plugin_after_fork,
    .cleanup = plugin_cleanup,
    .list_exports = plugin_list_exports,
    .default_export = plugin_default_export,
    .open = plugin_open,
    .close = plugin_close,
    .get_size = plugin_get_size,
    .block_size = plugin_block_size,
    .can_write = only_live,
    .can_flush = only_live,
    .can_trim = only_live,
    .can_zero = only_live,
    .can_fast_zero = only_live,
    .can_fua = plugin_can_fua,
    .can_multi_conn = plugin_can_multi_conn,
    .can_extents = plugin_can_extents,
    .pread = plugin_pread,
    .pwrite = plugin_pwrite,
    .zero = plugin_zero,
    .trim = plugin_trim,
    .flush = plugin_flush,
    .extents = plugin_extents,
};

NBDKIT_REGISTER_PLUGIN(plugin)
