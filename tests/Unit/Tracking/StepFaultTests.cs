// Every change of a tracker file, with every one of its commands failing, once and from then on, with EIO and ENOSPC.
// What is found then, after a power cut or a kill, is the file as it was before the change or as it is after it, or
// more than that, or refused: never less, never clean. What was left half done is no hindrance to the next change.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;
using FastBackup.Tracking.Store;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

[Trait("Length", "Long")] // not in the quick check
public sealed class StepFaultTests
{
    const int LooksMax = 12;

    static readonly ulong[] s_written = [4, 5, 90];

    public static TheoryData<string> Changes =>
        ["add", "base", "delete", "attach", "detach", "retire", "reset", "grow"];

    [Theory]
    [MemberData(nameof(Changes))]
    public void AnyFault_LeavesOldOrNewOrMore(string change)
    {
        ulong lookCount = 0;
        foreach (int errno in (ReadOnlySpan<int>)[Errnos.EIO, Errnos.ENOSPC])
        foreach (bool isForEver in (ReadOnlySpan<bool>)[false, true])
            lookCount += FailEach(change, isForEver, errno, FaultMistake.None);
        TestContext.Current.TestOutputHelper?.WriteLine($"{lookCount} looks");
        Assert.True(lookCount > 100);
    }

    [Theory]
    [InlineData(FaultMistake.FaultIgnored)]
    [InlineData(FaultMistake.FlushTriedAgain)]
    public void AnyMistake_IsFound(FaultMistake mistake)
    {
        int foundCount = 0;
        foreach (string change in (ReadOnlySpan<string>)["add", "delete", "attach", "detach"])
            try
            {
                _ = FailEach(change, isForEver: true, Errnos.EIO, mistake);
            }
            catch (ModelException)
            {
                foundCount++;
            }
        Assert.True(foundCount > 0);
    }

    /// <returns>How often somebody has looked.</returns>
    static ulong FailEach(string change, bool isForEver, int errno, FaultMistake mistake)
    {
        ModelFile whole = Begin();
        FaultyFile counting = new(whole, new Prng(1));
        Assert.True(Make(change, counting).IsNone);
        string after = PointScene.Describe(whole);
        ulong lookCount = 0;
        for (ulong failing = 0; failing < counting.CommandCount; failing++)
        {
            ModelFile file = Begin();
            string before = PointScene.Describe(file);
            Fault fault = Make(change, new FaultyFile(file, new Prng(failing), failing, isForEver, errno, mistake));
            if (mistake == FaultMistake.None)
                Assert.Equal(errno, fault.Errno);
            string[] allowed = fault.IsNone ? [after] : [before, after];
            Prng chance = new(failing + 1);
            for (int i = 0; i < LooksMax; i++)
                Judge(file.Cut(chance, tearsSectors: i % 2 == 1), change, allowed, $"{change}, command {failing}, cut");
            Judge(file.Kill(), change, allowed, $"{change}, command {failing}, kill");
            lookCount += LooksMax + 1;
        }
        return lookCount;
    }

    static void Judge(ModelFile left, string change, string[] allowed, string what)
    {
        string found = PointScene.Describe(left);
        bool isRefused = found is "inconsistent" or "epoch"; // said, or moved
        if (!isRefused && !allowed.Contains(found) && !allowed.Any(one => HasAll(found, one)))
            throw new ModelException($"{what}: found '{found}', neither of '{string.Join("' and '", allowed)}'");
        if (isRefused || change is "attach" or "detach" or "retire" or "grow")
            return;
        // The next process makes its change as if nothing had been.
        if (!PointScene.Add(left, "next").IsNone)
            throw new ModelException($"{what}: nothing can be changed any more");
        if (!PointScene.Describe(left).EndsWith(" next:", StringComparison.Ordinal))
            throw new ModelException($"{what}: the next change is not there");
    }

    /// <summary>The same points, each with all that it should have.</summary>
    static bool HasAll(string found, string wanted)
    {
        string[] one = found.Split(' ');
        string[] other = wanted.Split(' ');
        return one.Length == other.Length && one.Zip(other).All(pair => WordHasAll(pair.First, pair.Second));
    }

    static bool WordHasAll(string found, string wanted)
    {
        string[] one = found.Split(':');
        string[] other = wanted.Split(':');
        return one.Length == 2
            && other.Length == 2
            && one[0] == other[0]
            && (one[1] == "all" || (other[1] != "all" && other[1].Split(',').All(one[1].Split(',').Contains)));
    }

    /// <summary>A base, a checkpoint and a bitmap with changes between them, closed and durable.</summary>
    static ModelFile Begin()
    {
        ModelFile file = PointScene.NewFile();
        Assert.True(PointScene.Add(file, "", movesBase: true).IsNone);
        PointScene.Change(file, [1, 2, 60]);
        Assert.True(PointScene.Add(file, "monday").IsNone);
        PointScene.Change(file, [2, 3, 140]);
        Assert.True(PointScene.Add(file, "tuesday").IsNone);
        PointScene.Change(file, [7]);
        file.Flush();
        return file;
    }

    static Fault Make(string change, FaultyFile file)
    {
        switch (change)
        {
            case "add":
                return PointScene.Add(file, "new");
            case "base":
                return PointScene.Add(file, "", movesBase: true);
            case "delete":
                return PointScene.Delete(file, "monday");
            case "grow":
                using (RecoveredTracker seen = PointScene.Recover(file, PointScene.Shape.DiskBytes + 100_000))
                {
                    Fault fault = TrackerGrowth.Write(file, seen, seen.Header!.Stamp, out RecoveredTracker? written);
                    written?.Dispose();
                    return fault;
                }
        }
        using RecoveredTracker found = PointScene.Recover(file);
        TrackerHeader header = found.Header!;
        if (change == "retire")
            return TrackerSteps.Retire(file, found, header.Stamp);
        if (change == "reset")
            return TrackerSteps.Reset(file, header, found.Changed!, found.LastSequence, header.Stamp);
        Fault attached = Attach(file, found, out TrackerStore store);
        using (store)
            return attached.IsNone && change == "detach" ? TrackerSteps.End(file, store, header.Stamp) : attached;
    }

    /// <summary>Open, with the regions of what is written then.</summary>
    static Fault Attach(FaultyFile file, RecoveredTracker found, out TrackerStore store)
    {
        foreach (ulong granule in s_written)
            found.Open!.SetBits(granule * found.Changed!.GranularityBytes / found.Open.GranularityBytes, 1);
        store = TrackerSteps.Take(found, found.Open!);
        Fault fault = TrackerSteps.WriteMaps(file, store, found.BadPages);
        TrackerHeader header = store.Header with { State = TrackerState.Open, BootId = TrackerScene.Boot };
        if (fault.IsNone)
            fault = TrackerSteps.WriteHeader(file, store, header, found.IsSecondHeaderBad);
        if (fault.IsNone)
            foreach (ulong granule in s_written) // nobody has written before
                found.Changed!.SetBits(granule, 1);
        return fault;
    }
}
