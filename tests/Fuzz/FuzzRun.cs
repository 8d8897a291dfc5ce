// A run: right sessions, each of them cut at every byte, then changed ones. What has reached something new is cut at
// every byte, too (of an image: without each of its changes, and with each bit of the last turned). Most sessions run
// whole and alone, so that the same input takes the same branches; some are torn, and some run beside a guest.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Tests.Fuzz.Images;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one.</summary>
static class FuzzRun
{
    const ulong TornOf = 8;
    const ulong WithCompanyOf = 16;
    const ulong CheckEvery = 10_000;
    const ulong WarmUpCount = 2_000;

    /// <returns>The exit code.</returns>
    public static int Run(string[] arguments, ulong seed)
    {
        FuzzOptions options = FuzzOptions.Parse(arguments);
        CoverageMap coverage = new(); // before the first instrumented call, and until the last
        bool isGood = true;
        if (options.HasServer)
            isGood &= RunEnd(new ServerEnd(seed), coverage, options, seed);
        if (options.HasClient)
            isGood &= RunEnd(new ClientEnd(seed), coverage, options, seed);
        if (options.HasImage)
            isGood &= RunEnd(new ImageEnd(), coverage, options, seed);
        return isGood ? 0 : 1;
    }

    static bool RunEnd(IFuzzedEnd end, CoverageMap coverage, FuzzOptions options, ulong seed)
    {
        byte[] input = [];
        ulong count = 0;
        using Watchdog watchdog = new(end.Name);
        try
        {
            if (options.InputPath != null)
            {
                foreach (byte[] one in Corpus.Read(options.InputPath))
                {
                    watchdog.Begin(input = one);
                    end.Run(input, isTorn: false, hasCompany: true);
                }
            }
            else
                foreach (byte[] one in Sessions(end, coverage, options, seed))
                {
                    watchdog.Begin(input = one);
                    count++;
                }
            watchdog.End();
            end.CheckNothingLeft();
            end.Dispose();
            return true;
        }
#pragma warning disable CA1031 // whatever it is, it is what is looked for
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Console.WriteLine(Text($"{end.Name}: session {count + 1}: {exception}\n{Corpus.Hex(input)}"));
            return false;
        }
    }

    /// <summary>Runs one after the other, and gives each before it runs.</summary>
    static IEnumerable<byte[]> Sessions(IFuzzedEnd end, CoverageMap coverage, FuzzOptions options, ulong seed)
    {
        coverage.Forget();
        Corpus corpus = new(end.Name, options.KeepFolder);
        Prng prng = new(seed);
        Queue<byte[]> toCut = new();
        Footprint start = default;
        Stopwatch watch = Stopwatch.StartNew();
        ulong count = 0;
        IEnumerator<byte[]> right = Right(end, corpus).GetEnumerator();
        IEnumerator<byte[]>? cuts = null;
        while (count < options.SessionCount && watch.Elapsed.TotalSeconds < options.Seconds)
        {
            bool isRight = right.MoveNext();
            bool isCut = !isRight && count % 2 == 0 && TryCut(end, ref cuts, toCut);
            byte[] input =
                isRight ? right.Current
                : isCut ? cuts!.Current
                : end.Change(corpus.Pick(prng), corpus.Pick(prng), prng);
            yield return input;
            bool isTorn = !isRight && prng.Chance(1, TornOf);
            bool hasCompany = !isRight && prng.Chance(1, WithCompanyOf);
            CoverageMap.Begin();
            end.Run(input, isTorn, hasCompany);
            if (!isTorn && !hasCompany && coverage.TakeNew() && input.Length > 0)
            {
                corpus.Add(input, !isRight);
                toCut.Enqueue(input);
            }
            count++;
            if (count == Math.Min(WarmUpCount, options.SessionCount / 2))
                start = Footprint.Now();
            if (count % CheckEvery == 0)
                end.CheckNothingLeft();
        }
        string done = Text(
            $"{end.Name}: {count} sessions in {watch.Elapsed.TotalSeconds:0.0} s, {coverage.EdgeCount} edges, "
        );
        Console.WriteLine(Text($"{done}{corpus} inputs kept; {end.Words}"));
        byte[][] kept = [.. corpus.Inputs]; // of some bytes each
        (corpus, cuts) = (null!, null);
        toCut.Clear();
        Footprint now = Footprint.Now();
        Console.WriteLine(
            Text($"{end.Name}: after {Math.Min(WarmUpCount, count / 2)} sessions {start}; at the end {now}")
        );
        if (now.GrowthSince(start) is { } growth)
            throw new FuzzFailure(growth);
        end.CheckKept(kept, prng);
    }

    static IEnumerable<byte[]> Right(IFuzzedEnd end, Corpus corpus)
    {
        foreach (byte[] one in end.Seeds)
            yield return one;
        foreach (byte[] one in corpus.Kept())
            yield return one;
    }

    static bool TryCut(IFuzzedEnd end, ref IEnumerator<byte[]>? cuts, Queue<byte[]> toCut)
    {
        while (cuts?.MoveNext() != true)
        {
            if (!toCut.TryDequeue(out byte[]? next))
                return false;
            cuts = end.Around(next).GetEnumerator();
        }
        return true;
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
