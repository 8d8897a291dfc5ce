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
    const int BarWidth = 40;
    const int IdWidth = 16;
    const int DiskWidth = 10;

    static readonly string s_head =
        "job".PadRight(IdWidth)
        + "disk      status      done          rate    left  p99 ms   alone   captured      limit";

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
        string text = jobs.Count == 0 ? "no jobs" : s_head;
        foreach (JsonNode? job in jobs)
            text += "\n" + Row(job!);
        foreach (JsonNode? job in jobs)
            text += Waits(job!);
        output.Line(Output.IsTerminal ? Home + text : text);
    }

    string Row(JsonNode job)
    {
        string id = (string)job["id"]!;
        JsonNode progress = job["progress"]!;
        JsonNode gauges = job["gauges"]!;
        ulong total = (ulong)progress["total-bytes"]!;
        ulong done = (ulong)progress["done-bytes"]!;
        double rate = _rates[id].BytesPerSecond;
        double percent = total == 0 ? 100 : 100.0 * done / total;
        string left = rate > 0 ? Phrases.Duration((total - done) / rate) : "-";
        string name = Cut(id, IdWidth).PadRight(IdWidth) + Cut((string)job["disk"]!, DiskWidth).PadRight(DiskWidth);
        return name
            + Phrases.Text($"{(string)job["status"]!, -10}{percent, 4:0} %{Phrases.Rate(rate), 14}{left, 8}")
            + $"{P99(job["loaded-guests"]!), 8}{P99(job["quiet-guests"]!), 8}"
            + $"{Size(gauges["capture-bytes"]!), 11}{Size(gauges["capture-limit-bytes"]!), 11}";
    }

    static string Waits(JsonNode job)
    {
        JsonNode waits = job["guest-waits"]!;
        ulong count = (ulong)waits["count"]!;
        if (count == 0)
            return "";
        string text =
            Phrases.Text(
                $"\n\n{(string)job["id"]!}: {count} guest writes waited for a copy, {Ms(waits["sum-ns"]!)} ms in all"
            ) + Phrases.Text($", p99 {Ms(waits["p99-ns"]!)} ms, longest {Ms(waits["max-ns"]!)} ms");
        foreach (JsonNode? bin in job["guest-waits-histogram"]!.AsArray())
        {
            ulong inBin = (ulong)bin!["count"]!;
            int width = (int)Math.Ceiling((double)inBin * BarWidth / count);
            text += Phrases.Text($"\n  below {Ms(bin["below-ns"]!), 9} ms {new string('#', width)} {inBin}");
        }
        return text;
    }

    static string Size(JsonNode bytes) => ByteSize.Format((ulong)bytes);

    static string Ms(JsonNode ns) => Phrases.Text($"{(ulong)ns / 1e6:0.00}");

    static string P99(JsonNode times) => (ulong)times["count"]! == 0 ? "-" : Ms(times["p99-ns"]!);

    static string Cut(string text, int width) => text.Length < width ? text : text[..(width - 2)] + "~ ";
}
