// Images that are not raw, as QEMU makes them: named and refused, as source, target and for comparison, unless they are
// said to be raw.
using System;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class FormatTests : IDisposable
{
    readonly TempFolder _folder = new();

    public FormatTests()
    {
        Requires.Command("qemu-img");
        Disks.Random(_folder["raw.img"], 1 << 20);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("qed")]
    [InlineData("vmdk")]
    [InlineData("vdi")]
    [InlineData("vhdx")]
    [InlineData("vpc")]
    [InlineData("vpc", "-o", "subformat=fixed,force_size=on")]
    [InlineData("parallels")]
    public void AForeignImage_IsNamedAndRefused(string format, params string[] options)
    {
        string[] line = ["create", "-q", "-f", format, .. options, "foreign", "8M"];
        Programs.Run(_folder.Path, "qemu-img", line).Expect(0);
        string picture = FolderPicture.Take(_folder.Path);
        string name = $"'foreign' is an image of format {format}";
        Run("backup", "foreign", "copy").Expect(1).ExpectSentence("source", name, "--format raw");
        Run("backup", "raw.img", "foreign", "--force").Expect(1).ExpectSentence("target", name, "--format raw");
        Run("compare", "raw.img", "foreign").Expect(3).ExpectSentence("second disk", name, "--format raw");
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
    }

    [Fact]
    public void SaidToBeRaw_ItIsCopied()
    {
        Programs.Run(_folder.Path, "qemu-img", "create", "-q", "-f", "qcow2", "foreign", "8M").Expect(0);
        Run("backup", "foreign", "copy", "--format", "raw").Expect(0);
        Run("compare", "foreign", "copy", "--format", "raw").Expect(0);
        Disks.AssertEqual(_folder["foreign"], _folder["copy"]);
        Run("backup", "raw.img", "foreign", "--force", "--format", "raw").Expect(0);
        Disks.AssertEqual(_folder["raw.img"], _folder["foreign"]);
    }

    [Fact]
    public void OtherWords_AreWrong() =>
        Run("backup", "raw.img", "copy", "--format", "vmdk").Expect(2).ExpectSentence("--format 'vmdk'", "'raw'");

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);
}
