// A folder of the demo's own, removed with everything in it whatever happens, and the question whether there
// is room for what goes into it.
using System;
using System.IO;
using FastBackup.Repositories;

namespace FastBackup.Cli;

sealed class DemoFolder : IDisposable
{
    DemoFolder(string path) => Path = path;

    public string Path { get; }

    /// <param name="parent">Must exist.</param>
    /// <param name="neededBytes">Free space to ask for.</param>
    /// <param name="folder">The folder, or null.</param>
    /// <returns>Null, or why not.</returns>
    public static string? TryCreate(string parent, ulong neededBytes, out DemoFolder? folder)
    {
        folder = null;
        if (!Directory.Exists(parent))
            return $"--dir '{parent}' is not a folder; give one that exists";
        try
        {
            ulong freeBytes = FreeBytes(System.IO.Path.GetFullPath(parent));
            if (freeBytes < neededBytes)
                return $"the demo needs {ByteSize.Format(neededBytes)} in '{parent}', where {
                    ByteSize.Format(freeBytes)} are free; give a smaller --size or another --dir";
            string path = System.IO.Path.Combine(parent, "fastbackup-demo-" + System.IO.Path.GetRandomFileName()[..8]);
            Directory.CreateDirectory(path);
            folder = new DemoFolder(path);
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return $"cannot make a folder in --dir '{parent}': {FileTrouble.Describe(exception)}; give another --dir";
        }
    }

    /// <summary>Of a share of Windows nobody knows it beforehand.</summary>
    static ulong FreeBytes(string path)
    {
        try
        {
            return (ulong)new DriveInfo(path).AvailableFreeSpace;
        }
        catch (ArgumentException) // no drive's letter
        {
            return ulong.MaxValue;
        }
    }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(
                $"fastbackup: cannot remove '{Path}': {FileTrouble.Describe(exception)}; remove it yourself"
            );
        }
    }
}
