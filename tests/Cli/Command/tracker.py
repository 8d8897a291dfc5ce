"""Reads tracker files by native-api/docs/tracker-format.md alone, so that page and program can be held against each other.

  tracker.py read TRACKER [LIVE]           state, rule and the granules that have changed since the last backup
  tracker.py points TRACKER                each checkpoint, and the granules that have changed since
  tracker.py set DISK TRACKER GRANULE      what whoever watched would have left: the granule, and the disk as it is now
"""
import hashlib, os, struct, sys

PAGE, HEAD, HEADER = 4096, 64, 8192
TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def read_header(data, at):
    head = data[at:at + HEADER]
    if len(head) < 512 or head[:8] != bytes.fromhex("4642 5452 4b0d 0a1a"):
        return None
    crc, length = struct.unpack_from("<II", head, 8)
    if length > len(head) or crc32c(head[12:length]) != crc:
        return None
    header = {"sequence": struct.unpack_from("<Q", head, 32)[0], "tag": head[48:56], "id": head[48:64]}
    header["disk_bytes"], header["granule"], header["region"] = struct.unpack_from("<QBB", head, 96)
    header["elsewhere"] = struct.unpack_from("<I", head, 20)[0] & 1
    header["state"] = struct.unpack_from("<I", head, 108)[0]
    header["map"], _, count = struct.unpack_from("<QQI", head, 192)
    header["areas"] = {}
    header["table"] = None
    for i in range(count):
        kind, _, _, of_map, offset, length = struct.unpack_from("<HHIQQQ", head, 512 + 48 * i)
        header["areas"][kind, of_map] = offset
        if kind == 6:
            header["table"] = of_map, length // PAGE
    return header


def whole_block(data, header, kind, of_map, index, size, magic):
    """Its sequence and its content; 0 where this copy does not count."""
    at = header["areas"][kind, of_map] + index * size
    block = data[at:at + size]
    crc, name, tag, sequence, block_map, place = struct.unpack_from("<I4s8sQQQ", block)
    whole = crc32c(block[4:]) == crc and (name, tag, block_map, place) == (magic, header["tag"], of_map, index)
    return (sequence, block[HEAD:]) if whole else (0, None)


def read_points(data, header):
    """Of each point map, base or not, name; oldest first."""
    if not header["table"]:
        return [(header["map"], True, "")]
    of_map, pages = header["table"]
    table = b""
    for page in range(pages):
        table += max(whole_block(data, header, kind, of_map, page, PAGE, b"FBTp") for kind in (6, 7))[1]
    points, at = [], 8
    for _ in range(struct.unpack_from("<I", table)[0]):
        point_map, _, flags, length = struct.unpack_from("<QQHH", table, at)
        points.append((point_map, bool(flags & 1), table[at + 20:at + 20 + length].decode()))
        at += 20 + length
    return points


def read_blocks(data, header, kinds, of_map, size, magic, bit_count):
    """Of each block the copy with the higher sequence; ones where neither counts."""
    bits, per_block = set(), (size - HEAD) * 8
    for index in range(-(-bit_count // per_block)):
        best = (0, None)
        for kind in kinds:
            found = whole_block(data, header, kind, of_map, index, size, magic)
            if found[0] > best[0]:
                best = found
        for bit in range(min(per_block, bit_count - index * per_block)):
            if best[1] is None or best[1][bit // 8] >> bit % 8 & 1:
                bits.add(index * per_block + bit)
    return bits


def read_maps(data, header, granules):
    """What each map has, of frozen ones and of that which records."""
    points = read_points(data, header)
    return points, [read_blocks(data, header, (2, 3), point[0], PAGE, b"FBTf", granules) for point in points]


def read(data, live=None):
    copies = [one for one in (read_header(data, 0), read_header(data, 65536)) if one]
    if not copies:
        return "torn-header", "", [], {}
    header = max(copies, key=lambda one: one["sequence"])
    granules = -(-header["disk_bytes"] // (1 << header["granule"]))
    regions = -(-header["disk_bytes"] // (1 << header["region"]))
    state = {1: "closed", 2: "open", 3: "inconsistent", 4: "moved"}[header["state"]]
    if live and state == "open" and live[8:24] == header["id"] and struct.unpack_from("<I", live, 40)[0] == 1:
        return state, "exact", [bit for bit in range(granules) if live[PAGE + bit // 8] >> bit % 8 & 1], {}
    points, maps = read_maps(data, header, granules)
    changed = maps[-1]
    for region in read_blocks(data, header, (4, 5), 0, 512, b"FBTi", regions):
        width = 1 << header["region"] - header["granule"]
        changed.update(range(region * width, min(granules, (region + 1) * width)))
    since = {}
    for i, (_, is_base, name) in enumerate(points):
        union = sorted(set().union(*maps[i:]))
        since[name] = union
        if is_base:
            changed = union
    return state, "durable", sorted(changed), since


def places(disk, size):
    """The pages that the stamp's digest is of."""
    fixed = [0, 4096, 65536, 1 << 20, (1 << 20) + 4096, (1 << 20) + 65536, 2 << 20]
    spread = [size // PAGE * i // 64 * PAGE for i in range(len(fixed) + 1, 64)]
    pages = [os.pread(disk, PAGE, at).ljust(PAGE, b"\0") for at in fixed + [(size - 1) // PAGE * PAGE] + spread]
    return hashlib.sha256(b"".join(pages)).digest()


def change(disk_path, path, granule):
    data = bytearray(open(path, "rb").read())
    header = max((read_header(data, 0), read_header(data, 65536)), key=lambda one: one["sequence"])
    page, bit = divmod(granule, (PAGE - HEAD) * 8)
    for kind in 2, 3:
        at = header["areas"][kind, header["map"]] + page * PAGE
        data[at + HEAD + bit // 8] |= 1 << bit % 8
        struct.pack_into("<I", data, at, crc32c(data[at + 4:at + PAGE]))
    disk = os.open(disk_path, os.O_RDONLY)
    status = os.fstat(disk)
    for at in 0, 65536:
        struct.pack_into("<QQ32s", data, at + 144, status.st_mtime_ns, status.st_ctime_ns, places(disk, status.st_size))
        struct.pack_into("<I", data, at + 8, crc32c(data[at + 12:at + HEADER]))
    with open(path, "r+b") as file:
        file.write(data)


if sys.argv[1] == "read":
    files = [open(name, "rb").read() for name in sys.argv[2:]]
    print(*read(*files)[:2], *read(*files)[2])
elif sys.argv[1] == "points":
    for name, granules in read(open(sys.argv[2], "rb").read())[3].items():
        if name:
            print(name, *granules)
else:
    change(sys.argv[2], sys.argv[3], int(sys.argv[4]))
