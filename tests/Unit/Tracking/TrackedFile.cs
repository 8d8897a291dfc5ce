// A real disk image with a tracker file beside it, in a folder of its own, on a real engine.
using System;
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
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

sealed class TrackedFile : IDisposable
{
    public const ulong DiskBytes = 200 * Units.MiB + 700;
    public const ulong Granule = 64 * Units.KiB;

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fastbackup-tracking-");
    readonly Engine _engine;
    Disk? _disk;
    DiskTracker? _tracker;

    public TrackedFile()
    {
        EngineOptions options = new() { BufferBytes = 4 * Units.MiB };
        Check.That(Engine.TryOpen(options, out Engine? engine).IsNone);
        _engine = engine!;
        using (FileStream made = File.Create(DiskPath))
            made.SetLength((long)DiskBytes);
        Add();
    }

    public string DiskPath => Path.Combine(_folder.FullName, "disk.raw");

    public string TrackerPath => Path.Combine(_folder.FullName, "disk.track");

    public Fault Trouble { get; private set; }

    public DiskTracker Tracker => _tracker!;

    public string[] LiveFiles => Directory.GetFiles("/dev/shm", $"fastbackup-{Id:x32}.*");

    UInt128 Id { get; } = MemoryMarshal.Read<UInt128>(Guid.NewGuid().ToByteArray());

    FileDevice OpenDisk(bool isReadOnly)
    {
        FileOpenOptions options = new()
        {
            Path = DiskPath,
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
    public void Write(ulong offsetBytes, ulong lengthBytes)
    {
        GuestProbe guest = new(_disk!, offsetBytes, lengthBytes);
        for (int i = 0; !guest.IsGranted && i < 10_000; i++)
            System.Threading.Thread.Sleep(1);
        Assert.True(guest.IsGranted);
        int fd = Files.Open(DiskPath, Files.O_RDWR, 0); // a stream would ask for the lock that the engine has
        Check.That(DescriptorReader.Write(fd, offsetBytes, [7]).IsNone);
        _ = Files.Close(fd);
        _disk!.EndWrite();
    }

    /// <summary>The file is longer; the disk learns of it with <see cref="Grow"/>, or when it is opened.</summary>
    public void Lengthen(ulong diskBytes)
    {
        int fd = Files.Open(DiskPath, Files.O_RDWR, 0); // a stream would ask for the lock that the engine has
        Check.That(Files.Ftruncate(fd, (long)diskBytes) == 0);
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
        _folder.Delete(recursive: true);
    }
}
