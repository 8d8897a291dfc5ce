// The one clock that is not injected by tests: it must run forwards, in nanoseconds.
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class MonotonicClockTests
{
    [Fact]
    public void NowNs_NeverGoesBack()
    {
        ulong last = MonotonicClock.Instance.NowNs;
        for (int i = 0; i < 100_000; i++)
        {
            ulong now = MonotonicClock.Instance.NowNs;
            Assert.True(now >= last);
            last = now;
        }
    }

    [Fact]
    public void NowNs_CountsNanoseconds()
    {
        long outerStart = Stopwatch.GetTimestamp();
        ulong start = MonotonicClock.Instance.NowNs;
        Thread.Sleep(20);
        ulong elapsedNs = MonotonicClock.Instance.NowNs - start;
        double outerNs = Stopwatch.GetElapsedTime(outerStart).TotalNanoseconds;
        // The reading lies inside the outer one, however long the machine stalls between them.
        Assert.InRange(elapsedNs, 19 * Units.NsPerMs, (ulong)outerNs + 1000);
    }
}
