// What a guest does: most write 4 KiB at random places.
namespace FastBackup.Bench.GuestLatency;

/// <param name="Name">For the tables.</param>
/// <param name="Depth">Requests in flight at most.</param>
/// <param name="RatePerSecond">Requests asked for a second; 0 = as many as go.</param>
sealed record GuestLoad(string Name, uint Depth, uint RatePerSecond)
{
    /// <summary>As fio names it.</summary>
    public string Pattern { get; init; } = "randwrite";

    public string Block { get; init; } = "4k";

    public static readonly GuestLoad Rated = new("500/s", 16, 500);

    /// <summary>Reads the disk from its start, in large requests.</summary>
    public static readonly GuestLoad Reader = new("reads", 4, 0) { Pattern = "read", Block = "256k" };

    public static readonly GuestLoad[] All = [new("qd1", 1, 0), new("qd16", 16, 0), Rated];
}
