// Two commands that do the same, by turns: round by round each once, who begins changes. Times and processor time are
// of the whole process, start and end included; ratios are taken within each round, because the machine is not the same
// in each.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <param name="Program">In PATH, or a path.</param>
/// <param name="Arguments">One each.</param>
/// <param name="Prepare">Before each run, not measured; null: nothing.</param>
/// <param name="Environment">Added to ours.</param>
sealed record RaceCommand(
    string Program,
    string[] Arguments,
    Action? Prepare = null,
    params (string Name, string Value)[] Environment
)
{
    public string Line => Program + " " + string.Join(' ', Arguments);
}

/// <summary>Threads: one.</summary>
/// <param name="folder">Where they run.</param>
/// <param name="roundCount">At least 1.</param>
/// <param name="cancel">Ends what runs.</param>
sealed class CommandRace(string folder, int roundCount, CancellationToken cancel)
{
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    readonly record struct Result(double Seconds, double CpuSeconds);

    /// <param name="Speed">Theirs / ours: how many times as fast ours is.</param>
    /// <param name="Cpu">Ours / theirs.</param>
    /// <param name="OurSeconds">Of each run.</param>
    public readonly record struct Ratios(Spread Speed, Spread Cpu, Spread OurSeconds);

    /// <param name="section">Gets both command lines.</param>
    /// <param name="ours">By turns with the other.</param>
    /// <param name="theirs">The other.</param>
    /// <param name="prepareRound">Before each round, not measured; null: nothing.</param>
    /// <exception cref="PeerException">A command failed.</exception>
    public Ratios Run(Section section, RaceCommand ours, RaceCommand theirs, Action? prepareRound = null)
    {
        section.Commands.AddRange([ours.Line, theirs.Line]);
        return Run(ours, theirs, prepareRound);
    }

    /// <exception cref="PeerException">A command failed.</exception>
    public Ratios Run(RaceCommand ours, RaceCommand theirs, Action? prepareRound = null)
    {
        List<(Result Ours, Result Theirs)> rounds = [];
        for (int round = 0; round < roundCount; round++)
        {
            prepareRound?.Invoke();
            Result first = Measure(round % 2 == 0 ? ours : theirs);
            Result second = Measure(round % 2 == 0 ? theirs : ours);
            rounds.Add(round % 2 == 0 ? (first, second) : (second, first));
        }
        return new Ratios(
            Spread.Of(rounds.Select(one => one.Theirs.Seconds / one.Ours.Seconds)),
            Spread.Of(rounds.Select(one => one.Ours.CpuSeconds / Math.Max(0.001, one.Theirs.CpuSeconds))),
            Spread.Of(rounds.Select(one => one.Ours.Seconds))
        );
    }

    Result Measure(RaceCommand command)
    {
        command.Prepare?.Invoke();
        long start = Stopwatch.GetTimestamp();
        using RunningProgram program = new(folder, command.Program, command.Arguments, command.Environment);
        ProcessUse use = program.WaitForSuccess(s_limit, cancel);
        return new Result(Stopwatch.GetElapsedTime(start).TotalSeconds, use.CpuSeconds);
    }
}
