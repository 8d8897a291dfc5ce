#!/usr/bin/env python3
"""Compares the dirty extents that two servers tell over NBD of the same random writes.

dirty_extents.py TRACES SEED MONITOR-A NODE-A URI-A MONITOR-B NODE-B URI-B

Each trace adds a dirty bitmap of a random granularity to both disks, writes, zeroes and discards the same places of
both by libnbd, then asks both for the bitmap's extents in a few questions of random ranges, and compares. The disks
have one size. Prints the number of traces with dirty extents, or says what differs and ends with 1.
"""
import json
import random
import socket
import sys

import nbd


class Monitor:
    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._lines = self._socket.makefile("r")
        self._lines.readline()
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        line = json.dumps({"execute": command, "arguments": arguments})
        self._socket.sendall(line.encode() + b"\n")
        while True:
            answer = json.loads(self._lines.readline())
            if "error" in answer:
                sys.exit(f"{line}: {answer}")
            if "return" in answer:
                return answer["return"]


class Disk:
    def __init__(self, monitor, node, uri):
        self.monitor, self.node, self.uri = Monitor(monitor), node, uri

    def add_bitmap(self, name, granularity):
        self.monitor.run("block-dirty-bitmap-add", node=self.node, name=name, granularity=granularity)

    def remove_bitmap(self, name):
        self.monitor.run("block-dirty-bitmap-remove", node=self.node, name=name)

    def connect(self, context=None):
        handle = nbd.NBD()
        if context:
            handle.add_meta_context(context)
        handle.connect_uri(self.uri)
        return handle


def export_bitmap(disk, name):
    """QEMU tells only of bitmaps that the export names; an export of its own each time."""
    export = f"e{name}"
    disk.monitor.run(
        "block-export-add",
        **{"type": "nbd", "id": export, "name": export, "node-name": disk.node, "bitmaps": [name], "writable": True},
    )
    return export


def extents(handle, context, offset, length):
    """Runs (length, dirty) of a range, joined: a server may cut its answer where it likes."""
    runs = []
    end = offset + length
    while offset < end:
        told = []

        def take(given, begin, entries, error):
            if given == context:
                told.extend(entries)
            return 0

        handle.block_status(end - offset, offset, take)
        if not told:
            sys.exit(f"no extents of {context} at {offset}")
        for count, flags in zip(told[::2], told[1::2]):
            count = min(count, end - offset)
            if runs and runs[-1][1] == flags:
                runs[-1][0] += count
            else:
                runs.append([count, flags])
            offset += count
    return runs


def main():
    traces, seed = int(sys.argv[1]), int(sys.argv[2])
    words = sys.argv[3:]
    ours, theirs = Disk(*words[0:3]), Disk(*words[3:6])
    chance = random.Random(seed)
    writers = [ours.connect(), theirs.connect()]
    size = writers[0].get_size()
    assert size == writers[1].get_size()
    dirty_count = 0
    for trace in range(traces):
        name = f"t{trace}"
        granularity = 1 << chance.randrange(12, 21)
        for disk in (ours, theirs):
            disk.add_bitmap(name, granularity)
        for _ in range(chance.randrange(0, 20)):
            count = 512 * (1 << chance.randrange(0, 9))
            offset = chance.randrange(0, (size - count) // 512 + 1) * 512
            kind = chance.randrange(4)
            for writer in writers:
                if kind == 0:
                    writer.zero(count, offset)
                elif kind == 1:
                    writer.trim(count, offset)
                else:
                    writer.pwrite(bytes([trace % 251 + 1]) * count, offset)
        context = f"qemu:dirty-bitmap:{name}"
        export = export_bitmap(theirs, name)
        their_uri = theirs.uri.replace("///disk", f"///{export}")
        readers = [ours.connect(context), nbd.NBD()]
        readers[1].add_meta_context(context)
        readers[1].connect_uri(their_uri)
        asked = [(0, size)]
        for _ in range(3):
            offset = chance.randrange(0, size // 512) * 512
            asked.append((offset, min(size - offset, 512 * chance.randrange(1, 1 << chance.randrange(1, 16)))))
        for offset, length in asked:
            told = [extents(reader, context, offset, length) for reader in readers]
            if told[0] != told[1]:
                sys.exit(f"trace {trace}, granularity {granularity}, {offset}+{length}: {told[0]}, QEMU {told[1]}")
        dirty_count += any(flags for _, flags in told[0]) or len(extents(readers[0], context, 0, size)) > 1
        for reader in readers:
            reader.shutdown()
        theirs.monitor.run("block-export-del", id=export, mode="hard")
        for disk in (ours, theirs):
            disk.remove_bitmap(name)
    print(dirty_count)


main()
