// A device that has a map and nothing else: each query stands until the test answers it.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

sealed class MapDevice(ulong capacityBytes) : IBlockDevice
{
    readonly Queue<BlockRequest> _queries = new();

    public string Name => "map";

    public BlockLimits Limits { get; } =
        new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
        };

    public uint InFlightCount => (uint)_queries.Count;

    public bool ReadsAsZero => false;

    /// <summary>The last query.</summary>
    public BlockRequest Asked { get; private set; }

    public void Submit(in BlockRequest request)
    {
        Assert.Equal(BlockOperation.Map, request.Operation);
        _queries.Enqueue(request);
        Asked = request;
    }

    /// <summary>Answers the oldest query with runs that follow each other from where it asked.</summary>
    public void Answer(params (ExtentKind Kind, ulong LengthBytes)[] runs) =>
        Answer(Array.ConvertAll(runs, run => (run.Kind, run.LengthBytes, 0u)));

    /// <summary>The same, of a device with layers.</summary>
    public unsafe void Answer(params (ExtentKind Kind, ulong LengthBytes, uint Depth)[] runs)
    {
        BlockRequest query = _queries.Dequeue();
        ulong offsetBytes = query.OffsetBytes;
        MapEntry* entries = (MapEntry*)query.Buffer;
        Assert.True(runs.Length <= (int)query.MapCapacity);
        foreach ((ExtentKind kind, ulong lengthBytes, uint depth) in runs)
        {
            // SAFETY: the buffer has room for so many entries until the query is answered.
            *entries++ = new MapEntry
            {
                OffsetBytes = offsetBytes,
                LengthBytes = lengthBytes,
                Kind = kind,
                Depth = depth,
            };
            offsetBytes += lengthBytes;
        }
        query.Owner.OnBlockCompleted(query.UserData, new BlockResult(Fault.None, (uint)runs.Length));
    }

    public void Fail(Fault fault)
    {
        BlockRequest query = _queries.Dequeue();
        query.Owner.OnBlockCompleted(query.UserData, new BlockResult(fault));
    }

    public void Promote(IBlockOwner owner, ulong userData) { }

    public void Dispose() { }
}
