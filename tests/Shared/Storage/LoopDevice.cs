// A loop device over a file, detached at the end. Needs root.
using System;
using System.Globalization;
using System.IO;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Storage;

public sealed class LoopDevice : IDisposable
{
    public LoopDevice(string file, int sectorBytes = 512, bool isReadOnly = false)
    {
        Requires.Root();
        Requires.Command("losetup");
        Requires.SystemPath("/dev/loop-control");
        string sectors = sectorBytes.ToString(CultureInfo.InvariantCulture);
        string[] more = isReadOnly ? ["--read-only", file] : [file];
        Path = Tool.Run("losetup", ["--find", "--show", "--sector-size", sectors, .. more]).Trim();
    }

    public string Path { get; }

    /// <summary>Everything on it, read from the device itself, whose length a stream does not know.</summary>
    public byte[] ReadAll()
    {
        using FileStream stream = File.OpenRead(Path);
        using MemoryStream content = new();
        stream.CopyTo(content);
        Assert.NotEqual(0, content.Length);
        return content.ToArray();
    }

    public void Dispose() => Tool.Run("losetup", "--detach", Path);
}
