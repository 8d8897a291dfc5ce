// The one factory of opened files: which class of OpenedFile it is, the system decides.
using FastBackup.Base;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Opening;

/// <summary>Threads: any.</summary>
abstract class DiskFiles
{
    public static DiskFiles Current { get; } = HostSystem.IsWindows ? new WindowsFiles() : new LinuxFiles();

    /// <summary>Opens what is there, which must be a regular file or a block device.</summary>
    public abstract OpenRefusal TryOpen(FileOpenOptions options, out OpenedFile? file);

    /// <summary>Makes a new file of no size.</summary>
    public abstract OpenRefusal TryCreate(FileOpenOptions options, out OpenedFile? file);

    /// <summary>A new file that the caller has made, and of which he keeps the name.</summary>
    /// <param name="path">For people.</param>
    /// <param name="fd">Owned from here.</param>
    /// <param name="file">Null when refused; then the descriptor is closed.</param>
    public abstract OpenRefusal TryAdopt(string path, int fd, out OpenedFile? file);

    /// <summary>The same file once more, for reading.</summary>
    /// <returns>A descriptor of its own, or below 0.</returns>
    public abstract int Reopen(int fd);

    /// <summary>Which storage an open file or block device is.</summary>
    public abstract Fault TryGetKin(int fd, out StorageKin? kin);

    /// <summary>Whether a new file may be made in an open folder.</summary>
    /// <returns>None, or why no disk is meant to be there.</returns>
    public abstract OpenRefusal CheckPlace(int folderFd, string path);

    /// <summary>A mount point above an open folder at which nothing is mounted though it should be, or null.</summary>
    public abstract string? FindUnmounted(int folderFd);

    sealed class LinuxFiles : DiskFiles
    {
        public override OpenRefusal TryOpen(FileOpenOptions options, out OpenedFile? file) =>
            LinuxFile.TryOpen(options, out file);

        public override OpenRefusal TryCreate(FileOpenOptions options, out OpenedFile? file) =>
            LinuxFile.TryCreate(options, out file);

        public override OpenRefusal TryAdopt(string path, int fd, out OpenedFile? file) =>
            LinuxFile.TryAdopt(path, fd, out file);

        public override int Reopen(int fd) => LinuxFile.Reopen(fd, Interop.Linux.Files.O_RDONLY);

        public override Fault TryGetKin(int fd, out StorageKin? kin) => StorageKin.TryGetLinux(fd, out kin);

        public override OpenRefusal CheckPlace(int folderFd, string path) => NewFilePlace.Check(folderFd, path);

        public override string? FindUnmounted(int folderFd) => NewFilePlace.FindUnmounted(folderFd);
    }

    sealed class WindowsFiles : DiskFiles
    {
        public override OpenRefusal TryOpen(FileOpenOptions options, out OpenedFile? file) =>
            WindowsFile.TryOpen(options, out file);

        public override OpenRefusal TryCreate(FileOpenOptions options, out OpenedFile? file) =>
            WindowsFile.TryCreate(options, out file);

        public override OpenRefusal TryAdopt(string path, int fd, out OpenedFile? file) =>
            WindowsFile.TryAdopt(path, fd, out file);

        public override int Reopen(int fd) => WindowsFile.Reopen(fd);

        public override Fault TryGetKin(int fd, out StorageKin? kin)
        {
            int errno = -NameCalls.Kernel.Look(fd, out NameLook look);
            kin = errno == 0 ? StorageKin.OfFile(look.Identity) : null;
            return errno == 0 ? Fault.None : Errnos.ToFault(errno);
        }

        public override OpenRefusal CheckPlace(int folderFd, string path) => default;

        public override string? FindUnmounted(int folderFd) => null;
    }
}
