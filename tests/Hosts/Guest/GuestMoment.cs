// What the guest had said about its files when a point in time was taken.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Xunit;

namespace FastBackup.Tests.Hosts.Guest;

/// <param name="LastEntry">Of the log: all up to it were flushed.</param>
/// <param name="Seals">Of the folders that were finished and flushed, and are not being removed.</param>
sealed record GuestMoment(int LastEntry, string[] Seals)
{
    const string EntryPrefix = "entry ";
    const string SealPrefix = "sealed ";

    /// <summary>What can be expected of a copy as of a moment.</summary>
    /// <param name="lines">All that the guest had said by then, in order.</param>
    /// <param name="keptRounds">The rounds whose folders exist, whole, at that moment.</param>
    public static GuestMoment After(IEnumerable<string> lines, params int[] keptRounds)
    {
        string[] said = [.. lines];
        int last = EntryOf(said.Last(IsEntry));
        string[] names = [.. keptRounds.Select(round => $"{SealPrefix}round{round} ")];
        string[] seals = [.. said.Where(line => names.Any(name => line.StartsWith(name, StringComparison.Ordinal)))];
        Assert.Equal(keptRounds.Length, seals.Length);
        return new GuestMoment(last, seals);
    }

    /// <summary>Compares it with what a guest says that has checked the copy.</summary>
    /// <param name="checkedLines">What its check has printed.</param>
    public void AssertIsIn(string[] checkedLines)
    {
        string[] found = [.. checkedLines.Where(line => line.StartsWith(SealPrefix, StringComparison.Ordinal))];
        Assert.Empty(Seals.Except(found));
        int entry = EntryOf(checkedLines.Last(IsEntry));
        // An entry that is in the file may not have been said yet; the next one is not begun before.
        Assert.InRange(entry, LastEntry, LastEntry + 1);
    }

    static bool IsEntry(string line) => line.StartsWith(EntryPrefix, StringComparison.Ordinal);

    static int EntryOf(string line) => int.Parse(line[EntryPrefix.Length..], CultureInfo.InvariantCulture);
}
