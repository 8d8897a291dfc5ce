"""A file system that is one file, over an image: every write and every flush of it goes to a log, in the order in which
they come, before it is answered. So what lies on the file, through a loop device, can be put back as it was at any time.

  recorder.py IMAGE LOG PLACE      PLACE is a file; mounted over it until this program gets SIGTERM

Of the log each record is offset and length, 8 bytes each, and so many bytes; length 0 is a flush.
Source: fuse(4); include/uapi/linux/fuse.h.
"""
import ctypes, os, signal, stat, struct, sys

IMAGE, LOG, PLACE = sys.argv[1:]
FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 2, 3, 4, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 20, 25, 26, 36, 42
WRITE_MAX = 1 << 17
ENOSYS = 38

image = os.open(IMAGE, os.O_RDWR)
log = open(LOG, "wb", buffering=0)
fuse = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={fuse},rootmode={stat.S_IFREG:o},user_id=0,group_id=0".encode()
if libc.mount(b"recorder", PLACE.encode(), b"fuse", 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))


def leave(*_):
    libc.umount2(PLACE.encode(), 2)
    sys.exit(0)


def attributes():
    size = os.fstat(image).st_size
    times = struct.pack("<QQQIII", 0, 0, 0, 0, 0, 0)
    kind = struct.pack("<IIIIIII", stat.S_IFREG | 0o600, 1, 0, 0, 0, 4096, 0)
    return struct.pack("<QIIQQQ", 1 << 30, 0, 0, 1, size, size // 512) + times + kind


def answer(code, body):
    if code == INIT:
        return struct.pack("<IIIIHHIIHH", 7, 31, WRITE_MAX, 1 << 5, 12, 9, WRITE_MAX, 1, 32, 0) + bytes(32)
    if code in (GETATTR, SETATTR):
        return attributes()
    if code == OPEN:
        return struct.pack("<QII", 0, 2, 0)  # pages may be kept: nobody else changes the file
    if code == READ:
        _, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(image, size, offset)
    if code == WRITE:
        _, offset, size = struct.unpack_from("<QQI", body)
        data = body[40:40 + size]
        log.write(struct.pack("<QQ", offset, size) + data)
        os.pwrite(image, data, offset)
        return struct.pack("<II", size, 0)
    if code == FSYNC:
        log.write(struct.pack("<QQ", 0, 0))
        return b""
    if code == STATFS:
        return bytes(80)
    return b"" if code in (FLUSH, RELEASE) else None


signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
while True:
    request = os.read(fuse, WRITE_MAX + 65536)
    _, code, unique = struct.unpack_from("<IIQ", request)
    if code in (FORGET, BATCH_FORGET, INTERRUPT):
        continue
    said = answer(code, request[40:])
    error = 0 if said is not None else -ENOSYS
    os.write(fuse, struct.pack("<IiQ", 16 + len(said or b""), error, unique) + (said or b""))
