// The locks of this process on one image: on a descriptor of their own, whose tests see other programs only.
//
// As QEMU has it: byte 100 + N of the image is locked by whoever uses permission N, byte 200 + N by whoever does not
// let others use it. All locks are shared; they say something and keep nobody from locking. So each sets its own, then
// looks whether the opposite byte of each is locked by another, and takes its own back if so: of two at once at least
// one sees the other. flock tells programs that know only that: exclusive for writers, shared for readers.
// A file system that has no locks is as one on which nobody holds any.
// Source: QEMU 7.2 block/file-posix.c, raw_apply_lock_bytes and raw_check_lock_bytes; flock(2); fcntl_locking(2).
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Devices.Opening;

/// <summary>Threads: any.</summary>
/// <param name="key">Device and inode.</param>
/// <param name="isBlockDevice">Programs that look at new devices lock them for moments.</param>
sealed class ImageLockFile((uint Major, uint Minor, ulong Inode) key, bool isBlockDevice)
{
    const int PermissionCount = 4;
    const long UsedBase = 100;
    const long UnsharedBase = 200;
    const int FlockAttemptsMax = 20;
    const int FlockPauseMs = 10;
    const ImagePermissions OfWriters = ImagePermissions.Write | ImagePermissions.Resize;

    readonly Lock _gate = new(); // held during system calls
    readonly ConcurrentQueue<ImageHold> _returned = [];

    // --- under the gate
    readonly int[] _usedCounts = new int[PermissionCount];
    readonly int[] _unsharedCounts = new int[PermissionCount];
    int _writerCount;
    int _holdCount;
    int _fd = -1;

    public (uint Major, uint Minor, ulong Inode) Key => key;

    /// <summary>Under the gate of <see cref="ImageLocks"/>.</summary>
    public int UserCount { get; set; }

    public ImageUse Take(int fd, bool isWriter, out ImageHold? hold)
    {
        lock (_gate)
        {
            hold = null;
            if (isWriter && _writerCount > 0)
                return ImageUse.WrittenHere;
            if (_fd < 0)
                _fd = LinuxFile.Reopen(fd, Files.O_RDONLY);
            ImageHold wanted = isWriter
                ? new ImageHold(this, true, ImagePermissions.ConsistentRead | ImagePermissions.Write, OfWriters)
                : new ImageHold(this, false, ImagePermissions.ConsistentRead, OfWriters);
            ImageUse use = TryApply(wanted);
            if (use == ImageUse.Free)
            {
                hold = wanted;
            }
            else if (!isWriter)
            {
                // Beside a writer: it shall not be kept from anything.
                hold = new ImageHold(this, false, ImagePermissions.ConsistentRead, ImagePermissions.None);
                Count(hold, 1);
            }
            return use;
        }
    }

    /// <summary>Does not wait for a system call that another thread is in: that thread then does it.</summary>
    public void Release(ImageHold hold)
    {
        _returned.Enqueue(hold);
        Settle();
    }

    /// <summary>Takes back what was returned meanwhile.</summary>
    public void Settle()
    {
        while (!_returned.IsEmpty && _gate.TryEnter())
        {
            while (_returned.TryDequeue(out ImageHold? hold))
                Count(hold, -1);
            _gate.Exit();
        }
    }

    /// <summary>
    /// Nobody uses it any more. The locks are taken away before: closing does not do it while a process that was just
    /// forked, and has not yet begun its own program, has the descriptor, too.
    /// </summary>
    public void Close()
    {
        if (_fd < 0)
            return;
        _ = Files.Flock(_fd, Files.LOCK_UN);
        _ = Call(ByteLocks.F_OFD_SETLK, ByteLocks.F_UNLCK, 0, out _, lengthBytes: UnsharedBase + PermissionCount);
        _ = Files.Close(_fd);
    }

    ImageUse TryApply(ImageHold hold)
    {
        bool isLocked = TryFlock(hold);
        Count(hold, 1);
        ImageUse use = Look(hold);
        if (use == ImageUse.Free && !isLocked)
            use = hold.IsWriter ? ImageUse.Reserved : ImageUse.Written;
        if (use != ImageUse.Free)
            Count(hold, -1);
        return use;
    }

    /// <summary>Others hold the opposite of what this one needs.</summary>
    ImageUse Look(ImageHold hold)
    {
        bool isWritten = false;
        bool isReserved = false;
        for (int i = 0; i < PermissionCount; i++)
        {
            isWritten |= Has(hold.Unshared, i) && IsLockedElsewhere(UsedBase + i);
            isReserved |= Has(hold.Used, i) && IsLockedElsewhere(UnsharedBase + i);
        }
        return isWritten ? ImageUse.Written
            : isReserved ? ImageUse.Reserved
            : ImageUse.Free;
    }

    /// <returns>False only when another program holds a lock against it.</returns>
    bool TryFlock(ImageHold hold)
    {
        if (_fd < 0 || _holdCount > 0 && !hold.IsWriter)
            return true;
        int operation = (hold.IsWriter ? Files.LOCK_EX : Files.LOCK_SH) | Files.LOCK_NB;
        int attemptsMax = isBlockDevice ? FlockAttemptsMax : 1;
        for (int attempt = 1; Files.Flock(_fd, operation) < 0; attempt++)
        {
            if (Marshal.GetLastPInvokeError() != Errnos.EAGAIN)
                return true;
            if (attempt == attemptsMax)
                return false;
            Pause();
        }
        return true;
    }

    /// <summary>Adds a hold to the account or takes it out, and sets the locks that follow from that.</summary>
    void Count(ImageHold hold, int change)
    {
        for (int i = 0; i < PermissionCount; i++)
        {
            if (Has(hold.Used, i))
                Count(ref _usedCounts[i], change, UsedBase + i);
            if (Has(hold.Unshared, i))
                Count(ref _unsharedCounts[i], change, UnsharedBase + i);
        }
        _holdCount += change;
        _writerCount += hold.IsWriter ? change : 0;
        Check.That(_holdCount >= 0);
        if (change > 0 || _fd < 0)
            return;
        if (_holdCount == 0)
            _ = Files.Flock(_fd, Files.LOCK_UN);
        else if (hold.IsWriter)
            _ = Files.Flock(_fd, Files.LOCK_SH | Files.LOCK_NB);
    }

    void Count(ref int count, int change, long offsetBytes)
    {
        bool wasLocked = count > 0;
        count += change;
        Check.That(count >= 0);
        if (count > 0 != wasLocked)
            _ = Call(ByteLocks.F_OFD_SETLK, count > 0 ? ByteLocks.F_RDLCK : ByteLocks.F_UNLCK, offsetBytes, out _);
    }

    bool IsLockedElsewhere(long offsetBytes) =>
        Call(ByteLocks.F_OFD_GETLK, ByteLocks.F_WRLCK, offsetBytes, out short found) && found != ByteLocks.F_UNLCK;

    unsafe bool Call(int command, short type, long offsetBytes, out short found, long lengthBytes = 1)
    {
        ByteLock request = new()
        {
            Type = type,
            Whence = Files.SEEK_SET,
            OffsetBytes = offsetBytes,
            LengthBytes = lengthBytes,
        };
        // SAFETY: the kernel reads and fills the structure during the call only.
        bool isDone = _fd >= 0 && ByteLocks.Fcntl(_fd, command, &request) == 0;
        found = request.Type;
        return isDone;
    }

    static bool Has(ImagePermissions permissions, int index) => ((int)permissions >> index & 1) != 0;

    static unsafe void Pause()
    {
        // SAFETY: no descriptors, so nothing is read.
        _ = Files.Poll(null, 0, FlockPauseMs);
    }
}
