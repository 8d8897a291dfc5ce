// The bound of the busy window, on a copy whose rate is told by a rule.
using System;
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class UsefulWindowTests
{
    const double MiB = Units.MiB;
    const double Floor = 0.25 * MiB;
    const double WindowBytes = 8 * MiB; // what guests allow

    readonly UsefulWindow _useful = new(Floor);
    ulong _nowNs = 1;

    [Fact]
    public void WhereTheTargetIsSlow_ItGoesDownToTheFloor_AndStays()
    {
        Copy(4, _ => 50 * MiB);
        Assert.Equal(Floor, _useful.LimitBytes);
        int aboveFloor = 0;
        Copy(20, _ => 50 * MiB, () => aboveFloor += _useful.LimitBytes > Floor ? 1 : 0);
        Assert.InRange(aboveFloor, 1, 20 * 50 / 10); // it looks whether more is of use, a tenth of the time at most
    }

    [Fact]
    public void WhereTheRateFollowsTheQueue_NothingIsBounded_ButNowAndThenASpan()
    {
        int bounded = 0;
        Copy(10, window => 100 * window, () => bounded += _useful.LimitBytes < double.MaxValue ? 1 : 0);
        Assert.InRange(bounded, 1, 10 * 50 / 10);
    }

    [Fact]
    public void WhenTheTargetBecomesFaster_TheBoundGoes()
    {
        Copy(4, _ => 50 * MiB);
        Assert.Equal(Floor, _useful.LimitBytes);
        Copy(4, window => 100 * window);
        int bounded = 0;
        Copy(2, window => 100 * window, () => bounded += _useful.LimitBytes < double.MaxValue ? 1 : 0);
        Assert.InRange(bounded, 0, 2 * 50 / 10);
    }

    [Fact]
    public void ASpanInWhichTheCopyStoodStill_IsNotJudged()
    {
        Copy(0.1, window => 100 * window);
        double limitBytes = _useful.LimitBytes;
        _nowNs += 10 * Units.NsPerSecond;
        _useful.BeginAnew();
        Copy(0.03, window => 100 * window); // shorter than a span
        Assert.Equal(limitBytes, _useful.LimitBytes);
    }

    [Fact]
    public void ATargetThatIsFasterAtFirst_IsBoundedAllTheSame()
    {
        ulong fastUntilNs = _nowNs + 60 * Units.NsPerMs; // its tokens end within the span of the quarter
        Copy(0.4, _ => _nowNs < fastUntilNs ? 400 * MiB : 50 * MiB);
        Assert.Equal(Floor, _useful.LimitBytes);
    }

    [Fact]
    public void ASpanOfChunksThatPassedTheGate_IsNotJudged()
    {
        Copy(4, _ => 50 * MiB, isGated: true);
        Assert.Equal(double.MaxValue, _useful.LimitBytes);
    }

    [Fact]
    public void MoreChunksInPlaceOfDrainedBlocks_AreNoGain()
    {
        Copy(4, _ => 50 * MiB);
        Assert.Equal(Floor, _useful.LimitBytes);
        double limitBytes = 0;
        // The target takes 50 MiB/s of both together; a longer window only takes the other's part.
        Copy(4, window => window > Floor ? 40 * MiB : 20 * MiB, Look, drained: window => window > Floor ? 10 : 30);
        Assert.Equal(4 * Floor, limitBytes);

        void Look() => limitBytes = Math.Max(limitBytes, _useful.LimitBytes);
    }

    /// <summary>Copies for some seconds, 500 chunks a second, at the rate that the rule gives for a window.</summary>
    void Copy(
        double seconds,
        Func<double, double> bytesPerSecond,
        Action? each = null,
        bool isGated = false,
        Func<double, double>? drained = null
    )
    {
        const ulong ChunkNs = 2 * Units.NsPerMs;
        ulong endNs = _nowNs + (ulong)(seconds * Units.NsPerSecond);
        for (int i = 0; _nowNs < endNs; i++)
        {
            double windowBytes = Math.Min(WindowBytes, _useful.LimitBytes);
            _nowNs += ChunkNs;
            if (isGated)
                _useful.OnGated();
            if (drained != null)
                _useful.OnDrained((ulong)(drained(windowBytes) * MiB * ChunkNs / Units.NsPerSecond));
            _useful.OnChunkDone(
                (ulong)(bytesPerSecond(windowBytes) * ChunkNs / Units.NsPerSecond),
                WindowBytes,
                _nowNs
            );
            if (i % 10 == 0)
                each?.Invoke();
        }
    }
}
