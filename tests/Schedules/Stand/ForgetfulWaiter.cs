// A host's loop that swallows the pokes of whoever has just left the lock of the driver: as if it left without a second
// look.
using FastBackup.Native.Objects;
using FastBackup.Runtime;
using FastBackup.Tests.Schedules.Machine;

namespace FastBackup.Tests.Schedules.Stand;

sealed class ForgetfulWaiter(HostLoop loop) : IHostWaiter
{
    public void Poke()
    {
        // Posters come here by an exchange of the sleeping word.
        if (Run.Current == null || Run.Self.ExchangeCount > 0)
            loop.Poke();
    }

    public void SleepUntil(ulong deadlineNs) => loop.SleepUntil(deadlineNs);
}
