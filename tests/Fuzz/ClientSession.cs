// What the client of a session asks for, always the same: each kind of request, into memory with guards between. Each
// must end exactly once, and nothing may be written but where an answer belongs, and only until its end.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one.</summary>
sealed unsafe class ClientSession : IBlockOwner, IDisposable
{
    const int AreaBytes = 32 * 1024;
    const byte Guard = 0xa5;
    const uint MapCapacity = 64;

    static readonly (BlockOperation Operation, ulong OffsetBytes, ulong LengthBytes, BlockFlags Flags)[] s_asked =
    [
        (BlockOperation.Read, 4096, 20_000, BlockFlags.None),
        (BlockOperation.Map, 0, 300_000, BlockFlags.None),
        (BlockOperation.Write, 100, 700, BlockFlags.Fua),
        (BlockOperation.Read, 0, 512, BlockFlags.None),
        (BlockOperation.WriteZeroes, 8192, 4096, BlockFlags.FastOnly),
        (BlockOperation.WriteZeroes, 70_000, 100_000, BlockFlags.MayUnmap),
        (BlockOperation.Discard, 200_000, 4096, BlockFlags.None),
        (BlockOperation.Flush, 0, 0, BlockFlags.None),
        (BlockOperation.Map, 65536, 4096, BlockFlags.None),
        (BlockOperation.Read, 299_000, 1001, BlockFlags.None),
    ];

    readonly AlignedRegion _memory = AlignedRegion.Map((ulong)(AreaBytes * s_asked.Length), RegionResidency.Resident);
    readonly bool[] _hasEnded = new bool[s_asked.Length];

    public ClientSession() => All.Fill(Guard);

    public int EndedCount { get; private set; }

    public bool IsWhole => EndedCount == s_asked.Length;

    Span<byte> All => _memory.Slice(0, (int)_memory.LengthBytes);

    public void Submit(NbdDevice device)
    {
        for (int i = 0; i < s_asked.Length; i++)
            device.Submit(
                new BlockRequest
                {
                    Operation = s_asked[i].Operation,
                    Flags = s_asked[i].Flags,
                    OffsetBytes = s_asked[i].OffsetBytes,
                    LengthBytes = s_asked[i].LengthBytes,
                    Buffer = _memory.Start + i * AreaBytes,
                    MapCapacity = MapCapacity,
                    Owner = this,
                    UserData = (ulong)i,
                }
            );
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (_hasEnded[userData])
            throw new FuzzFailure($"request {userData} has ended twice");
        _hasEnded[userData] = true;
        EndedCount++;
        if (s_asked[userData].Operation == BlockOperation.Map && result.Count > MapCapacity)
            throw new FuzzFailure($"a map has {result.Count} entries");
        CheckArea((int)userData);
        _memory.Slice(userData * AreaBytes, AreaBytes).Fill(Guard); // what is written later is seen
    }

    /// <summary>All have ended: nothing is written any more.</summary>
    public void CheckGuards()
    {
        if (All.IndexOfAnyExcept(Guard) is var at and >= 0)
            throw new FuzzFailure($"memory of request {at / AreaBytes} was written after its end");
    }

    void CheckArea(int index)
    {
        (BlockOperation operation, _, ulong length, _) = s_asked[index];
        int usedBytes = operation switch
        {
            BlockOperation.Read => (int)length,
            BlockOperation.Map => (int)MapCapacity * sizeof(MapEntry),
            _ => 0,
        };
        Span<byte> rest = _memory.Slice((ulong)(index * AreaBytes + usedBytes), AreaBytes - usedBytes);
        if (rest.IndexOfAnyExcept(Guard) is var at and >= 0)
            throw new FuzzFailure($"request {index} has written {at} bytes behind its buffer");
    }

    public void Dispose() => _memory.Dispose();
}
