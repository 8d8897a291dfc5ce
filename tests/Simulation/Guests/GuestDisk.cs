// One disk of the world: its image, the production disk over it, its guests' operations, its history, the points in
// time that watch it, and models of its dirty bitmaps.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Guests;

sealed class GuestDisk(int index, DiskImage image, FileDevice device, Disk disk, Shadow shadow)
{
    public int Index { get; } = index;
    public DiskImage Image { get; } = image;
    public FileDevice Device { get; } = device;
    public Disk Disk { get; } = disk;
    public Shadow Shadow { get; } = shadow;
    public WriteCache Cache { get; } = new(shadow, image);

    /// <summary>Points in time, from T0 until they leave the disk.</summary>
    public List<PointInTime> Points { get; } = [];

    public List<BitmapModel> Bitmaps { get; } = [];

    /// <summary>Hook-mode writes between grant and end.</summary>
    public int HookWritesInFlight;

    /// <summary>All operations under way.</summary>
    public int OperationsInFlight;

    // What guests of this disk do.
    public bool HasHookMode;
    public bool HasDeviceMode;
    public uint OperationBytesMax;
    public uint AlignBytes;
    public uint HotPart;
    public bool CanDiscard;
    public bool CanZero;
    public bool CanRead;

    int _closedCount;
    ulong _closedAtNs;
    ulong _closedNs;
    ulong _shutAtNs;

    /// <summary>Changes may overlap for half a second, and the last of them may take as long.</summary>
    const ulong ShutNsMax = 1200 * Units.NsPerMs;

    /// <summary>Of the image: what the disk may grow to.</summary>
    public ulong CapacityBytes => Image.CapacityBytes;

    /// <summary>Of the disk, as guests see it now.</summary>
    public ulong SizeBytes => Disk.CapacityBytes;

    /// <summary>How long the gate has been closed so far.</summary>
    public ulong ClosedNs(ulong nowNs) => _closedNs + (_closedCount > 0 ? nowNs - _closedAtNs : 0);

    public void OnGate(bool isClosed, ulong nowNs)
    {
        if (_closedCount == 0)
            _shutAtNs = nowNs;
        else if (nowNs > _shutAtNs + ShutNsMax)
            throw new SimulationFailure("O9", $"disk {Index} was closed for {nowNs - _shutAtNs} ns on end");
        _closedNs = ClosedNs(nowNs);
        _closedAtNs = nowNs;
        _closedCount += isClosed ? 1 : -1;
    }

    /// <summary>Time that nobody could use.</summary>
    public void Forgive(ulong ns)
    {
        _closedNs += ns;
        _shutAtNs += ns;
    }

    /// <summary>The whole image obeys the history. Only while no write is under way.</summary>
    public void JudgeAll(string when)
    {
        for (uint s = 0; s < Shadow.SectorCount; s++)
        {
            string? wrong = Shadow.Judge(
                s,
                Image.Content.Slice((int)s * Sector.Bytes, Sector.Bytes),
                Shadow.FloorOf(s)
            );
            if (wrong != null)
                throw new SimulationFailure("O4", $"disk {Index} sector {s} {when}: {wrong}");
        }
    }
}
