// An engine of this benchmark.
using FastBackup.Base;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Growth;

static class OpenedEngine
{
    /// <param name="bufferBytes">Its I/O memory.</param>
    /// <exception cref="PeerException">It could not be opened.</exception>
    public static Engine Of(ulong bufferBytes)
    {
        Fault fault = Engine.TryOpen(new EngineOptions { BufferBytes = bufferBytes }, out Engine? engine);
        return fault.IsNone ? engine! : throw new PeerException($"cannot open the engine: {fault}");
    }
}
