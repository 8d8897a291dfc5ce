// A configuration file, held: only one run at a time has it, so that a slow night does not meet the next one. The hold
// is a lock on the open file, which ends with the process, however it ends. Looked at and read by its descriptor.
// Source: flock(2).
using System;
using System.IO;
using System.Text;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Repositories;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class ConfigFile : IDisposable
{
    const int BytesMax = 1 << 20;

    readonly SafeFileHandle _handle;

    ConfigFile(SafeFileHandle handle, string text) => (_handle, Text) = (handle, text);

    public string Text { get; }

    /// <param name="path">As typed.</param>
    /// <param name="file">Null when refused.</param>
    /// <returns>Null, or why not, a sentence.</returns>
    public static string? TryOpen(string path, out ConfigFile? file)
    {
        file = null;
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, path, Files.O_RDONLY | Files.O_NONBLOCK);
        if (fd < 0)
            return NextStep.AddTo(
                $"cannot read configuration '{path}': {Errnos.Describe(-fd)}",
                new Fault(FaultKind.Io, -fd)
            );
        SafeFileHandle handle = new(fd, ownsHandle: true);
        try
        {
            if (NameCalls.Kernel.Look(fd, out NameLook look) < 0 || !look.IsFile || look.SizeBytes > BytesMax)
                return $"configuration '{path}' is no file of at most 1 MiB";
            byte[] bytes = new byte[look.SizeBytes];
            int count = RandomAccess.Read(handle, bytes, 0);
            file = new ConfigFile(handle, new UTF8Encoding(false, true).GetString(bytes, 0, count));
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"cannot read configuration '{path}': {Phrases.OneLine(FileTrouble.Describe(exception))}";
        }
        finally
        {
            if (file == null)
                handle.Dispose();
        }
    }

    /// <returns>False: another run has it.</returns>
    public bool TryHold() =>
        NameCalls.Kernel.Lock((int)_handle.DangerousGetHandle(), Files.LOCK_EX | Files.LOCK_NB) >= 0;

    public void Dispose() => _handle.Dispose();
}
