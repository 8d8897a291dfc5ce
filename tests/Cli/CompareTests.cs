// The verdict of compare: exit code, words and offset, with holes on either side.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class CompareTests : IDisposable
{
    const int DiskBytes = 20_000_001;

    readonly TempFolder _folder = new();

    public CompareTests()
    {
        Disks.Random(_folder["a.img"], DiskBytes);
        File.Copy(_folder["a.img"], _folder["b.img"]);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SameBytes_AreIdentical() => Assert.StartsWith("identical: 19.1 MiB", Compare(0).Output);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_535)]
    [InlineData(1_048_576)]
    [InlineData(7_654_321)]
    [InlineData(DiskBytes - 1)]
    public void FirstDifference_IsNamed(int offset)
    {
        Flip(offset);
        if (offset < DiskBytes / 2)
            Flip(DiskBytes - 2); // a later one must not win
        string named = offset.ToString(CultureInfo.InvariantCulture);
        Assert.Equal($"different: first at offset {named}\n", Compare(1).Output);
    }

    [Fact]
    public void DifferentSizes_AreSaid()
    {
        using (FileStream file = File.OpenWrite(_folder["b.img"]))
            file.SetLength(DiskBytes + 5);
        string said = Compare(1).Output;
        Assert.Contains("one disk ends at offset 20000001, up to there they are the same", said);
        Assert.Contains("sizes differ: 20000001 and 20000006 bytes", said);
        Flip(4096);
        Assert.StartsWith("different: first at offset 4096; sizes differ: 20000001 and 20000006", Compare(1).Output);
    }

    [Fact]
    public void Holes_AreZeroes()
    {
        (long, int)[] pieces = [(5_000, 70_000), (3_000_000, 1), (6_291_456, 65_536)];
        Disks.Sparse(_folder["sparse.img"], 9_000_001, pieces);
        byte[] content = File.ReadAllBytes(_folder["sparse.img"]);
        File.WriteAllBytes(_folder["full.img"], content);
        Programs.Fastbackup(_folder.Path, "compare", "sparse.img", "full.img").Expect(0);
        Programs.Fastbackup(_folder.Path, "compare", "full.img", "sparse.img").Expect(0);
        content[4_500_000] = 1; // where the other has a hole
        File.WriteAllBytes(_folder["full.img"], content);
        foreach (string[] pair in new[] { new[] { "sparse.img", "full.img" }, ["full.img", "sparse.img"] })
        {
            ProgramResult result = Programs.Fastbackup(_folder.Path, ["compare", .. pair]).Expect(1);
            Assert.Equal("different: first at offset 4500000\n", result.Output);
        }
    }

    [Fact]
    public void HolesOnBothSides_AreNotRead()
    {
        Disks.Sparse(_folder["c.img"], 1L << 40, (1L << 39, 4096));
        Disks.Sparse(_folder["d.img"], 1L << 40, (1L << 39, 4096));
        ProgramResult result = Programs.Fastbackup(_folder.Path, "compare", "c.img", "d.img").Expect(0);
        Assert.Contains("identical: 1.0 TiB", result.Output);
    }

    [Fact]
    public void Interrupt_SaysHowFarItGot()
    {
        Disks.Sparse(_folder["c.img"], 1L << 38);
        Disks.Sparse(_folder["d.img"], 1L << 38);
        using LoopDevice loop = new(_folder["c.img"]); // has no map of its holes, so all of it is read
        using RunningProgram compare = Programs.StartFastbackup(_folder.Path, "compare", loop.Path, "d.img");
        Eventually.True(() => compare.OpenFiles().Contains(_folder["d.img"])); // so it listens to signals, too
        compare.Signal("TERM");
        compare.Wait().Expect(130).ExpectSentence("interrupted after", "of 256.0 GiB", "no difference so far");
    }

    [Fact]
    public void Quiet_SaysItByExitCodeAlone()
    {
        Assert.Equal("", Programs.Fastbackup(_folder.Path, "compare", "a.img", "b.img", "--quiet").Expect(0).Output);
        Flip(1);
        Assert.Equal("", Programs.Fastbackup(_folder.Path, "compare", "a.img", "b.img", "--quiet").Expect(1).Output);
    }

    ProgramResult Compare(int exitCode) =>
        Programs.Fastbackup(_folder.Path, "compare", "a.img", "b.img").Expect(exitCode);

    void Flip(long offset)
    {
        using FileStream file = new(_folder["b.img"], FileMode.Open, FileAccess.ReadWrite);
        file.Position = offset;
        int old = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(old ^ 0x80));
    }
}
