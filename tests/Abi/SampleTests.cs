// The samples do what they show: compiled as a reader would, run on real files, their results compared.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed class SampleTests : IDisposable
{
    const int SampleLinesMax = 120;
    const int DiskBytes = 24 << 20;

    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-samples-").FullName;

    [Fact]
    public void Samples_AreShort()
    {
        foreach (string path in Directory.EnumerateFiles(Repository.PathOf("native-api/samples"), "*.c"))
            Assert.True(File.ReadLines(path).Count() < SampleLinesMax, $"{path} has {SampleLinesMax} lines or more");
    }

    [Fact]
    public void FullBackup_MakesAnEqualCopy()
    {
        (string disk, string copy) = (MakeDisk(), Path.Combine(_folder, "copy.img"));
        Assert.Contains("FB_OK", Run("full_backup", disk, copy));
        Assert.True(File.ReadAllBytes(disk).AsSpan().SequenceEqual(File.ReadAllBytes(copy)));
        // Once more: the copy exists already, and the sentence says so.
        ToolRun again = BuiltLibrary.Run(BuiltLibrary.Compile("native-api/samples/full_backup.c"), disk, copy);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains(copy, again.Output);
    }

    [Fact]
    public void HooksInAnEventLoop_KeepThePointInTime()
    {
        (string disk, string copy) = (MakeDisk(), Path.Combine(_folder, "copy.img"));
        byte[] before = File.ReadAllBytes(disk);
        Assert.Contains("FB_OK", Run("hooks_in_epoll", disk, copy));
        Assert.True(before.AsSpan().SequenceEqual(File.ReadAllBytes(copy)), "the copy is not the disk as it was");
        Assert.False(before.AsSpan().SequenceEqual(File.ReadAllBytes(disk)), "the guest has written nothing");
    }

    [Fact]
    public void HostDevice_IsBackedUp()
    {
        string copy = Path.Combine(_folder, "copy.img");
        Assert.Contains("FB_OK", Run("host_device", copy));
        byte[] bytes = File.ReadAllBytes(copy);
        Assert.Equal(16 << 20, bytes.Length);
        for (int at = 0; at < bytes.Length; at += 4096)
            Assert.Equal((byte)(at >> 12), bytes[at]);
    }

    [Fact]
    public void Incremental_CopiesWhatWasWritten()
    {
        (string disk, string copy) = (MakeDisk(), Path.Combine(_folder, "copy.img"));
        string output = Run("incremental", disk, copy);
        Assert.Contains("changed: offset 1048576, 65536 bytes", output);
        Assert.Contains("copied 131072 of 25165824 bytes", output);
        Assert.True(File.ReadAllBytes(disk).AsSpan().SequenceEqual(File.ReadAllBytes(copy)));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static string Run(string sample, params string[] arguments) =>
        BuiltLibrary.CompileAndRun($"native-api/samples/{sample}.c", arguments);

    string MakeDisk()
    {
        string path = Path.Combine(_folder, "disk.img");
        byte[] bytes = new byte[DiskBytes];
        for (int i = 0; i < bytes.Length / 2; i++)
            bytes[i] = (byte)(i * 31 >> 7);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
