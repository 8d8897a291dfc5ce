// What a reactor without a thread of its own asks of the host that drives it.
namespace FastBackup.Runtime;

/// <summary>Sees to it that <see cref="Reactor.TryDrive"/> is called again when there is something to do.</summary>
public interface IHostWaiter
{
    /// <summary>Soon: something was posted, or is left to do. Threads: any.</summary>
    void Poke();

    /// <summary>At this time, or when the port has something. On the driving thread, inside TryDrive.</summary>
    /// <param name="deadlineNs">On the reactor's clock; ulong.MaxValue = never.</param>
    void SleepUntil(ulong deadlineNs);
}
