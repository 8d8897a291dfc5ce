// What is typed as the name of a disk is that name, to the byte, whatever it looks like; or it is refused.
using System;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class NameTests : IDisposable
{
    const string Latin1Name = @"b\344r.img"; // as printf(1) takes it

    readonly TempFolder _folder = new();

    public NameTests() => Disks.Random(_folder["disk.img"], 100_000);

    /// <summary>.NET cannot remove what it cannot name.</summary>
    public void Dispose()
    {
        Shell("rm -r -- *");
        _folder.Dispose();
    }

    [Theory]
    [InlineData("@copy.img")]
    [InlineData("[suggest]")]
    [InlineData("./-")]
    [InlineData("./--force")]
    [InlineData("a copy, with 'quotes' = and $signs")]
    [InlineData("b\u00e4r.img")]
    [InlineData("a\uFFFDb.img")] // the character itself, in valid UTF-8
    [InlineData("two\nlines")]
    public void NameOfAnyKind_IsAName(string name)
    {
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", name).Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder[name]);
        Programs.Fastbackup(_folder.Path, "compare", name, "disk.img").Expect(0);
        Programs.Fastbackup(_folder.Path, "backup", name, "again.img").Expect(0);
    }

    [Fact]
    public void AfterTwoDashes_AllAreNames()
    {
        Programs.Fastbackup(_folder.Path, "backup", "--quiet", "--", "disk.img", "--force").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["--force"]);
    }

    [Theory]
    [InlineData("backup \"$name\" copy.img")]
    [InlineData("backup disk.img \"$name.copy\"")]
    [InlineData("compare disk.img \"$name\"")]
    [InlineData("demo --dir \"$name\"")]
    [InlineData("doctor \"$name\"")]
    public void NameThatIsNotUtf8_IsRefusedAndNotTakenForAnother(string line)
    {
        Shell($"cp disk.img \"$(printf '{Latin1Name}')\"").Expect(0);
        string picture = Shell("ls -lb").Output;
        string script = $"name=$(printf '{Latin1Name}'); {BuiltCommand.Line} {line}";
        Shell(script).Expect(2).ExpectSentence(@"b\xe4r.img", "is not UTF-8", "give a link to it");
        Assert.Equal(picture, Shell("ls -lb").Output);
    }

    [Fact]
    public void FileWhoseNameIsNotUtf8_IsReadThroughALink()
    {
        Shell($"mv disk.img \"$(printf '{Latin1Name}')\"; ln -s \"$(printf '{Latin1Name}')\" link.img").Expect(0);
        Programs.Fastbackup(_folder.Path, "backup", "link.img", "copy.img").Expect(0);
        Shell($"cmp link.img copy.img").Expect(0);
    }

    [Fact]
    public void LinkToANameThatIsNotUtf8_IsNoTarget()
    {
        Shell($"ln -s \"$(printf '{Latin1Name}')\" link.img").Expect(0);
        string picture = Shell("ls -lb").Output;
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", "disk.img", "link.img", "--force");
        result.Expect(1).ExpectSentence("'link.img'", "EILSEQ", "leads to a name that is not UTF-8");
        Assert.Equal(picture, Shell("ls -lb").Output);
    }

    [Theory]
    [InlineData("backup ../disk.img copy.img", 0)]
    [InlineData("backup ../disk.img ../copy.img --json", 0)]
    [InlineData("compare ../disk.img ../disk.img", 0)]
    [InlineData("demo --size 16MiB --dir .", 1)] // .NET makes its files by whole paths
    [InlineData("doctor .", 1)]
    public void FolderWhoseNameIsNotUtf8_IsRightOrRefused(string line, int exitCode)
    {
        Shell($"mkdir \"$(printf 'd\\344r')\"").Expect(0);
        string script = $"cd \"$(printf 'd\\344r')\"; {BuiltCommand.Line} {line}";
        ProgramResult result = Shell(script).Expect(exitCode);
        if (exitCode != 0)
            result.ExpectSentence("'.'");
    }

    [Theory]
    [InlineData("backup ../disk.img ../copy.img", 0)]
    [InlineData("compare ../disk.img ../disk.img", 0)]
    [InlineData("doctor", 0)]
    [InlineData("demo --size 16MiB", 0)]
    [InlineData("backup ../disk.img copy.img", 1)]
    [InlineData("compare ../disk.img disk.img", 3)]
    [InlineData("demo --dir .", 1)]
    [InlineData("doctor .", 1)]
    [InlineData("ctl socket query-jobs", 1)]
    [InlineData("top socket", 1)]
    public void FolderThatIsGone_IsNoTrouble(string line, int exitCode)
    {
        string script = $"mkdir gone; cd gone; rmdir ../gone; {BuiltCommand.Line} {line}";
        ProgramResult result = Shell(script).Expect(exitCode);
        if (exitCode != 0)
            result.ExpectSentence();
    }

    [Fact]
    public void Sentence_StaysOneLineWhateverTheName()
    {
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", "two\nlines\u001b[2J.img", "copy.img");
        result.Expect(1).ExpectSentence(@"two\x0alines\x1b[2J.img", "ENOENT");
    }

    ProgramResult Shell(string script) => Programs.Run(_folder.Path, "sh", "-c", script);
}
