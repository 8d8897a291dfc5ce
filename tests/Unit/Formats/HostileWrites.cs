// An image of which anything may be wrong, open for writing: random requests end, the loop lives, and nothing is asked
// of the file outside of it.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Tests.Images;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

sealed class HostileWrites : IBlockOwner, IDisposable
{
    const int BufferBytes = 256 << 10;
    const int RequestCount = 60;

    readonly SimulatedLoop _loop = new(1);
    readonly AlignedRegion _buffer = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    uint _left;
    uint _doneCount;

    /// <param name="file">Of the image.</param>
    /// <param name="backing">Of what it is based on; empty: nothing.</param>
    /// <param name="chance">Of the requests.</param>
    /// <returns>How many requests were carried out; null: it is refused.</returns>
    public uint? Try(byte[] file, byte[] backing, Prng chance)
    {
        FileImage reader = new(file);
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header);
        bool isForeign = header is { HasDataFile: true } or { BackingName: not null };
        if (!refusal.IsNone || isForeign || (header!.Features & Qcow2Features.Corrupt) != 0)
            return null;
        if (!Qcow2Tables.TryReadL1(reader, header, "image", out NativeArray<ulong>? l1).IsNone)
            return null;
        refusal = WritableParts.TryRead(reader, header, l1!, "image", (true, 64 << 10), out WritableParts? writable);
        if (!refusal.IsNone)
        {
            l1!.Dispose();
            return null;
        }
        Qcow2Parts parts = new()
        {
            File = new ImageFile(_loop.Reactor, file, chance),
            Header = header,
            L1 = l1!,
            Backing = backing.Length == 0 ? null : new ImageFile(_loop.Reactor, backing, chance),
            Writable = writable,
        };
        Qcow2Device device = new(_loop.Reactor, "image", parts);
        (_left, _doneCount) = (RequestCount, 0);
        for (int i = 0; i < RequestCount; i++)
        {
            if (i == RequestCount / 4)
                Grow(device, chance);
            Submit(device, chance);
        }
        _loop.RunUntil(() => _left == 0 && device.InFlightCount == 0, turnsMax: 200_000);
        Assert.Null(_loop.Reactor.Failure);
        device.Dispose();
        return _doneCount;
    }

    /// <summary>Beside the requests; it ends, well or not.</summary>
    void Grow(Qcow2Device device, Prng chance)
    {
        ulong bytes = (device.NamedBytes / 512 + 1 + chance.Below(chance.Below(4) == 0 ? 1u << 20 : 400u)) * 512;
        if (!Qcow2Growth.TryCreate(device, bytes, out Qcow2Growth? growth).IsNone)
            return;
        _left++;
        Assert.True(device.TryBegin(growth!, OnGrown));

        void OnGrown(Fault fault)
        {
            Assert.NotEqual(FaultKind.Truncated, fault.Kind);
            _left--;
            if (fault.IsNone)
                Assert.True(device.Grow(bytes).IsNone);
        }
    }

    void Submit(Qcow2Device device, Prng chance)
    {
        BlockRequest request = default;
        ulong sectors = device.Limits.CapacityBytes / 512;
        ulong what = chance.Below(10);
        request.Operation =
            what < 5 ? BlockOperation.Write
            : what < 7 ? BlockOperation.WriteZeroes
            : what < 8 ? BlockOperation.Discard
            : what < 9 ? BlockOperation.Flush
            : BlockOperation.Read;
        if (sectors > 0 && request.Operation != BlockOperation.Flush)
        {
            // Near the beginning, where the original has its data, or anywhere.
            ulong first = chance.Below(chance.Below(4) == 0 ? sectors : Math.Min(sectors, 400));
            request.OffsetBytes = first * 512;
            request.LengthBytes = 512 * (1 + chance.Below(Math.Min(sectors - first, 200)));
        }
        request.Flags = chance.Below(2) == 0 ? BlockFlags.MayUnmap : BlockFlags.None;
        (request.Buffer, request.Owner) = (_buffer.Start, this);
        device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        Assert.NotEqual(FaultKind.Range, result.Fault.Kind);
        Assert.NotEqual(FaultKind.Truncated, result.Fault.Kind);
        _left--;
        _doneCount += result.Fault.IsNone ? 1u : 0;
    }

    public void Dispose()
    {
        _loop.Dispose();
        _buffer.Dispose();
    }
}
