// A guest looks at the table of captured blocks while the reactor takes a cluster out, which moves another one back,
// and puts a third one in: whatever it meets, a block that it may overwrite is saved, and of the cluster it asked for.
using System;
using FastBackup.Copy;
using FastBackup.Tests.Schedules.Machine;
using Xunit;

namespace FastBackup.Tests.Schedules;

[Collection("one run at a time")]
public sealed class BlockMasksTests(ITestOutputHelper output)
{
    const uint First = 1;
    const uint Second = 2;
    const uint Third = 4;

    // In a table of four slots these three begin at every distance from each other.
    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(1, 2, 3)]
    [InlineData(2, 3, 5)]
    [InlineData(3, 5, 8)]
    [InlineData(5, 8, 13)]
    [InlineData(8, 13, 21)]
    public void WhatAGuestMayOverwrite_IsSaved_AndItsOwn(ulong first, ulong second, ulong third)
    {
        Exploration found = Explorer.Play(new Bounds(4, 0), () => Looking(first, second, third, savesFirst: true));
        output.WriteLine(found.ToString());
        Assert.Null(found.Wrong);
        Assert.True(found.IsComplete);
    }

    [Fact]
    public void ShowingABlockBeforeItIsSaved_IsFound()
    {
        Exploration found = Explorer.Play(new Bounds(2, 0), () => Looking(0, 1, 2, savesFirst: false));
        Assert.Equal("a block that is not saved may be overwritten", found.Wrong);
    }

    static (Action[] Works, Func<string?> Look) Looking(ulong first, ulong second, ulong third, bool savesFirst)
    {
        BlockMasks masks = new(2);
        masks.Add(first, 0);
        masks.Allow(first, First);
        masks.Add(second, 1);
        masks.Allow(second, Second);
        bool isSaved = false;
        string? wrong = null;
        void Change()
        {
            masks.Remove(first);
            masks.Add(third, 2);
            if (savesFirst)
                Volatile.Write(ref isSaved, true);
            masks.Allow(third, Third);
            if (!savesFirst)
                Volatile.Write(ref isSaved, true);
        }
        void Guest()
        {
            if (masks.Allows(third, Third) && !Volatile.Read(ref isSaved))
                wrong = "a block that is not saved may be overwritten";
            if (masks.Allows(first, Second) || masks.Allows(second, First) || masks.Allows(third, Second))
                wrong = "a guest goes by the mask of another cluster";
        }
        return (
            [Change, Guest],
            () =>
            {
                bool isRight = masks.Allows(second, Second) && masks.Allows(third, Third) && masks.Count == 2;
                masks.Dispose();
                return wrong ?? (isRight ? null : "a cluster got lost");
            }
        );
    }
}
