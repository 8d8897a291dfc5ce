// The server against our own client, and against one that says anything: what a disk must do in each form of replies,
// and what no client can do to the others or to the process.
using System;
using System.Buffers.Binary;
using System.Globalization;
using System.Linq;
using System.Text;
using FastBackup.Base;
using FastBackup.Devices.Nbd;
using FastBackup.Serving;
using FastBackup.Tests.Unit.Devices;
using FastBackup.Tests.Unit.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Serving;

[Trait("Length", "Long")] // not in the quick check
public sealed class NbdServerTests
{
    const ushort Read = 0;
    const ushort Write = 1;
    const ushort Disconnect = 2;
    const ushort Flush = 3;
    const ushort Status = 7;
    const ushort DontFragment = 4;
    const ushort OneExtent = 8;
    const int ChunkHead = 20;

    public static TheoryData<StreamKind> Kinds => [.. StreamWorld.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void RandomRequestsOfSeveralClients_MatchTheModel(StreamKind kind) =>
        TestSeed.ForEach(
            kind == StreamKind.Simulated ? 10u : 2u,
            seed =>
            {
                using ServedWorld world = new(kind, seed, options: new() { ClientMemoryBytes = 1 << 20 });
                NbdDevice device = world.Open();
                using DeviceModel model = new(device, seed);
                for (int i = 0; i < 300; i++)
                {
                    model.SubmitRandom();
                    if (i % 3 == 0)
                        world.Turn();
                }
                world.RunUntil(() => model.IsIdle);
                Assert.Empty(model.Faults);
                Assert.True(model.Model.SequenceEqual(world.Disk.Content(0, 300_001)));
                device.Dispose();
                world.RunUntil(() => world.ConnectionCount == 0);
            }
        );

    [Fact]
    public void LongReadsOfASimpleClient_AreOneRunOfBytesEach_AmongOthers()
    {
        const int diskBytes = 12 << 20;
        using ServedWorld world = new(diskBytes: diskBytes);
        new Prng(1).Fill(world.Disk.Content(0, diskBytes));
        RawClient client = world.Ready(isStructured: false);
        (ulong Offset, int Length)[] reads = [(5, 4096), (1 << 20, 5 << 20), (77, 1), (3, 2 << 20), (9, 40_000)];
        client.Send([.. reads.Select((read, i) => RawClient.Request(Read, (ulong)i, read.Offset, (uint)read.Length))]);
        for (int left = reads.Length; left > 0; left--)
        {
            byte[] head = world.Receive(client, 16);
            Assert.Equal(0u, BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(4)));
            (ulong offset, int length) = reads[BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8))];
            byte[] data = world.Receive(client, length);
            Assert.True(data.AsSpan().SequenceEqual(world.Disk.Content(offset, length)));
        }
    }

    [Fact]
    public void Zeroes_AreAHole_UnlessDataMustBeWhole()
    {
        using ServedWorld world = new();
        RawClient client = world.Ready(isStructured: true);
        client.Send(RawClient.Request(Read, 1, 4096, 8192));
        byte[] hole = world.Receive(client, ChunkHead + 12);
        Assert.Equal((1, 2), (hole[5], hole[7])); // done, OFFSET_HOLE
        Assert.Equal(RawClient.BigEndian(8, 4096).Concat(RawClient.BigEndian(4, 8192)), hole[ChunkHead..]);
        client.Send(RawClient.Request(Read, 2, 4096, 8192, DontFragment));
        byte[] data = world.Receive(client, ChunkHead + 8 + 8192);
        Assert.Equal((1, 1), (data[5], data[7])); // done, OFFSET_DATA
    }

    [Fact]
    public void LongReadOfAClientWithChunks_ComesInPieces_WithOneEnd()
    {
        const int diskBytes = 8 << 20;
        using ServedWorld world = new(diskBytes: diskBytes);
        new Prng(2).Fill(world.Disk.Content(0, diskBytes));
        RawClient client = world.Ready(isStructured: true);
        client.Send(RawClient.Request(Read, 1, 100, 7 << 20));
        byte[] got = new byte[7 << 20];
        int bytes = 0;
        for (bool isDone = false; !isDone; )
        {
            byte[] head = world.Receive(client, ChunkHead + 8);
            isDone = head[5] == 1;
            int length = (int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(16)) - 8;
            ulong offset = BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(ChunkHead));
            world.Receive(client, length).CopyTo(got, (int)offset - 100);
            bytes += length;
        }
        Assert.Equal(got.Length, bytes);
        Assert.True(got.AsSpan().SequenceEqual(world.Disk.Content(100, got.Length)));
    }

    [Fact]
    public void Contexts_TellAllocationAndDirtyAreas_NotMoreThanWasAsked()
    {
        using ServedWorld world = new();
        world.Disk.Content(4096, 1)[0] = 1;
        Assert.True(world.Bits.Set(8192, 4096).IsNone);
        RawClient client = world.Ready(true, "base:allocation", "qemu:dirty-bitmap:b0");
        client.Send(RawClient.Request(Status, 1, 4096, 12_000));
        byte[] first = world.Receive(client, ChunkHead);
        byte[] allocation = world.Receive(client, (int)BinaryPrimitives.ReadUInt32BigEndian(first.AsSpan(16)));
        Assert.Equal(12_000u, Extents(allocation).Aggregate(0u, (sum, one) => sum + one.Length));
        byte[] second = world.Receive(client, ChunkHead + 4 + 3 * 8);
        Assert.Equal((1, 2u), (second[5], BinaryPrimitives.ReadUInt32BigEndian(second.AsSpan(ChunkHead))));
        Assert.Equal([(4096, 0), (4096, 1), (3808, 0)], Extents(second[ChunkHead..]));
        client.Send(RawClient.Request(Status, 2, 8192, 12_000, OneExtent));
        _ = world.Receive(client, ChunkHead + 4 + 8);
        Assert.Equal([(4096, 1)], Extents(world.Receive(client, ChunkHead + 4 + 8)[ChunkHead..]));
    }

    [Fact]
    public void BitmapThatIsGone_FailsItsQuestion_AndNoOther()
    {
        using ServedWorld world = new();
        RawClient client = world.Ready(true, "qemu:dirty-bitmap:b0");
        world.HasBitmap = false;
        client.Send(RawClient.Request(Status, 1, 0, 8192), RawClient.Request(Read, 2, 0, 4096));
        byte[] error = world.Receive(client, ChunkHead + 6);
        Assert.Equal((1, 0x80, 5), (error[5], error[6], error[ChunkHead + 3])); // done, an error: EIO
        Assert.Equal(2, world.Receive(client, ChunkHead + 12)[15]);
    }

    static (uint Length, uint Flags)[] Extents(byte[] data) =>
        [
            .. data.Skip(4)
                .Chunk(8)
                .Select(one =>
                    (BinaryPrimitives.ReadUInt32BigEndian(one), BinaryPrimitives.ReadUInt32BigEndian(one.AsSpan(4)))
                ),
        ];

    [Theory]
    [InlineData(Read, 300_000ul, 2u, (ushort)0, 22u)] // past the end
    [InlineData(Read, ulong.MaxValue - 3, 8u, (ushort)0, 22u)]
    [InlineData(Read, 0ul, 33u << 20, (ushort)0, 22u)]
    [InlineData(Read, 0ul, 512u, (ushort)0x80, 22u)] // a flag that is none
    [InlineData(Read, 0ul, 512u, DontFragment, 22u)] // without chunks
    [InlineData(Flush, 512ul, 0u, (ushort)0, 22u)]
    [InlineData(Status, 0ul, 512u, (ushort)0, 22u)] // without contexts
    [InlineData((ushort)5, 0ul, 512u, (ushort)0, 22u)] // unknown
    [InlineData((ushort)6, 300_000ul, 2u, (ushort)0, 28u)] // zeroes past the end
    public void BadRequest_FailsAlone(ushort command, ulong offset, uint length, ushort flags, uint error)
    {
        using ServedWorld world = new();
        RawClient client = world.Ready(isStructured: false);
        client.Send(RawClient.Request(command, 1, offset, length, flags), RawClient.Request(Read, 2, 0, 1));
        byte[] head = world.Receive(client, 16);
        Assert.Equal((error, 1ul), Simple(head));
        Assert.Equal((0u, 2ul), Simple(world.Receive(client, 17)));
    }

    [Fact]
    public void FastZeroes_AreOfferedAndMade_WhereTheDiskKnowsThem()
    {
        using ServedWorld world = new();
        world.Disk.Content(0, 8192).Fill(7);
        RawClient client = world.Connect();
        client.Send(RawClient.Flags(), RawClient.Option(1, Encoding.ASCII.GetBytes("disk")));
        byte[] disk = world.Receive(client, 18 + 10)[18..];
        const int fastZero = 1 << 11;
        const int cache = 1 << 10;
        Assert.Equal(fastZero, BinaryPrimitives.ReadUInt16BigEndian(disk.AsSpan(8)) & (fastZero | cache));
        client.Send(RawClient.Request(6, 1, 100, 5000, 0x10));
        Assert.Equal((0u, 1ul), Simple(world.Receive(client, 16)));
        Assert.Equal(8192 - 5000, world.Disk.Content(0, 8192).Count((byte)7));
    }

    [Fact]
    public void BadWrite_IsRefused_AndItsBytesArePassedOver()
    {
        using ServedWorld world = new();
        RawClient client = world.Ready(isStructured: false);
        client.Send(RawClient.Request(Write, 1, 299_999, 5000), new byte[5000], RawClient.Request(Read, 2, 0, 1));
        Assert.Equal((28u, 1ul), Simple(world.Receive(client, 16)));
        Assert.Equal((0u, 2ul), Simple(world.Receive(client, 17)));
    }

    [Fact]
    public void ReadOnlyDisk_TakesNoWrite()
    {
        using ServedWorld world = new(isReadOnly: true);
        RawClient client = world.Ready(isStructured: false);
        byte[] ones = [.. Enumerable.Repeat((byte)1, 512)];
        client.Send(
            RawClient.Request(Write, 1, 0, 512),
            ones,
            RawClient.Request(6, 2, 0, 512),
            RawClient.Request(4, 3, 0, 512)
        );
        for (ulong cookie = 1; cookie <= 3; cookie++)
            Assert.Equal((1u, cookie), Simple(world.Receive(client, 16)));
        Assert.Equal(new byte[512], world.Disk.Content(0, 512).ToArray());
    }

    static (uint Error, ulong Cookie) Simple(byte[] head) =>
        (BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(4)), BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8)));

    [Fact]
    public void Options_AreAnswered_OrRefusedByNumber_AndTheClientGoesOn()
    {
        using ServedWorld world = new();
        RawClient client = world.Connect();
        client.Send(RawClient.Flags());
        _ = world.Receive(client, 18);
        Assert.Equal([0x8000_0001u], Ask(world, client, 99)); // unknown
        Assert.Equal([0x8000_0001u], Ask(world, client, 5)); // TLS
        Assert.Equal([2u, 1u], Ask(world, client, 3)); // list
        Assert.Equal([0x8000_0003u], Ask(world, client, 3, [1])); // a list with data
        Assert.Equal([0x8000_0003u], Ask(world, client, 7, [0, 0])); // go, cut short
        Assert.Equal([0x8000_0006u], Ask(world, client, 6, RawClient.Text("other"), RawClient.BigEndian(2, 0)));
        Assert.Equal([0x8000_0009u], Ask(world, client, 6, new byte[100_000]));
        byte[] query = [.. RawClient.Text("disk"), .. RawClient.BigEndian(4, 0)];
        Assert.Equal([0x8000_0003u], Ask(world, client, 9, query)); // without structured replies
        Assert.Equal([1u], Ask(world, client, 8));
        Assert.Equal([4u, 4u, 4u, 1u], Ask(world, client, 9, query));
        byte[] all = [.. RawClient.Text("disk"), .. RawClient.BigEndian(4, 1), .. RawClient.Text("qemu:")];
        Assert.Equal([4u, 4u, 1u], Ask(world, client, 9, all));
        Assert.Equal([1u], Ask(world, client, 10, all)); // no context has this name
        Assert.Equal(
            [3u, 3u, 3u, 3u, 1u],
            Ask(world, client, 6, RawClient.Text("disk"), RawClient.BigEndian(2, 2), [0, 1, 0, 2])
        );
        client.Send(RawClient.Option(2));
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32BigEndian(world.Receive(client, 20).AsSpan(12)));
        world.RunUntil(() => client.HasEnded);
    }

    /// <returns>The types of the replies; the last one is an end.</returns>
    static uint[] Ask(ServedWorld world, RawClient client, uint option, params byte[][] data)
    {
        client.Send(RawClient.Option(option, data));
        System.Collections.Generic.List<uint> types = [];
        do
        {
            byte[] head = world.Receive(client, 20);
            Assert.Equal(option, BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(8)));
            types.Add(BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12)));
            _ = world.Receive(client, (int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(16)));
        } while (types[^1] != 1 && types[^1] < 0x8000_0000);
        return [.. types];
    }

    [Fact]
    public void TheOldWayIn_GetsTheDisk_OrTheEnd()
    {
        using ServedWorld world = new();
        RawClient client = world.Connect();
        client.Send(
            RawClient.Flags(1),
            RawClient.Option(1, Encoding.ASCII.GetBytes("disk")),
            RawClient.Request(Read, 7, 0, 1)
        );
        _ = world.Receive(client, 18);
        byte[] disk = world.Receive(client, 134);
        Assert.Equal(300_001ul, BinaryPrimitives.ReadUInt64BigEndian(disk));
        Assert.Equal((0u, 7ul), Simple(world.Receive(client, 17)));
        RawClient other = world.Connect();
        other.Send(RawClient.Flags(), RawClient.Option(1, Encoding.ASCII.GetBytes("none")));
        world.RunUntil(() => other.HasEnded);
    }

    [Fact]
    public void ClientThatDoesNotCome_OrDoesNotRead_IsClosed_AndOthersAreServed()
    {
        using ServedWorld world = new(diskBytes: 4 << 20);
        new Prng(3).Fill(world.Disk.Content(0, 4 << 20));
        RawClient silent = world.Connect();
        RawClient deaf = world.Ready(isStructured: false);
        world.RunUntil(() => world.ConnectionCount == 2);
        deaf.Reads = false;
        for (ulong i = 0; i < 400; i++)
            deaf.Send(RawClient.Request(Read, i, 0, 1 << 20));
        RawClient good = world.Ready(isStructured: false);
        for (ulong i = 0; i < 50; i++)
        {
            good.Send(RawClient.Request(Read, i, i * 512, 512));
            Assert.Equal((0u, i), Simple(world.Receive(good, 16 + 512)));
        }
        ulong start = world.NowNs;
        world.RunUntil(() => world.ConnectionCount == 1);
        Assert.InRange(world.NowNs - start, 0ul, 90 * Units.NsPerSecond);
        good.Send(RawClient.Request(Read, 1, 0, 512));
        Assert.Equal((0u, 1ul), Simple(world.Receive(good, 16 + 512)));
        Assert.True(silent.HasEnded);
    }

    [Fact]
    public void OneClientTooMany_IsClosed_AndTheNextMayComeLater()
    {
        using ServedWorld world = new(options: new() { ConnectionsMax = 1 });
        RawClient first = world.Ready(isStructured: false);
        RawClient second = world.Connect();
        world.RunUntil(() => second.HasEnded);
        first.Send(RawClient.Request(Disconnect, 1, 0, 0));
        world.RunUntil(() => first.HasEnded);
        _ = world.Ready(isStructured: false);
    }

    [Fact]
    public void Session_CutAtAnyByte_LeavesNothing()
    {
        byte[] all = Session("disk");
        for (int count = 0; count <= all.Length; count += count < 400 ? 1 : 97)
        {
            using ServedWorld world = new(seed: (ulong)count);
            RawClient client = world.Connect();
            client.Send(all[..count]);
            for (int i = 0; i < 20; i++)
                world.Turn();
            client.Close();
            world.RunUntil(() => world.ConnectionCount == 0);
        }
    }

    /// <summary>
    /// The right session with some bytes changed, doubled or left out: of the view, where a request that has become a
    /// write by chance changes nothing.
    /// </summary>
    [Fact]
    public void BadSessions_EndOrAreAnswered_AndHarmNobody()
    {
        byte[][] all = [Session("view"), ExtendedSession("view")];
        Prng prng = new(TestSeed.Next());
        using ServedWorld world = new(options: new() { HandshakeMs = 5, UnreadMs = 20 });
        world.DefaultName = "view";
        NbdDevice neighbour = world.Open();
        using DeviceModel model = new(neighbour, 1);
        RawClient[] clients = new RawClient[AtOnce];
        for (int session = 0; session < SessionCount; session += AtOnce)
        {
            for (int i = 0; i < AtOnce; i++)
            {
                clients[i] = new RawClient(world, bufferBytes: 16 << 10);
                clients[i].Send(Mutate(all[prng.Below(2)], prng));
            }
            for (int i = 0; i < 6; i++)
                world.Turn();
            model.SubmitRandom();
            foreach (RawClient client in clients)
                client.Close();
            for (int i = 0; i < 3; i++)
                world.Turn();
            foreach (RawClient client in clients)
                client.Dispose();
        }
        world.RunUntil(() => model.IsIdle && world.ConnectionCount == neighbour.ConnectionCount);
        Assert.Empty(model.Faults);
        neighbour.Dispose();
    }

    [Fact]
    public void AClient_SpreadsItsRequestsOverSeveralConnections()
    {
        using ServedWorld world = new();
        NbdDevice device = world.Open();
        world.RunUntil(() => device.ConnectionCount == 4);
        using DeviceModel model = new(device, 1);
        for (int turn = 0; model.CompletedCount < 100; turn++)
        {
            Assert.True(turn < 10_000);
            model.SubmitRandom();
            world.Turn();
        }
        world.RunUntil(() => model.IsIdle);
        Assert.Empty(model.Faults);
        Assert.Equal(4, world.ConnectionCount);
        device.Dispose();
        world.RunUntil(() => world.ConnectionCount == 0);
    }

    const int AtOnce = 8;

    /// <summary>FASTBACKUP_BAD_SESSIONS=1000000 for a long run.</summary>
    static readonly int SessionCount = int.Parse(
        Environment.GetEnvironmentVariable("FASTBACKUP_BAD_SESSIONS") ?? "20000",
        CultureInfo.InvariantCulture
    );

    static byte[] Mutate(byte[] right, Prng prng)
    {
        byte[] bad = [.. right];
        for (ulong i = prng.Below(4) + 1; i > 0; i--)
        {
            int at = (int)prng.Below((ulong)bad.Length);
            bad = prng.Below(4) switch
            {
                0 => [.. bad[..at], .. bad[Math.Min(bad.Length, at + (int)prng.Below(40))..]],
                1 => [.. bad[..at], .. bad[at..Math.Min(bad.Length, at + 30)], .. bad[at..]],
                2 => [.. bad[..at], (byte)(bad[at] ^ (1 << (int)prng.Below(8))), .. bad[(at + 1)..]],
                _ => [.. bad[..at], (byte)prng.NextULong(), .. bad[(at + 1)..]],
            };
            if (bad.Length == 0)
                return right;
        }
        return bad;
    }

    static byte[] ExtendedSession(string name) =>
        [
            .. RawClient.Flags(),
            .. RawClient.Option(11),
            .. RawClient.Option(
                10,
                RawClient.Text(name),
                RawClient.BigEndian(4, 2),
                RawClient.Text("qemu:dirty-bitmap:b0"),
                RawClient.Text("base:allocation")
            ),
            .. RawClient.Option(6, RawClient.Text(name), RawClient.BigEndian(2, 2), [0, 1, 0, 2]),
            .. RawClient.Option(7, RawClient.Text(name), RawClient.BigEndian(2, 0)),
            .. Extended(Read, 1, 4096, 20_000),
            .. Extended(Status, 5, 0, 300_000),
            .. Extended(Flush, 4, 0, 0),
            .. Extended(Disconnect, 6, 0, 0),
        ];

    static byte[] Extended(ushort command, ulong cookie, ulong offset, ulong length) =>
        [
            .. RawClient.BigEndian(4, 0x21e41c71),
            .. RawClient.BigEndian(2, 0),
            .. RawClient.BigEndian(2, command),
            .. RawClient.BigEndian(8, cookie),
            .. RawClient.BigEndian(8, offset),
            .. RawClient.BigEndian(8, length),
        ];

    static byte[] Session(string name) =>
        [
            .. RawClient.Flags(),
            .. RawClient.Option(8),
            .. RawClient.Option(10, RawClient.Text(name), RawClient.BigEndian(4, 1), RawClient.Text("base:allocation")),
            .. RawClient.Option(3),
            .. RawClient.Option(7, RawClient.Text(name), RawClient.BigEndian(2, 1), [0, 3]),
            .. RawClient.Request(Read, 1, 4096, 20_000),
            .. RawClient.Request(Flush, 4, 0, 0),
            .. RawClient.Request(Status, 5, 0, 300_000),
            .. RawClient.Request(Read, 2, 0, 100_000),
            .. RawClient.Request(Disconnect, 6, 0, 0),
        ];
}
