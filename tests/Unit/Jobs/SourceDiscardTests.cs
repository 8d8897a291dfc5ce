// Hints are given while few are on their way, and again when some have ended.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Jobs;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class SourceDiscardTests
{
    [Fact]
    public void NoMoreHintsAreOnTheirWay_ThanAnEighthOfWhatTheSourceTakes()
    {
        using SimulatedLoop loop = new(1);
        using VastDevice source = new(loop.Reactor, Units.MiB) { IsHeld = true };
        uint most = source.Limits.InFlightMax / 8;
        SourceDiscard discard = new(source);
        for (uint i = 0; i < 2 * most; i++)
            discard.Begin(new Extent(i * 512, 512));
        Assert.Equal(most, source.InFlightCount);
        source.IsHeld = false;
        source.Run(0);
        discard.Begin(new Extent(0, 512));
        Assert.Equal(1u, source.InFlightCount);
        loop.RunUntil(() => source.InFlightCount == 0);
    }
}
