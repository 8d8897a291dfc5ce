// How hard a guest writes: 4 KiB at random places.
namespace FastBackup.Bench.GuestLatency;

/// <param name="Name">For the tables.</param>
/// <param name="Depth">Requests in flight at most.</param>
/// <param name="RatePerSecond">Requests asked for a second; 0 = as many as go.</param>
sealed record GuestLoad(string Name, uint Depth, uint RatePerSecond)
{
    public static readonly GuestLoad Rated = new("500/s", 16, 500);

    public static readonly GuestLoad[] All = [new("qd1", 1, 0), new("qd16", 16, 0), Rated];
}
