// A folder for one test, with its disks; removed with everything in it.
using System;
using System.IO;
using FastBackup.Interop.Linux;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Tests.Hosts.Monitor;

sealed class TestFolder : IDisposable
{
    readonly string _path = Directory.CreateTempSubdirectory("fastbackup-mon-").FullName;

    public string this[string name] => Path.Combine(_path, name);

    /// <summary>A file of random bytes.</summary>
    public string Random(string name, int sizeBytes)
    {
        byte[] content = new byte[sizeBytes];
        new Random(name.Length).NextBytes(content);
        File.WriteAllBytes(this[name], content);
        return this[name];
    }

    /// <summary>A file that is one hole.</summary>
    public string Hole(string name, long sizeBytes)
    {
        using FileStream file = new(this[name], FileMode.CreateNew);
        file.SetLength(sizeBytes);
        return this[name];
    }

    /// <summary>What is in a file that others have locked: the framework's own open would ask for a lock.</summary>
    public static byte[] Read(string path)
    {
        using SafeFileHandle handle = new(Files.Open(path, Files.O_RDONLY | Files.O_CLOEXEC, 0), ownsHandle: true);
        using FileStream file = new(handle, FileAccess.Read);
        byte[] content = new byte[file.Length];
        file.ReadExactly(content);
        return content;
    }

    /// <summary>A file that others have locked, to be changed under them.</summary>
    public FileStream OpenLocked(string name) =>
        new(
            new SafeFileHandle(Files.Open(this[name], Files.O_RDWR | Files.O_CLOEXEC, 0), ownsHandle: true),
            FileAccess.ReadWrite
        );

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
