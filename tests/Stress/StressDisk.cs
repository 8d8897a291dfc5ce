// Source or target of a stress run: an engine's device, and a way for the host to touch the same bytes.
using System;
using System.IO;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Tests.Stress;

/// <summary>Threads: the device the reactor's; Write and Read any, on ranges that nobody else writes.</summary>
sealed class StressDisk : IDisposable
{
    readonly MemoryDevice? _memory;
    readonly SafeFileHandle? _file;
    readonly string? _path;

    StressDisk(IBlockDevice device, SafeFileHandle? file, string? path)
    {
        Device = device;
        _memory = device as MemoryDevice;
        (_file, _path) = (file, path);
    }

    public IBlockDevice Device { get; }

    public static StressDisk Open(Reactor reactor, string name, ulong sizeBytes, string? folder)
    {
        if (folder == null)
            return new StressDisk(new MemoryDevice(reactor, name, sizeBytes, isZeroInitialised: false), null, null);
        string path = Path.Combine(folder, $"fastbackup-stress-{Environment.ProcessId}-{name}");
        FileOpenOptions options = new() { Path = path, CreateBytes = sizeBytes };
        OpenRefusal refusal = DeviceOpener.TryOpen(reactor, options, out FileDevice? device);
        if (!refusal.IsNone)
            throw new IOException(refusal.Sentence);
        // A plain buffered descriptor beside the device's: what a host that does its own I/O has.
        SafeFileHandle file = new(
            FastBackup.Interop.Linux.Files.Open(path, FastBackup.Interop.Linux.Files.O_RDWR, 0),
            true
        );
        return new StressDisk(device!, file, path);
    }

    /// <summary>
    /// Gives every byte a place. A host that writes past a memory device leaves its allocation map behind, and a
    /// map that says "hole" where there is data would be believed.
    /// </summary>
    public void MarkAllocated() => _memory?.MarkAllAllocated();

    public void Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        if (_memory != null)
            bytes.CopyTo(_memory.Content(offsetBytes, bytes.Length));
        else
            RandomAccess.Write(_file!, bytes, (long)offsetBytes);
    }

    public void Read(ulong offsetBytes, Span<byte> bytes)
    {
        if (_memory != null)
            _memory.Content(offsetBytes, bytes.Length).CopyTo(bytes);
        else
            RandomAccess.Read(_file!, bytes, (long)offsetBytes);
    }

    public void Dispose()
    {
        Device.Dispose();
        _file?.Dispose();
        if (_path != null)
            File.Delete(_path);
    }
}
