// What a command does to its image, and the errors it gets instead.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Tests.Simulation.World;

sealed class CommandEffects(Prng prng, FaultPlan plan, Tallies tallies)
{
    const int PageBytes = 4096;

    readonly Stack<byte[]> _pages = new();

    /// <summary>Makes it happen.</summary>
    /// <param name="command">As it was pushed.</param>
    /// <param name="image">Its file.</param>
    /// <param name="pages">Of <see cref="TakePages"/>.</param>
    /// <returns>A count of bytes or entries, or a negative errno.</returns>
    public long Execute(in FileCommand command, DiskImage image, byte[]? pages)
    {
        bool isHost = ReferenceEquals(command.File, image.HostHandle);
        if (isHost)
            return Fires(plan.GuestError, Mishap.GuestWriteError) ? -Errnos.EIO : Transfer(command, image, true);
        if (image.IsDisconnected)
        {
            image.FlushFaultCount += command.Operation == FileOperation.Flush ? 1u : 0u;
            return Hard(image, Mishap.Disconnect, Errnos.ENODEV);
        }
        if (Fires(plan.Again, Mishap.Again))
            return -Errnos.EAGAIN;
        if (Fires(plan.Interrupted, Mishap.Interrupted))
            return -Errnos.EINTR;
        if (pages != null)
            WritePages(command, image, pages);
        return command.Operation switch
        {
            FileOperation.Read => Read(command, image),
            FileOperation.Write => Write(command, image),
            FileOperation.Punch or FileOperation.ZeroRange or FileOperation.Discard => Clear(command, image),
            FileOperation.Flush => Flush(image),
            FileOperation.Map => Map(command, image),
            FileOperation.Size => Size(image),
            _ => 0,
        };
    }

    /// <summary>
    /// A write of parts of pages: its first and last page as they are when it begins, for the kernel reads what it will
    /// not overwrite; null for any other.
    /// </summary>
    public byte[]? TakePages(in FileCommand command, DiskImage image)
    {
        bool isBuffered = ReferenceEquals(command.File, image.BufferedHandle);
        ulong end = command.OffsetBytes + command.LengthBytes;
        if (!isBuffered || Units.IsAligned(command.OffsetBytes | end, PageBytes))
            return null;
        byte[] pages = _pages.Count > 0 ? _pages.Pop() : new byte[2 * PageBytes];
        PageOf(image, command.OffsetBytes).CopyTo(pages);
        PageOf(image, end - 1).CopyTo(pages.AsSpan(PageBytes));
        return pages;
    }

    public void GiveBack(byte[] pages) => _pages.Push(pages);

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
        long fault = WriteFault(command, image);
        return fault < 0 ? Spoilt(command, image, fault) : Transfer(command, image, false);
    }

    /// <returns>0, or a negative errno.</returns>
    long WriteFault(in FileCommand command, DiskImage image)
    {
        Extent extent = new(command.OffsetBytes, command.LengthBytes);
        if (image.IsWriteBroken)
            return Hard(image, Mishap.WriteBroken, Errnos.EIO);
        if (image.IsFull || (image.IsScratch && extent.EndBytes > image.CapacityBytes))
            return Hard(image, Mishap.NoSpace, Errnos.ENOSPC);
        if (image.BadWrite.Overlaps(extent))
            return Hard(image, Mishap.WriteBadSector, Errnos.EIO);
        uint chance = image.IsTarget ? plan.WriteError : plan.GuestError;
        if (FiresHard(image, chance, image.IsTarget ? Mishap.WriteError : Mishap.GuestWriteError))
            return -Errnos.EIO;
        return image.IsTarget && FiresHard(image, plan.NoSpace, Mishap.NoSpace) ? -Errnos.ENOSPC : 0;
    }

    /// <summary>A torn change: any part of the range may have become anything.</summary>
    long Spoilt(in FileCommand command, DiskImage image, long fault)
    {
        ulong endBytes = Math.Min(command.OffsetBytes + command.LengthBytes, image.CapacityBytes);
        if (!image.IsTarget || !plan.LeavesGarbage || command.OffsetBytes >= endBytes)
            return fault;
        tallies.Count(Mishap.GarbageLeft);
        ulong first = command.OffsetBytes + prng.Below(endBytes - command.OffsetBytes);
        byte[] garbage = new byte[1 + prng.Below(Math.Min(endBytes - first, 65_536))];
        prng.Fill(garbage);
        image.Write(first, garbage);
        return fault;
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
            image.Write(command.OffsetBytes, buffer, MediumOffset(command, image));
            if (command.IsDurable)
                image.Flush(new Extent(command.OffsetBytes, lengthBytes));
            return (long)lengthBytes;
        }
        ulong endBytes = Math.Min(image.SizeBytes, image.CapacityBytes);
        if (command.OffsetBytes >= endBytes)
        {
            if (command.OffsetBytes < image.CapacityBytes)
                Hard(image, Mishap.SourceShrink, 0);
            return 0;
        }
        int available = (int)Math.Min(lengthBytes, endBytes - command.OffsetBytes);
        image.Content.Slice((int)command.OffsetBytes, available).CopyTo(buffer);
        return available;
    }

    /// <summary>Where a write lands, whatever is said.</summary>
    ulong MediumOffset(in FileCommand command, DiskImage image)
    {
        if (!image.MayLie || plan.Lie == 0 || prng.Below(65536) >= plan.Lie)
            return command.OffsetBytes;
        bool isPhantom = prng.Chance(1, 2);
        tallies.Count(isPhantom ? Mishap.PhantomWrite : Mishap.MisdirectedWrite);
        ulong room = image.CapacityBytes - command.LengthBytes;
        return isPhantom ? ulong.MaxValue : Units.AlignDown(prng.Below(room + 1), Sector.Bytes);
    }

    long Clear(in FileCommand command, DiskImage image)
    {
        if (image.RefusesAllocate || plan.RefusesAllocate)
        {
            tallies.Count(Mishap.AllocateRefused);
            return -Errnos.EOPNOTSUPP;
        }
        if (Fires(plan.Misaligned, Mishap.AllocateMisaligned))
            return -Errnos.EINVAL;
        if (image.IsWriteBroken)
            return Spoilt(command, image, Hard(image, Mishap.WriteBroken, Errnos.EIO));
        uint chance = image.IsTarget ? plan.WriteError : plan.GuestError;
        if (FiresHard(image, chance, image.IsTarget ? Mishap.WriteError : Mishap.GuestWriteError))
            return Spoilt(command, image, -Errnos.EIO);
        if (command.Operation == FileOperation.ZeroRange)
            image.Zero(command.OffsetBytes, command.LengthBytes);
        else
            image.Punch(command.OffsetBytes, command.LengthBytes);
        return 0;
    }

    /// <summary>The pages go back as they were read, apart from the bytes of the write itself, which follow.</summary>
    static void WritePages(in FileCommand command, DiskImage image, byte[] pages)
    {
        ulong end = command.OffsetBytes + command.LengthBytes;
        int head = (int)(command.OffsetBytes % PageBytes);
        pages.AsSpan(0, head).CopyTo(PageOf(image, command.OffsetBytes));
        int tail = (int)(end % PageBytes);
        Span<byte> last = PageOf(image, end - 1);
        if (tail > 0)
            pages.AsSpan(PageBytes, last.Length)[tail..].CopyTo(last[tail..]);
    }

    static Span<byte> PageOf(DiskImage image, ulong offset)
    {
        ulong start = Units.AlignDown(offset, PageBytes);
        return image.Content.Slice((int)start, (int)Math.Min(PageBytes, image.CapacityBytes - start));
    }

    long Size(DiskImage image)
    {
        if (image.SizeBytes != image.CapacityBytes)
            Hard(
                image,
                image.SizeBytes > image.CapacityBytes ? Mishap.SourceGrowth
                    : image.IsTarget ? Mishap.TargetShrink
                    : Mishap.SourceShrink,
                0
            );
        return (long)(image.SizeBytes + image.TailBytes);
    }

    long Flush(DiskImage image)
    {
        if (FiresHard(image, image.IsTarget ? plan.FlushError : 0, Mishap.FlushError))
        {
            image.FlushFaultCount++;
            image.Flush(prng);
            return -Errnos.EIO;
        }
        image.Flush(null);
        return 0;
    }

    unsafe long Map(in FileCommand command, DiskImage image)
    {
        if (Fires(plan.MapError, Mishap.MapError))
        {
            image.MapFaultCount++;
            return -Errnos.EIO;
        }
        if (plan.MapSplit > 0)
            tallies.Count(Mishap.MapSplit);
        ulong blocksMax = plan.MapSplit > 0 ? plan.MapSplit : uint.MaxValue;
        // The pusher owns room for so many entries at Buffer until the completion.
        Span<MapEntry> entries = new((void*)command.Buffer, command.MapCapacity);
        return image.Map(command.OffsetBytes, command.LengthBytes, entries, blocksMax);
    }
}
