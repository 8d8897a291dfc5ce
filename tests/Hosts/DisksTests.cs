// The comparison that every other test here relies on.
using System.IO;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Hosts;

public sealed class DisksTests
{
    const int SizeBytes = (3 << 20) + 5;

    [Theory]
    [InlineData(0)]
    [InlineData(1 << 20)]
    [InlineData(SizeBytes - 1)]
    public void FindDifference_IsTheFirstByteThatDiffers(int offset)
    {
        using TempFolder folder = new();
        string zeroes = Disks.Hole(folder["zeroes"], SizeBytes);
        byte[] content = new byte[SizeBytes];
        content[offset] = 1;
        content[^1] = 1;
        File.WriteAllBytes(folder["other"], content);
        Assert.Equal(offset, Disks.FindDifference(zeroes, folder["other"]));
        Assert.Null(Disks.FindDifference(folder["other"], Disks.Copy(folder["other"], folder["copy"])));
    }

    [Theory]
    [InlineData(SizeBytes, 3 << 20)]
    [InlineData(3 << 20, SizeBytes)]
    [InlineData(1 << 20, 2 << 20)]
    public void FindDifference_OfAShorterFile_IsItsEnd(int left, int right)
    {
        using TempFolder folder = new();
        string one = Disks.Hole(folder["one"], left);
        string other = Disks.Hole(folder["other"], right);
        Assert.Equal(int.Min(left, right), Disks.FindDifference(one, other));
    }
}
