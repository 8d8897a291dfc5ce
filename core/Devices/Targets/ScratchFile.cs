// A place for old data that neither memory nor the target has room for, as a device:
//
//   folder          a nameless file in it
//   new file        created, and its name is taken away at once: the process that has it open is its only user, and
//                   whatever ends that process gives the space back
//   block device    used in place, exclusively, when that is allowed: what is on it is lost
//
// A file that exists is refused: nobody may lose one to a slip of the pen. Space is taken as it is used (the file is
// one hole), so the limit may be more than the file system has: a full scratch file is a smaller memory, not an error.
using System;
using System.Globalization;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Targets;

public static class ScratchFile
{
    const int NameAttemptsMax = 100;

    /// <summary>Opens a folder's nameless file, a new file or a block device; blocks for a few system calls.</summary>
    /// <param name="loop">Drives the device.</param>
    /// <param name="path">Folder, new file or block device; symbolic links are followed to folders and devices.</param>
    /// <param name="limitBytes">Size of a file; a block device has its own.</param>
    /// <param name="mayOverwriteDevice">Whether a block device is taken.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller.</param>
    /// <returns>None, or why not; then nothing was changed.</returns>
    public static OpenRefusal TryOpen(
        IIoLoop loop,
        string path,
        ulong limitBytes,
        bool mayOverwriteDevice,
        out FileDevice? device
    )
    {
        device = null;
        if (path.Length == 0)
            return OpenRefusal.Rule("scratch has no path; give a folder, a new file or a block device");
        Fault fault = TryGetType(path, out int type);
        if (fault.IsFault)
            return new OpenRefusal(fault, $"cannot look at scratch '{path}': {fault}{Hint(fault)}");
        return type switch
        {
            0 => TryCreate(loop, path, limitBytes, out device),
            Files.S_IFDIR => TryCreateIn(loop, path, limitBytes, out device),
            Files.S_IFBLK when mayOverwriteDevice => Explain(
                DeviceOpener.TryOpen(loop, new FileOpenOptions { Path = path, Format = FormatRule.Raw }, out device)
            ),
            Files.S_IFBLK => OpenRefusal.Rule(
                $"scratch '{path}' is a block device, and nobody said that it may be overwritten"
            ),
            Files.S_IFREG => RefuseExisting(path),
            _ => OpenRefusal.Rule($"scratch '{path}' is neither a folder nor a new file nor a block device"),
        };
    }

    /// <summary>What can be known before the open. Looks, and changes nothing.</summary>
    /// <param name="path">As TryOpen takes it.</param>
    /// <param name="mayOverwriteDevice">Whether a block device is taken.</param>
    /// <returns>None, or why it would be refused.</returns>
    public static OpenRefusal Check(string path, bool mayOverwriteDevice)
    {
        Fault fault = TryGetType(path, out int type);
        if (fault.IsFault)
            return new OpenRefusal(fault, $"cannot look at scratch '{path}': {fault}{Hint(fault)}");
        string inside = type == Files.S_IFDIR ? Path.Combine(path, "name") : path;
        OpenRefusal refusal = type switch
        {
            0 or Files.S_IFDIR => default,
            Files.S_IFBLK when mayOverwriteDevice => default,
            Files.S_IFBLK => OpenRefusal.Rule(
                $"scratch '{path}' is a block device, and nobody said that it may be overwritten"
            ),
            Files.S_IFREG => RefuseExisting(path),
            _ => OpenRefusal.Rule($"scratch '{path}' is neither a folder nor a new file nor a block device"),
        };
        if (!refusal.IsNone || type == Files.S_IFBLK)
            return refusal;
        fault = FolderEntry.TryResolve(NameCalls.Kernel, inside, out FolderEntry? entry);
        int result = fault.IsFault ? -fault.Errno : NameCalls.Kernel.MayWrite(entry!.FolderFd);
        entry?.Dispose();
        fault = result < 0 ? Errnos.ToFault(-result) : Fault.None;
        return fault.IsNone ? default : new OpenRefusal(fault, $"cannot make scratch '{path}': {fault}{Hint(fault)}");
    }

    static OpenRefusal TryCreate(IIoLoop loop, string path, ulong limitBytes, out FileDevice? device)
    {
        device = null;
        if (Path.EndsInDirectorySeparator(path))
            return OpenRefusal.Rule(
                $"scratch '{path}' is no folder that exists; make it, or give the name of a new file"
            );
        FileOpenOptions options = new()
        {
            Path = path,
            CreateBytes = limitBytes,
            IsNameless = true,
        };
        OpenRefusal refusal = DeviceOpener.TryOpen(loop, options, out device);
        // Somebody was faster, or a symbolic link leads nowhere.
        return refusal.Fault.Errno == Errnos.EEXIST ? RefuseExisting(path) : Explain(refusal);
    }

    /// <summary>Under the first free name of this process; it is visible for a moment only.</summary>
    static OpenRefusal TryCreateIn(IIoLoop loop, string folder, ulong limitBytes, out FileDevice? device)
    {
        device = null;
        OpenRefusal refusal = default;
        for (int attempt = 0; attempt < NameAttemptsMax; attempt++)
        {
            string name = string.Create(
                CultureInfo.InvariantCulture,
                $".fastbackup-scratch-{Environment.ProcessId}-{attempt}"
            );
            FileOpenOptions options = new()
            {
                Path = Path.Combine(folder, name),
                CreateBytes = limitBytes,
                IsNameless = true,
            };
            refusal = DeviceOpener.TryOpen(loop, options, out device);
            if (refusal.Fault.Errno != Errnos.EEXIST)
                break;
        }
        return Explain(refusal);
    }

    /// <returns>S_IFREG and the like in type, 0 when nothing is there.</returns>
    static Fault TryGetType(string path, out int type)
    {
        type = 0;
        int result = NameCalls.Kernel.LookThrough(path, out NameLook look);
        type = look.Type;
        return result is >= 0 or -Errnos.ENOENT ? Fault.None : Errnos.ToFault(-result);
    }

    static OpenRefusal Explain(in OpenRefusal refusal) =>
        refusal.IsNone ? default : new OpenRefusal(refusal.Fault, $"scratch: {refusal.Sentence}{Hint(refusal.Fault)}");

    static string Hint(Fault fault) =>
        fault.Errno switch
        {
            Errnos.ENOENT => "; its folder must exist",
            Errnos.ENOTDIR => "; a part of the path is no folder",
            Errnos.EACCES or Errnos.EPERM => "; its folder must be writable by this user",
            Errnos.EROFS => "; choose a place on a writable file system",
            Errnos.EFBIG => "; give a lower limit",
            _ => "",
        };

    static OpenRefusal RefuseExisting(string path) =>
        OpenRefusal.Rule($"scratch '{path}' exists; give a folder, the name of a new file, or a block device");
}
