// Opening by name: below an open folder, or by a path of any form, long and UNC ones included. Everything is opened for
// overlapped calls. The path goes to the system as it is meant (\??\C:\dir\file), so no length limit of the old calls
// holds; "." and ".." and slashes were resolved before.
// Source: NtCreateFile, "Naming Files, Paths, and Namespaces" in the Windows documentation.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Interop.Windows;

namespace FastBackup.Ports.Windows;

/// <param name="Access">GENERIC_READ and the like.</param>
/// <param name="Share">What others may do meanwhile.</param>
/// <param name="Disposition">FILE_OPEN, FILE_CREATE or FILE_OPEN_IF.</param>
/// <param name="Options">FILE_NO_INTERMEDIATE_BUFFERING and the like.</param>
public readonly record struct WindowsOpening(
    uint Access,
    uint Share,
    uint Disposition = NtFiles.FILE_OPEN,
    uint Options = 0
);

public static class WindowsOpen
{
    const int NameCharsMax = 32767; // Source: UNICODE_STRING, a length in bytes of 16 bits

    /// <summary>Threads: any. Blocks for as long as the file system does.</summary>
    /// <param name="folderFd">An open folder; an open file with an empty name, which opens it once more; or
    /// AT_FDCWD.</param>
    /// <param name="name">In the folder; else a path.</param>
    /// <param name="how">What for.</param>
    /// <param name="fd">A handle; -1 after an error.</param>
    /// <returns>0, or an error number.</returns>
    public static unsafe int Try(int folderFd, string name, in WindowsOpening how, out int fd)
    {
        fd = -1;
        bool isPath = folderFd == Files.AT_FDCWD || Path.IsPathFullyQualified(name);
        string given =
            isPath ? ToSystemPath(name)
            : name == "." ? ""
            : name;
        if (given.Length > NameCharsMax)
            return Errnos.ENAMETOOLONG;
        // SAFETY: all structures and the name are of this frame, and used during the call only.
        fixed (char* start = given)
        {
            NtText text = new()
            {
                LengthBytes = (ushort)(given.Length * sizeof(char)),
                CapacityBytes = (ushort)(given.Length * sizeof(char)),
                Start = start,
            };
            ObjectAttributes attributes = new()
            {
                LengthBytes = (uint)sizeof(ObjectAttributes),
                RootDirectory = isPath ? 0 : folderFd,
                Name = &text,
                Attributes = NtFiles.OBJ_CASE_INSENSITIVE,
            };
            nint handle;
            IoStatusBlock status;
            int result = NtFiles.Create(
                &handle,
                how.Access | NtFiles.SYNCHRONIZE | NtFiles.FILE_READ_ATTRIBUTES,
                &attributes,
                &status,
                null,
                NtFiles.FILE_ATTRIBUTE_NORMAL,
                how.Share,
                how.Disposition,
                how.Options,
                null,
                0
            );
            if (result < 0)
                return WindowsFault.OfStatus(result);
            fd = (int)handle;
            return 0;
        }
    }

    /// <summary>A path as the object manager takes it.</summary>
    internal static string ToSystemPath(string path)
    {
        string full = Path.GetFullPath(path);
        const string device = @"\\.\";
        const string verbatim = @"\\?\";
        if (full.StartsWith(device, StringComparison.Ordinal) || full.StartsWith(verbatim, StringComparison.Ordinal))
            return @"\??\" + full[device.Length..];
        return full.StartsWith(@"\\", StringComparison.Ordinal) ? @"\??\UNC\" + full[2..] : @"\??\" + full;
    }
}
