// The order of captured chunks, whichever leave first.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class CapturedListTests
{
    readonly CapturedList _list = new();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void WhicheverLeaves_TheOthersKeepTheirOrder(int leaving)
    {
        CopyTask[] tasks = [Add(10), Add(20), Add(30)];
        _list.Remove(tasks[leaving]);
        AssertHolds([.. tasks.Where((_, index) => index != leaving)]);
        _list.Append(tasks[leaving]);
        AssertHolds([.. tasks.Where((_, index) => index != leaving), tasks[leaving]]);
    }

    [Fact]
    public void TheOnlyOne_LeavesNothingBehind()
    {
        _list.Remove(Add(10));
        AssertHolds();
        AssertHolds(Add(20));
    }

    [Fact]
    public void LeavingAnEmptyList_IsInvariantFailure() =>
        Assert.Throws<InvariantException>(() => _list.Remove(new CopyTask()));

    CopyTask Add(ulong lengthBytes)
    {
        CopyTask task = new() { Extent = new Extent(0, lengthBytes) };
        _list.Append(task);
        return task;
    }

    void AssertHolds(params CopyTask[] tasks)
    {
        List<CopyTask> forward = [];
        for (CopyTask? task = _list.First; task != null; task = task.Next)
            forward.Add(task);
        List<CopyTask> backward = [];
        for (CopyTask? task = _list.Last; task != null; task = task.Previous)
            backward.Add(task);
        backward.Reverse();
        Assert.Equal(tasks, forward);
        Assert.Equal(tasks, backward);
        Assert.Equal((uint)tasks.Length, _list.Count);
        Assert.Equal((ulong)tasks.Sum(task => (long)task.Extent.LengthBytes), _list.LengthBytes);
    }
}
