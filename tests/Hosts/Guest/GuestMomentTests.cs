// The judge of the guests' files, tested by itself.
using Xunit;
using Xunit.Sdk;

namespace FastBackup.Tests.Hosts.Guest;

public sealed class GuestMomentTests
{
    static readonly string[] Said =
    [
        "entry 1",
        "sealed round1 aa",
        "entry 2",
        "sealed round2 bb",
        "entry 3",
        "sealed round3 cc",
        "entry 4",
    ];

    [Theory]
    [InlineData("entry 4")]
    [InlineData("entry 5")] // in the file before it was said
    public void ACopyWithEverything_IsRight(string entry) =>
        GuestMoment.After(Said, 2, 3).AssertIsIn(["sealed round2 bb", "sealed round3 cc", "sealed round4 dd", entry]);

    [Theory]
    [InlineData("sealed round2 bb", "sealed round3 cc", "entry 3")] // an entry is lost
    [InlineData("sealed round2 bb", "sealed round3 cc", "entry 6")] // later writes are in it
    [InlineData("sealed round2 bb", "entry 4")] // a folder is lost
    [InlineData("sealed round2 bb", "sealed round3 ee", "entry 4")] // a folder is another
    public void AnyOtherCopy_IsWrong(params string[] found) =>
        Assert.ThrowsAny<XunitException>(() => GuestMoment.After(Said, 2, 3).AssertIsIn(found));

    [Fact]
    public void ARoundThatWasNeverSealed_CannotBeExpected() =>
        Assert.ThrowsAny<XunitException>(() => GuestMoment.After(Said, 3, 4));
}
