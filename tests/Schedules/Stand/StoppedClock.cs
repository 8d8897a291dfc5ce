// A clock that stands still: no timer ever helps out.
using FastBackup.Base;

namespace FastBackup.Tests.Schedules.Stand;

sealed class StoppedClock : IClock
{
    public ulong NowNs => 1;
}
