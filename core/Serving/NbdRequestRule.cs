// What a request must be to be carried out, and how many bytes follow its head even when it is not.
// Source: NetworkBlockDevice/nbd, doc/proto.md, transmission phase.
using FastBackup.Base;
using FastBackup.Devices.Nbd;

namespace FastBackup.Serving;

/// <param name="Disk">The client's.</param>
/// <param name="IsStructured">It takes chunks.</param>
/// <param name="IsExtended">Its heads have 64 bits of length.</param>
/// <param name="HasContexts">It has chosen some.</param>
readonly record struct NbdRequestRule(ServedDisk Disk, bool IsStructured, bool IsExtended, bool HasContexts)
{
    /// <summary>A read that may not come in pieces is at most so long.</summary>
    const ulong UnfragmentedBytesMax = Units.MiB;

    public ulong PayloadBytes(in NbdHead head)
    {
        bool hasPayload = IsExtended
            ? (head.Flags & NbdCommandFlags.PayloadLength) != 0
            : head.Command == NbdCommand.Write;
        return hasPayload ? head.LengthBytes : 0;
    }

    /// <returns>0, or the protocol's error.</returns>
    public uint ErrorOf(in NbdHead head)
    {
        bool isWrite = head.Command is NbdCommand.Write or NbdCommand.Trim or NbdCommand.WriteZeroes;
        if (isWrite && (Disk.IsReadOnly || Disk.Device.Limits.IsReadOnly))
            return NbdAnswers.Forbidden;
        if ((head.Flags & ~Known(head.Command)) != 0)
            return Errnos.EINVAL;
        if (IsExtended && (head.Command == NbdCommand.Write) != ((head.Flags & NbdCommandFlags.PayloadLength) != 0))
            return Errnos.EINVAL;
        if (head.Command == NbdCommand.Flush)
            return head.OffsetBytes == 0 && head.LengthBytes == 0 ? 0u : Errnos.EINVAL;
        if (!new Extent(head.OffsetBytes, head.LengthBytes).IsWithin(Disk.Device.Limits.CapacityBytes))
            return isWrite && head.Command != NbdCommand.Trim ? Errnos.ENOSPC : (uint)Errnos.EINVAL;
        bool isTransfer = head.Command is NbdCommand.Read or NbdCommand.Write or NbdCommand.Cache;
        bool isWhole = (head.Flags & NbdCommandFlags.DontFragment) != 0;
        if (isTransfer && head.LengthBytes > (isWhole ? UnfragmentedBytesMax : NbdExport.PayloadBytesDefault))
            return NbdAnswers.TooLong;
        bool isAnswerless = head.Command == NbdCommand.BlockStatus && (!HasContexts || head.LengthBytes == 0);
        return isAnswerless || !IsKnown(head.Command) ? (uint)Errnos.EINVAL : 0;
    }

    bool IsKnown(NbdCommand command) =>
        command == NbdCommand.Cache
            ? Disk.Device.Limits.ReadsThroughCache
            : command
                is NbdCommand.Read
                    or NbdCommand.Write
                    or NbdCommand.Flush
                    or NbdCommand.Trim
                    or NbdCommand.WriteZeroes
                    or NbdCommand.BlockStatus;

    /// <summary>FUA may stand at every command.</summary>
    NbdCommandFlags Known(NbdCommand command)
    {
        NbdCommandFlags known = NbdCommandFlags.Fua;
        if (IsExtended)
            known |= NbdCommandFlags.PayloadLength;
        return command switch
        {
            NbdCommand.Read when IsStructured => known | NbdCommandFlags.DontFragment,
            NbdCommand.WriteZeroes when Disk.Device.Limits.CanZeroFast => known
                | NbdCommandFlags.NoHole
                | NbdCommandFlags.FastZero,
            NbdCommand.WriteZeroes => known | NbdCommandFlags.NoHole,
            NbdCommand.BlockStatus => known | NbdCommandFlags.OneExtent,
            _ => known,
        };
    }
}
