// The files of one test, and the programs that are let loose on them.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

/// <summary>Threads: one.</summary>
sealed class DiskFolder : IDisposable
{
    readonly string _path = Directory.CreateTempSubdirectory("fb-nbd-").FullName;

    public string Path => _path;

    public string this[string name] => System.IO.Path.Combine(_path, name);

    /// <summary>A file of bytes that differ from place to place, equal for equal seeds.</summary>
    public string Random(string name, int sizeBytes, int seed = 1)
    {
        byte[] bytes = new byte[sizeBytes];
        new Random(seed).NextBytes(bytes);
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    /// <summary>A file that is one hole.</summary>
    public string Sparse(string name, long sizeBytes)
    {
        using FileStream file = new(this[name], FileMode.CreateNew);
        file.SetLength(sizeBytes);
        return this[name];
    }

    /// <summary>Also of a file that the engine has locked: .NET would want a lock of its own.</summary>
    public byte[] Bytes(string name)
    {
        string copy = this["bytes.tmp"];
        Run("cp", "--sparse=always", this[name], copy);
        byte[] bytes = File.ReadAllBytes(copy);
        File.Delete(copy);
        return bytes;
    }

    /// <summary>What of a file is in the page cache leaves it.</summary>
    public void Uncache(string name) =>
        Run("dd", "of=" + this[name], "oflag=nocache", "conv=notrunc,fdatasync", "count=0");

    public string[] Names() => [.. Directory.GetFiles(_path).Select(path => System.IO.Path.GetFileName(path)!)];

    /// <summary>Runs a program that must succeed.</summary>
    /// <returns>What it printed.</returns>
    public static string Run(string program, params string[] arguments)
    {
        Requires.Command(program);
        ToolRun run = ToolRun.Of(program, arguments);
        Assert.True(run.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {run.ExitCode}\n{run.Output}");
        return run.Output;
    }

    /// <summary>Commands for qemu-io, one each.</summary>
    public static string QemuIo(string uri, params string[] commands) =>
        Run("qemu-io", ["-f", "raw", .. commands.SelectMany(command => new[] { "-c", command }), uri]);

    /// <summary>A guest that writes at random, and verifies what it wrote where it is told to.</summary>
    public static string Fio(string uri, string load, params string[] more) =>
        Run(
            "fio",
            ["--name=guest", "--ioengine=nbd", "--uri=" + uri, "--bs=4k", "--iodepth=16", "--rw=" + load, .. more]
        );

    public static void AssertEqual(byte[] expected, byte[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        int same = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(same == expected.Length, $"differs at byte {same}");
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
