// The tables of words: each value of an enumeration has one, and none has two.
using System;
using System.Linq;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class WordTableTests
{
    [Fact]
    public void EveryValue_HasAWordOfItsOwn()
    {
        AssertWhole(BackupWords.Sync);
        AssertWhole(BackupWords.BitmapMode);
        AssertWhole(BackupWords.OnError);
        AssertWhole(GuestPriorityWords.Table);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Full")]
    [InlineData("full ")]
    public void OtherWords_AreNotRead(string word)
    {
        Assert.False(BackupWords.Sync.TryRead(word, out BackupSync sync));
        Assert.Equal(BackupSync.Full, sync); // the first of the table
    }

    [Fact]
    public void ValueWithoutAWord_IsAnInvariantFailure() =>
        Assert.Throws<InvariantException>(() => BackupWords.Sync.Of((BackupSync)77));

    static void AssertWhole<T>(WordTable<T> table)
        where T : struct, Enum
    {
        Assert.Equal(Enum.GetValues<T>().Length, table.Words.Distinct().Count());
        foreach (T value in Enum.GetValues<T>())
        {
            Assert.True(table.TryRead(table.Of(value), out T read));
            Assert.Equal(value, read);
            Assert.Equal(value, table.At(Array.IndexOf(table.Words, table.Of(value))));
        }
    }
}
