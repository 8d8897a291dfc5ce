// One figure of the summary, with what it should be.
using System.Globalization;

namespace FastBackup.Bench.Peers;

/// <param name="Name">What is compared.</param>
/// <param name="Value">Over the rounds; ratios are taken within each round.</param>
/// <param name="Format">Of the numbers.</param>
/// <param name="AtLeast">The goal's lower bound, or null.</param>
/// <param name="AtMost">The goal's upper bound, or null.</param>
/// <param name="Believable">Above it the figure says that its yardstick was measured too low.</param>
public sealed record Goal(
    string Name,
    Spread Value,
    string Format,
    double? AtLeast = null,
    double? AtMost = null,
    double? Believable = null
)
{
    /// <summary>Judged by the median; null where there is no goal.</summary>
    public bool? IsMet =>
        Value.Median > Believable ? null
        : AtLeast is { } low ? Value.Median >= low
        : AtMost is { } high ? Value.Median <= high
        : null;

    public string Verdict
    {
        get
        {
            if (Value.Median > Believable)
                return "the yardstick was measured too low: no evidence";
            if (IsMet is not { } isMet)
                return "";
            string bound = AtLeast is { } low
                ? ">= " + low.ToString(CultureInfo.InvariantCulture)
                : "<= " + AtMost!.Value.ToString(CultureInfo.InvariantCulture);
            return $"goal {bound}: {(isMet ? "met" : "NOT met")}";
        }
    }
}
