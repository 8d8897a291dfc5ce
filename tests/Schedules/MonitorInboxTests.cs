// The inbox of a monitor's thread: what others post is taken, by a thread that lowers the event first, then takes all,
// then sleeps until it is raised (MonitorLoop.Turn).
using System;
using FastBackup.Base;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
using FastBackup.Tests.Schedules.Machine;
using Xunit;

namespace FastBackup.Tests.Schedules;

[Collection("one run at a time")]
public sealed class MonitorInboxTests(ITestOutputHelper output)
{
    const int PosterCount = 2;

    [Fact]
    public void Posts_AlwaysArrive()
    {
        Exploration found = Explorer.Play(new Bounds(3, 1), () => Posting(lowersFirst: true));
        output.WriteLine(found.ToString());
        Assert.Null(found.Wrong);
        Assert.True(found.IsComplete);
    }

    [Fact]
    public void LoweringAfterTaking_IsFoundSleepingBesideAPost()
    {
        Exploration found = Explorer.Play(new Bounds(1, 0), () => Posting(lowersFirst: false));
        Assert.Contains("for ever waits", found.Wrong, StringComparison.Ordinal);
    }

    static (Action[] Works, Func<string?> Look) Posting(bool lowersFirst)
    {
        Kernel.Reset();
        Check.That(EventFd.TryCreate(out EventFd? wake).IsNone);
        MonitorInbox inbox = new(wake!);
        int takenCount = 0;
        void Take()
        {
            while (takenCount < PosterCount)
            {
                if (lowersFirst)
                    _ = inbox.Wake.TryLower();
                while (inbox.TryTake(out _, out Action? work))
                    work!();
                if (!lowersFirst)
                    _ = inbox.Wake.TryLower();
                if (takenCount < PosterCount)
                    Kernel.Poll(inbox.Wake.Number, -1);
            }
        }
        void Post() => inbox.Post(() => takenCount++);
        return ([Take, Post, Post], () => takenCount == PosterCount ? null : "a post came twice");
    }
}
