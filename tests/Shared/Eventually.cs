// Waits for what another process is about to do.
using System;
using System.Diagnostics;
using System.Threading;
using Xunit;

namespace FastBackup.Tests;

public static class Eventually
{
    public static void True(Func<bool> condition)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(60), "waited 60 s in vain");
            Thread.Sleep(20);
        }
    }
}
