// The words of guest priorities; the default first.
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: any.</summary>
public static class GuestPriorityWords
{
    public static WordTable<GuestPriority> Table { get; } =
        new(("balanced", GuestPriority.Balanced), ("strict", GuestPriority.Strict), ("off", GuestPriority.Off));
}
