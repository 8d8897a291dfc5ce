// A remote disk whose server ends and comes back: every request ends once and well, whatever the byte after which the
// connection ended; and a server that has forgotten what it had answered is never taken for one that has not.
using System;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Devices.Opening;
using FastBackup.Tests.Unit.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

[Trait("System", "None")] // simulated servers
public sealed class NbdReturnTests
{
    const int DiskBytes = 300_001;

    static readonly RemoteOpenOptions Patient = new() { ReconnectNs = 20 * Units.NsPerSecond };

    public static TheoryData<NbdForm> Forms => [.. Enum.GetValues<NbdForm>()];

    static byte[] Pattern()
    {
        byte[] content = new byte[DiskBytes];
        new Prng(3).Fill(content.AsSpan(0, 50_000));
        return content;
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void AServerThatIsBack_IsAskedAgainForAllThatItHasNotAnswered(NbdForm form)
    {
        bool isWhole = false;
        for (int cut = 150; !isWhole; cut += cut < 500 ? (form == NbdForm.Structured ? 1 : 3) : 57)
        {
            using NbdWorld world = new(
                StreamKind.Simulated,
                (ulong)cut,
                one => new NbdServerModel(one.Streams, one.Address, form, Pattern(), (ulong)cut)
                {
                    CutAfterBytes = cut,
                    LivesLeft = 1,
                    OnReturn = model => model.CutAfterBytes = int.MaxValue,
                }
            );
            if (!world.TryOpen(isReadOnly: false, Patient).IsNone)
                continue;
            world.Buffer[9_000..9_050].Fill(7);
            ulong read = world.Submit(BlockOperation.Read, 5, 200);
            ulong map = world.Submit(BlockOperation.Map, 0, 9_000, at: 1_000);
            ulong write = world.Submit(BlockOperation.Write, 20_000, 50, at: 9_000);
            ulong zeroes = world.Submit(BlockOperation.WriteZeroes, 30_000, 50);
            ulong flush = world.Submit(BlockOperation.Flush, 0, 0);
            foreach (ulong tag in new[] { read, map, write, zeroes, flush })
                Assert.True(world.Result(tag).Fault.IsNone);
            Assert.True(world.Buffer[..200].SequenceEqual(Pattern().AsSpan(5, 200)));
            Assert.Equal(50, world.Server.Content.AsSpan(20_000, 50).Count((byte)7));
            Assert.Equal(50, world.Server.Content.AsSpan(30_000, 50).Count((byte)0));
            Assert.Equal(0u, world.Device.InFlightCount);
            Assert.Null(world.Device.BrokenBecause);
            isWhole = world.Server.LivesLeft == 1;
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void RandomRequests_OverManyLives_MatchTheModel(NbdForm form) =>
        TestSeed.ForEach(
            8,
            seed =>
            {
                Prng prng = new(seed);
                using NbdWorld world = new(
                    StreamKind.Simulated,
                    seed,
                    one => new NbdServerModel(one.Streams, one.Address, form, new byte[DiskBytes], seed)
                    {
                        LivesLeft = 30,
                        PayloadBytesMax = seed % 2 == 0 ? 10_000u : 1u << 20,
                        OnReturn = model =>
                            model.CutAfterBytes = model.LivesLeft == 0 ? int.MaxValue : 500 + (int)prng.Below(60_000),
                    }
                );
                world.Open(new RemoteOpenOptions { ReconnectNs = 500 * Units.NsPerSecond });
                world.Server.CutAfterBytes = 1_000;
                using DeviceModel model = new(world.Device, seed);
                for (int turn = 0; model.CompletedCount < 100; turn++)
                {
                    Assert.True(turn < 100_000);
                    model.SubmitRandom();
                    world.Turn(model.IsIdle ? 0 : ulong.MaxValue);
                }
                world.RunUntil(() => model.IsIdle);
                if (world.Device.BrokenBecause != null) // overlapping writes that are not flushed
                {
                    Assert.Contains("cannot be told", world.Device.BrokenBecause);
                    return;
                }
                Assert.Empty(model.Faults);
                Assert.True(model.Model.SequenceEqual(world.Server.Content));
                Assert.InRange(world.Server.LivesLeft, 0, 29);
            }
        );

    [Theory]
    [MemberData(nameof(Forms))]
    public void WhatAServerHasForgotten_IsNeverFlushed(NbdForm form)
    {
        int kept = 0;
        int lost = 0;
        bool isWhole = false;
        for (int cut = 150; !isWhole; cut += form == NbdForm.Structured ? 1 : 3)
        {
            using NbdWorld world = new(
                StreamKind.Simulated,
                (ulong)cut,
                one => new NbdServerModel(one.Streams, one.Address, form, Pattern(), (ulong)cut)
                {
                    CutAfterBytes = cut,
                    LivesLeft = 1,
                    IsForgetful = true,
                    OnReturn = model => model.CutAfterBytes = int.MaxValue,
                }
            );
            if (!world.TryOpen(isReadOnly: false, Patient).IsNone)
                continue;
            world.Buffer[..4096].Fill(5);
            bool isWritten = world.Run(BlockOperation.Write, 4096, 4096).Fault.IsNone;
            isWritten &= world.Run(BlockOperation.WriteZeroes, 0, 4096).Fault.IsNone;
            isWritten &= world.Run(BlockOperation.Flush, 0, 0).Fault.IsNone;
            isWritten &= world.Run(BlockOperation.Write, 65_536, 4096).Fault.IsNone;
            isWritten &= world.Run(BlockOperation.Write, 65_536 + 4096, 100, BlockFlags.Fua).Fault.IsNone;
            isWritten &= world.Run(BlockOperation.Flush, 0, 0).Fault.IsNone;
            isWhole = world.Server.LivesLeft == 1;
            if (!isWritten)
            {
                lost++;
                Assert.Contains("without data that it had taken before", world.Device.BrokenBecause);
                continue;
            }
            kept++;
            Assert.Equal(4096, world.Server.Durable.Slice(4096, 4096).Count((byte)5));
            Assert.Equal(4096, world.Server.Durable[..4096].Count((byte)0));
            Assert.Equal(4196, world.Server.Durable.Slice(65_536, 4196).Count((byte)5));
        }
        Assert.True(kept > 3);
        Assert.True(lost > 3);
    }

    [Fact]
    public void MoreThanCanBeKeptInMind_IsFlushed()
    {
        using NbdWorld world = Start(NbdForm.Extended).Open(Patient);
        for (uint i = 0; i <= NbdUnflushed.CountMax; i++)
            Assert.True(world.Run(BlockOperation.Write, i * 64, 64).Fault.IsNone);
        Assert.Equal(1, world.Server.Commands.Count(one => one == NbdCommand.Flush));
        Assert.Equal(NbdCommand.Flush, world.Server.Commands[^1]);
    }

    [Fact]
    public void AServerThatStaysAway_EndsTheDisk_AfterItsTime()
    {
        using NbdWorld world = Start(NbdForm.Structured, lives: 0).Open(Patient);
        world.Server.CutAfterBytes = world.Server.LeftBytes + 1;
        Assert.Equal(FaultKind.TimedOut, world.Run(BlockOperation.Read, 0, 100).Fault.Kind);
        Assert.EndsWith("and the server was not back within 20 seconds", world.Device.BrokenBecause);
        Assert.Equal(FaultKind.TimedOut, world.Run(BlockOperation.Write, 0, 100).Fault.Kind);
    }

    [Fact]
    public void AServerThatEndsEachConnection_IsGone_AndNotAskedOften()
    {
        int returns = 0;
        using NbdWorld world = Start(NbdForm.Simple, lives: 10_000, onReturn: _ => returns++).Open(Patient);
        world.Server.CutAfterBytes = world.Server.LeftBytes;
        Assert.True(world.Run(BlockOperation.Read, 0, 100).Fault.IsFault);
        Assert.Contains("not back within 20 seconds", world.Device.BrokenBecause);
        Assert.InRange(returns, 10, 25);
    }

    [Fact]
    public void ADiskThatIsIdleWhenItsServerEnds_IsThereAgain_AlsoMuchLater()
    {
        using NbdWorld world = Start(NbdForm.Simple, lives: 3).Open(Patient);
        for (int i = 0; i < 3; i++)
        {
            world.Server.Die();
            for (int turn = 0; turn < 100; turn++)
                world.Turn(Units.NsPerSecond);
        }
        Assert.True(world.Run(BlockOperation.Read, 0, 100).Fault.IsNone);
    }

    [Fact]
    public void AnotherDisk_IsNotTakenForTheFirst()
    {
        using NbdWorld world = Start(
                NbdForm.Simple,
                lives: 1,
                onReturn: model => model.Flags &= ~NbdExportFlags.CanFlush
            )
            .Open(Patient);
        world.Server.Die();
        Assert.Equal(Errnos.EIO, world.Run(BlockOperation.Read, 0, 100).Fault.Errno);
        Assert.Equal("the server came back with an export that can less than before", world.Device.BrokenBecause);
    }

    [Fact]
    public void ClosedWhileItsServerIsGone_RequestsAreCanceled()
    {
        using NbdWorld world = Start(NbdForm.Simple, lives: 0).Open(Patient);
        world.Server.Die();
        ulong read = world.Submit(BlockOperation.Read, 0, 100);
        for (int turn = 0; turn < 10; turn++)
            world.Turn(Units.NsPerMs);
        Assert.False(world.IsThere(read));
        world.Device.DisposeWhenIdle();
        Assert.Equal(FaultKind.Canceled, world.Result(read).Fault.Kind);
    }

    static NbdWorld Start(NbdForm form, int lives = 0, Action<NbdServerModel>? onReturn = null) =>
        new(
            StreamKind.Simulated,
            1,
            one => new NbdServerModel(one.Streams, one.Address, form, new byte[DiskBytes], 1)
            {
                LivesLeft = lives,
                OnReturn = onReturn ?? (_ => { }),
            }
        );
}
