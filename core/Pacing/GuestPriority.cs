// Who comes first when a backup and a guest want the same disk.
namespace FastBackup.Pacing;

/// <summary>How far the background steps back for guests.</summary>
public enum GuestPriority : byte
{
    /// <summary>Not at all: the background looks for its own full rate only.</summary>
    Off,

    /// <summary>As far as keeps a guest's slowest hundredth below three times what it is without a backup.</summary>
    Balanced,

    /// <summary>As far as a guest hardly feels it, whatever that costs in speed.</summary>
    Strict,
}
