// The two halves of a move, each for a disk and a tracker file of this machine: what is asked before anything is
// changed, and then the steps of TrackerMove.
//
// The other host has the same disk (shared storage), or a copy of it. The same disk is known by its id and must be as
// it was left, as at any attach. A copy must be the disk to the byte: a digest of all of it is taken on both sides, as
// nothing less would tell a copy that was made too early from one that was made when nobody wrote any more.
// What it does not do: copy the disk, or bring the token to the other host.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tracking.Move;

/// <summary>Threads: one, that may wait.</summary>
public static class DiskMove
{
    /// <summary>Gives a tracker away. Nobody writes to the disk, or opens the tracker again.</summary>
    /// <param name="file">Of the tracker, open for writing.</param>
    /// <param name="disk">Its disk.</param>
    /// <param name="changes">As read before, without a refusal.</param>
    /// <param name="word">Of the host that waits.</param>
    /// <param name="isShared">That host has the same disk.</param>
    /// <param name="token">New.</param>
    public static OpenRefusal Export(
        TrackerFile file,
        FileDevice disk,
        TrackedChanges changes,
        MoveWord word,
        bool isShared,
        TokenFile token
    )
    {
        Fault fault = file.WriteGrowth(changes);
        if (fault.IsFault)
            return OpenRefusal.Of(file.Path, "write tracker", fault);
        TrackerHeader header = changes.Found.Header!;
        if (header.TrackerId == word.TrackerId)
            return OpenRefusal.Rule(
                $"the word is that of tracker '{file.Path}' itself; ask the other host for its own"
            );
        DiskStamp stamp = header.Stamp; // of a closed one it is as it was left
        if (header.State == TrackerState.Open)
            fault = DiskFacts.TryStampForGood(disk.Fd, disk.Limits.CapacityBytes, out stamp);
        Digest32 whole = default;
        if (fault.IsNone && !isShared)
            fault = DiskDigest.TryTake(disk.Fd, disk.Limits.CapacityBytes, out whole);
        if (fault.IsFault)
            return OpenRefusal.Of(disk.Name, "read", fault);
        TokenHead head = new()
        {
            IsShared = isShared,
            TakerId = word.TrackerId,
            GiverId = header.TrackerId,
            Generation = header.Sequence,
            PageCount = 0,
            DiskId = header.DiskId,
            Shape = header.Shape,
            TablePageCount = 0,
            LastMapId = header.LastMapId,
            Stamp = stamp,
            Whole = whole,
        };
        bool wasWritten = false;
        fault = TrackerMove.Give(file, changes.Found, head, word, token, LastLook);
        if (wasWritten)
            return OpenRefusal.Rule(
                $"disk '{disk.Name}' was written to meanwhile; stop whoever does, and export again"
            );
        if (fault.IsFault)
            return OpenRefusal.Of(file.Path, "move tracker", fault);
        file.RemoveLive(header);
        fault = token.FlushName();
        return fault.IsNone ? default : OpenRefusal.Of(token.Path, "flush the folder of", fault);

        Fault LastLook()
        {
            Fault looked = DiskFacts.TryStamp(disk.Fd, disk.Limits.CapacityBytes, out DiskStamp now);
            wasWritten = looked.IsNone && now != stamp;
            return wasWritten ? new Fault(FaultKind.State) : looked;
        }
    }

    /// <summary>Takes a tracker over. Nobody writes to the disk.</summary>
    /// <param name="file">Of the tracker that waits, open for writing.</param>
    /// <param name="disk">Its disk.</param>
    /// <param name="token">As it came.</param>
    /// <exception cref="InsufficientMemoryException">The maps do not fit.</exception>
    public static OpenRefusal Import(TrackerFile file, FileDevice disk, TokenFile token)
    {
        ulong diskBytes = disk.Limits.CapacityBytes;
        if (TrackerMove.TryGetWord(file) is not { } word)
            return OpenRefusal.Rule(
                $"'{file.Path}' does not wait for a token: it was imported before, or 'track expect' never made it"
            );
        if (MoveToken.TryReadHead(token) is not { } head)
            return OpenRefusal.Rule($"'{token.Path}' is no token of 'track export', or was cut short; copy it again");
        if (head.TakerId != word.TrackerId)
            return OpenRefusal.Rule($"token '{token.Path}' is for another tracker, not for the word of '{file.Path}'");
        if (head.Shape.DiskBytes != diskBytes)
            return OpenRefusal.Rule(
                $"token '{token.Path}' is of a disk of {head.Shape.DiskBytes} bytes, disk '{disk.Name}' has {diskBytes}"
                    + " (resized)"
            );
        using MoveToken? signed = MoveToken.TryRead(token, word, diskBytes);
        if (signed == null)
            return OpenRefusal.Rule(
                $"token '{token.Path}' is not signed: its export did not end well, or the token was changed; "
                    + "add a new tracker and make a full backup"
            );
        Fault fault = DiskFacts.TryIdentify(disk.Fd, out Digest32 diskId);
        DiskStamp stamp = default;
        if (fault.IsNone)
            fault = DiskFacts.TryStampForGood(disk.Fd, diskBytes, out stamp);
        if (fault.IsFault)
            return OpenRefusal.Of(disk.Name, "examine", fault);
        OpenRefusal refusal = Judge(signed.Head, disk, diskId, stamp);
        if (!refusal.IsNone)
            return refusal;
        fault = TrackerMove.Take(file, signed, diskId, stamp);
        return fault.IsNone ? default : OpenRefusal.Of(file.Path, "write tracker", fault);
    }

    static OpenRefusal Judge(TokenHead head, FileDevice disk, Digest32 diskId, in DiskStamp stamp)
    {
        if (!head.IsOf(diskId))
            return OpenRefusal.Rule(
                $"disk '{disk.Name}' is another one than the token's (foreign-disk); "
                    + "of a copy the token is exported without --shared"
            );
        bool isAsLeft = head.MayBeAsLeft(stamp);
        if (isAsLeft && !head.IsShared)
        {
            Fault fault = DiskDigest.TryTake(disk.Fd, disk.Limits.CapacityBytes, out Digest32 whole);
            if (fault.IsFault)
                return OpenRefusal.Of(disk.Name, "read", fault);
            isAsLeft = head.IsWhole(whole);
        }
        return isAsLeft
            ? default
            : OpenRefusal.Rule(
                $"disk '{disk.Name}' is not as it was when its tracker was exported (foreign-writes); "
                    + "copy it again, or add a new tracker and make a full backup"
            );
    }
}
