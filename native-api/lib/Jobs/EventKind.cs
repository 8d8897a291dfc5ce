// FB_EVENT_*.
namespace FastBackup.Native.Jobs;

static class EventKind
{
    public const uint JobState = 1;
    public const uint DeviceError = 2;
    public const uint JobWaits = 3;
    public const uint JobEnded = 4;

    /// <summary>Flag: of the source device.</summary>
    public const uint IsSource = 1;
}
