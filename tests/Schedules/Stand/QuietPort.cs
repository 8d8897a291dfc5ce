// A port without files: a poll waits for a wake, as a ring does that has nothing in flight.
using FastBackup.Tests.Schedules.Machine;

namespace FastBackup.Tests.Schedules.Stand;

sealed class QuietPort : StandPort
{
    bool _isWoken;

    public override string Name => "quiet";

    public override uint Poll(ulong waitNs)
    {
        if (waitNs > 0)
        {
            _ = Run.Await(() => _isWoken);
            _isWoken = false;
        }
        return 0;
    }

    public override void Wake()
    {
        Run.Step();
        Run.Fence();
        _isWoken = true;
    }
}
