// The way back to a server that is gone: reach it, look whether it still has what it has answered, then go on.
//
//   Begin -> Connect -> OnConnected -> Look: each entry of NbdUnflushed -> OnReturned
//               ^                       | the connection ends again
//               '-----------------------'      too late, or something is missing -> OnLost
//
// The time counts from the first end on until a request is answered, or a connection has stood as long: a server that
// takes connections and ends each is gone, too, and is not asked faster than once a second. Memory for
// what is read again is taken when it is needed.
// A request that has reached the server before its connection ended may be carried out after it was asked for again:
// the same bytes at the same place, while its owner has not been told of its end. Later it is not the same any more if
// something newer was written there: NbdLateWrites has these places, and scratch space uses none of them again.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
/// <param name="loop">Drives the device.</param>
/// <param name="remote">Whom to reach, and how long.</param>
/// <param name="slots">The device's, one more than its requests take.</param>
/// <param name="unflushed">What is looked at; null: nothing.</param>
/// <param name="device">Told of what comes.</param>
sealed class NbdReturn(
    IIoLoop loop,
    NbdRemote remote,
    SlotTable<NbdSlot> slots,
    NbdUnflushed? unflushed,
    INbdReturning device
)
{
    NbdDial? _dial;
    AlignedRegion? _read;
    NbdUnflushed.Entry _entry;
    ulong _key; // 0: no slot is taken
    ulong _goneNs; // since when; 0: it is not
    ulong _returnedNs;
    bool _isRepeated;
    string _because = "";

    /// <summary>Slots that are none of a request.</summary>
    public uint SlotCount => _key == 0 ? 0u : 1;

    public bool Owns(ulong key) => _key != 0 && key == _key;

    /// <summary>A request was answered: the server is there.</summary>
    public void OnProgress() => (_goneNs, _isRepeated) = (0, false);

    /// <summary>The connections have ended. Connect follows when they are idle.</summary>
    public void Begin(Fault fault, string because)
    {
        ulong nowNs = loop.Clock.NowNs;
        _isRepeated = _goneNs != 0 && nowNs - _returnedNs < remote.Options.ReconnectNs;
        if (!_isRepeated)
            _goneNs = Math.Max(nowNs, 1);
        _because = because;
    }

    public void Connect()
    {
        Release();
        ulong deadlineNs = _goneNs + remote.Options.ReconnectNs;
        if (_isRepeated && loop.Clock.NowNs >= deadlineNs)
        {
            Lose(Errnos.ToFault(Errnos.ECONNRESET));
            return;
        }
        _dial = new NbdDial(loop, remote, OnDialed);
        _dial.Start(deadlineNs, _isRepeated);
    }

    public void Stop()
    {
        _dial?.Stop();
        _dial = null;
    }

    /// <summary>Gives back what the look has taken. No connection has its slot.</summary>
    public void Release()
    {
        if (_key != 0)
            slots.Free(_key);
        _key = 0;
        _read?.Dispose();
        _read = null;
    }

    /// <summary>Over the new connection.</summary>
    public void Look()
    {
        if (unflushed is { IsEmpty: false })
        {
            try
            {
                _read = AlignedRegion.Map(NbdUnflushed.DataBytesMax, RegionResidency.Resident);
            }
            catch (InsufficientMemoryException)
            {
                device.OnLost(
                    new Fault(FaultKind.NoMemory),
                    "there is no memory to look whether it still has its data"
                );
                return;
            }
            Check.That(slots.TryTake(out _key, out _));
            unflushed.BeginLook();
        }
        LookOn();
    }

    /// <summary>The look at one entry has its answer.</summary>
    public void OnLooked(NbdSlot slot)
    {
        bool isData = _entry.Operation == BlockOperation.Write;
        if (slot.Fault.IsFault)
            device.OnLost(slot.Fault, $"the server came back and cannot read what it had: {slot.Fault}");
        else if (isData && NbdUnflushed.SumOf(_read!.Slice(0, (int)_entry.Range.LengthBytes)) != _entry.Sum)
            device.OnLost(
                Errnos.ToFault(Errnos.EIO, _entry.Range.OffsetBytes),
                "the server came back without data that it had taken before"
            );
        else
            LookOn();
    }

    void LookOn()
    {
        NbdUnflushed.Entry entry = default;
        bool isKnown = unflushed == null || unflushed.TryLook(OpenWrites(), out entry);
        if (!isKnown)
        {
            device.OnLost(
                Errnos.ToFault(Errnos.EIO),
                "the server came back, and whether it has all that it had taken before cannot be told"
            );
            return;
        }
        if (entry.Range.IsEmpty)
        {
            Release();
            _returnedNs = loop.Clock.NowNs;
            device.OnReturned();
            return;
        }
        _entry = entry;
        BlockRequest request = new()
        {
            Operation = entry.Operation == BlockOperation.Write ? BlockOperation.Read : BlockOperation.WriteZeroes,
            Flags = entry.Flags,
            OffsetBytes = entry.Range.OffsetBytes,
            LengthBytes = entry.Range.LengthBytes,
            Buffer = _read!.Start,
        };
        device.Ask(_key, slots.Get(_key), request);
    }

    /// <summary>What will be written again in any case.</summary>
    Extent[] OpenWrites()
    {
        Extent[] open = new Extent[slots.Capacity];
        int count = 0;
        for (uint i = 0; i < slots.Capacity; i++)
            if (slots.TryGetAt(i, out ulong key, out NbdSlot slot) && !Owns(key) && slot.Request.Operation.IsWrite())
                open[count++] = new Extent(slot.Request.OffsetBytes, slot.Request.LengthBytes);
        return open[..count];
    }

    void OnDialed(NbdConnecting made)
    {
        _dial = null;
        if (made.Export != null)
            device.OnConnected(made);
        else
            Lose(made.Refusal.Fault);
    }

    void Lose(Fault fault) =>
        device.OnLost(
            fault,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{_because}, and the server was not back within "
                    + $"{Math.Max(remote.Options.ReconnectNs / Units.NsPerSecond, 1)} seconds"
            )
        );
}
