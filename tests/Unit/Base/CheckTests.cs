// A failed invariant says which condition it was.
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class CheckTests
{
    [Fact]
    public void That_True_DoesNothing() => Check.That(1 + 1 == 2);

    [Fact]
    public void That_False_NamesTheCondition()
    {
        int freeCount = 3;
        InvariantException thrown = Assert.Throws<InvariantException>(() => Check.That(freeCount == 4));
        Assert.Equal("invariant failed: freeCount == 4", thrown.Message);
    }

    [Fact]
    public void Fail_SaysWhat()
    {
        InvariantException thrown = Assert.Throws<InvariantException>(() => Check.Fail("no such state"));
        Assert.Equal("invariant failed: no such state", thrown.Message);
    }
}
