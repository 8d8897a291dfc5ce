// A loop device over a file, detached at the end. Needs root.
using System;
using System.Globalization;
using System.IO;

namespace FastBackup.Tests.Cli.Machine;

sealed class LoopDevice : IDisposable
{
    public LoopDevice(string file, int sectorBytes = 512)
    {
        Requires.Root();
        Requires.Command("losetup");
        Requires.SystemPath("/dev/loop-control");
        string sectors = sectorBytes.ToString(CultureInfo.InvariantCulture);
        ProgramResult made = Programs.Run("/", "losetup", "--find", "--show", "--sector-size", sectors, file);
        Path = made.Expect(0).Output.Trim();
    }

    public string Path { get; }

    /// <summary>Everything on it, from the device itself.</summary>
    public byte[] ReadAll()
    {
        using FileStream stream = File.OpenRead(Path);
        byte[] content = new byte[stream.Seek(0, SeekOrigin.End)];
        stream.Position = 0;
        stream.ReadExactly(content);
        return content;
    }

    public void Dispose() => Programs.Run("/", "losetup", "--detach", Path).Expect(0);
}
