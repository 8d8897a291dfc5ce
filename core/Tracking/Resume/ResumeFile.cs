// What of an unfinished copy is not on its target for certain, in a file: a bit a cluster. Two slots of the same
// length, half the file each, written in turn, each with a sequence and checksums: whatever a kill or a power cut does
// to the one that is being written, the other one is whole. An old one is as right as a new one: what was copied since
// is copied once more.
//
//   slot, little endian
//      0  4     CRC-32C of the rest of the head
//      4  8     "FBresume"
//     12  4     version, 1
//     16  8     sequence: of two whole slots the higher one counts
//     24  4     CRC-32C of the bits
//     32  ...   of what it is (CopySubject)
//   4096  ...   bits, lowest first: one means that the cluster is left
using System;
using System.Buffers.Binary;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tracking.Resume;

/// <summary>Threads: one at a time, that may wait. Owner of the descriptor.</summary>
/// <param name="fd">Open for reading and writing; by nobody else.</param>
public sealed class ResumeFile(int fd) : IDisposable
{
    const int HeadBytes = 4096;
    const uint Version = 1;
    const int SubjectAt = 32;

    byte[] _slot = [];
    ulong _sequence;
    int _next;

    static ReadOnlySpan<byte> Magic => "FBresume"u8;

    public int Fd => fd;

    static ulong SlotBytes(CopySubject subject) =>
        HeadBytes + Units.AlignUp(Units.DivCeil(Units.DivCeil(subject.DiskBytes, subject.ClusterBytes), 8), HeadBytes);

    /// <summary>The last whole record.</summary>
    /// <param name="subject">Of what it is; null: there is none.</param>
    /// <param name="left">What is left; the caller's.</param>
    /// <returns>False: there is none, or it cannot be read.</returns>
    /// <exception cref="InsufficientMemoryException">The bits do not fit.</exception>
    public bool TryRead(out CopySubject? subject, out HierarchicalBitmap? left)
    {
        (subject, left) = (null, null);
        ulong slotBytes = (ulong)Math.Max(0, Files.Lseek(fd, 0, Files.SEEK_END)) / 2;
        if (slotBytes is < 2 * HeadBytes or > int.MaxValue)
            return false;
        ReadOnlySpan<byte> bits = default;
        for (int i = 0; i < 2; i++)
        {
            byte[] slot = new byte[slotBytes];
            if (!new DescriptorReader(fd, (ulong)i * slotBytes, slotBytes).TryRead(0, slot))
                continue;
            if (Judge(slot, out ulong sequence) is not { } found || sequence <= _sequence)
                continue;
            (subject, _sequence, _next) = (found, sequence, 1 - i);
            bits = slot.AsSpan(HeadBytes);
        }
        if (subject == null)
            return false;
        left = HierarchicalBitmap.Create(subject.DiskBytes, subject.ClusterBytes);
        Check.That(left.DeserializePart(0, subject.DiskBytes, bits).IsNone);
        Check.That(left.DeserializeFinish().IsNone);
        return true;
    }

    static CopySubject? Judge(ReadOnlySpan<byte> slot, out ulong sequence)
    {
        sequence = BinaryPrimitives.ReadUInt64LittleEndian(slot[16..]);
        bool isWhole =
            slot[4..12].SequenceEqual(Magic)
            && BinaryPrimitives.ReadUInt32LittleEndian(slot[12..]) == Version
            && BinaryPrimitives.ReadUInt32LittleEndian(slot) == Crc32C.Of(slot[4..HeadBytes])
            && BinaryPrimitives.ReadUInt32LittleEndian(slot[24..]) == Crc32C.Of(slot[HeadBytes..]);
        CopySubject? subject = isWhole ? CopySubject.Read(slot[SubjectAt..]) : null;
        return subject != null && SlotBytes(subject) == (ulong)slot.Length ? subject : null;
    }

    /// <summary>What it says is of another copy: the first record of this one takes all its place.</summary>
    public void Forget() => _ = NameCalls.Kernel.Resize(fd, 0);

    /// <summary>Puts a record in the place of the older one, durably. The target was flushed before.</summary>
    /// <param name="subject">Always the same.</param>
    /// <param name="left">In its clusters.</param>
    public Fault Write(CopySubject subject, HierarchicalBitmap left)
    {
        ulong slotBytes = SlotBytes(subject);
        if (slotBytes > int.MaxValue)
            return new Fault(FaultKind.Unsupported);
        if (_slot.Length == 0)
        {
            int result = NameCalls.Kernel.Resize(fd, 2 * slotBytes);
            if (result < 0)
                return Errnos.ToFault(-result);
            _slot = new byte[slotBytes];
        }
        Check.That((ulong)_slot.Length == slotBytes);
        Span<byte> slot = _slot;
        slot.Clear();
        Check.That(left.SerializePart(0, left.SizeBytes, slot[HeadBytes..]).IsNone);
        Magic.CopyTo(slot[4..]);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[12..], Version);
        BinaryPrimitives.WriteUInt64LittleEndian(slot[16..], _sequence + 1);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[24..], Crc32C.Of(slot[HeadBytes..]));
        subject.Write(slot[SubjectAt..]);
        BinaryPrimitives.WriteUInt32LittleEndian(slot, Crc32C.Of(slot[4..HeadBytes]));
        Fault fault = DescriptorReader.Write(fd, (ulong)_next * slotBytes, slot);
        if (fault.IsNone && NameCalls.Kernel.Flush(fd) is < 0 and var errno)
            fault = Errnos.ToFault(-errno);
        if (fault.IsNone)
            (_sequence, _next) = (_sequence + 1, 1 - _next);
        return fault;
    }

    public void Dispose() => NameCalls.Close(fd);
}
