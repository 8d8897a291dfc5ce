// What a command does to its image, and the errors it gets instead.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Tests.Simulation.World;

sealed partial class SimulationPort
{
    const int PageBytes = 4096;

    long Execute(in Entry entry)
    {
        ref readonly FileCommand command = ref entry.Command;
        DiskImage image = entry.Image;
        bool isHost = ReferenceEquals(command.File, image.HostHandle);
        if (isHost)
            return Fires(plan.GuestError, Mishap.GuestWriteError) ? -Errnos.EIO : Transfer(command, image, true);
        if (image.IsDisconnected)
            return Hard(image, Mishap.Disconnect, Errnos.ENODEV);
        if (Fires(plan.Again, Mishap.Again))
            return -Errnos.EAGAIN;
        if (Fires(plan.Interrupted, Mishap.Interrupted))
            return -Errnos.EINTR;
        if (entry.Pages != null)
            WritePages(entry);
        return command.Operation switch
        {
            FileOperation.Read => Read(command, image),
            FileOperation.Write => Write(command, image),
            FileOperation.Allocate => Allocate(command, image),
            FileOperation.Flush => Flush(image),
            FileOperation.Map => Map(command, image),
            _ => 0,
        };
    }

    bool Fires(uint chance, Mishap kind)
    {
        if (chance == 0 || prng.Below(65536) >= chance)
            return false;
        tallies.Count(kind);
        return true;
    }

    long Hard(DiskImage image, Mishap kind, int errno)
    {
        tallies.Count(kind);
        image.HardFaultCount++;
        return -errno;
    }

    bool FiresHard(DiskImage image, uint chance, Mishap kind)
    {
        if (!Fires(chance, kind))
            return false;
        image.HardFaultCount++;
        return true;
    }

    long Read(in FileCommand command, DiskImage image)
    {
        Extent extent = new(command.OffsetBytes, command.LengthBytes);
        if (image.IsReadBroken)
            return Hard(image, Mishap.ReadBroken, Errnos.EIO);
        if (image.BadRead.Overlaps(extent))
            return Hard(image, Mishap.ReadBadSector, Errnos.EIO);
        return FiresHard(image, plan.ReadError, Mishap.ReadError) ? -Errnos.EIO : Transfer(command, image, false);
    }

    long Write(in FileCommand command, DiskImage image)
    {
        Extent extent = new(command.OffsetBytes, command.LengthBytes);
        if (image.IsWriteBroken)
            return Hard(image, Mishap.WriteBroken, Errnos.EIO);
        if (image.IsFull)
            return Hard(image, Mishap.NoSpace, Errnos.ENOSPC);
        if (image.BadWrite.Overlaps(extent))
            return Hard(image, Mishap.WriteBadSector, Errnos.EIO);
        uint chance = image.IsTarget ? plan.WriteError : plan.GuestError;
        if (FiresHard(image, chance, image.IsTarget ? Mishap.WriteError : Mishap.GuestWriteError))
            return -Errnos.EIO;
        if (image.IsTarget && FiresHard(image, plan.NoSpace, Mishap.NoSpace))
            return -Errnos.ENOSPC;
        return Transfer(command, image, false);
    }

    unsafe long Transfer(in FileCommand command, DiskImage image, bool isWhole)
    {
        bool isDirect = ReferenceEquals(command.File, image.Handle);
        ulong misalignment = command.OffsetBytes | command.LengthBytes | (ulong)command.Buffer;
        if (isDirect && misalignment % image.AlignBytes != 0)
            return -Errnos.EINVAL;
        bool isRead = command.Operation == FileOperation.Read;
        ulong lengthBytes = command.LengthBytes;
        if (!isWhole && lengthBytes > 0 && plan.Short > 0 && prng.Below(65536) < plan.Short)
        {
            lengthBytes = 1 + prng.Below(lengthBytes);
            tallies.Count(isRead ? Mishap.ShortRead : Mishap.ShortWrite);
            if (lengthBytes % Sector.Bytes != 0)
                tallies.Count(Mishap.OddCount);
        }
        // The pusher owns LengthBytes at Buffer until the completion.
        Span<byte> buffer = new((void*)command.Buffer, (int)lengthBytes);
        if (!isRead)
        {
            if (command.OffsetBytes + lengthBytes > image.CapacityBytes)
                throw new SimulationFailure("O3", $"a write passes the end of the file: {command.OffsetBytes}");
            image.Write(command.OffsetBytes, buffer);
            return (long)lengthBytes;
        }
        if (command.OffsetBytes >= image.SizeBytes)
        {
            if (command.OffsetBytes < image.CapacityBytes)
                Hard(image, Mishap.SourceShrink, 0);
            return 0;
        }
        int available = (int)Math.Min(lengthBytes, image.SizeBytes - command.OffsetBytes);
        image.Content.Slice((int)command.OffsetBytes, available).CopyTo(buffer);
        return available;
    }

    long Allocate(in FileCommand command, DiskImage image)
    {
        if (image.RefusesAllocate || plan.RefusesAllocate)
        {
            tallies.Count(Mishap.AllocateRefused);
            return -Errnos.EOPNOTSUPP;
        }
        if (Fires(plan.Misaligned, Mishap.AllocateMisaligned))
            return -Errnos.EINVAL;
        if (image.IsWriteBroken)
            return Hard(image, Mishap.WriteBroken, Errnos.EIO);
        uint chance = image.IsTarget ? plan.WriteError : plan.GuestError;
        if (FiresHard(image, chance, image.IsTarget ? Mishap.WriteError : Mishap.GuestWriteError))
            return -Errnos.EIO;
        const int punch = 2;
        if ((command.Mode & punch) != 0)
            image.Punch(command.OffsetBytes, command.LengthBytes);
        else
            image.Zero(command.OffsetBytes, command.LengthBytes);
        return 0;
    }

    /// <summary>The kernel completes an unaligned write to whole pages: it reads what it will not overwrite.</summary>
    void ReadPages(ref Entry entry)
    {
        ref readonly FileCommand command = ref entry.Command;
        bool isBuffered = ReferenceEquals(command.File, entry.Image.BufferedHandle);
        ulong end = command.OffsetBytes + command.LengthBytes;
        if (!isBuffered || Units.IsAligned(command.OffsetBytes | end, PageBytes))
            return;
        entry.Pages = _pages.Count > 0 ? _pages.Pop() : new byte[2 * PageBytes];
        PageOf(entry.Image, command.OffsetBytes).CopyTo(entry.Pages);
        PageOf(entry.Image, end - 1).CopyTo(entry.Pages.AsSpan(PageBytes));
    }

    /// <summary>The pages go back as they were read, apart from the bytes of the write itself, which follow.</summary>
    static void WritePages(in Entry entry)
    {
        ref readonly FileCommand command = ref entry.Command;
        ulong end = command.OffsetBytes + command.LengthBytes;
        int head = (int)(command.OffsetBytes % PageBytes);
        entry.Pages.AsSpan(0, head).CopyTo(PageOf(entry.Image, command.OffsetBytes));
        int tail = (int)(end % PageBytes);
        Span<byte> last = PageOf(entry.Image, end - 1);
        if (tail > 0)
            entry.Pages.AsSpan(PageBytes, last.Length)[tail..].CopyTo(last[tail..]);
    }

    static Span<byte> PageOf(DiskImage image, ulong offset)
    {
        ulong start = Units.AlignDown(offset, PageBytes);
        return image.Content.Slice((int)start, (int)Math.Min(PageBytes, image.CapacityBytes - start));
    }

    long Flush(DiskImage image)
    {
        if (FiresHard(image, image.IsTarget ? plan.FlushError : 0, Mishap.FlushError))
        {
            image.Flush(prng);
            return -Errnos.EIO;
        }
        image.Flush(null);
        return 0;
    }

    unsafe long Map(in FileCommand command, DiskImage image)
    {
        if (Fires(plan.MapError, Mishap.MapError))
            return -Errnos.EIO;
        if (plan.MapSplit > 0)
            tallies.Count(Mishap.MapSplit);
        ulong blocksMax = plan.MapSplit > 0 ? plan.MapSplit : uint.MaxValue;
        // The pusher owns room for Mode entries at Buffer until the completion.
        Span<MapEntry> entries = new((void*)command.Buffer, command.Mode);
        return image.Map(command.OffsetBytes, command.LengthBytes, entries, blocksMax);
    }
}
