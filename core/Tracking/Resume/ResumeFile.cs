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
using FastBackup.Devices.Opening;
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
    const uint OwnerOnly = 0x180; // 0600

    byte[] _slot = [];
    ulong _sequence;
    int _next;

    static ReadOnlySpan<byte> Magic => "FBresume"u8;

    public int Fd => fd;

    static ulong SlotBytes(CopySubject subject) =>
        HeadBytes + Units.AlignUp(Units.DivCeil(Units.DivCeil(subject.DiskBytes, subject.ClusterBytes), 8), HeadBytes);

    /// <summary>Opens a file that is named as a record, for this process alone.</summary>
    /// <param name="path">A symbolic link is none.</param>
    /// <param name="mayMake">It is made if there is none.</param>
    /// <param name="file">Null when refused.</param>
    /// <param name="isNew">Nothing is in it.</param>
    /// <returns>None, or why not. Threads: any that may wait.</returns>
    public static OpenRefusal TryOpen(string path, bool mayMake, out ResumeFile? file, out bool isNew)
    {
        (file, isNew) = (null, false);
        NameCalls calls = NameCalls.Kernel;
        int flags = Files.O_RDWR | Files.O_NONBLOCK | Folders.O_NOFOLLOW | (mayMake ? Files.O_CREAT : 0);
        int fd = calls.Open(Files.AT_FDCWD, path, flags, OwnerOnly);
        if (fd < 0)
            return OpenRefusal.Of(path, "open record", Errnos.ToFault(-fd));
        int result = calls.Look(fd, out NameLook look);
        string? wrong =
            result < 0 || !look.IsFile ? $"'{path}' is no file, so no record of a copy can be in it"
            : calls.Lock(fd, Files.LOCK_EX | Files.LOCK_NB) < 0
                ? $"'{path}' is in use, as the record of a job that runs is; give another path"
            : null;
        if (wrong == null)
            (file, isNew) = (new ResumeFile(fd), look.SizeBytes == 0);
        else
            NameCalls.Close(fd);
        return wrong == null ? default : OpenRefusal.Rule(wrong);
    }

    /// <summary>As above, for a copy that begins: what is there must be an older record of the same one.</summary>
    /// <param name="path">As above.</param>
    /// <param name="subject">Of the copy.</param>
    /// <param name="file">As above.</param>
    /// <param name="isNew">As above.</param>
    public static OpenRefusal TryClaim(string path, CopySubject subject, out ResumeFile? file, out bool isNew)
    {
        OpenRefusal refusal = TryOpen(path, mayMake: true, out file, out isNew);
        if (!refusal.IsNone || isNew || file!.Judge(path, subject) is not { } wrong)
            return refusal;
        file.Dispose();
        file = null;
        return OpenRefusal.Rule(wrong);
    }

    string? Judge(string path, CopySubject subject)
    {
        bool isRecord = TryRead(out CopySubject? before, out HierarchicalBitmap? left);
        left?.Dispose();
        if (!isRecord)
            return $"'{path}' is there, and is no whole record of a copy; give another path";
        if (!before!.IsOfSame(subject))
            return $"record '{path}' is of a copy of another disk, or onto another target; give another path";
        if (before.ClusterBytes != subject.ClusterBytes)
            Forget(); // its slots have another length
        return null;
    }

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

    public void Dispose()
    {
        _ = NameCalls.Kernel.Lock(fd, Files.LOCK_UN); // a child that is forked right now has the descriptor, too
        NameCalls.Close(fd);
    }
}
