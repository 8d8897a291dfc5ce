// A guest that remembers what became of its one device-mode request, and has the memory for it.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

sealed class DeviceProbe : IGuestOwner, IDisposable
{
    readonly AlignedRegion _memory;

    public DeviceProbe(
        Disk disk,
        BlockOperation operation,
        ulong offsetBytes,
        ulong lengthBytes,
        byte content = 0,
        BlockFlags flags = BlockFlags.None
    )
    {
        _memory = AlignedRegion.Map(lengthBytes, RegionResidency.Resident);
        Bytes.Fill(content);
        GuestRequest request = default;
        (request.Operation, request.Flags) = (operation, flags);
        (request.OffsetBytes, request.LengthBytes) = (offsetBytes, lengthBytes);
        (request.Buffer, request.Owner, request.UserData) = (_memory.Start, this, 7);
        Assert.True(disk.Submit(request).IsNone);
    }

    public Span<byte> Bytes => _memory.Slice(0, (int)_memory.LengthBytes);

    public bool IsAnswered { get; private set; }

    public Fault Fault { get; private set; }

    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        Assert.False(IsAnswered);
        Assert.Equal(7ul, userData);
        (IsAnswered, Fault) = (true, fault);
    }

    public void Dispose() => _memory.Dispose();
}
