// The comparison that every other test here relies on.
using System.IO;
using Xunit;

namespace FastBackup.Tests.Hosts.Machine;

public sealed class DiskFileTests
{
    const int SizeBytes = (3 << 20) + 5;

    [Theory]
    [InlineData(0)]
    [InlineData(1 << 20)]
    [InlineData(SizeBytes - 1)]
    public void FindDifference_IsTheFirstByteThatDiffers(int offset)
    {
        using WorkFolder folder = new();
        string zeroes = DiskFile.Create(folder["zeroes"], SizeBytes);
        byte[] content = new byte[SizeBytes];
        content[offset] = 1;
        content[^1] = 1;
        File.WriteAllBytes(folder["other"], content);
        Assert.Equal(offset, DiskFile.FindDifference(zeroes, folder["other"]));
        Assert.Null(DiskFile.FindDifference(folder["other"], DiskFile.Copy(folder["other"], folder["copy"])));
    }

    [Theory]
    [InlineData(SizeBytes, 3 << 20)]
    [InlineData(3 << 20, SizeBytes)]
    [InlineData(1 << 20, 2 << 20)]
    public void FindDifference_OfAShorterFile_IsItsEnd(int left, int right)
    {
        using WorkFolder folder = new();
        string one = DiskFile.Create(folder["one"], left);
        string other = DiskFile.Create(folder["other"], right);
        Assert.Equal(int.Min(left, right), DiskFile.FindDifference(one, other));
    }
}
