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

    /// <summary>Of a mixed pattern, percent.</summary>
    public uint ReadShare { get; init; }

    /// <summary>A flush after each write.</summary>
    public bool Flushes { get; init; }

    /// <summary>Where it goes, as fio names it: for example zipf:1.1.</summary>
    public string? Distribution { get; init; }

    /// <summary>It stays in the first of so many parts of the disk.</summary>
    public uint DiskParts { get; init; } = 1;

    /// <summary>Seconds that it is watched for at most; 0 = as all others.</summary>
    public double SecondsMax { get; init; }

    public static readonly GuestLoad Rated = new("500/s", 16, 500);

    /// <summary>Reads the disk from its start, in large requests.</summary>
    public static readonly GuestLoad Reader = new("reads", 4, 0) { Pattern = "read", Block = "256k" };

    /// <summary>Few blocks are written often: the first second after the point in time is what counts.</summary>
    static readonly GuestLoad Zipf = new("zipf", 4, 0)
    {
        Distribution = "zipf:1.1",
        DiskParts = 10,
        SecondsMax = 1,
    };

    public static readonly GuestLoad[] All =
    [
        new("qd1", 1, 0),
        new("qd16", 16, 0),
        Rated,
        new("mixed", 16, 500) { Pattern = "randrw", ReadShare = 70 },
        new("flush", 1, 0) { Flushes = true },
        Zipf,
    ];
}
