// Opening a disk to read, with sentences that name it by its part in the command.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Tls;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Cli;

static class SourceDisk
{
    /// <param name="loop">Drives the device.</param>
    /// <param name="path">As typed.</param>
    /// <param name="role">For people: "source", "target" ...</param>
    /// <param name="isLockIgnored">Whether --ignore-locks was given.</param>
    /// <param name="format">Raw when --format raw was given.</param>
    /// <param name="device">Open and not empty, or null.</param>
    /// <param name="isReadOnly">Nothing is written to it.</param>
    /// <param name="remote">Of a server's disk; null: what is usual.</param>
    /// <param name="keepsBitmaps">Of an image that may be written to: nothing of it is but its bitmaps.</param>
    /// <param name="formatWord">How people say what it is.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryOpen(
        IIoLoop loop,
        string path,
        string role,
        bool isLockIgnored,
        FormatRule format,
        out IBlockDevice? device,
        bool isReadOnly = true,
        RemoteOpenOptions? remote = null,
        bool keepsBitmaps = false,
        string formatWord = "--format"
    )
    {
        FileOpenOptions options = new()
        {
            Path = path,
            IsReadOnly = isReadOnly,
            IsLockIgnored = isLockIgnored,
            Format = format,
            KeepsBitmaps = keepsBitmaps,
            Remote = remote ?? new(),
        };
        OpenRefusal refusal = ImageOpener.TryOpen(loop, options, out device, TlsTransport.Schemes);
        if (!refusal.IsNone)
            return new OpenRefusal(refusal.Fault, $"{role}: {refusal.Sentence}{Hint(path, refusal.Fault, formatWord)}");
        if (device!.Limits.CapacityBytes > 0)
            return default;
        device.Dispose();
        device = null;
        return new OpenRefusal(
            new Fault(FaultKind.Invalid),
            $"{role} '{path}' is empty (0 bytes); there is nothing to do"
        );
    }

    /// <summary>The work goes on, but somebody may spoil it.</summary>
    public static void WarnOfUse(IBlockDevice device, string role, Output output)
    {
        for (IBlockDevice? layer = device; layer != null; layer = (layer as Qcow2Device)?.Backing)
            if (FileOf(layer) is { UsedBy: { } use })
                output.Doubt($"{role} '{layer.Name}' is {use}: what is written to it meanwhile may be half read");
    }

    /// <summary>What lies on this machine's storage: a disk itself, or an image's file; null: nothing does.</summary>
    public static FileDevice? FileOf(IBlockDevice device) =>
        device switch
        {
            Qcow2Device image => image.File as FileDevice,
            Qcow2NewImage image => image.File as FileDevice,
            _ => device as FileDevice,
        };

    /// <summary>Whether a backup onto it has begun and not ended; a remote disk does not tell.</summary>
    public static bool IsUnfinished(IBlockDevice device) =>
        FileOf(device) is { } file && UnfinishedMark.IsOn(NameCalls.Kernel, file.Fd);

    /// <summary>Past the page cache. A remote disk is not.</summary>
    public static bool IsDirect(IBlockDevice device) => FileOf(device) is { IsDirect: true };

    /// <summary>
    /// What went wrong with it, a clause: of a remote disk rather why its connection has ended, of an image which of
    /// its layers is broken.
    /// </summary>
    public static string Explain(IBlockDevice? device, Fault fault)
    {
        for (IBlockDevice? layer = device; layer != null; layer = (layer as Qcow2Device)?.Backing)
            if (layer is Qcow2Device image && (image.FailedBecause ?? image.CorruptBecause) is { } wrong)
                return $"image '{layer.Name}' {wrong}";
        return device is NbdDevice { BrokenBecause: { } because } ? because : fault.ToString();
    }

    static string Hint(string path, Fault fault, string formatWord) =>
        TlsTransport.Schemes.IsMeant(path) ? RemoteHint(fault)
        : fault.Kind == FaultKind.Unsupported && fault.Errno == 0 ? $": {formatWord} raw"
        : fault.Kind == FaultKind.State && fault.Errno == 0 ? $": {formatWord} qcow2, or {formatWord} raw"
        : fault.Errno switch
        {
            Errnos.ENOENT or Errnos.ENOTDIR => "; check the path",
            Errnos.EACCES or Errnos.EPERM => "; run as a user who may read it",
            Errnos.EISDIR => "; give a disk image or a block device",
            Errnos.ENXIO or Errnos.ENODEV => "; nothing is attached to this device",
            _ => "",
        };

    static string RemoteHint(Fault fault) =>
        fault.Errno switch
        {
            Errnos.ECONNREFUSED => "; start its server",
            Errnos.EACCES or Errnos.EPERM => "; run as a user who may reach it",
            _ => "",
        };
}
