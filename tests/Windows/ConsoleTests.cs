// The command on a console: progress is shown, and Ctrl-C ends it as elsewhere. That a console is closed Wine tells no
// program; it ends them.
using System;
using System.IO;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Windows;

public sealed class ConsoleTests : IDisposable
{
    readonly TempFolder _folder = new();

    public ConsoleTests() => Disks.Random(_folder["disk.img"], 8 << 20);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void CtrlC_EndsABackup_AndLeavesNothingThatLooksWhole()
    {
        string[] line = ["backup", "disk.img", "copy.img", "--speed", "64KiB", "--cluster", "4KiB", "--memory", "1MiB"];
        using Terminal terminal = Wine.Open(_folder.Path, WindowsPrograms.Command, line);
        terminal.WaitFor("KiB/s"); // a bar, and its rate
        terminal.Type(Terminal.CtrlC);
        Assert.Equal(130, terminal.Wait());
        Assert.Contains("interrupted after", terminal.Shown);
        Assert.Equal(["copy.img.partial", "disk.img"], Names());
    }

    [Fact]
    public void CtrlC_EndsADemo_AndRemovesItsFiles()
    {
        using Terminal terminal = Wine.Open(
            _folder.Path,
            WindowsPrograms.Command,
            "demo",
            "--size",
            "1GiB",
            "--dir",
            "."
        );
        terminal.WaitFor("Making a disk");
        terminal.Type(Terminal.CtrlC);
        Assert.Equal(130, terminal.Wait());
        Assert.Equal(["disk.img"], Names());
    }

    string[] Names()
    {
        string[] names = Array.ConvertAll(
            Directory.GetFileSystemEntries(_folder.Path),
            path => Path.GetFileName(path)!
        );
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    }
}
