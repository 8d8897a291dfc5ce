// The ring's descriptor is all that a host waits for: after a Poll that needs no other, it becomes readable with the
// next wake and with the next event of what is watched, however often those have told before.
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux.Ring;
using Xunit;

namespace FastBackup.Tests.Unit.Ports;

[Trait("System", "Linux")] // io_uring
public sealed class RingReadyTests
{
    const int Rounds = 20;
    const int WaitMs = 10_000;

    [Fact]
    public void Wake_IsToldByTheDescriptor_EachTime()
    {
        using RingFileIo ring = Open();
        for (int i = 0; i < Rounds; i++)
        {
            UntilQuiet(ring);
            Assert.False(IsReadable(ring.ReadyFd, 0));
            ring.Wake();
            Assert.True(IsReadable(ring.ReadyFd, WaitMs), "round " + i);
        }
    }

    [Fact]
    public void WatchedDescriptor_IsToldByTheRings_EachTime()
    {
        int watchedFd = Files.EventFd(0, Files.EFD_CLOEXEC | Files.EFD_NONBLOCK);
        using (RingFileIo ring = Open())
        {
            ring.Watch(watchedFd);
            for (int i = 0; i < Rounds; i++)
            {
                UntilQuiet(ring);
                Assert.False(IsReadable(ring.ReadyFd, 0));
                Count(watchedFd, isUp: true);
                Assert.True(IsReadable(ring.ReadyFd, WaitMs), "round " + i);
                Count(watchedFd, isUp: false); // what polls takes what was told: a stream's epoll, here
            }
            UntilQuiet(ring);
        }
        _ = Files.Close(watchedFd);
    }

    [Fact]
    public void Poll_ThatHasTakenAWake_NeedsAnother()
    {
        using RingFileIo ring = Open();
        UntilQuiet(ring);
        ring.Wake();
        Assert.True(IsReadable(ring.ReadyFd, WaitMs));
        Assert.Equal(0u, ring.Poll(0));
        Assert.True(ring.NeedsPoll);
        Assert.Equal(0u, ring.Poll(0));
        Assert.False(ring.NeedsPoll);
    }

    static RingFileIo Open()
    {
        Fault fault = RingFileIo.TryOpen(64, out RingFileIo? ring, isShared: true);
        Requires.That(fault.IsNone, "needs io_uring: " + fault);
        return ring!;
    }

    static void UntilQuiet(RingFileIo ring)
    {
        do _ = ring.Poll(0);
        while (ring.NeedsPoll);
    }

    static unsafe bool IsReadable(int fd, int timeoutMs)
    {
        PollFd poll = new() { Fd = fd, Events = Files.POLLIN };
        return Files.Poll(&poll, 1, timeoutMs) == 1; // SAFETY: used during the call only
    }

    static unsafe void Count(int fd, bool isUp)
    {
        ulong count = 1;
        // SAFETY: eight bytes of this frame, used during the call only.
        nint done = isUp ? Files.Write(fd, &count, sizeof(ulong)) : Files.Read(fd, &count, sizeof(ulong));
        Assert.Equal(sizeof(ulong), done);
    }
}
