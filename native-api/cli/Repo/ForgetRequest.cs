// Which points 'repo forget' keeps, in restic's words, or which it forgets.
namespace FastBackup.Cli;

/// <param name="Points">To forget, by their names; the rest is empty then.</param>
/// <param name="Disk">Only points of this one; null: of each disk by itself.</param>
/// <param name="Last">The newest.</param>
/// <param name="Daily">The newest of each of so many days that have one.</param>
/// <param name="Weekly">As daily.</param>
/// <param name="Monthly">As daily.</param>
/// <param name="Yearly">As daily.</param>
/// <param name="Tags">Points with one of these stay.</param>
/// <param name="IsDry">Only said.</param>
sealed record ForgetRequest(
    string[] Points,
    string? Disk,
    int Last,
    int Daily,
    int Weekly,
    int Monthly,
    int Yearly,
    string[] Tags,
    bool IsDry
)
{
    /// <summary>Only points of nothing but these, HOST/DISK; null: all.</summary>
    public string[]? Only { get; init; }
}
