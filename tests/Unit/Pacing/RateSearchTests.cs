// The window's search against a model of a device: rate = min(peak, window / latency).
using System;
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class RateSearchTests
{
    const uint ChunkMax = 1 << 20;
    const uint ChunkMin = 256 << 10;

    [Theory]
    [InlineData(2_000, 500)]
    [InlineData(2_000, 4_000)]
    [InlineData(200, 20_000)]
    [InlineData(7_000, 1_000)]
    public void Window_FindsTheRate_WithoutALongQueue(ulong peakMiBPerSecond, ulong latencyUs)
    {
        RateSearch window = new(ChunkMin, ChunkMax, 64ul * ChunkMax);
        double peak = peakMiBPerSecond * (double)Units.MiB;
        double delayBytes = peak * latencyUs / 1e6; // the bandwidth-delay product: the shortest queue with full rate
        (double doneBytes, double ns) = Simulate(window, peak, latencyUs, seconds: 5);
        double rate = doneBytes / ns * 1e9;
        Assert.InRange(rate, peak * 0.85, peak * 1.01);
        Assert.True(window.WindowBytes <= Math.Max(4.0 * ChunkMax, delayBytes * 2.7), $"{window.WindowBytes} queued");
    }

    [Fact]
    public void Window_StaysInItsBounds()
    {
        RateSearch window = new(ChunkMin, ChunkMax, ChunkMax);
        Assert.Equal(ChunkMax, window.WindowBytes);
        Simulate(window, 1e9, 100, seconds: 2);
        Assert.Equal(ChunkMax, window.WindowBytes);
        Assert.InRange(window.ChunkBytes, ChunkMin, ChunkMax);
    }

    static (double DoneBytes, double Ns) Simulate(RateSearch window, double peak, ulong latencyUs, double seconds)
    {
        double nowNs = 1e9;
        double doneBytes = 0;
        while (nowNs < 1e9 + seconds * 1e9)
        {
            double rate = Math.Min(peak, window.WindowBytes / (latencyUs / 1e6));
            nowNs += window.ChunkBytes / rate * 1e9;
            doneBytes += window.ChunkBytes;
            window.OnChunkDone(window.ChunkBytes, (ulong)nowNs);
        }
        return (doneBytes, nowNs - 1e9);
    }
}
