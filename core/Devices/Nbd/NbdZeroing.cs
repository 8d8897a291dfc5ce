// How much of a range of zeroes is asked for in one request. A server that writes them itself may take minutes for all
// of it, and neither other requests nor an end of ours pass meanwhile. So, where the server knows the question: the
// whole range, if that is fast; where it is not, piece by piece. Once refused it is not asked so again, but for whoever
// wants zeroes only if they are fast.
// A server that does not know it gets long ranges as before: most clear them by their file system.
// Source: NetworkBlockDevice/nbd, doc/proto.md, NBD_CMD_FLAG_FAST_ZERO.
using System;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
sealed class NbdZeroing
{
    /// <summary>Of a range that may have to be written: at most some hundred milliseconds.</summary>
    public const ulong SlowBytesMax = 32 * Units.MiB;

    bool _areSlow;

    static bool IsFastOnly(in BlockRequest request) => (request.Flags & BlockFlags.FastOnly) != 0;

    /// <summary>Whether a request cannot be what it asks to be.</summary>
    public static bool MustRefuse(in BlockRequest request, NbdExport export) =>
        IsFastOnly(request) && !export.CanZeroFast;

    /// <summary>A request begins, from whatever it was at.</summary>
    public void Begin(NbdSlot slot, NbdExport export) =>
        slot.IsFast =
            slot.Command == NbdCommand.WriteZeroes
            && export.CanZeroFast
            && (IsFastOnly(slot.Request) || (!_areSlow && slot.Request.LengthBytes > SlowBytesMax));

    /// <summary>Of the next piece of zeroes.</summary>
    /// <param name="slot">Whose.</param>
    /// <param name="export">Its server.</param>
    /// <param name="mostBytes">Of any request without data.</param>
    public static ulong PieceBytesMax(NbdSlot slot, NbdExport export, ulong mostBytes) =>
        slot.IsFast || !export.CanZeroFast ? mostBytes : Math.Min(SlowBytesMax, mostBytes);

    /// <summary>A piece was answered.</summary>
    /// <returns>True: it was refused as slow, and is to be asked for in another way.</returns>
    public bool TryAgain(NbdSlot slot)
    {
        if (!slot.IsFast || slot.Fault.Errno != Errnos.EOPNOTSUPP || IsFastOnly(slot.Request))
            return false;
        _areSlow = true;
        slot.IsFast = false;
        return true;
    }
}
