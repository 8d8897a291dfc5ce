// In place of the system call of that name: a fence on every thread.
using FastBackup.Tests.Schedules.Machine;

namespace FastBackup.Memory;

static class Membarrier
{
    public const int CMD_PRIVATE_EXPEDITED = Interop.Linux.Membarrier.CMD_PRIVATE_EXPEDITED;
    public const int CMD_REGISTER_PRIVATE_EXPEDITED = Interop.Linux.Membarrier.CMD_REGISTER_PRIVATE_EXPEDITED;

    public static long Call(int command)
    {
        if (command == CMD_REGISTER_PRIVATE_EXPEDITED || Run.Missing == Fences.OfAllThreads)
            return 0;
        Run.Step();
        Run.FenceAll();
        return 0;
    }
}
