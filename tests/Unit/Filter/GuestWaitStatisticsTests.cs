// A guest write's wait is counted by the point in time that it waited for, and only then.
using FastBackup.Jobs;
using FastBackup.Tests.Unit.Jobs;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class GuestWaitStatisticsTests
{
    [Theory]
    [InlineData(BitmapMatrixTests.Ending.Success)]
    [InlineData(BitmapMatrixTests.Ending.Cancelled)]
    public void WritesToProtectedClusters_AreCounted(BitmapMatrixTests.Ending ending)
    {
        using MatrixBench bench = new(BitmapMatrixTests.Dirtiness.Clean);
        BackupJob job = bench.Run(BackupSync.Full, null, null, ending);
        Assert.Equal((ulong)bench.Written.Count, job.GuestWaits.Count);
        Assert.InRange(job.GuestWaits.MaxNs, 1ul, job.GuestWaits.SumNs);
    }

    [Fact]
    public void WritesThatNeedNoCopy_AreNot()
    {
        using MatrixBench bench = new(BitmapMatrixTests.Dirtiness.Clean);
        BackupJob job = bench.Run(BackupSync.Incremental, null, bench.Bitmap, BitmapMatrixTests.Ending.Success);
        Assert.Equal(0ul, job.GuestWaits.Count);
    }
}
