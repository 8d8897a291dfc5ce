// Opening a disk to read, with sentences that name it by its part in the command.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Interop.Linux;

namespace FastBackup.Cli;

static class SourceDisk
{
    /// <param name="loop">Drives the device.</param>
    /// <param name="path">As typed.</param>
    /// <param name="role">For people: "source", "target" ...</param>
    /// <param name="device">Open and not empty, or null.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryOpen(IIoLoop loop, string path, string role, out FileDevice? device)
    {
        OpenRefusal refusal = FileDevice.TryOpen(
            loop,
            new FileOpenOptions { Path = path, IsReadOnly = true },
            out device
        );
        if (!refusal.IsNone)
            return new OpenRefusal(refusal.Fault, $"{role}: {refusal.Sentence}{Hint(refusal.Fault)}");
        if (device!.Limits.CapacityBytes > 0)
            return default;
        device.Dispose();
        device = null;
        return new OpenRefusal(
            new Fault(FaultKind.Invalid),
            $"{role} '{path}' is empty (0 bytes); there is nothing to do"
        );
    }

    /// <summary>Whether a block device is mounted or claimed. Source: open(2) on O_EXCL without O_CREAT.</summary>
    public static bool IsInUse(string path)
    {
        int fd = Files.Open(path, Files.O_RDONLY | Files.O_EXCL | Files.O_CLOEXEC, 0);
        if (fd < 0)
            return Marshal.GetLastPInvokeError() == Errnos.EBUSY;
        _ = Files.Close(fd);
        return false;
    }

    static string Hint(Fault fault) =>
        fault.Errno switch
        {
            Errnos.ENOENT or Errnos.ENOTDIR => "; check the path",
            Errnos.EACCES or Errnos.EPERM => "; run as a user who may read it",
            Errnos.EISDIR => "; give a disk image or a block device",
            Errnos.ENXIO or Errnos.ENODEV => "; nothing is attached to this device",
            _ => "",
        };
}
