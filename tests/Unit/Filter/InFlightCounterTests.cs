// Begins and ends on many threads: the sum is exact when nothing moves, and never too low while only undos do.
using System.Threading;
using FastBackup.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class InFlightCounterTests
{
    [Fact]
    public void Counts_AreExact_AcrossThreads()
    {
        InFlightCounter counter = new();
        Thread begins = new(() =>
        {
            for (int i = 0; i < 1000; i++)
                counter.Begin();
        });
        begins.Start();
        begins.Join();
        for (int i = 0; i < 400; i++)
            counter.End(); // on another thread
        counter.Begin();
        counter.Undo();
        Assert.Equal(600, counter.Sum());
        counter.Read(out ulong begunCount, out ulong endedCount);
        Assert.Equal((1000ul, 400ul), (begunCount, endedCount));
    }

    [Fact]
    public void Sum_IsNeverTooLow_WhileOthersBeginAndUndo()
    {
        InFlightCounter counter = new();
        counter.Begin();
        bool isStopping = false;
        Thread other = new(() =>
        {
            while (!Volatile.Read(ref isStopping))
            {
                counter.Begin();
                counter.Undo();
            }
        });
        other.Start();
        for (int i = 0; i < 20_000; i++)
            Assert.InRange(counter.Sum(), 1, 2);
        Volatile.Write(ref isStopping, true);
        other.Join();
        Assert.Equal(1, counter.Sum());
    }
}
