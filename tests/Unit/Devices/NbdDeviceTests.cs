// The client of remote disks against a server of every form: what a disk must do, and what a connection that breaks at
// any byte, or a server that says what it may not, must never do: lose a completion, or touch what is not its.
using System;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Devices.Opening;
using FastBackup.Ports;
using FastBackup.Tests.Unit.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

public sealed class NbdDeviceTests
{
    const int DiskBytes = 300_001;

    public static TheoryData<NbdForm> Forms => [.. Enum.GetValues<NbdForm>()];

    public static TheoryData<NbdForm, StreamKind> FormsAndKinds
    {
        get
        {
            TheoryData<NbdForm, StreamKind> all = [];
            foreach (NbdForm form in Enum.GetValues<NbdForm>())
            foreach (StreamKind kind in StreamWorld.Kinds)
                all.Add(form, kind);
            return all;
        }
    }

    static NbdWorld World(NbdForm form, ulong seed = 1, StreamKind kind = StreamKind.Simulated) =>
        new(kind, seed, world => new NbdServerModel(world.Streams, world.Address, form, new byte[DiskBytes], seed));

    static NbdWorld World(NbdForm form, NbdExportFlags flags, uint blockBytes = 1, int diskBytes = DiskBytes) =>
        new(
            StreamKind.Simulated,
            1,
            world => new NbdServerModel(world.Streams, world.Address, form, new byte[diskBytes], 1)
            {
                Flags = flags,
                BlockBytesMin = blockBytes,
            }
        );

    [Theory]
    [MemberData(nameof(FormsAndKinds))]
    public void RandomRequests_MatchTheModel(NbdForm form, StreamKind kind) =>
        TestSeed.ForEach(
            kind == StreamKind.Simulated ? 10u : 2u,
            seed =>
            {
                NbdExportFlags left = (NbdExportFlags)(seed * 4 % 128); // each set of them at some seed
                using NbdWorld world = new(
                    kind,
                    seed,
                    one => new NbdServerModel(one.Streams, one.Address, form, new byte[DiskBytes], seed)
                    {
                        Flags = left & ~NbdExportFlags.ReadOnly,
                        PayloadBytesMax = seed % 2 == 0 ? 10_000u : 1u << 20,
                    }
                );
                world.Open();
                using DeviceModel model = new(world.Device, seed);
                for (int i = 0; i < 200; i++)
                {
                    model.SubmitRandom();
                    if (i % 3 == 0)
                        world.Turn(model.IsIdle ? 0 : ulong.MaxValue);
                }
                world.RunUntil(() => model.IsIdle);
                Assert.Empty(model.Faults);
                Assert.True(model.Model.SequenceEqual(world.Server.Content));
                Assert.Equal(0u, world.Device.InFlightCount);
                Assert.Null(world.Device.BrokenBecause);
            }
        );

    [Theory]
    [InlineData(NbdForm.Structured)]
    [InlineData(NbdForm.Extended)]
    public unsafe void Map_TellsHolesAndZeroes_AndNotMoreThanWasAsked(NbdForm form)
    {
        using NbdWorld world = World(form).Open();
        world.Server.Content[4096 * 3 + 5] = 1;
        Assert.Equal(new BlockResult(Fault.None, 5), world.Run(BlockOperation.Map, 100, 4 * 4096));
        MapEntry[] entries;
        fixed (byte* start = world.Buffer)
            entries = new Span<MapEntry>(start, 5).ToArray();
        Assert.Equal(
            [ExtentKind.Hole, ExtentKind.Zero, ExtentKind.Hole, ExtentKind.Data, ExtentKind.Hole],
            entries.Select(one => one.Kind)
        );
        Assert.Equal([100ul, 4096, 8192, 12288, 16384], entries.Select(one => one.OffsetBytes));
        Assert.Equal(16384ul + 100, entries[^1].OffsetBytes + entries[^1].LengthBytes);
    }

    [Fact]
    public void WithoutAContext_AllIsData()
    {
        using NbdWorld world = World(NbdForm.Simple).Open();
        Assert.Equal(1u, world.Run(BlockOperation.Map, 100, 5_000).Count);
        Assert.DoesNotContain(NbdCommand.BlockStatus, world.Server.Commands);
    }

    [Fact]
    public void WhatAServerLacks_IsLeftOut_OrDoneInAnotherWay()
    {
        using NbdWorld world = World(NbdForm.Structured, NbdExportFlags.CanFlush).Open();
        world.Buffer.Fill(9);
        Assert.True(world.Run(BlockOperation.Write, 0, 100, BlockFlags.Fua).Fault.IsNone);
        Assert.True(world.Run(BlockOperation.WriteZeroes, 10, 50).Fault.IsNone);
        Assert.True(world.Run(BlockOperation.Discard, 0, 100).Fault.IsNone);
        Assert.Equal([NbdCommand.Write, NbdCommand.Flush, NbdCommand.Write], world.Server.Commands);
        Assert.Equal(50, world.Server.Content.Count(one => one == 9));
    }

    [Fact]
    public void BadRequests_FailAlone_AndReachNoServer()
    {
        using NbdWorld world = World(NbdForm.Extended, NbdExportFlags.None, 512, 512 * 100).Open();
        Assert.Equal(FaultKind.Range, world.Run(BlockOperation.Read, 51_200, 512).Fault.Kind);
        Assert.Equal(FaultKind.Range, world.Run(BlockOperation.Read, ulong.MaxValue - 511, 1024).Fault.Kind);
        Assert.Equal(FaultKind.Align, world.Run(BlockOperation.Read, 1, 512).Fault.Kind);
        Assert.Equal(FaultKind.Align, world.Run(BlockOperation.Write, 512, 3).Fault.Kind);
        Assert.Empty(world.Server.Commands);
    }

    [Fact]
    public void AnErrorOfTheServer_IsThatRequestsFault()
    {
        foreach (NbdForm form in Enum.GetValues<NbdForm>())
        {
            using NbdWorld world = World(form).Open();
            world.Server.ErrorOfNext = Errnos.ENOSPC;
            Assert.Equal(new Fault(FaultKind.NoSpace, Errnos.ENOSPC, 7), world.Run(BlockOperation.Write, 7, 9).Fault);
            world.Server.ErrorOfNext = Errnos.EIO;
            Assert.Equal(new Fault(FaultKind.Io, Errnos.EIO, 7), world.Run(BlockOperation.Read, 7, 9).Fault);
            Assert.Equal(default, world.Run(BlockOperation.Read, 7, 9));
        }
    }

    [Fact]
    public void AReadOnlyExport_IsNotOpenedToBeWritten()
    {
        using NbdWorld world = World(NbdForm.Structured, NbdExportFlags.ReadOnly);
        OpenRefusal refusal = world.TryOpen();
        Assert.Equal(Errnos.EROFS, refusal.Fault.Errno);
        Assert.Equal("'nbd://model/disk' is read-only at its server", refusal.Sentence);
    }

    [Fact]
    public void BlocksThatAreTooLarge_AreRefused()
    {
        using NbdWorld world = World(NbdForm.Structured, NbdExportFlags.None, 8192, 8192 * 2);
        Assert.Contains("takes only blocks of 8192 bytes", world.TryOpen().Sentence);
    }

    [Fact]
    public void WritesToADeviceOpenedToBeRead_AreRefused()
    {
        using NbdWorld world = World(NbdForm.Structured);
        Assert.Equal(default, world.TryOpen(isReadOnly: true));
        Assert.Equal(Errnos.EROFS, world.Run(BlockOperation.Write, 0, 1).Fault.Errno);
        Assert.Equal(Errnos.EROFS, world.Run(BlockOperation.WriteZeroes, 0, 1).Fault.Errno);
        Assert.Empty(world.Server.Commands);
    }

    /// <summary>Whatever the byte after which nothing comes: each request ends once, and right if well.</summary>
    [Trait("System", "None")] // a simulated server
    [Theory]
    [MemberData(nameof(Forms))]
    public void AConnectionCutAfterAnyByte_FailsWhatIsOpen_AndWhatComesLater(NbdForm form)
    {
        bool isWhole = false;
        for (int cut = 1; !isWhole; cut++)
        {
            using NbdWorld world = new(
                StreamKind.Simulated,
                (ulong)cut,
                one => new NbdServerModel(one.Streams, one.Address, form, Pattern(), (ulong)cut) { CutAfterBytes = cut }
            );
            OpenRefusal refusal = world.TryOpen();
            if (!refusal.IsNone)
            {
                Assert.StartsWith("'nbd://model/disk' ended the connection while", refusal.Sentence);
                continue;
            }
            ulong read = world.Submit(BlockOperation.Read, 5, 200);
            ulong map = world.Submit(BlockOperation.Map, 0, 9_000, at: 1_000);
            ulong write = world.Submit(BlockOperation.Write, 20_000, 50, at: 9_000);
            ulong flush = world.Submit(BlockOperation.Flush, 0, 0);
            BlockResult[] results = [world.Result(read), world.Result(map), world.Result(write), world.Result(flush)];
            if (results[0].Fault.IsNone)
                Assert.True(world.Buffer[..200].SequenceEqual(Pattern().AsSpan(5, 200)));
            isWhole = !world.Server.HasClosed && results.All(result => result.Fault.IsNone);
            if (isWhole)
                break;
            Assert.Equal(FaultKind.Io, world.Run(BlockOperation.Read, 0, 1).Fault.Kind);
            Assert.Contains("connection", world.Device.BrokenBecause);
            Assert.Equal(0u, world.Device.InFlightCount);
        }
    }

    [Theory]
    [InlineData(NbdForm.Simple, 0, 0x01, "begins a reply with an unknown number")]
    [InlineData(NbdForm.Structured, 0, 0x01, "begins a reply with an unknown number")]
    [InlineData(NbdForm.Extended, 0, 0x01, "begins a reply with an unknown number")]
    [InlineData(NbdForm.Simple, 15, 0x7f, "answers a request that was not made")]
    [InlineData(NbdForm.Structured, 8, 0x7f, "answers a request that was not made")]
    [InlineData(NbdForm.Structured, 15, 0x7f, "answers a request that was not made")]
    [InlineData(NbdForm.Extended, 8, 0x80, "answers a request that was not made")]
    [InlineData(NbdForm.Structured, 7, 0x04, "does not belong to its request")] // the kind: extents for a read
    [InlineData(NbdForm.Structured, 16, 0x80, "does not belong to its request")] // a length above all
    [InlineData(NbdForm.Extended, 23, 0x01, "for another offset")]
    [InlineData(NbdForm.Extended, 24, 0x80, "does not belong to its request")]
    [InlineData(NbdForm.Structured, 27, 0x01, "bytes that were not asked for")] // the chunk's own offset
    [InlineData(NbdForm.Structured, 20, 0xff, "bytes that were not asked for")]
    [InlineData(NbdForm.Extended, 39, 0x04, "bytes that were not asked for")]
    public void AnAnswerThatCannotBe_EndsTheConnection(NbdForm form, int place, int flipped, string said)
    {
        using NbdWorld world = World(form).Open();
        Pattern().CopyTo(world.Server.Content, 0);
        world.Server.Alter = bytes => [.. bytes[..place], (byte)(bytes[place] ^ flipped), .. bytes[(place + 1)..]];
        Fault fault = world.Run(BlockOperation.Read, 4096, 1).Fault;
        Assert.Equal(Errnos.EPROTO, fault.Errno);
        Assert.Contains(said, world.Device.BrokenBecause);
        Assert.Equal(fault, world.Run(BlockOperation.Write, 0, 1).Fault);
    }

    [Theory]
    [InlineData("the same bytes twice", 0, 60, 59, 41)]
    [InlineData("before all of it was there", 0, 60, 61, 39)]
    [InlineData("before all of it was there", 0, 60, 60, 39)]
    [InlineData("bytes that were not asked for", 0, 60, 60, 41)]
    [InlineData(null, 60, 40, 0, 60)]
    public void ChunksOfARead_MustCoverIt_Once(string? said, int first, int firstBytes, int second, int secondBytes)
    {
        using NbdWorld world = World(NbdForm.Structured).Open();
        world.Server.Alter = bytes =>
            [.. Data(bytes, first, firstBytes, isLast: false), .. Data(bytes, second, secondBytes, isLast: true)];
        Fault fault = world.Run(BlockOperation.Read, 0, 100).Fault;
        Assert.Equal(said == null ? 0 : Errnos.EPROTO, fault.Errno);
        if (said != null)
            Assert.Contains(said, world.Device.BrokenBecause);

        static byte[] Data(byte[] reply, int offset, int bytes, bool isLast) =>
            new NbdServerModel.Wire()
                .U32(NbdProtocol.StructuredReplyMagic)
                .U16(isLast ? NbdProtocol.ReplyDone : (ushort)0)
                .U16(NbdProtocol.ChunkData)
                .Raw(reply[8..16])
                .U32((uint)(8 + bytes))
                .U64((ulong)offset)
                .Raw(new byte[bytes])
                .Bytes;
    }

    /// <summary>Any bytes may be wrong: nothing throws, nothing hangs once the connection ends.</summary>
    [Trait("System", "None")] // a simulated server
    [Theory]
    [MemberData(nameof(Forms))]
    public void RandomlyAlteredBytes_EndEachRequestOnce(NbdForm form) =>
        TestSeed.ForEach(
            100,
            seed =>
            {
                Prng prng = new(seed);
                using NbdWorld world = World(form, seed);
                Pattern().CopyTo(world.Server.Content, 0);
                ulong from = prng.Below(20);
                ulong count = 0;
                world.Server.Alter = bytes =>
                {
                    if (bytes.Length > 0 && count++ >= from && prng.Chance(1, 3))
                        bytes[prng.Below((ulong)Math.Min(bytes.Length, 48))] ^= (byte)(1 << (int)prng.Below(8));
                    return bytes;
                };
                if (!world.TryOpen().IsNone)
                    return;
                ulong size = world.Device.Limits.CapacityBytes;
                ulong[] tags =
                [
                    .. Enumerable
                        .Range(0, 12)
                        .Select(i =>
                            world.Submit(
                                (BlockOperation)prng.Below(6),
                                prng.Below(Math.Min(size + 1, DiskBytes)) & ~0xffful,
                                1 + prng.Below(5_000),
                                at: i * 8192
                            )
                        ),
                ];
                for (int turn = 0; turn < 300 && !tags.All(world.IsThere); turn++)
                    world.Turn(Units.NsPerMs);
                world.Server.Close();
                foreach (ulong tag in tags)
                    _ = world.Result(tag);
                Assert.Equal(0u, world.Device.InFlightCount);
            }
        );

    [Fact]
    public void AServerThatSaysNothing_IsGivenUp_AfterItsTime()
    {
        using NbdWorld world = World(NbdForm.Simple);
        world.Server.Alter = _ => [];
        Assert.Equal("'nbd://model/disk' did not answer within 15 seconds", world.TryOpen().Sentence);
    }

    [Fact]
    public void ClosedWithRequestsOpen_TheyAreCanceled_OnceThePortHasLetGoOfTheirBuffers()
    {
        using NbdWorld world = World(NbdForm.Structured).Open();
        world.Server.Alter = _ => [];
        ulong read = world.Submit(BlockOperation.Read, 0, 100);
        world.Turn(Units.NsPerMs);
        world.Device.DisposeWhenIdle();
        Assert.Equal(FaultKind.Canceled, world.Result(read).Fault.Kind);
        Assert.InRange(world.CommandCount, 0u, 1u); // the server's
    }

    [Fact]
    public void OneDisk_IsKnownByAddressAndExport()
    {
        NbdIdentity one = new(new System.Net.IPEndPoint(1, 10809), "a");
        Assert.True(one.Shares(new NbdIdentity(new System.Net.IPEndPoint(1, 10809), "a")));
        Assert.False(one.Shares(new NbdIdentity(new System.Net.IPEndPoint(1, 10809), "b")));
        Assert.False(one.Shares(new NbdIdentity(new System.Net.IPEndPoint(1, 10810), "a")));
    }

    static byte[] Pattern()
    {
        byte[] content = new byte[DiskBytes];
        new Prng(3).Fill(content.AsSpan(0, 50_000));
        return content;
    }
}
