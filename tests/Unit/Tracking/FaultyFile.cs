// A tracker file whose storage fails at one command, once or from then on. A write that fails may have written a part
// of it; a flush that fails leaves what ModelFile.FailFlush says.
using System;
using FastBackup.Base;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tests.Unit.Tracking;

public enum FaultMistake
{
    None,

    /// <summary>Nobody looks at what a command has answered.</summary>
    FaultIgnored,

    /// <summary>A flush that has failed is tried again, and believed.</summary>
    FlushTriedAgain,
}

/// <param name="file">What there is of it.</param>
/// <param name="chance">Of what a command that fails has done.</param>
/// <param name="failing">Number of the command; ulong.MaxValue: none fails.</param>
/// <param name="isForEver">And all that come after it.</param>
/// <param name="errno">The answer.</param>
/// <param name="mistake">What its user does wrong.</param>
sealed class FaultyFile(
    ModelFile file,
    Prng chance,
    ulong failing = ulong.MaxValue,
    bool isForEver = false,
    int errno = Errnos.EIO,
    FaultMistake mistake = FaultMistake.None
) : ITrackerStorage
{
    const int SectorBytes = 512;

    public ulong CommandCount { get; private set; }

    public ulong SizeBytes => file.SizeBytes;

    public bool TryRead(ulong offsetBytes, Span<byte> bytes) => file.TryRead(offsetBytes, bytes);

    bool Fails()
    {
        ulong number = CommandCount++;
        return number == failing || (isForEver && number > failing);
    }

    public Fault Grow(ulong sizeBytes) => Fails() ? Errnos.ToFault(errno) : file.Grow(sizeBytes);

    public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        if (!Fails())
        {
            file.Write(offsetBytes, bytes);
            return Fault.None;
        }
        file.Write(offsetBytes, bytes[..(int)(chance.Below((ulong)(bytes.Length / SectorBytes)) * SectorBytes)]);
        return mistake == FaultMistake.FaultIgnored ? Fault.None : Errnos.ToFault(errno);
    }

    public Fault Flush()
    {
        bool fails = Fails();
        if (fails)
            file.FailFlush(chance);
        if (!fails || mistake == FaultMistake.FlushTriedAgain)
            file.Flush();
        return fails && mistake == FaultMistake.None ? Errnos.ToFault(errno) : Fault.None;
    }
}
