// FB_GUEST_PRIORITY_*: numbers of their own, because 0 must be the default.
using FastBackup.Copy;

namespace FastBackup.Native.Jobs;

static class HostGuestPriority
{
    /// <summary>The host's number in the engine's words.</summary>
    /// <returns>False: none of FB_GUEST_PRIORITY_*.</returns>
    public static bool TryRead(uint number, out GuestPriority priority)
    {
        priority = number switch
        {
            1 => GuestPriority.Strict,
            2 => GuestPriority.Off,
            _ => GuestPriority.Balanced,
        };
        return number <= 2;
    }

    public static uint NumberOf(GuestPriority priority) =>
        priority switch
        {
            GuestPriority.Strict => 1,
            GuestPriority.Off => 2,
            _ => 0,
        };
}
