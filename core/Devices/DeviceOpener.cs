// The one way in which command, C interface, monitor and plugin open a path (other names of disks: DeviceSchemes), so
// that every rule holds for all of them:
//
//   type       a regular file or a block device, seen on the descriptor (OpenedFile)
//   in use     by whomever it may be: refused for writing, and for reading a word to the caller (UseRules)
//   size       what the device says (DiskSize); a new file gets its own
//   direct     past the page cache where the file takes it (DirectIo)
//   format     raw only: what looks like another one is refused, unless somebody says that it is raw (FormatRule);
//              images are opened by Formats.ImageOpener, over what is opened here
//   storage    which disk it really is, and what it is made of (StorageKin)
//
// Cost: some twenty system calls, and a trial read. It may wait for a file system that does not answer. A refusal
// leaves nothing behind.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices;

public static class DeviceOpener
{
    /// <summary>Opens a path. Any thread: the loop is not touched.</summary>
    /// <param name="loop">Drives the device.</param>
    /// <param name="options">What to open and how.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller.</param>
    /// <returns>None, or why not. Nothing is left behind: a file that was created is removed again.</returns>
    public static OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions options, out FileDevice? device)
    {
        device = null;
        Check.That(!options.IsNameless || options.CreateBytes != null);
        OpenRefusal refusal =
            options.CreateBytes != null
                ? DiskFiles.Current.TryCreate(options, out OpenedFile? file)
                : DiskFiles.Current.TryOpen(options, out file);
        return file == null ? refusal : Make(loop, options, file, out device);
    }

    /// <summary>As TryOpen of a new file, for one that the caller has just made.</summary>
    /// <param name="loop">Drives the device.</param>
    /// <param name="options">Path is for people; CreateBytes is the size that the file gets.</param>
    /// <param name="fd">Open for reading and writing; owned by the device from here, closed when it is refused.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller.</param>
    /// <returns>None, or why not. The file stays where it is.</returns>
    public static OpenRefusal TryAdopt(IIoLoop loop, FileOpenOptions options, int fd, out FileDevice? device)
    {
        device = null;
        Check.That(options.CreateBytes != null);
        Check.That(!options.IsReadOnly);
        OpenRefusal refusal = DiskFiles.Current.TryAdopt(options.Path, fd, out OpenedFile? file);
        return file == null ? refusal : Make(loop, options, file, out device);
    }

    static OpenRefusal Make(IIoLoop loop, FileOpenOptions options, OpenedFile file, out FileDevice? device)
    {
        device = null;
        try
        {
            return TryMake(loop, options, file, out device);
        }
        finally
        {
            // Also when the memory for the device's slots cannot be had, which is an exception.
            if (device == null)
                file.Abandon();
            else
                file.Keep();
        }
    }

    static OpenRefusal TryMake(IIoLoop loop, FileOpenOptions options, OpenedFile file, out FileDevice? device)
    {
        device = null;
        OpenRefusal refusal = UseRules.Check(file, options, out string? usedBy);
        ulong capacityBytes = 0;
        if (refusal.IsNone)
            refusal = options.CreateBytes is { } wanted
                ? TryGiveSize(file, capacityBytes = wanted)
                : file.TryGetSize(options.IsReadOnly, out capacityBytes);
        if (!refusal.IsNone)
            return refusal;
        Fault fault = StorageKin.TryGet(file.Fd, out StorageKin? kin);
        if (fault.IsFault)
            return OpenRefusal.Of(file.Path, "examine", fault);
        DirectIo direct = options.IsDirect ? file.OpenDirect(options.IsReadOnly, capacityBytes) : DirectIo.None;
        file.Direct = direct;
        refusal = CheckFormat(file, options, capacityBytes, out string? format);
        if (!refusal.IsNone)
            return refusal;
        BlockLimits limits = new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = direct.IsUsed ? direct.AlignBytes : 1,
            BufferAlignBytes = direct.IsUsed ? Math.Max(direct.AlignBytes, file.MemoryAlignBytes) : 1,
            IsZeroInitialised = options.CreateBytes != null && !options.IsContentKept,
            CanTellSize = true,
            CanZeroFast = true,
            ReadsThroughCache = !direct.IsUsed,
            IsReadOnly = options.IsReadOnly,
            IsHeadGuarded = options.IsHeadGuarded && format == null,
            InFlightMax = options.InFlightMax,
        };
        device = TryMakeDevice(loop, file, limits);
        if (device == null)
            return OpenRefusal.Of(file.Path, "start threads for", new Fault(FaultKind.NoMemory, Errnos.EAGAIN));
        (device.IsDirect, device.Kin) = (direct.IsUsed, kin);
        (device.UsedBy, device.ForeignFormat) = (usedBy, format);
        bool hasLastingName = !file.IsBlockDevice && !options.IsNameless && file.IsNamed;
        if (hasLastingName && !options.IsReadOnly)
            device.AllowMark();
        return default;
    }

    /// <summary>The device and its threads.</summary>
    /// <returns>Null where the system refuses threads.</returns>
    static FileDevice? TryMakeDevice(IIoLoop loop, OpenedFile file, BlockLimits limits)
    {
        IFileWorkers? workers = null;
        FileDevice? device = null;
        try
        {
            workers = loop.FileIo.StartWorkers(file.MayBlock);
            FileHandle buffered = new(file.Fd) { CopiesInKernel = true, Workers = workers };
            FileHandle main = buffered;
            if (file.Direct.IsUsed)
                main = new FileHandle(file.Direct.Fd)
                {
                    CopiesInKernel = file.IsInMemory,
                    AlignBytes = file.Direct.AlignBytes,
                    Workers = workers,
                };
            device = new FileDevice(loop, file.Path, limits, main, buffered, file.IsBlockDevice, file.Close);
        }
        catch (InsufficientMemoryException) when (workers == null) { }
        finally
        {
            if (device == null)
                workers?.Close(onClosed: null);
        }
        return device;
    }

    static OpenRefusal CheckFormat(OpenedFile file, FileOpenOptions options, ulong capacityBytes, out string? format)
    {
        format = null;
        if (options.CreateBytes != null || options.Format == FormatRule.Raw)
            return default;
        OpenRefusal refusal = FormatProbe.Refuse(file, capacityBytes, file.Path, out format);
        return options.Format == FormatRule.Noted ? default : refusal;
    }

    static OpenRefusal TryGiveSize(OpenedFile file, ulong bytes)
    {
        Fault fault = file.TryGiveSize(bytes);
        return fault.IsNone
            ? default
            : OpenRefusal.Of(file.Path, string.Create(CultureInfo.InvariantCulture, $"give {bytes} bytes to"), fault);
    }
}
