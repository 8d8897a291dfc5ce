// info, map and check of images as QEMU makes them: what people and scripts are told.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ImageCommandTests : IDisposable
{
    readonly TempFolder _folder = new();

    public ImageCommandTests()
    {
        Requires.Command("qemu-img");
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "base.qcow2", "8M");
        Qemu("qemu-io", "-c", "write -P 7 1M 300k", "base.qcow2");
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "top.qcow2");
        Qemu("qemu-io", "-c", "write -P 8 5M 100k", "-c", "write -z 1M 64k", "top.qcow2");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Info_ShowsEveryLayer()
    {
        Qemu("qemu-img", "snapshot", "-c", "before", "base.qcow2");
        Qemu("qemu-img", "bitmap", "--add", "top.qcow2", "changes");
        string shown = Run("info", "top.qcow2").Expect(0).Output;
        Assert.Contains("backing file:   base.qcow2 (format qcow2)", shown);
        Assert.Contains("bitmap:         changes (64.0 KiB, recording)", shown);
        Assert.Contains("snapshot:       before (id 1, ", shown);
        JsonElement[] images = Run("info", "top.qcow2", "--json").Expect(0).Events();
        Assert.Equal(["top.qcow2", "base.qcow2"], images[..2].Select(one => one.GetProperty("filename").GetString()));
        Assert.Equal(8ul << 20, images[1].GetProperty("virtual_bytes").GetUInt64());
        Assert.Equal("done", images[^1].GetProperty("event").GetString());
    }

    [Fact]
    public void Map_SaysWhatIsWhere()
    {
        string[] rows = Run("map", "top.qcow2").Expect(0).OutputLines[1..];
        Assert.Equal(
            [
                "0 1048576 hole -",
                "1048576 65536 zero 0",
                "1114112 262144 data 1",
                "1376256 3866624 hole -",
                "5242880 131072 data 0",
                "5373952 3014656 hole -",
            ],
            rows.Select(row => string.Join(' ', row.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        );
    }

    [Fact]
    public void Check_TellsCleanLeaksAndCorruptionsApart()
    {
        Assert.StartsWith("clean: 0 corruptions, 0 leaked", Run("check", "base.qcow2").Expect(0).Output);
        byte[] image = File.ReadAllBytes(_folder["base.qcow2"]);
        int block = 2 << 16;
        int used = Enumerable.Range(0, 100).Last(i => image[block + 2 * i + 1] == 1);
        image[block + 2 * used + 3] = 1; // counted, and used by nobody
        File.WriteAllBytes(_folder["leak.qcow2"], [.. image, .. new byte[1 << 16]]);
        Assert.Contains("leaks: 0 corruptions, 1 leaked", Run("check", "leak.qcow2").Expect(3).Output);
        image[block + 2 * used + 1] = 0; // used, and not counted
        image[block + 2 * used + 3] = 0;
        File.WriteAllBytes(_folder["broken.qcow2"], image);
        ProgramResult broken = Run("check", "broken.qcow2", "--json").Expect(4);
        JsonElement done = broken.Events().Last();
        Assert.Equal("corrupt", done.GetProperty("status").GetString());
        File.WriteAllBytes(_folder["raw"], new byte[4096]);
        Run("check", "raw").Expect(1).ExpectSentence("'raw' is no qcow2 image");
    }

    void Qemu(string tool, params string[] line) => Programs.Run(_folder.Path, tool, line).Expect(0);

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);
}
