// A real disk image with a tracker file beside it, in a folder of its own, on a real engine.
using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Interop.Linux;
using FastBackup.Runtime;
using FastBackup.Tests.Unit.Filter;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

sealed class TrackedFile : IDisposable
{
    public const ulong DiskBytes = 200 * Units.MiB + 700;
    public const ulong Granule = 64 * Units.KiB;

    const string DiskName = "disk.raw";
    const string TrackerName = "disk.track";

    readonly DirectoryInfo _folder;
    readonly bool _isOwnFolder;
    readonly Engine _engine;
    Disk? _disk;
    DiskTracker? _tracker;

    public TrackedFile()
        : this(Directory.CreateTempSubdirectory("fastbackup-tracking-"), DiskBytes) => _isOwnFolder = true;

    /// <param name="folder">Stays, with what is in it.</param>
    /// <param name="diskBytes">Of the disk, all zeroes.</param>
    public TrackedFile(DirectoryInfo folder, ulong diskBytes)
    {
        _folder = folder;
        EngineOptions options = new() { BufferBytes = 4 * Units.MiB };
        Check.That(Engine.TryOpen(options, out Engine? engine).IsNone);
        _engine = engine!;
        using (FileStream made = File.Create(DiskPath))
            made.SetLength((long)diskBytes);
        Add();
    }

    public string DiskPath => Path.Combine(_folder.FullName, DiskName);

    public string TrackerPath => Path.Combine(_folder.FullName, TrackerName);

    public Fault Trouble { get; private set; }

    public DiskTracker Tracker => _tracker!;

    public string[] LiveFiles => Directory.GetFiles("/dev/shm", $"fastbackup-{Id:x32}.*");

    UInt128 Id { get; } = MemoryMarshal.Read<UInt128>(Guid.NewGuid().ToByteArray());

    FileDevice OpenDisk(bool isReadOnly) => OpenDisk(DiskPath, isReadOnly);

    FileDevice OpenDisk(string path, bool isReadOnly)
    {
        FileOpenOptions options = new()
        {
            Path = path,
            IsReadOnly = isReadOnly,
            Format = FormatRule.Raw,
        };
        OpenRefusal refusal = DeviceOpener.TryOpen(_engine.Reactor, options, out FileDevice? device);
        Assert.True(refusal.IsNone, refusal.Sentence);
        return device!;
    }

    void Close(FileDevice device)
    {
        _engine.Reactor.Invoke(device.Dispose);
        device.WaitClosed();
    }

    void Close(TrackerFile file)
    {
        _engine.Reactor.Invoke(file.Dispose);
        file.WaitClosed();
    }

    public void Add()
    {
        FileDevice device = OpenDisk(isReadOnly: true);
        OpenRefusal refusal = TrackerFile.TryCreate(_engine.Reactor, TrackerPath, device, Id, 0, out TrackerFile? file);
        Assert.True(refusal.IsNone, refusal.Sentence);
        Close(file!);
        Close(device);
    }

    /// <summary>Tracks from here on.</summary>
    public OpenRefusal TryAttach()
    {
        FileDevice device = OpenDisk(isReadOnly: false);
        _engine.Reactor.Invoke(() => _disk = new Disk(_engine.Reactor, device, "disk"));
        OpenRefusal refusal = DiskTracker.TryOpen(_disk!, TrackerPath, 10 * Units.NsPerSecond, out _tracker);
        if (!refusal.IsNone)
        {
            CloseDisk();
            return refusal;
        }
        _engine.Reactor.Invoke(() => Disk.Quiesce(_engine.Reactor, [_disk!], _tracker!.Hold));
        refusal = _tracker!.Begin();
        if (!refusal.IsNone)
        {
            Kill();
            return refusal;
        }
        bool hasStarted = false;
        _engine.Reactor.Invoke(() => hasStarted = _tracker.Start(fault => Trouble = fault));
        Assert.True(hasStarted);
        return default;
    }

    public void Attach()
    {
        OpenRefusal refusal = TryAttach();
        Assert.True(refusal.IsNone, refusal.Sentence);
    }

    /// <summary>A guest's write, which has ended when this returns.</summary>
    /// <param name="offsetBytes">In the disk.</param>
    /// <param name="lengthBytes">Of the write.</param>
    /// <param name="value">All that is written; 0: no more than its first byte, by a seven.</param>
    public void Write(ulong offsetBytes, ulong lengthBytes, byte value = 0)
    {
        GuestProbe guest = new(_disk!, offsetBytes, lengthBytes);
        for (int i = 0; !guest.IsGranted && i < 10_000; i++)
            System.Threading.Thread.Sleep(1);
        Assert.True(guest.IsGranted);
        int fd = Files.Open(DiskPath, Files.O_RDWR, 0); // a stream would ask for the lock that the engine has
        byte[] bytes = value == 0 ? [7] : new byte[lengthBytes];
        if (value != 0)
            Array.Fill(bytes, value);
        Check.That(DescriptorReader.Write(fd, offsetBytes, bytes).IsNone);
        _ = Files.Close(fd);
        _disk!.EndWrite();
    }

    /// <summary>What a guest's flush does.</summary>
    public void Flush()
    {
        int fd = Files.Open(DiskPath, Files.O_RDWR, 0);
        Check.That(Files.Fdatasync(fd) == 0);
        _ = Files.Close(fd);
    }

    /// <summary>Holds the disk of another folder against its tracker: whatever is not zero has changed.</summary>
    /// <param name="folder">That this one's has come to be.</param>
    /// <param name="changedCount">Granules that are not zero.</param>
    /// <returns>Empty, or what is wrong. Nothing is open any more.</returns>
    public string Compare(string folder, out int changedCount)
    {
        changedCount = 0;
        FileDevice device = OpenDisk(Path.Combine(folder, DiskName), isReadOnly: true);
        string path = Path.Combine(folder, TrackerName);
        OpenRefusal refusal = TrackerFile.TryOpen(_engine.Reactor, path, isReadOnly: true, out TrackerFile? file);
        TrackedChanges? changes = null;
        if (refusal.IsNone)
            refusal = file!.Read(device, out changes);
        string wrong = refusal.Sentence ?? "";
        if (refusal.IsNone)
            wrong = Compare(device, changes!, ref changedCount);
        changes?.Dispose();
        if (file != null)
            Close(file);
        Close(device);
        return wrong;
    }

    static string Compare(FileDevice device, TrackedChanges changes, ref int changedCount)
    {
        if (changes.Refusal != TrackerRefusal.None)
            return TrackerRefusals.Words.Of(changes.Refusal);
        HierarchicalBitmap map = changes.Changed!;
        foreach (ulong granule in GranulesThatAreNotZero(device.Fd))
        {
            changedCount++;
            if (!map.GetBit(granule))
                return $"granule {granule} is missed";
        }
        return map.CountBits() == map.BitCount ? "everything is named, which proves nothing" : "";
    }

    static List<ulong> GranulesThatAreNotZero(int fd)
    {
        List<ulong> found = [];
        using SafeFileHandle file = File.OpenHandle($"/proc/self/fd/{fd}");
        byte[] bytes = new byte[Granule];
        for (long at = 0; (at = Files.Lseek(fd, at, Files.SEEK_DATA)) >= 0; )
        {
            at -= at % (long)Granule;
            int count = RandomAccess.Read(file, bytes, at);
            if (bytes.AsSpan(0, count).ContainsAnyExcept((byte)0))
                found.Add((ulong)at / Granule);
            at += (long)Granule;
        }
        return found;
    }

    /// <summary>The file is longer; the disk learns of it with <see cref="Grow"/>, or when it is opened.</summary>
    public void Lengthen(ulong diskBytes)
    {
        int fd = Files.Open(DiskPath, Files.O_RDWR, 0); // a stream would ask for the lock that the engine has
        Check.That(Files.Ftruncate(fd, (long)diskBytes) == 0 && Files.Fdatasync(fd) == 0);
        _ = Files.Close(fd);
    }

    /// <summary>The disk grows while it is tracked.</summary>
    /// <param name="diskBytes">As the file is.</param>
    /// <param name="storage">What becomes of the tracker's storage meanwhile; None: it works.</param>
    /// <param name="whileHeld">Done while all writes wait.</param>
    public void Grow(ulong diskBytes, Fault storage, Action whileHeld)
    {
        DiskPoints points = _tracker!.Points!;
        bool isHeld = false;
        bool hasGrown = false;
        _engine.Reactor.Invoke(() => Check.That(points.TryReserve()));
        Assert.True(points.PrepareGrowth(diskBytes).IsNone);
        DiskGrowth growth = new(
            _disk!,
            diskBytes,
            () => false,
            fault => hasGrown = fault.IsNone,
            1,
            () => Check.That(points.TryGrow())
        );
        _engine.Reactor.Invoke(() => growth.Begin(_engine.Reactor));
        while (!isHeld)
            _engine.Reactor.Invoke(() => isHeld = hasGrown && _tracker.IsHeld);
        whileHeld();
        Fault fault = storage.IsNone ? _tracker.Grow() : storage;
        if (storage.IsFault)
            _tracker.GiveUpFile();
        bool isRight = false;
        _engine.Reactor.Invoke(() =>
        {
            isRight = _tracker.EndGrowth(fault);
            points.Release();
        });
        Assert.True(isRight);
    }

    /// <summary>A write that must wait now.</summary>
    public GuestProbe Ask(ulong offsetBytes, ulong lengthBytes)
    {
        GuestProbe guest = new(_disk!, offsetBytes, lengthBytes);
        Assert.False(guest.IsGranted);
        return guest;
    }

    /// <summary>It is granted by now, or soon, and ends.</summary>
    public void AwaitEnd(GuestProbe guest)
    {
        for (int i = 0; !guest.IsGranted && i < 10_000; i++)
            System.Threading.Thread.Sleep(1);
        Assert.True(guest.IsGranted);
        _disk!.EndWrite();
    }

    /// <summary>The end that a detach makes.</summary>
    public Fault End()
    {
        Fault fault = Release() ? _tracker!.End() : new Fault(FaultKind.State);
        Kill();
        return fault;
    }

    /// <summary>All goes, and nothing is said in the file: what a kill leaves.</summary>
    public void Kill()
    {
        _ = Release();
        _engine.Reactor.Invoke(() => Disk.Quiesce(_engine.Reactor, [_disk!], () => _tracker!.Detach()));
        _engine.Reactor.Invoke(_tracker!.Dispose);
        _tracker.WaitClosed();
        _tracker = null;
        CloseDisk();
    }

    bool Release()
    {
        bool isReleased = false;
        bool isIdle = false;
        _engine.Reactor.Invoke(() => Disk.Quiesce(_engine.Reactor, [_disk!], () => isReleased = _tracker!.Release()));
        while (!isIdle)
            _engine.Reactor.Invoke(() => isIdle = _tracker!.IsIdle);
        return isReleased;
    }

    void CloseDisk()
    {
        FileDevice device = (FileDevice)_disk!.Device;
        _engine.Reactor.Invoke(_disk.Dispose);
        Close(device);
        _disk = null;
    }

    /// <summary>Granules that the file names, or "all", or the reason.</summary>
    public string Read(bool mayReset = false)
    {
        FileDevice device = OpenDisk(isReadOnly: true);
        OpenRefusal refusal = TrackerFile.TryOpen(
            _engine.Reactor,
            TrackerPath,
            isReadOnly: !mayReset,
            out TrackerFile? file
        );
        Assert.True(refusal.IsNone, refusal.Sentence);
        refusal = file!.Read(device, out TrackedChanges? changes);
        Assert.True(refusal.IsNone, refusal.Sentence);
        string words = Describe(changes!);
        if (mayReset)
            Assert.True(file.Reset(device, changes!).IsNone);
        changes!.Dispose();
        Close(file);
        Close(device);
        return words;
    }

    static string Describe(TrackedChanges changes)
    {
        if (changes.Refusal != TrackerRefusal.None)
            return TrackerRefusals.Words.Of(changes.Refusal);
        HierarchicalBitmap bits = changes.Changed!;
        string words = changes.IsExact ? "exact" : "durable";
        if (bits.CountBits() == bits.BitCount)
            return words + ": all";
        words += ":";
        for (ulong bit = 0; (bit = bits.NextDirtyBit(bit, bits.BitCount)) < bits.BitCount; bit++)
            words += FormattableString.Invariant($" {bit}");
        return words;
    }

    public void Dispose()
    {
        if (_tracker != null)
            Kill();
        _engine.Dispose();
        foreach (string live in LiveFiles)
            File.Delete(live);
        if (_isOwnFolder)
            _folder.Delete(recursive: true);
    }
}
