// Writes wait here until the image is fit for them, once:
//
//   header       bits that say what a write is about to make untrue (that QEMU's bitmaps have every write, and what is
//                not known here) are taken from it, durably. The extensions themselves stay. That the data file is raw
//                stays true. Where the bitmaps are kept they stay believed, and say that they are in use from here on:
//                until they are stored (BitmapStoring), they are not right
//   last cluster where the file ends within it the file becomes longer, by zeroes; a data file becomes as long as the
//                disk
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class WriteGate : IDisposable
{
    const ulong EndBytes = 512;

    readonly FileSteps _steps;
    readonly FileSteps? _dataSteps;
    readonly Qcow2Parts _parts;
    readonly WritableParts _writable;
    readonly IImageOwner _owner;
    readonly AlignedRegion _zeroes = AlignedRegion.Map(EndBytes, RegionResidency.Resident);
    readonly bool _isHeaderFit;
    WaitList _waiting;

    /// <param name="parts">Of the image, open for writing.</param>
    /// <param name="owner">Whose writes wait.</param>
    public WriteGate(Qcow2Parts parts, IImageOwner owner)
    {
        (_parts, _writable, _owner) = (parts, parts.Writable!, owner);
        _steps = new FileSteps(parts.File, OnEnd);
        _dataSteps = parts.DataFile == null ? null : new FileSteps(parts.DataFile, OnDataEnd);
        ulong known = HeaderParser.DataFileIsRaw | (_writable.KeepsBitmaps ? Qcow2Bitmap.IsConsistent : 0);
        ulong kept = parts.Header.AutoclearFeatures & known;
        _isHeaderFit = parts.Header.AutoclearFeatures == kept;
        if (!_isHeaderFit)
            _writable.Autoclear = kept;
        FileBytes = WantedBytes(parts.File, Units.AlignUp(FileCapacity, parts.Header.ClusterBytes));
        IsOpen = _isHeaderFit && _writable.Directory == null && FileBytes == FileCapacity && !IsDataShort;
    }

    public bool IsOpen { get; private set; }

    public bool IsRunning { get; private set; }

    /// <summary>That the image's file has when the gate is open.</summary>
    public ulong FileBytes { get; }

    ulong FileCapacity => _parts.File.Limits.CapacityBytes;

    bool IsDataShort => _parts.DataFile is { } data && data.Limits.CapacityBytes < _parts.Header.SizeBytes;

    ulong WantedBytes(IBlockDevice file, ulong wantedBytes) =>
        _writable.CanGrow ? wantedBytes : file.Limits.CapacityBytes;

    /// <summary>The slot goes on when the gate is open, or fails.</summary>
    public void Wait(Qcow2Slot slot)
    {
        _waiting.Add(slot);
        if (IsRunning)
            return;
        IsRunning = true;
        AddEnd(_steps, _parts.File, FileBytes);
        if (!_isHeaderFit)
            _steps.AddWrite(0, _writable.Head.Start, _writable.HeadBytes);
        if (_writable.Directory is { } directory)
        {
            Qcow2BitmapTable place = _parts.Header.Bitmaps!;
            _steps.AddWrite(place.DirectoryOffsetBytes, directory.Start, place.DirectoryBytes);
        }
        _steps.AddFlush();
        _steps.Run();
    }

    void AddEnd(FileSteps steps, IBlockDevice file, ulong endBytes)
    {
        ulong before = file.Limits.CapacityBytes;
        if (before >= endBytes || file.Grow(endBytes).IsFault)
            return;
        ulong start = Math.Max(before, endBytes - Math.Min(endBytes, EndBytes));
        steps.AddWrite(start, _zeroes.Start, endBytes - start);
    }

    void OnEnd(Fault fault)
    {
        if (fault.IsNone && IsDataShort)
        {
            AddEnd(_dataSteps!, _parts.DataFile!, _parts.Header.SizeBytes);
            _dataSteps!.AddFlush();
            _dataSteps.Run();
        }
        else
            OnDataEnd(fault);
    }

    void OnDataEnd(Fault fault)
    {
        IsRunning = false;
        IsOpen = fault.IsNone;
        if (fault.IsFault)
            _owner.OnMetadataFault(fault);
        _owner.OnQuiet();
        _owner.OnWaited(_waiting.TakeAll(), fault);
    }

    public void Dispose()
    {
        if (IsRunning) // of a loop that has stopped
            _zeroes.Leak();
        else
            _zeroes.Dispose();
    }
}
