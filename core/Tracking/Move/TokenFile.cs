// The file that a token is in.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tracking.Move;

/// <summary>Threads: one, that may wait. Owner of the descriptor.</summary>
public sealed class TokenFile : ITrackerStorage, IDisposable
{
    const uint OwnerOnly = 0x180; // 0600

    readonly int _fd;
    DescriptorReader _reader;

    TokenFile(int fd, string path, ulong sizeBytes) =>
        (_fd, Path, _reader) = (fd, path, new DescriptorReader(fd, 0, sizeBytes));

    public string Path { get; }

    /// <param name="path">Nothing is there.</param>
    /// <param name="token">Empty; null when refused.</param>
    public static OpenRefusal TryCreate(string path, out TokenFile? token) =>
        TryOpen(path, Files.O_CREAT | Files.O_EXCL | Files.O_RDWR, "create", out token);

    /// <param name="path">Of what another host has given.</param>
    /// <param name="token">Null when refused.</param>
    public static OpenRefusal TryOpen(string path, out TokenFile? token) =>
        TryOpen(path, Files.O_RDONLY | Files.O_NONBLOCK, "open", out token);

    static OpenRefusal TryOpen(string path, int flags, string verb, out TokenFile? token)
    {
        token = null;
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, path, flags, OwnerOnly);
        if (fd < 0)
            return OpenRefusal.Of(path, verb, Errnos.ToFault(-fd));
        if (NameCalls.Kernel.Look(fd, out NameLook look) >= 0 && look.IsFile)
        {
            token = new TokenFile(fd, path, look.SizeBytes);
            return default;
        }
        NameCalls.Close(fd);
        return OpenRefusal.Rule($"'{path}' is no file, so it is no token");
    }

    /// <summary>It is worth nothing: its name is taken away, if it still has it.</summary>
    public void Discard() => _ = NamedFile.Remove(Path, _fd);

    /// <summary>Its name is durable, too.</summary>
    public Fault FlushName() => NamedFile.FlushFolder(Path);

    public ulong SizeBytes => _reader.SizeBytes;

    public bool TryRead(ulong offsetBytes, Span<byte> bytes) => _reader.TryRead(offsetBytes, bytes);

    public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes) => DescriptorReader.Write(_fd, offsetBytes, bytes);

    /// <summary>Allocated where that can be: the signature must have room.</summary>
    public Fault Grow(ulong sizeBytes)
    {
        bool isGrown =
            Files.Fallocate(_fd, 0, 0, (long)sizeBytes) == 0
            || (Marshal.GetLastPInvokeError() == Errnos.EOPNOTSUPP && Files.Ftruncate(_fd, (long)sizeBytes) == 0);
        Fault fault = isGrown ? Fault.None : Errnos.ToFault(Marshal.GetLastPInvokeError());
        if (fault.IsNone)
            _reader = new DescriptorReader(_fd, 0, sizeBytes);
        return fault;
    }

    public Fault Flush() => Files.Fdatasync(_fd) == 0 ? Fault.None : Errnos.ToFault(Marshal.GetLastPInvokeError());

    public void Dispose() => NameCalls.Close(_fd);
}
