// A read or write of a file device as kernel calls, one after the other, until all of it has moved: direct where
// offset, length and memory are aligned, else through the buffered descriptor; what comes short is asked for again at
// the right offset, from the aligned start of the missing part.
// Cost: O(1) a call.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices;

/// <summary>Threads: the loop's.</summary>
/// <param name="direct">For aligned calls; may be the same as the other.</param>
/// <param name="buffered">For the rest.</param>
/// <param name="limits">Their alignments.</param>
/// <param name="zeroes">What is written for zeroes.</param>
sealed class FileTransfer(FileHandle direct, FileHandle buffered, BlockLimits limits, AlignedRegion zeroes)
{
    const uint StuckMax = 16;

    /// <summary>The kernel's own limit for one transfer is just under 2 GiB.</summary>
    const ulong TransferBytesMax = Units.GiB;

    /// <summary>Calls that the kernel cut short; each was continued.</summary>
    public ulong ShortCount { get; private set; }

    /// <summary>The next read or write: direct when aligned, else through the buffered descriptor.</summary>
    public void Build(FileSlot slot, ref FileCommand command)
    {
        ref readonly BlockRequest request = ref slot.Request;
        bool isRead = request.Operation == BlockOperation.Read;
        bool isZeroes = slot.Step == FileStep.ZeroByWriting;
        ulong align = limits.RequestAlignBytes;
        ulong offset = request.OffsetBytes + slot.DoneBytes;
        ulong rest = request.LengthBytes - slot.DoneBytes;
        nint address = isZeroes ? zeroes.Start : request.Buffer + (nint)slot.DoneBytes;
        ulong lengthBytes = Math.Min(rest, isZeroes ? zeroes.LengthBytes : TransferBytesMax);
        bool isStuck = isRead && slot.StuckCount > StuckMax;
        bool isAligned =
            !isStuck && Units.IsAligned(offset, align) && Units.IsAligned((ulong)address, limits.BufferAlignBytes);
        if (isAligned && !Units.IsAligned(lengthBytes, align))
        {
            bool mayPad = isRead && (request.Flags & BlockFlags.Padded) != 0;
            ulong whole = Units.AlignDown(lengthBytes, align);
            if (mayPad)
                lengthBytes = Units.AlignUp(lengthBytes, align);
            else if (whole > 0)
                lengthBytes = whole; // the last bytes follow in a step of their own
            else
                isAligned = false;
        }
        slot.IsBuffered = !isAligned;
        slot.AskedBytes = lengthBytes;
        command.File = isAligned ? direct : buffered;
        command.Operation = isRead ? FileOperation.Read : FileOperation.Write;
        command.IsDurable = (request.Flags & BlockFlags.Fua) != 0;
        command.OffsetBytes = offset;
        command.LengthBytes = lengthBytes;
        command.Buffer = address;
    }

    /// <summary>A call has moved something, or nothing.</summary>
    /// <param name="slot">Whose.</param>
    /// <param name="countBytes">As the port says.</param>
    /// <param name="fault">Why it will not move all; or None.</param>
    /// <returns>True when it is over; false when there is a next call to build.</returns>
    public bool Take(FileSlot slot, ulong countBytes, out Fault fault)
    {
        ref readonly BlockRequest request = ref slot.Request;
        ulong offset = request.OffsetBytes + slot.DoneBytes;
        bool isRead = request.Operation == BlockOperation.Read;
        fault = default;
        if (countBytes == 0)
        {
            fault = new Fault(isRead ? FaultKind.Truncated : FaultKind.Io, 0, offset);
            return true;
        }
        ulong moved = Math.Min(countBytes, slot.AskedBytes);
        ulong done = Math.Min(slot.DoneBytes + moved, request.LengthBytes);
        if (done < request.LengthBytes && moved < slot.AskedBytes)
        {
            // Cut short. A direct transfer goes on from an aligned offset, repeating a part of a sector.
            ShortCount++;
            ulong resume = slot.IsBuffered ? done : Units.AlignDown(done, limits.RequestAlignBytes);
            if (resume != slot.DoneBytes)
                slot.StuckCount = 0;
            else if (++slot.StuckCount > StuckMax && !isRead)
            {
                fault = new Fault(FaultKind.Io, Errnos.EIO, offset);
                return true;
            }
            done = resume;
        }
        slot.DoneBytes = done;
        return done == request.LengthBytes;
    }
}
