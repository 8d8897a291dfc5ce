// qcow2 images as people use them: as source, for comparison, served; and when a file is not taken for one.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class Qcow2SourceTests : IDisposable
{
    readonly TempFolder _folder = new();

    public Qcow2SourceTests()
    {
        Requires.Command("qemu-img");
        Create("base.qcow2", "8M");
        Qemu("qemu-io", "-c", "write -P 7 1M 300k", "-c", "write -P 9 5M 64k", "base.qcow2");
        Create("top.qcow2", "-b", "base.qcow2", "-F", "qcow2");
        Qemu("qemu-io", "-c", "write -P 8 1100k 100k", "-c", "write -z 5M 8k", "top.qcow2");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AChain_IsCopiedAndCompared()
    {
        Qemu("qemu-img", "convert", "-O", "raw", "top.qcow2", "expected");
        Run("backup", "top.qcow2", "copy").Expect(0);
        Disks.AssertEqual(_folder["expected"], _folder["copy"]);
        Assert.StartsWith("identical", Run("compare", "top.qcow2", "copy").Expect(0).Output);
        Assert.StartsWith(
            "different: first at offset 1126400",
            Run("compare", "top.qcow2", "base.qcow2").Expect(1).Output
        );
    }

    [Fact]
    public void OfTheTopLayer_OnlyWhatItHasIsCopied()
    {
        Qemu("qemu-io", "-c", "write -z 1M 64k", "top.qcow2"); // they hide what the base has there
        string done = Run("backup", "top.qcow2", "copy", "--sync", "top", "--json").Expect(0).Output;
        Assert.Contains("\"bytes\":262144,", done.Split('\n')[^2]); // four clusters of eight MiB
        Qemu("qemu-img", "rebase", "-u", "-b", "", "top.qcow2");
        Qemu("qemu-img", "convert", "-O", "raw", "top.qcow2", "expected");
        Disks.AssertEqual(_folder["expected"], _folder["copy"]);
    }

    [Fact]
    public void AProbedImage_IsTrustedWithItselfOnly()
    {
        File.Move(_folder["top.qcow2"], _folder["disk"]);
        File.Copy(_folder["base.qcow2"], _folder["alone"]);
        string picture = FolderPicture.Take(_folder.Path);
        Run("backup", "disk", "copy").Expect(1).ExpectSentence("source", "names another file", "--format qcow2");
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
        Run("backup", "disk", "copy", "--format", "qcow2").Expect(0);
        Run("backup", "alone", "copy2").Expect(0);
        Run("compare", "copy2", "base.qcow2").Expect(0);
    }

    [Fact]
    public void ABackingFileOfUnknownFormat_MustLookRaw()
    {
        byte[] image = File.ReadAllBytes(_folder["top.qcow2"]);
        int extension = image.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xe2, 0x79, 0x2a, 0xca]);
        image[extension] = 1; // no extension that anybody knows
        File.WriteAllBytes(_folder["top.qcow2"], image);
        Run("backup", "top.qcow2", "copy").Expect(1).ExpectSentence("source", "does not say so", "qemu-img rebase -u");
    }

    [Fact]
    public void ACircle_IsRefused()
    {
        Qemu("qemu-img", "rebase", "-u", "-F", "qcow2", "-b", "top.qcow2", "base.qcow2");
        Run("backup", "top.qcow2", "copy").Expect(1).ExpectSentence("source", "'top.qcow2'", "based on itself");
    }

    [Fact]
    public void AMissingBackingFile_IsNamed()
    {
        File.Delete(_folder["base.qcow2"]);
        Run("backup", "top.qcow2", "copy")
            .Expect(1)
            .ExpectSentence("source", "'top.qcow2' has what it is based on in 'base.qcow2'", "check the path");
    }

    [Fact]
    public void AnEncryptedImage_IsRefused()
    {
        string[] secret = ["--object", "secret,id=s,data=geheim", "-o", "encrypt.format=luks,encrypt.key-secret=s"];
        Create("locked.qcow2", [.. secret, "2M"]);
        Run("backup", "locked.qcow2", "copy").Expect(1).ExpectSentence("source", "is encrypted (LUKS)", "not read");
    }

    [Fact]
    public void AnImageThatWasCut_IsNoBackup()
    {
        using (FileStream file = File.OpenWrite(_folder["base.qcow2"]))
            file.SetLength(file.Length - (256 << 10));
        ProgramResult result = Run("backup", "top.qcow2", "copy").Expect(1);
        Assert.Contains("image 'base.qcow2' has data at", result.Error);
        Assert.Contains("it was cut", result.Error);
        Assert.False(File.Exists(_folder["copy"]));
    }

    [Fact]
    public void APartOfTheSource_IsNoTarget()
    {
        byte[] before = File.ReadAllBytes(_folder["base.qcow2"]);
        Run("backup", "top.qcow2", "base.qcow2", "--force", "--format", "qcow2")
            .Expect(1)
            .ExpectSentence("target 'base.qcow2'", "parts of each other", "another target");
        Assert.Equal(before, File.ReadAllBytes(_folder["base.qcow2"]));
    }

    [Fact]
    public void AnImage_IsServedForReading()
    {
        using RunningProgram server = Programs.StartFastbackup(
            _folder.Path,
            "serve",
            "top.qcow2",
            "--read-only",
            "--socket",
            "s"
        );
        Eventually.True(() => server.Output.Contains("Ctrl-C", StringComparison.Ordinal));
        string uri = $"nbd+unix:///top?socket={_folder["s"]}";
        Qemu("qemu-img", "compare", "-f", "raw", "-F", "qcow2", uri, "top.qcow2");
    }

    /// <summary>Else the next open would take it for an image that names a file of the host.</summary>
    [Theory]
    [InlineData("raw.img", 1)]
    [InlineData("raw.img", 0, "--format", "raw")]
    public void ADiskThatWasProbedToBeRaw_DoesNotBecomeAnImage(string disk, int exitCode, params string[] format)
    {
        Disks.Random(_folder[disk], 1 << 20);
        using RunningProgram server = Programs.StartFastbackup(
            _folder.Path,
            ["serve", disk, "--socket", "s", .. format]
        );
        Eventually.True(() => server.Output.Contains("Ctrl-C", StringComparison.Ordinal));
        File.WriteAllBytes(_folder["header"], File.ReadAllBytes(_folder["top.qcow2"])[..4096]);
        string uri = $"nbd+unix:///raw?socket={_folder["s"]}";
        string[] write = ["-f", "raw", "-c", $"write -s {_folder["header"]} 0 4k", uri];
        Programs.Run(_folder.Path, "qemu-io", write).Expect(exitCode);
        string[] other = ["-f", "raw", "-c", $"write -s {_folder["header"]} 4k 4k", uri];
        Programs.Run(_folder.Path, "qemu-io", other).Expect(0);
    }

    void Create(string name, params string[] more)
    {
        string[] line = ["create", "-q", "-f", "qcow2"];
        int size = more[^1].EndsWith('M') ? 1 : 0;
        Qemu("qemu-img", [.. line, .. more[..^size], name, .. more[^size..]]);
    }

    void Qemu(string tool, params string[] line) => Programs.Run(_folder.Path, tool, line).Expect(0);

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);
}
