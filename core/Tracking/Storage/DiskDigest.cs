// A digest of every byte of a disk: SHA-256 over the SHA-256 of each piece of 1 MiB, the last one as long as it is. So
// a piece that is a hole needs neither reading nor hashing.
// Cost: reads what the disk has allocated, at some 1.5 GB/s a processor.
using System;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: any, that may wait.</summary>
static class DiskDigest
{
    const int PieceBytes = (int)Units.MiB;

    /// <param name="fd">Of the disk; nobody writes to it.</param>
    /// <param name="sizeBytes">Its size.</param>
    /// <param name="digest">Of what it has.</param>
    public static Fault TryTake(int fd, ulong sizeBytes, out Digest32 digest)
    {
        digest = default;
        using AlignedRegion piece = AlignedRegion.Map(PieceBytes, RegionResidency.Resident);
        using IncrementalHash all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> hash = stackalloc byte[32];
        Span<byte> hashOfZeroes = stackalloc byte[32];
        Span<byte> bytes = piece.Slice(0, PieceBytes);
        bytes.Clear();
        _ = SHA256.HashData(bytes, hashOfZeroes);
        ulong holeEndBytes = 0;
        for (ulong atBytes = 0; atBytes < sizeBytes; atBytes += PieceBytes)
        {
            int lengthBytes = (int)Math.Min(PieceBytes, sizeBytes - atBytes);
            if (holeEndBytes <= atBytes)
                holeEndBytes = EndOfHole(fd, atBytes);
            if (lengthBytes == PieceBytes && holeEndBytes >= atBytes + PieceBytes)
            {
                all.AppendData(hashOfZeroes);
                continue;
            }
            Fault fault = TryRead(fd, atBytes, bytes, lengthBytes);
            if (fault.IsFault)
                return fault;
            _ = SHA256.HashData(bytes[..lengthBytes], hash);
            all.AppendData(hash);
        }
        byte[] whole = all.GetHashAndReset();
        digest = new Digest32(MemoryMarshal.Read<UInt128>(whole), MemoryMarshal.Read<UInt128>(whole.AsSpan(16)));
        return Fault.None;
    }

    /// <returns>The offset itself where there is no hole, or nobody knows.</returns>
    static ulong EndOfHole(int fd, ulong atBytes)
    {
        long data = Files.Lseek(fd, (long)atBytes, Files.SEEK_DATA);
        if (data >= 0)
            return (ulong)data;
        return Marshal.GetLastPInvokeError() == Errnos.ENXIO ? ulong.MaxValue : atBytes;
    }

    /// <summary>Whole pages are asked for, as a descriptor past the page cache wants it.</summary>
    static unsafe Fault TryRead(int fd, ulong atBytes, Span<byte> bytes, int lengthBytes)
    {
        fixed (byte* start = bytes)
            for (int done = 0; done < lengthBytes; )
            {
                // SAFETY: the kernel fills the rest of the piece, which is mapped, during the call only.
                nint count = Files.Pread(fd, start + done, (nuint)(bytes.Length - done), (long)atBytes + done);
                int errno = count < 0 ? Marshal.GetLastPInvokeError() : 0;
                if (count == 0 || (count < 0 && errno != Errnos.EINTR))
                    return (count == 0 ? new Fault(FaultKind.Truncated) : Errnos.ToFault(errno)).At(atBytes);
                done += (int)Math.Max(count, 0);
            }
        return Fault.None;
    }
}
