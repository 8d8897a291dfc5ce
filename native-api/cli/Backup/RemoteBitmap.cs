// What a server's dirty bitmap marks, read from front to back before a backup begins: the same export once more, over a
// connection of its own with the context qemu:dirty-bitmap:NAME. A range of the disk is marked here if any byte of it
// is there. What cannot be read to its end refuses the backup: less than all would be a copy that is wrong.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Native.Tls;
using FastBackup.Ports;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: the reactor's, but TryRead.</summary>
sealed class RemoteBitmap : IBlockOwner, IDisposable
{
    const uint EntriesMax = 512;

    readonly IBlockDevice _device;
    readonly HierarchicalBitmap _bits;
    readonly Action _onEnd;
    readonly NativeArray<MapEntry> _entries = new(EntriesMax, RegionResidency.Resident);
    ulong _endBytes;
    Fault _fault;

    RemoteBitmap(IBlockDevice device, HierarchicalBitmap bits, Action onEnd) =>
        (_device, _bits, _onEnd) = (device, bits, onEnd);

    /// <summary>Waits for the server. Threads: any but the reactor's.</summary>
    /// <param name="engine">Drives the connection.</param>
    /// <param name="request">The source, its bitmap, and the unit in which is copied.</param>
    /// <param name="source">Open: the bitmap is of a disk of this size.</param>
    /// <param name="interruption">Gives it up.</param>
    /// <param name="changed">What is marked, or null. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryRead(
        Engine engine,
        BackupRequest request,
        IBlockDevice source,
        Interruption interruption,
        out HierarchicalBitmap? changed
    )
    {
        changed = null;
        if (!TlsTransport.Schemes.IsMeant(request.Source))
            return OpenRefusal.Rule($"source '{request.Source}' is no qcow2 image and no server's: none has bitmaps");
        FileOpenOptions options = new()
        {
            Path = request.Source,
            IsReadOnly = true,
            Remote = request.Remote with { Bitmap = request.Bitmap },
        };
        OpenRefusal refusal = TlsTransport.Schemes.TryOpen(engine.Reactor, options, out IBlockDevice? device);
        if (!refusal.IsNone)
            return refusal with { Sentence = $"source: {refusal.Sentence}" };
        ulong sizeBytes = source.Limits.CapacityBytes;
        HierarchicalBitmap? bits = null;
        try
        {
            if (device!.Limits.CapacityBytes != sizeBytes)
                return OpenRefusal.Rule($"source '{request.Source}' has changed its size while it was opened");
            Fault fault = HierarchicalBitmap.TryCreate(sizeBytes, request.ClusterBytes, default, out bits);
            if (fault.IsNone)
                fault = Read(engine, device, bits!, interruption);
            if (fault.IsFault)
            {
                bits?.Dispose();
                return new OpenRefusal(
                    fault,
                    $"cannot read bitmap '{request.Bitmap}' of source '{request.Source}': "
                        + SourceDisk.Explain(device, fault)
                );
            }
            changed = bits;
            return default;
        }
        finally
        {
            engine.Reactor.Invoke(device!.DisposeWhenIdle);
        }
    }

    static Fault Read(Engine engine, IBlockDevice device, HierarchicalBitmap bits, Interruption interruption)
    {
        using ManualResetEvent ended = new(false);
        using RemoteBitmap reading = new(device, bits, () => ended.Set());
        engine.Reactor.Invoke(reading.Ask);
        WorkEngine.Wait(engine, ended, interruption, device.DisposeWhenIdle, Timeout.Infinite, () => { }, null);
        return engine.Reactor.Failure == null ? reading._fault : new Fault(FaultKind.Bug);
    }

    void Ask()
    {
        BlockRequest request = new()
        {
            Operation = BlockOperation.Map,
            OffsetBytes = _endBytes,
            LengthBytes = _device.Limits.CapacityBytes - _endBytes,
            MapCapacity = EntriesMax,
            Owner = this,
        };
        unsafe
        {
            // SAFETY: the array lives until Dispose, which comes after the last answer.
            request.Buffer = (nint)_entries.Pointer;
        }
        _device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        _fault = result.Fault;
        for (uint i = 0; i < result.Count && _fault.IsNone; i++)
        {
            MapEntry entry = _entries[i];
            _endBytes = entry.OffsetBytes + entry.LengthBytes;
            if (entry.Kind == ExtentKind.Data)
                _fault = _bits.Set(entry.OffsetBytes, entry.LengthBytes);
        }
        if (_fault.IsNone && result.Count == 0)
            _fault = Errnos.ToFault(Errnos.EPROTO);
        if (_fault.IsFault || _endBytes >= _device.Limits.CapacityBytes)
            _onEnd();
        else
            Ask();
    }

    public void Dispose() => _entries.Dispose();
}
