// The scratch space of the demo's live half: opened by the command's rules, used by one job, given back after it.
// One on a server is given up when its server is gone, not reached again: scratch writes a place again and again, and a
// request of the lost connection might still be carried out there, after the newer one.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Native.Tls;
using FastBackup.Ports;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one; Close the reactor's.</summary>
sealed class DemoScratch
{
    const ulong MemoryPerClusterBytes = 48; // what ScratchSpace keeps of each

    readonly IBlockDevice _device;

    DemoScratch(IBlockDevice device, ScratchSpace space) => (_device, Space) = (device, space);

    public ScratchSpace Space { get; }

    /// <summary>
    /// Opens and closes it once, before anything else is made: so a bad path costs nobody the time of the first half.
    /// </summary>
    /// <returns>None, or why not; then nothing was changed.</returns>
    public static OpenRefusal TryRehearse(DemoRequest request)
    {
        uint leastBytes = DemoRequest.ClusterBytes;
        string? sentence = WorkEngine.TryOpen(leastBytes, leastBytes, leastBytes, out Engine? engine);
        if (sentence != null)
            return new OpenRefusal(new Fault(FaultKind.NoMemory), sentence);
        OpenRefusal refusal = TryOpen(engine!.Reactor, request, out DemoScratch? scratch);
        engine.Reactor.Invoke(() => scratch?.Close());
        engine.Dispose();
        return refusal;
    }

    /// <param name="loop">Drives it.</param>
    /// <param name="request">With a scratch path.</param>
    /// <param name="scratch">Open, or null.</param>
    /// <returns>None, or why not; then nothing was changed.</returns>
    public static OpenRefusal TryOpen(IIoLoop loop, DemoRequest request, out DemoScratch? scratch)
    {
        scratch = null;
        string path = request.ScratchPath!;
        bool isRemote = TlsTransport.Schemes.IsMeant(path);
        if (!request.IsForced && isRemote)
            return OpenRefusal.Rule($"scratch '{path}' is a disk of a server; give --force to overwrite what is on it");
        if (!request.IsForced && PathLook.TryLook(path, out PathLook look).IsNone && look.Kind == PathKind.BlockDevice)
            return OpenRefusal.Rule($"scratch '{path}' is a block device; give --force to overwrite what is on it");
        ulong limitBytes = Math.Min(
            request.ScratchLimitBytes,
            Units.AlignUp(request.SizeBytes, DemoRequest.ClusterBytes)
        );
        ulong neededBytes = limitBytes / DemoRequest.ClusterBytes * MemoryPerClusterBytes;
        if (neededBytes > MachineMemory.AvailableBytes())
            return OpenRefusal.Rule(
                $"--scratch of {ByteSize.Format(limitBytes)} needs {
                    ByteSize.Format(neededBytes)} of memory, more than is free here; give a lower LIMIT"
            );
        OpenRefusal refusal = isRemote
            ? TryOpenRemote(loop, path, out IBlockDevice? device)
            : TryOpenFile(loop, path, limitBytes, request.IsForced, out device);
        if (!refusal.IsNone)
            return refusal;
        Fault fault = ScratchSpace.TryCreate(device!, limitBytes, DemoRequest.ClusterBytes, out ScratchSpace? space);
        if (fault.IsNone)
        {
            scratch = new DemoScratch(device!, space!);
            return default;
        }
        ulong capacityBytes = device!.Limits.CapacityBytes;
        device.Dispose();
        return OpenRefusal.Rule(
            $"scratch '{path}' has {ByteSize.Format(capacityBytes)}, less than one cluster of {
                ByteSize.Format(DemoRequest.ClusterBytes)}"
        );
    }

    static OpenRefusal TryOpenRemote(IIoLoop loop, string path, out IBlockDevice? device)
    {
        RemoteOpenOptions once = new() { ReconnectNs = 0 };
        return TlsTransport.Schemes.TryOpen(loop, new FileOpenOptions { Path = path, Remote = once }, out device);
    }

    static OpenRefusal TryOpenFile(IIoLoop loop, string path, ulong limitBytes, bool isForced, out IBlockDevice? device)
    {
        OpenRefusal refusal = ScratchFile.TryOpen(loop, path, limitBytes, isForced, out FileDevice? file);
        device = file;
        return refusal;
    }

    /// <summary>After its job was disposed of.</summary>
    public void Close()
    {
        Space.Dispose();
        _device.DisposeWhenIdle();
    }
}
