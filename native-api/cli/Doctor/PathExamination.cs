// How a place takes direct I/O: a file or block device itself, or, for a folder, a small file that is made in it
// and removed again.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Cli;

static class PathExamination
{
    const ulong ProbeBytes = Units.MiB;
    const ulong SparsePart = 16; // a file is sparse when more than one of so many parts is a hole

    /// <param name="loop">Drives the device; nothing is submitted.</param>
    /// <param name="path">As typed.</param>
    /// <param name="finding">What was found, or null.</param>
    /// <returns>Null, or why it cannot be examined.</returns>
    public static string? TryExamine(IIoLoop loop, string path, out Finding? finding)
    {
        finding = null;
        bool isFolder = Directory.Exists(path);
        string probe = isFolder ? Path.Combine(path, $".fastbackup-doctor-{Environment.ProcessId}") : path;
        FileOpenOptions options = isFolder
            ? new FileOpenOptions { Path = probe, CreateBytes = ProbeBytes }
            : new FileOpenOptions
            {
                Path = probe,
                IsReadOnly = true,
                IsLockIgnored = true,
                Format = FormatRule.Raw,
            };
        OpenRefusal refusal = DeviceOpener.TryOpen(loop, options, out FileDevice? device);
        if (isFolder && refusal.IsNone)
            File.Delete(probe); // the open file lives on until it is closed
        if (!refusal.IsNone)
            return isFolder
                ? $"cannot examine folder '{path}': {refusal.Fault}; give one that is writable"
                : refusal.Sentence + "; give a file, a folder or a block device that can be read";
        finding = Describe(path, isFolder, device!);
        device!.Dispose();
        return null;
    }

    static Finding Describe(string path, bool isFolder, FileDevice device)
    {
        string kind =
            isFolder ? $"folder on {FileSystem(path)}"
            : device.IsBlockDevice ? "block device"
            : $"file on {FileSystem(path)}";
        string size = isFolder ? "" : $", {ByteSize.Format(device.Limits.CapacityBytes)}";
        if (!isFolder && UnfinishedMark.IsOn(NameCalls.Kernel, device.Fd))
            return new Finding(
                path,
                $"{kind}{size}, marked as unfinished: a backup onto it has not ended well, it may hold no disk",
                "copy the disk onto it once more, all of it, or with the bitmap of the backup that did not end"
            );
        if (!device.IsDirect)
            return new Finding(
                path,
                $"{kind}{size}, no O_DIRECT: the page cache is used",
                "copies work but cost more CPU; a file system with O_DIRECT (ext4, xfs, btrfs) does better"
            );
        string direct = Phrases.Text(
            $"O_DIRECT with requests on {device.Limits.RequestAlignBytes} and buffers on {
                device.Limits.BufferAlignBytes} bytes"
        );
        return isFolder || device.IsBlockDevice
            ? new Finding(path, $"{kind}{size}, {direct}")
            : DescribeFile(path, $"{kind}{size}", direct, device);
    }

    /// <summary>Writes into holes wait for the file system's commits, which a copy beside them makes longer.</summary>
    static Finding DescribeFile(string path, string file, string direct, FileDevice device)
    {
        ulong sizeBytes = device.Limits.CapacityBytes;
        bool isKnown = NameCalls.Kernel.Look(device.Fd, out NameLook look) >= 0 && !OperatingSystem.IsWindows();
        if (!isKnown || look.AllocatedBytes >= sizeBytes - sizeBytes / SparsePart)
            return new Finding(path, $"{file}, {direct}");
        return new Finding(
            path,
            $"{file}, sparse ({ByteSize.Format(look.AllocatedBytes)} have a place), {direct}",
            Phrases.Text(
                $"for a guest whose slowest writes matter give all of it a place (fallocate -l {sizeBytes} FILE "
            ) + "changes no byte), or keep its copies on another file system"
        );
    }

    static string FileSystem(string path)
    {
        try
        {
            return new DriveInfo(Path.GetFullPath(path)).DriveFormat;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        { // ArgumentException: Windows has no letter of a drive for it
            return "an unknown file system";
        }
    }
}
