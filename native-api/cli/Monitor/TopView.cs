// Jobs as a table, and how long their guests' writes waited as bars. On a terminal it is drawn over itself; elsewhere
// one table follows the other; with --json each look is one object.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class TopView(Output output)
{
    const string Home = "\u001b[H\u001b[J"; // Source: console_codes(4)
    const int BarWidthMax = 40;
    const int BarWidthMin = 4;
    const int BinWidth = 30; // a bar's line without the bar, and its count
    const int WideAsNeeded = 1000;

    readonly Dictionary<string, RateMeter> _rates = [];

    /// <summary>Remembers how far each job is.</summary>
    /// <param name="jobs">As x-query-statistics returns them.</param>
    public void Take(JsonArray jobs)
    {
        foreach (JsonNode? job in jobs)
        {
            string id = (string)job!["id"]!;
            if (!_rates.TryGetValue(id, out RateMeter? rate))
            {
                // What was done before the first look is no rate.
                _rates[id] = rate = new RateMeter((ulong)job["progress"]!["done-bytes"]!);
            }
            rate.Add((ulong)job["progress"]!["done-bytes"]!);
        }
        foreach (string gone in _rates.Keys.Except(jobs.Select(job => (string)job!["id"]!)).ToArray())
            _ = _rates.Remove(gone);
    }

    public void Show(JsonArray jobs)
    {
        if (output.IsJson)
        {
            foreach (JsonNode? job in jobs)
                job!["bytes-per-second"] = Math.Round(_rates[(string)job["id"]!].BytesPerSecond);
            output.Event(new TopEvent("jobs", jobs), JsonEvents.Readable.TopEvent);
            return;
        }
        int width = Output.IsTerminal ? TerminalSize.Columns() - 1 : WideAsNeeded;
        TopTable table = new(width);
        List<string> lines = [jobs.Count == 0 ? "no jobs" : table.Head];
        foreach (JsonNode? job in jobs)
            lines.Add(table.Row(new TopJob(job!, _rates[(string)job!["id"]!].BytesPerSecond)));
        foreach (JsonNode? job in jobs)
            AddWaits(job!, width, lines);
        output.AsItIs(Output.IsTerminal ? Home + Fit(lines, width, TerminalSize.Rows() - 1) : string.Join('\n', lines));
    }

    static void AddWaits(JsonNode job, int width, List<string> lines)
    {
        JsonNode waits = job["guest-waits"]!;
        ulong count = (ulong)waits["count"]!;
        if (count == 0)
            return;
        lines.Add("");
        string[] clauses =
        [
            $"{(string)job["id"]!}: {count} guest writes waited for a copy",
            $"{TopJob.Ms(waits["sum-ns"]!)} ms in all",
            $"p99 {TopJob.Ms(waits["p99-ns"]!)} ms",
            $"longest {TopJob.Ms(waits["max-ns"]!)} ms",
        ];
        string line = clauses[0];
        foreach (string clause in clauses[1..])
        {
            bool hasRoom = line.Length + clause.Length + 3 <= width;
            if (!hasRoom)
                lines.Add(line + ",");
            line = hasRoom ? $"{line}, {clause}" : "  " + clause;
        }
        lines.Add(line);
        int barWidth = Math.Clamp(width - BinWidth, BarWidthMin, BarWidthMax);
        foreach (JsonNode? bin in job["guest-waits-histogram"]!.AsArray())
        {
            ulong inBin = (ulong)bin!["count"]!;
            string bar = new('#', (int)Math.Ceiling((double)inBin * barWidth / count));
            lines.Add(Phrases.Text($"  below {TopJob.Ms(bin["below-ns"]!), 9} ms {bar} {inBin}"));
        }
    }

    /// <summary>A line too many, or too long, would scroll the screen at every look.</summary>
    static string Fit(List<string> lines, int width, int rows)
    {
        if (lines.Count > rows)
        {
            string more = $"... {lines.Count - rows + 1} lines more";
            lines.RemoveRange(Math.Max(rows - 1, 0), lines.Count - Math.Max(rows - 1, 0));
            lines.Add(more);
        }
        return string.Join('\n', lines.Select(line => line.Length <= width ? line : line[..width]));
    }
}
