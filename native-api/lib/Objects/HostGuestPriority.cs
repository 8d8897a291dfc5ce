// FB_GUEST_PRIORITY_*: numbers of their own, because 0 must be the default.
using FastBackup.Native.Header;
using FastBackup.Pacing;

namespace FastBackup.Native.Objects;

static class HostGuestPriority
{
    /// <summary>The host's number in the engine's words.</summary>
    /// <returns>False: none of FB_GUEST_PRIORITY_*.</returns>
    public static bool TryRead(uint number, out GuestPriority priority)
    {
        priority = number switch
        {
            Fb.GuestPriorityStrict => GuestPriority.Strict,
            Fb.GuestPriorityOff => GuestPriority.Off,
            _ => GuestPriority.Balanced,
        };
        return number <= Fb.GuestPriorityOff;
    }

    public static uint NumberOf(GuestPriority priority) =>
        priority switch
        {
            GuestPriority.Strict => Fb.GuestPriorityStrict,
            GuestPriority.Off => Fb.GuestPriorityOff,
            _ => Fb.GuestPriorityBalanced,
        };
}
