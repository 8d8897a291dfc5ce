// Content of disks: random data written past the page cache, places spoilt, two files compared, and the
// whole system's writes brought to rest. Blocking calls; nothing here is measured.
using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;
using FastBackup.Tests.Processes;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Bench.Peers;

public static partial class DiskContent
{
    const ulong PieceBytes = Units.MiB;
    const ulong PoisonBytes = 4 * Units.KiB;

    /// <summary>Whether the file system of a folder takes O_DIRECT.</summary>
    public static bool TakesDirect(string folder)
    {
        string path = Path.Combine(folder, "probe");
        int fd = Files.Open(path, Files.O_RDWR | Files.O_CREAT | Files.O_CLOEXEC | Files.O_DIRECT, 0x180);
        if (fd >= 0)
            _ = Files.Close(fd);
        File.Delete(path);
        return fd >= 0;
    }

    /// <summary>Makes a file of random data, every block of it written, and flushes it.</summary>
    public static unsafe void Fill(string path, ulong sizeBytes, ulong seed, bool isDirect, CancellationToken cancel)
    {
        using SafeFileHandle file = Open(path, Files.O_RDWR | Files.O_CREAT, isDirect);
        using AlignedRegion piece = AlignedRegion.Map(PieceBytes, RegionResidency.Resident);
        Prng random = new(seed);
        for (ulong offset = 0; offset < sizeBytes; offset += PieceBytes)
        {
            cancel.ThrowIfCancellationRequested();
            random.Fill(piece.Slice(0, (int)PieceBytes));
            Write(file, piece.Pointer, PieceBytes, offset);
        }
        if (Files.Fsync(Fd(file)) < 0)
            throw Failure("flush", path);
    }

    /// <summary>Makes 4 KiB of each MiB zero, at a place that moves.</summary>
    public static unsafe void Poison(string path, ulong sizeBytes, CancellationToken cancel)
    {
        using SafeFileHandle file = Open(path, Files.O_RDWR, isDirect: false);
        using AlignedRegion zeroes = AlignedRegion.Map(PoisonBytes, RegionResidency.Resident);
        ulong place = 0;
        for (ulong offset = 0; offset < sizeBytes; offset += PieceBytes)
        {
            cancel.ThrowIfCancellationRequested();
            Write(file, zeroes.Pointer, PoisonBytes, offset + place);
            place = (place + 7 * PoisonBytes) % PieceBytes;
        }
        if (Files.Fsync(Fd(file)) < 0)
            throw Failure("flush", path);
    }

    /// <summary>Whether two files of this size are equal, byte by byte.</summary>
    public static unsafe bool AreEqual(
        string left,
        string right,
        ulong sizeBytes,
        bool isDirect,
        CancellationToken cancel
    )
    {
        if (new FileInfo(left).Length != (long)sizeBytes || new FileInfo(right).Length != (long)sizeBytes)
            return false;
        using SafeFileHandle leftFile = Open(left, Files.O_RDONLY, isDirect);
        using SafeFileHandle rightFile = Open(right, Files.O_RDONLY, isDirect);
        using AlignedRegion pieces = AlignedRegion.Map(2 * PieceBytes, RegionResidency.Resident);
        bool isEqual = true;
        for (ulong offset = 0; offset < sizeBytes && isEqual; offset += PieceBytes)
        {
            cancel.ThrowIfCancellationRequested();
            // SAFETY: the region has room for two pieces and lives to the end of this function.
            Read(leftFile, pieces.Pointer, PieceBytes, offset);
            Read(rightFile, pieces.Pointer + PieceBytes, PieceBytes, offset);
            isEqual = pieces.Slice(0, (int)PieceBytes).SequenceEqual(pieces.Slice(PieceBytes, (int)PieceBytes));
        }
        return isEqual;
    }

    /// <summary>Whether every second piece of two files is equal, from the first on.</summary>
    /// <param name="left">At least so long.</param>
    /// <param name="right">At least so long.</param>
    /// <param name="sizeBytes">A multiple of two pieces.</param>
    /// <param name="pieceBytes">Of those that are compared, and of those that are not.</param>
    /// <param name="cancel">Ends it.</param>
    public static bool IsEverySecondEqual(
        string left,
        string right,
        ulong sizeBytes,
        ulong pieceBytes,
        CancellationToken cancel
    )
    {
        using SafeFileHandle leftFile = File.OpenHandle(left);
        using SafeFileHandle rightFile = File.OpenHandle(right);
        byte[] leftPiece = new byte[pieceBytes];
        byte[] rightPiece = new byte[pieceBytes];
        for (ulong offset = 0; offset < sizeBytes; offset += 2 * pieceBytes)
        {
            cancel.ThrowIfCancellationRequested();
            int leftCount = RandomAccess.Read(leftFile, leftPiece, (long)offset);
            int rightCount = RandomAccess.Read(rightFile, rightPiece, (long)offset);
            if (
                leftCount != leftPiece.Length
                || rightCount != leftCount
                || !leftPiece.AsSpan().SequenceEqual(rightPiece)
            )
                return false;
        }
        return true;
    }

    /// <summary>Whether a file has no holes.</summary>
    public static unsafe bool IsAllocated(string path, ulong sizeBytes)
    {
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        bool isKnown = Files.Statx(Files.AT_FDCWD, path, 0, Files.STATX_BASIC_STATS, &status) == 0;
        return isKnown && status.SizeBytes == sizeBytes && status.Blocks * 512 >= sizeBytes;
    }

    /// <summary>Writes back everything that is dirty, whoever made it so, and waits a little.</summary>
    public static void Settle(int restMs)
    {
        Sync();
        Thread.Sleep(restMs);
    }

    static SafeFileHandle Open(string path, int flags, bool isDirect)
    {
        int fd = Files.Open(
            path,
            flags | Files.O_CLOEXEC | (isDirect ? Files.O_DIRECT : 0),
            0x180 /* 0600 */
        );
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failure("open", path);
    }

    static unsafe void Write(SafeFileHandle file, byte* start, ulong lengthBytes, ulong offset)
    {
        if ((ulong)Files.Pwrite(Fd(file), start, (nuint)lengthBytes, (long)offset) != lengthBytes)
            throw Failure("write", "the disk");
    }

    static unsafe void Read(SafeFileHandle file, byte* start, ulong lengthBytes, ulong offset)
    {
        if ((ulong)Files.Pread(Fd(file), start, (nuint)lengthBytes, (long)offset) != lengthBytes)
            throw Failure("read", "the disk");
    }

    static int Fd(SafeFileHandle file) => (int)file.DangerousGetHandle();

    static PeerException Failure(string verb, string what) =>
        new($"cannot {verb} {what}: {Errnos.Describe(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", EntryPoint = "sync")]
    private static partial void Sync();
}
