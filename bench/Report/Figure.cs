// One number of a report, with what it is measured against.
using System.Text.Json.Serialization;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Report;

/// <param name="Name">What is compared; the same in every report.</param>
/// <param name="Value">Over the rounds; of ratios, each within its round.</param>
/// <param name="AtLeast">The goal's lower bound, or null.</param>
/// <param name="AtMost">The goal's upper bound, or null.</param>
/// <param name="IsSmallerBetter">Of two reports the one with less is better; null: it is no matter of better.</param>
sealed record Figure(string Name, Spread Value, double? AtLeast, double? AtMost, bool? IsSmallerBetter)
{
    /// <summary>By the median; null where there is no goal.</summary>
    [JsonIgnore]
    public bool? IsMet =>
        AtLeast is { } low ? Value.Median >= low
        : AtMost is { } high ? Value.Median <= high
        : null;
}
