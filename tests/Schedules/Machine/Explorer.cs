// Plays all runs of a scenario within bounds and stops at the first that goes wrong.
//
// Buffered stores are remembered by their addresses (Store.cs). So no collection may move anything during a run: one
// is made between runs, before what the next ones allocate would bring one about.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Tests.Schedules.Machine;

/// <param name="RunCount">Runs played.</param>
/// <param name="Wrong">What went wrong in the last, or null.</param>
/// <param name="IsComplete">All runs within the bounds were played.</param>
/// <param name="StepsMax">Of the longest run.</param>
sealed record Exploration(long RunCount, string? Wrong, bool IsComplete, int StepsMax);

static class Explorer
{
    const long AllocationMax = 64 << 20; // between two collections
    const int ActorsMax = 4;

    static readonly List<Actor> s_actors = [];

    /// <param name="bounds">Of each run.</param>
    /// <param name="prepare">Makes a scenario anew: its actors' work, and what must hold when all have ended.</param>
    public static Exploration Play(Bounds bounds, Func<(Action[] Works, Func<string?> Look)> prepare)
    {
        Choices choices = new();
        long runCount = 0;
        int stepsMax = 0;
        bool isQuiet = false;
        long startBytes = 0;
        try
        {
            while (true)
            {
                if (
                    bounds.Delays > 0
                    && (!isQuiet || System.GC.GetTotalAllocatedBytes() - startBytes > AllocationMax / 2)
                )
                {
                    if (isQuiet)
                        System.GC.EndNoGCRegion();
                    Check.That(System.GC.TryStartNoGCRegion(AllocationMax));
                    (isQuiet, startBytes) = (true, System.GC.GetTotalAllocatedBytes());
                }
                string? wrong = PlayOne(choices, bounds, prepare(), out int stepCount);
                runCount++;
                stepsMax = Math.Max(stepsMax, stepCount);
                if (wrong != null)
                    return new Exploration(runCount, wrong, false, stepsMax);
                if (!choices.TryAdvance())
                    return new Exploration(runCount, null, true, stepsMax);
            }
        }
        finally
        {
            if (isQuiet)
                System.GC.EndNoGCRegion();
        }
    }

    static string? PlayOne(Choices choices, Bounds bounds, (Action[] Works, Func<string?> Look) scenario, out int steps)
    {
        Check.That(scenario.Works.Length <= ActorsMax);
        while (s_actors.Count < scenario.Works.Length)
            s_actors.Add(new Actor(s_actors.Count));
        Actor[] actors = [.. s_actors.GetRange(0, scenario.Works.Length)];
        Run run = new(choices, bounds, actors);
        for (int i = 0; i < actors.Length; i++)
            actors[i].Prepare(run, scenario.Works[i]);
        run.Play();
        steps = run.StepCount;
        return run.Wrong ?? scenario.Look();
    }
}
