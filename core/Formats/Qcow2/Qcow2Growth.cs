// The disk of an image becomes larger while its guest uses it. By steps, of which every one may be the last: the disk
// has its old size until the header says the new one, and what is written before that is not seen, and at worst leaks.
//
//   L1 table    entries that the file has behind those that the old disk needs are taken in. Where it has too few, the
//               table goes to a longer place, with a commit (MetadataCommit); its old one is free then
//   data file   as long as the disk is to be, by zeroes, durably
//   clear       what the disk becomes larger by is a request of its own: zeroes, from the old end on, wherever tables,
//               the rest of the last cluster or what the image is based on could show something else
//   size        when all that is durable, the header says it (HeadWriting)
//
// Guests go on meanwhile, up to the old end; who asked tells the device when they may go further (IBlockDevice.Grow).
// Memory: the longer table, twice. Cost: an entry of the L1 table for each that the disk gets; of a raw data file all
// of its new entries, and zeroes where the file was longer than the disk. Does not shrink.
// Source: QEMU docs/interop/qcow2.rst; what is refused, QEMU's qcow2_co_truncate.
using System;
using System.Buffers.Binary;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's, but for TryCreate. Used once; the device disposes it when it has begun.</summary>
public sealed class Qcow2Growth : IBlockOwner, IDisposable
{
    const ulong EndBytes = 512;

    enum Step
    {
        Table,
        Extra,
        Place,
        Moved,
        Data,
        Clear,
        Size,
    }

    readonly NativeArray<ulong> _table;
    readonly L1Move _move;
    readonly AlignedRegion _buffer; // what the file has of the table behind the old end; zeroes
    GrowthPlace? _begun;
    Action<Fault> _onEnd = null!;
    FileSteps? _dataSteps;
    WaitList _waiting;
    Step _step;
    bool _isTableOurs = true;
    bool _isIoBusy;

    Qcow2Growth(ulong sizeBytes, NativeArray<ulong> table, AlignedRegion bytes, AlignedRegion buffer) =>
        (SizeBytes, _table, _move, _buffer) = (sizeBytes, table, new L1Move(bytes), buffer);

    /// <summary>That the disk is to have.</summary>
    public ulong SizeBytes { get; }

    /// <summary>Takes the memory. Threads: any.</summary>
    /// <param name="image">Open for writing.</param>
    /// <param name="sizeBytes">Above what its header says.</param>
    /// <param name="growth">Null when refused. Owner: the caller, until the device begins it.</param>
    /// <returns>None, or why the disk cannot have this size.</returns>
    public static OpenRefusal TryCreate(Qcow2Device image, ulong sizeBytes, out Qcow2Growth? growth)
    {
        growth = null;
        Qcow2Header header = image.Header;
        if (WhyNot(image, header, sizeBytes) is { } why)
            return OpenRefusal.Rule($"'{image.Name}' {why}");
        ulong count = Units.DivCeil(sizeBytes, header.L1SpanBytes);
        ulong tableBytes = Units.AlignUp(count * sizeof(ulong), header.ClusterBytes);
        Fault fault = AlignedRegion.TryMap(tableBytes, RegionResidency.Resident, out AlignedRegion? bytes);
        AlignedRegion? buffer = null;
        if (fault.IsNone)
            fault = AlignedRegion.TryMap(tableBytes, RegionResidency.Resident, out buffer);
        if (fault.IsNone)
        {
            NativeArray<ulong> table = new(count, RegionResidency.Resident);
            growth = new Qcow2Growth(sizeBytes, table, bytes!, buffer!);
            return default;
        }
        bytes?.Dispose();
        return OpenRefusal.Of(image.Name, "enlarge", fault);
    }

    static string? WhyNot(Qcow2Device image, Qcow2Header header, ulong sizeBytes)
    {
        if (!Units.IsAligned(sizeBytes, 512))
            return Text($"is an image, which holds whole sectors of 512 bytes, not {sizeBytes} bytes");
        ulong entries = Units.DivCeil(sizeBytes, header.L1SpanBytes);
        if (entries * sizeof(ulong) > HeaderParser.L1BytesMax)
            return Text($"has clusters of {header.ClusterBytes} bytes, too small for a disk of {sizeBytes} bytes");
        if (!image.HaveSnapshotsSizes)
            return "has internal snapshots that do not say how large the disk was: it cannot become larger";
        return null;
    }

    /// <summary>Begins: the request is the slot's that goes through all steps.</summary>
    internal BlockRequest Begin(GrowthPlace place, Action<Fault> onEnd)
    {
        (_begun, _onEnd) = (place, onEnd);
        ulong oldBytes = place.Owner.DiskBytes;
        return new BlockRequest
        {
            Operation = BlockOperation.WriteZeroes,
            Flags = BlockFlags.MayUnmap | BlockFlags.Fua, // by a commit
            OffsetBytes = oldBytes,
            LengthBytes = SizeBytes - oldBytes,
            Owner = this,
        };
    }

    /// <summary>From here on the data file was made longer, and has zeroes; the highest number: it was not.</summary>
    internal ulong ZeroFromBytes { get; private set; } = ulong.MaxValue;

    /// <summary>From here on the request is one as any.</summary>
    internal bool IsClearing => _step >= Step.Clear;

    /// <summary>The next step before that; the slot waits, fails, or asks again.</summary>
    internal void Advance(Qcow2Slot slot)
    {
        switch (_step)
        {
            case Step.Table:
                TakeTable(slot);
                break;
            case Step.Extra:
                TakeExtra(slot);
                break;
            case Step.Place:
                TakePlace(slot);
                break;
            case Step.Moved:
                _step = Step.Data;
                break;
            default:
                Lengthen(slot);
                break;
        }
    }

    GrowthPlace Place => _begun!;

    Qcow2Parts Parts => Place.Parts;

    void TakeTable(Qcow2Slot slot)
    {
        Qcow2Header header = Parts.Header;
        Fault fault = Parts.Writable!.Counts.TryEnlarge(Parts.File.Limits.CapacityBytes, SizeBytes);
        if (fault.IsFault)
        {
            slot.Fault = fault;
            return;
        }
        _step = Step.Extra;
        ulong had = Parts.L1.Count;
        ulong there = Math.Min(header.L1Count, _table.Count);
        if (there <= had)
            return;
        (ulong offset, ulong length) = Extra(header, had, there);
        ulong start = header.L1OffsetBytes + offset;
        length = Math.Min(length, Place.FileBytes() - Math.Min(Place.FileBytes(), start));
        if (length < there * sizeof(ulong) - offset)
        {
            Place.Owner.Fail(slot, "ends before its L1 table: it was cut");
            return;
        }
        _isIoBusy = true;
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.OffsetBytes = start;
        request.LengthBytes = length;
        request.Buffer = _buffer.Start;
        request.Owner = this;
        _waiting.Add(slot);
        Parts.File.Submit(request);
    }

    /// <summary>Whole pages of the table, with the entries from one number to another.</summary>
    (ulong Offset, ulong Length) Extra(Qcow2Header header, ulong from, ulong to)
    {
        ulong page = Math.Min(header.ClusterBytes, Parts.Writable!.Counts.PageBytes);
        ulong offset = Units.AlignDown(from * sizeof(ulong), page);
        return (offset, Units.AlignUp(to * sizeof(ulong), page) - offset);
    }

    /// <summary>The table in memory is the longer one, with what the file has behind the old end.</summary>
    void TakeExtra(Qcow2Slot slot)
    {
        Qcow2Header header = Parts.Header;
        ulong had = Parts.L1.Count;
        ulong there = Math.Min(header.L1Count, _table.Count);
        (ulong offset, _) = there > had ? Extra(header, had, there) : (0, 0);
        for (ulong i = had; i < there; i++)
        {
            ulong entry = BinaryPrimitives.ReadUInt64BigEndian(_buffer.Slice(i * sizeof(ulong) - offset, 8));
            ulong table = entry & EntryReader.OffsetMask;
            if (table != 0 && !TryMark(header, table))
            {
                Place.Owner.Fail(slot, Text($"has an L2 table at {table} behind its end, which it does not count"));
                return;
            }
            _table[i] = Qcow2Device.FromFile(entry);
        }
        if (_table.Count > had)
        {
            Parts.L1.AsSpan().CopyTo(_table.AsSpan());
            Parts.SetL1(_table);
            _isTableOurs = false;
        }
        Parts.SetHeader(header with { SizeBytes = SizeBytes });
        _step = header.L1Count < _table.Count ? Step.Place : Step.Data;
    }

    bool TryMark(Qcow2Header header, ulong table)
    {
        RefcountMap counts = Parts.Writable!.Counts;
        ulong cluster = table >> header.ClusterBits;
        if (!Units.IsAligned(table, header.ClusterBytes) || counts.Get(cluster) == 0 || counts.IsTable(cluster))
            return false;
        counts.SetTable(cluster, isTable: true);
        return true;
    }

    void TakePlace(Qcow2Slot slot)
    {
        Qcow2Header header = Parts.Header;
        uint clusters = (uint)Units.DivCeil(_table.Count * sizeof(ulong), header.ClusterBytes);
        if (!Place.Growth.TryTakeTogether(slot, clusters, out ulong first))
            return;
        for (ulong cluster = first; cluster < first + clusters; cluster++)
            Parts.Writable!.Counts.SetTable(cluster, isTable: true);
        _move.HostBytes = first << header.ClusterBits;
        _step = Step.Moved;
        Place.Commit.Move(slot, _move);
    }

    /// <summary>The data file, and then there is only to be cleared.</summary>
    void Lengthen(Qcow2Slot slot)
    {
        IBlockDevice? data = Parts.DataFile;
        ulong before = data?.Limits.CapacityBytes ?? SizeBytes;
        if (before >= SizeBytes)
        {
            _step = Step.Clear;
            ulong start = slot.Request.OffsetBytes;
            slot.Request.LengthBytes = Math.Min(SizeBytes, ClearEnd(start)) - start;
            return;
        }
        Fault fault = data!.Grow(SizeBytes);
        if (fault.IsFault)
        {
            slot.Fault = fault;
            return;
        }
        ZeroFromBytes = before;
        ulong last = Math.Max(before, SizeBytes - Math.Min(SizeBytes, EndBytes));
        _buffer.Slice(0, (int)EndBytes).Clear();
        _dataSteps = new FileSteps(data, OnIo);
        _dataSteps.AddWrite(last, _buffer.Start, SizeBytes - last);
        _dataSteps.AddFlush();
        _isIoBusy = true;
        _waiting.Add(slot);
        _dataSteps.Run();
    }

    /// <summary>Behind it nothing but zeroes can be read.</summary>
    ulong ClearEnd(ulong fromBytes)
    {
        Qcow2Header header = Parts.Header;
        if ((header.AutoclearFeatures & HeaderParser.DataFileIsRaw) != 0)
            return SizeBytes;
        ulong entries = Parts.L1.Count;
        while (entries > 0 && Parts.L1[entries - 1] == 0)
            entries--;
        ulong tables = entries * header.L1SpanBytes;
        return Math.Max(fromBytes, Math.Max(tables, Parts.Backing?.Limits.CapacityBytes ?? 0));
    }

    void OnIo(Fault fault)
    {
        _isIoBusy = false;
        Place.Owner.OnWaited(_waiting.TakeAll(), fault);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (_isIoBusy)
            OnIo(result.Fault); // of the table
        else
            OnCleared(result.Fault);
    }

    /// <summary>The request has ended, and all that it did is durable.</summary>
    void OnCleared(Fault fault)
    {
        if (fault.IsFault)
        {
            End(fault);
            return;
        }
        _step = Step.Size;
        Place.Head.Write(() => Parts.Writable!.SetSize(SizeBytes), OnSized);
    }

    void OnSized(Fault fault)
    {
        if (fault.IsFault)
            Place.Owner.OnMetadataFault(fault);
        End(fault);
    }

    void End(Fault fault)
    {
        Place.OnEnd(fault);
        _onEnd(fault);
        Place.Owner.OnQuiet();
    }

    public void Dispose()
    {
        if (_isTableOurs)
            _table.Dispose();
        if (_isIoBusy) // of a loop that has stopped
            _buffer.Leak();
        else
            _buffer.Dispose();
        if (_begun is { Commit.IsRunning: true } && _step == Step.Moved)
            _move.Leak();
        else
            _move.Dispose();
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
