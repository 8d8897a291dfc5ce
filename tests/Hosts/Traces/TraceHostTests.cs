// The traces' own tests: the same seed makes the same trace, and what a host does wrong is found.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Nbd;
using Xunit;

namespace FastBackup.Tests.Hosts.Traces;

public sealed class TraceHostTests
{
    const int SizeBytes = 4096;

    [Fact]
    public void Make_OfTheSameSeed_IsTheSameTrace()
    {
        Trace one = Trace.Make(7);
        Trace other = Trace.Make(7);
        Assert.Equal(Requests(one), Requests(other));
        Assert.NotEqual(Requests(one), Requests(Trace.Make(8)));
    }

    [Fact]
    public void Make_OverManySeeds_HasEveryKindOfRequest()
    {
        Trace[] traces = [.. Enumerable.Range(1, 50).Select(seed => Trace.Make((ulong)seed))];
        TraceRequest[] requests = [.. traces.SelectMany(Requests)];
        ushort[] commands = [.. requests.Select(request => request.Command).Distinct().Order()];
        Assert.Equal(
            [
                NbdWire.CommandRead,
                NbdWire.CommandWrite,
                NbdWire.CommandFlush,
                NbdWire.CommandTrim,
                NbdWire.CommandWriteZeroes,
            ],
            commands
        );
        Assert.Contains(requests, request => request.OffsetBytes % 512 != 0);
        Assert.Contains(requests, request => request.LengthBytes > 512 << 10);
        Assert.Contains(traces, trace => trace.IsBackup);
        Assert.All(
            traces,
            trace => Assert.All(Requests(trace), one => Assert.True(one.EndBytes <= (ulong)trace.SizeBytes))
        );
        Assert.All(traces.SelectMany(trace => trace.After), batch => Assert.False(HasOverlap(batch.Live)));
    }

    [Fact]
    public void Run_OfAHostWhoseViewIsTheLiveDisk_IsFound()
    {
        using TimeLimit limit = new(60);
        using TempFolder folder = new();
        Trace[] traces = [.. Enumerable.Range(1, 60).Select(seed => Trace.Make((ulong)seed))];
        int sizeBytes = traces[0].SizeBytes;
        using TraceHost host = new(
            sizeBytes,
            folder,
            path => new LiveViewDisk(new QemuDisk(path, folder, limit.Cancel))
        );
        Trace trace = traces.First(one => one.SizeBytes == sizeBytes && !one.IsBackup);
        TraceMismatchException found = Assert.Throws<TraceMismatchException>(() => host.Run(trace));
        Assert.StartsWith("the disk as it was: byte ", found.Message, System.StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_OfALostWrite_IsFoundByTheNextRead()
    {
        DiskModel model = new(SizeBytes);
        model.Apply(Done(NbdWire.CommandWrite, 100, 3, 1, 2, 3));
        model.Apply(Done(NbdWire.CommandRead, 99, 5, 0, 1, 2, 3, 0));
        Assert.Throws<TraceMismatchException>(() => model.Apply(Done(NbdWire.CommandRead, 100, 2, 1, 0)));
        Assert.Throws<TraceMismatchException>(() => model.Settle(new byte[SizeBytes], "the disk"));
    }

    [Fact]
    public void Apply_OfATrim_AllowsZeroesAndWhatWasThere()
    {
        DiskModel model = new(SizeBytes);
        model.Apply(Done(NbdWire.CommandWrite, 0, 3, 1, 2, 3));
        model.Apply(Done(NbdWire.CommandTrim, 0, 2));
        model.Apply(Done(NbdWire.CommandRead, 0, 3, 0, 2, 3));
        Assert.Throws<TraceMismatchException>(() => model.Apply(Done(NbdWire.CommandRead, 0, 1, 7)));
        Assert.Throws<TraceMismatchException>(() => model.Apply(Done(NbdWire.CommandRead, 2, 1, 0)));
        model.Apply(Done(NbdWire.CommandWriteZeroes, 0, 1));
        Assert.Throws<TraceMismatchException>(() => model.Apply(Done(NbdWire.CommandRead, 0, 1, 1)));
    }

    [Fact]
    public void Apply_OfAnErrorReply_IsFound()
    {
        NbdRequest request = Done(NbdWire.CommandTrim, 0, 2);
        request.Error = NbdWire.ErrorIo;
        Assert.Throws<TraceMismatchException>(() => new DiskModel(SizeBytes).Apply(request));
    }

    [Fact]
    public void Results_DifferOnlyInTrimmedBytes()
    {
        TraceResult one = new([1, 2], [false, true], [3, 4], [true, false]);
        one.AssertEquals(new TraceResult([1, 0], [false, true], [0, 4], [true, false]));
        TraceResult otherView = new([0, 2], [false, true], [3, 4], [true, false]);
        Assert.Throws<TraceMismatchException>(() => one.AssertEquals(otherView));
        TraceResult otherDisk = new([1, 2], [false, true], [3, 5], [true, false]);
        Assert.Throws<TraceMismatchException>(() => one.AssertEquals(otherDisk));
    }

    static IEnumerable<TraceRequest> Requests(Trace trace) =>
        trace.Before.Concat(trace.After).SelectMany(batch => batch.Live.Concat(batch.Views));

    static bool HasOverlap(TraceRequest[] requests) =>
        requests.Any(one => requests.Any(other => !ReferenceEquals(one, other) && one.Overlaps(other)));

    static NbdRequest Done(ushort command, ulong offsetBytes, uint lengthBytes, params byte[] content) =>
        new(command, 0, offsetBytes, lengthBytes, content) { Error = 0 };
}
