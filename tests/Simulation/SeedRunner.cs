// Runs seeds one after the other on one thread, with its own memory.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Tests.Images;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation;

/// <summary>Threads: one; the planted bug is in force on that thread only.</summary>
sealed class SeedRunner : IDisposable
{
    readonly ImageStore _store = new();
    readonly AlignedRegion _memory = AlignedRegion.Map(Simulation.MemoryBytes, RegionResidency.Resident);
    readonly Tallies _one = new();

    public Tallies Sum { get; } = new();

    public SeedOutcome Run(ulong seed, PlantedBug bug, Action<string>? log)
    {
        Planted.Active = bug;
        _one.Clear();
        Simulation? simulation = null;
        SeedOutcome outcome;
        try
        {
            if (IsOfImages(bug))
                RunImage(seed);
            else
            {
                simulation = new Simulation(seed, _store, _memory, _one, log);
                simulation.Run();
            }
            outcome = new SeedOutcome(seed, "", "", simulation?.Port.Hash ?? 0);
        }
        catch (SimulationFailure failure)
        {
            outcome = new SeedOutcome(seed, failure.Rule, failure.Message, 0);
            log?.Invoke(failure.ToString());
        }
        catch (InvariantException failure)
        {
            outcome = new SeedOutcome(seed, "Check", failure.Message + FirstFrame(failure), 0);
            log?.Invoke(failure.ToString());
        }
#pragma warning disable CA1031 // any other exception is a finding too: with its seed
        catch (Exception failure)
#pragma warning restore CA1031
        {
            outcome = new SeedOutcome(seed, failure.GetType().Name, failure.ToString(), 0);
            log?.Invoke(failure.ToString());
        }
        Planted.Active = PlantedBug.None;
        _store.ReturnAll();
        Sum.Add(_one);
        return outcome;
    }

    /// <summary>It is about images that are written to, which have a model of their own.</summary>
    static bool IsOfImages(PlantedBug bug) => bug.ToString() is ['I', >= '0' and <= '9', ..];

    static void RunImage(ulong seed)
    {
        int growthBytes = seed % 2 == 0 ? 160 << 10 : 0;
        using ImageModel model = ImageModel.OfSeed(seed, cutsPerCent: 50, growthBytes, hasBitmaps: seed % 4 == 1);
        model.Run(sessions: 3, requests: 80);
    }

    public void Dispose() => _memory.Dispose();

    static string FirstFrame(Exception failure)
    {
        string stack = failure.StackTrace ?? "";
        int end = stack.IndexOf('\n', StringComparison.Ordinal);
        return " " + (end < 0 ? stack : stack[..end]).Trim();
    }
}
